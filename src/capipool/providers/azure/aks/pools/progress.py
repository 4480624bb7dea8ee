"""How far an order to AKS is. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from capipool.providers.azure import failures
from capipool.providers.azure.aks.pools.decide import Pool
from capipool.providers.azure.operations import Operation
from capipool.sdk import CloudUnavailable, ProviderError


@dataclass(frozen=True, slots=True)
class Progress:
    """What is under way, or why it is not."""

    operation: Operation | None = None
    again: dt.timedelta | None = None
    """When Azure wants to be asked."""
    failure: ProviderError | None = None
    """Why an order was not taken, or failed; its `delay` is what is left until it is given again."""


@dataclass(frozen=True, slots=True)
class Last:
    """How the last change of a pool ended."""

    pool: Pool | None
    error: ProviderError | None = None
    """What its operation says, if that was known still."""

    @property
    def failure(self) -> ProviderError | None:
        """Why it failed; None where it did not. Some failures show in the pool's state alone."""
        if self.error is not None or self.pool is None or self.pool.state not in ("Failed", "Canceled"):
            return self.error
        said = (self.pool.properties.get("status") or {}).get("provisioningError") or {}
        title = "the last change of the agent pool"
        if said.get("code"):
            return failures.of_operation(title, said, wanted=max(self.pool.count, 1))
        return CloudUnavailable(title, detail=f"it ended as {self.pool.state}, and Azure's activity log says why")
