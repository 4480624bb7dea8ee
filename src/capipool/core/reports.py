"""What a decision says beside its writes: Events, and why it waits. Used by the reconcilers of core.

Said once what was decided is carried out, about the object as it reads then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from capipool.core.writes import Problem
from capipool.machinery.objects import Object
from capipool.runtime.events import EventRecorder
from capipool.runtime.logs import Logger


@dataclass(frozen=True, slots=True)
class Said:
    """An Event to record."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    about: Object | None = None
    """None for the object that is reconciled."""


def record(recorder: EventRecorder, obj: Object, events: Iterable[Said]) -> None:
    """Record the Events of a decision about an object. Never waits or raises."""
    for said in events:
        recorder.event(said.about or obj, said.type, said.reason, said.message)


def log(logger: Logger, problems: Iterable[Problem]) -> None:
    """Write down what a reconcile waits for."""
    for problem in problems:
        logger.debug("waiting", reason=problem.reason, why=problem.message)
