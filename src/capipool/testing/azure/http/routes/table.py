"""All routes, in the order in which they are looked at."""

from __future__ import annotations

from capipool.testing.azure.http.answers import Route
from capipool.testing.azure.http.routes import (
    aks,
    catalog,
    groups,
    members,
    operations,
    roles,
    scalesets,
    tags,
    virtualmachines,
)


def routes() -> tuple[Route, ...]:
    """Every path of the Resource Manager."""
    return (
        *tags.ROUTES,
        *roles.ROUTES,
        *groups.ROUTES,
        *operations.ROUTES,
        *scalesets.ROUTES,
        *members.ROUTES,
        *virtualmachines.ROUTES,
        *catalog.ROUTES,
        *aks.ROUTES,
    )
