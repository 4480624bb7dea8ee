"""How far an order to AKS is. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from capipool.providers.azure.operations import Operation
from capipool.sdk import ProviderError


@dataclass(frozen=True, slots=True)
class Progress:
    """What is under way, or why it is not."""

    operation: Operation | None = None
    again: dt.timedelta | None = None
    """When Azure wants to be asked."""
    failure: ProviderError | None = None
    """Why an order was not taken, or failed; its `delay` is what is left until it is given again."""
