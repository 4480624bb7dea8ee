"""Deletion of resource groups: what they hold goes first."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from capipool.testing.azure.model.aks import clusters
from capipool.testing.azure.model.failures import ArmError
from capipool.testing.azure.model.operations import Operation, Outcome
from capipool.testing.azure.model.scalesets import acting
from capipool.testing.azure.model.subscription import Group, Subscription


def delete(subscription: Subscription, group: Group) -> Operation:
    """Begin the deletion of a group and of all that it holds. A second deletion joins the first."""
    world = subscription.world
    path = world.group_path(group.name)
    if pending := [o for o in world.operations.pending(path) if o.action == "resourceGroups/delete"]:
        return pending[0]
    operation = world.operations.start("resourceGroups/delete", path, location=group.location)
    operation.answers_nothing = True
    if operation.doom is not None:
        return operation
    group.state = "Deleting"
    prefix = f"{path}/".lower()
    for key, scale_set in subscription.scale_sets.items():
        if key.startswith(prefix):
            acting.delete(subscription, scale_set)
    operation.after(world.timing.delete, lambda _: None, group)
    clusters_gone = _clusters_gone(subscription, prefix)
    operation.process = lambda _: next(clusters_gone, True)
    operation.on_end = lambda ended: _gone(subscription, group, prefix, ended)
    return operation


def _clusters_gone(subscription: Subscription, prefix: str) -> Iterator[bool]:
    """Delete the clusters of a group, each as soon as it is free, and wait; says False as long as one is there."""
    while found := [c for key, c in subscription.clusters.items() if key.startswith(prefix)]:
        for cluster in found:
            with contextlib.suppress(ArmError):  # busy: asked again at the next look
                clusters.delete(subscription, cluster)
        yield False


def _gone(subscription: Subscription, group: Group, prefix: str, operation: Operation) -> None:
    if operation.outcome is not Outcome.SUCCEEDED:
        group.state = "Succeeded"
        return
    for table in subscription.tables():
        for key in [key for key in table if key.startswith(prefix)]:
            del table[key]
    subscription.groups.pop(group.name.lower(), None)
