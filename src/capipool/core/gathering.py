"""Passes over many objects, made less often the more there are: changes of single ones are gathered for a moment first.

A set or a deployment looks at all its machines in each pass. A pass for each change of each machine would cost the
square of their number; gathered, the passes take a bounded share of the time, and what they say is late by milliseconds
for a few machines and by a second for a thousand. Used by the reconcilers of sets, deployments, pools and health checks
for what machines and nodes report alone: their own spec is acted on at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import TypeVar

from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey
from capipool.runtime.cache import Cache
from capipool.runtime.controller import Controller

T = TypeVar("T", bound=Object)

FOR_EACH = dt.timedelta(milliseconds=1)
"""About ten times what a pass costs for one machine."""
MOST = dt.timedelta(seconds=2)
"""However many there are, nobody waits for longer."""


def delay(count: int) -> dt.timedelta:
    """For how long changes are gathered before a pass over so many objects."""
    return min(count * FOR_EACH, MOST)


def watch(
    controller: Controller,
    cache: Cache[T],
    keys: Callable[[T | None, T | None], Iterable[ObjectKey]],
    size: Callable[[ObjectKey], int],
) -> None:
    """Like `Controller.watch`, but with changes gathered; `size` says how many objects a key's pass looks at."""

    def changed(old: T | None, new: T | None) -> Iterable[ObjectKey]:
        enqueue(controller, keys(old, new), size)
        return ()

    controller.watch(cache, changed)


def enqueue(controller: Controller, keys: Iterable[ObjectKey], size: Callable[[ObjectKey], int]) -> None:
    """Have keys reconciled once their changes were gathered."""
    for key in keys:
        controller.enqueue(key, delay(size(key)))
