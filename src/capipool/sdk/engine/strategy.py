"""How a pool's instances are replaced and chosen: what a provider reads out of its object's spec."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass

from capipool.machinery import percentages


class RolloutMode(enum.StrEnum):
    """Who replaces outdated instances."""

    MANAGED = "Managed"
    """The engine: surge, max unavailable, delete order, drain."""
    NATIVE = "Native"
    """The cloud's own rolling replacement; the engine only counts."""
    ON_DELETE = "OnDelete"
    """Nobody, until an instance goes for another reason."""


class DeletePolicy(enum.StrEnum):
    """Which instance goes first among equals."""

    RANDOM = "Random"
    NEWEST = "Newest"
    OLDEST = "Oldest"


@dataclass(frozen=True, slots=True)
class Strategy:
    """The rules by which the engine decides. `max_surge` and `max_unavailable`: a number, or a percentage as text."""

    mode: RolloutMode = RolloutMode.MANAGED
    max_surge: int | str = 1
    """How many instances there may be over the wanted number, all that are still going counted; percent rounds up."""
    max_unavailable: int | str = 0
    """How many of the wanted number may be missing because of us; percent rounds down. Both 0 count as 0 and 1."""
    delete_policy: DeletePolicy = DeletePolicy.RANDOM
    canary: bool = True
    """Whether the first instance of a new revision must be available before a second one replaces anything."""
    min_size: int | None = None
    max_size: int | None = None
    """Bounds that the wanted number is clamped to; None is no bound."""
    failure_backoff: dt.timedelta = dt.timedelta(seconds=30)
    """How old an instance that failed must be before it is replaced, so that a broken launch is not repeated at full
    speed."""
    drain: bool = True
    """Whether a node is drained before its instance is terminated."""
    drain_on_delete: bool = False
    """Whether nodes are drained too when the whole pool is deleted. Upstream's providers do not."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Surge and unavailability in instances, for a certain wanted number."""

    surge: int
    unavailable: int


def allowance(strategy: Strategy, wanted: int) -> Allowance:
    """Resolve percentages. Never both zero: a rollout could not go on. Raises ValueError on other text."""
    surge = max(percentages.scaled(strategy.max_surge, wanted, round_up=True), 0)
    unavailable = min(max(percentages.scaled(strategy.max_unavailable, wanted, round_up=False), 0), wanted)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Allowance(surge, unavailable)
