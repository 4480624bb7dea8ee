"""Long-running operations: what they change, step by step, as time passes and clients look.

Nothing runs in the background. `Operations.advance` brings everything up to the present; the server calls it before it
looks at anything, so that what a client sees depends on the time and on nothing else.
"""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from capipool.machinery.clock import Clock
from capipool.testing.azure.model.failures import MESSAGES, ArmError
from capipool.testing.azure.model.faults import Faults
from capipool.testing.azure.model.timing import Timing

Process = Callable[[dt.datetime], bool]
"""Work in stages: called with the present, takes at most one stage further, returns whether it is over.

Raises ArmError where it failed.
"""


class Outcome(StrEnum):
    """As the status of an operation says it."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


@dataclass(frozen=True)
class Doom:
    """How an operation will fail, known to the emulator from the start."""

    code: str
    message: str
    outcome: Outcome = Outcome.FAILED
    leaves_failed: bool = True
    """Whether new machines stay listed as Failed; else they vanish again and lower the capacity."""


@dataclass(eq=False)
class Change:
    """One thing that happens to one machine at a time of its own."""

    due: dt.datetime
    apply: Callable[[Operation], None]
    """Told the operation that it happens in, which is another one when a newer one took over."""
    target: object


class Operation:
    """One long-running operation."""

    def __init__(self, *, name: str, action: str, target: str, location: str, clock: Clock, timing: Timing) -> None:
        self._clock = clock
        self.name = name
        self.action = action
        self.target = target
        """The resource's id."""
        self.location = location
        self.started = clock.now()
        self.ended: dt.datetime | None = None
        self.outcome = Outcome.IN_PROGRESS
        self.error: ArmError | None = None
        self.held = False
        """Whether a test keeps it from going on."""
        self.polls = timing.polls
        self.not_before = self.started + timing.operation
        self.doom: Doom | None = None
        self.changes: list[Change] = []
        self.process: Process | None = None
        self.on_end: Callable[[Operation], None] = lambda _: None
        self.answers_nothing = False
        """Whether its result has no body: deletions, and actions on instances."""

    @property
    def pending(self) -> bool:
        """Whether it still goes on."""
        return self.outcome is Outcome.IN_PROGRESS

    def look(self) -> None:
        """Count a client's look at it."""
        self.polls = max(0, self.polls - 1)

    def after(self, delay: dt.timedelta, apply: Callable[[Operation], None], target: object) -> None:
        """Let something happen to a machine, so long after now."""
        self.changes.append(Change(self._clock.now() + delay, apply, target))

    def changing(self, target: object) -> bool:
        """Whether it still has something to do to a machine."""
        return any(change.target is target for change in self.changes)

    def forget(self, target: object) -> None:
        """Leave a machine to a later operation."""
        self.changes = [change for change in self.changes if change.target is not target]

    def advance(self, now: dt.datetime) -> bool:
        """Do what is due. Returns whether it ended just now."""
        if not self.pending or self.held or self.polls > 0:
            return False
        while due := [change for change in self.changes if change.due <= self._clock.now()]:
            for change in due:
                if change in self.changes:  # else one before it has undone it
                    self.changes.remove(change)
                    change.apply(self)
        try:
            done = self.process is None or self.process(now)
        except ArmError as error:
            self.end(Outcome.FAILED, now, error)
            return True
        if self.changes or not done or now < self.not_before:
            return False
        self._finish(now)
        return True

    def _finish(self, now: dt.datetime) -> None:
        if self.doom is not None:
            self.end(self.doom.outcome, now, ArmError(self.doom.code, self.doom.message))
        elif self.error is not None:
            self.end(Outcome.FAILED, now, self.error)
        else:
            self.end(Outcome.SUCCEEDED, now)

    def end(self, outcome: Outcome, now: dt.datetime, error: ArmError | None = None) -> None:
        """End it, once."""
        if not self.pending:
            return
        self.outcome, self.ended, self.error = outcome, now, error
        self.changes.clear()
        self.on_end(self)


class Operations:
    """All operations of the subscription, those that are over included."""

    def __init__(self, *, clock: Clock, timing: Timing, faults: Faults, rng: random.Random) -> None:
        self._clock = clock
        self._timing = timing
        self._faults = faults
        self._rng = rng
        self.all: dict[str, Operation] = {}
        self._open: list[Operation] = []

    def start(self, action: str, target: str, *, location: str) -> Operation:
        """Begin an operation, with the faults that were ordered for its action."""
        name = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        operation = Operation(
            name=name, action=action, target=target, location=location, clock=self._clock, timing=self._timing
        )
        operation.held = self._faults.holds(action)
        if (failure := self._faults.take_failure(action)) is not None:
            message = failure.message or MESSAGES.get(failure.code, f"The operation failed with {failure.code}.")
            outcome = Outcome.CANCELED if failure.canceled else Outcome.FAILED
            operation.doom = Doom(failure.code, message, outcome, failure.leaves_failed)
        self.all[name] = operation
        self._open.append(operation)
        return operation

    def pending(self, target: str = "") -> list[Operation]:
        """What goes on, on one resource or on all, the oldest first."""
        self._open = [operation for operation in self._open if operation.pending]
        wanted = target.lower()
        return [o for o in self._open if not wanted or o.target.lower() == wanted]

    def changing(self, machine: object) -> list[Operation]:
        """The operations that still have something to do to a machine."""
        return [operation for operation in self.pending() if operation.changing(machine)]

    def preempt(self, newer: Operation) -> None:
        """Cancel what goes on, on the resource of a newer operation, which takes over what was begun with machines."""
        for operation in self.pending(newer.target):
            if operation is newer:
                continue
            newer.changes.extend(operation.changes)
            operation.on_end = lambda _: None
            operation.end(Outcome.CANCELED, self._clock.now(), ArmError("OperationPreempted"))

    def release(self, pattern: str = "*") -> None:
        """Let held operations go on, and hold no more of them."""
        self._faults.release(pattern)
        for operation in self.pending():
            operation.held = self._faults.holds(operation.action)

    def look(self, target: str) -> None:
        """Count a look at a resource as a look at its operations."""
        for operation in self.pending(target):
            operation.look()

    def advance(self) -> None:
        """Bring everything up to the present."""
        now = self._clock.now()
        while any([operation.advance(now) for operation in self.pending()]):  # noqa: C419  (all of them, each round)
            pass
