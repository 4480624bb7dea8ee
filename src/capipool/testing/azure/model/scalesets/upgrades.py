"""A rolling upgrade: batch after batch, with its progress and its limits. Told how to upgrade; knows no scale set."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import NoReturn, Protocol

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.failures import ArmError
from capipool.testing.azure.model.machines import Machine, Provisioning
from capipool.testing.azure.model.operations import Operation
from capipool.testing.azure.model.scalesets.placing import unhealthy
from capipool.testing.azure.model.world import timestamp


@dataclass(frozen=True)
class Policy:
    """Azure's `rollingUpgradePolicy`, with its defaults."""

    batch_percent: int = 20
    unhealthy_percent: int = 20
    unhealthy_upgraded_percent: int = 20
    pause: dt.timedelta = dt.timedelta()
    surge: bool = False
    unhealthy_first: bool = False

    @staticmethod
    def read(given: Raw) -> Policy:
        """From the wire. Raises ArmError for what Azure refuses."""
        policy = Policy(
            batch_percent=_percent(given, "maxBatchInstancePercent", lowest=5),
            unhealthy_percent=_percent(given, "maxUnhealthyInstancePercent", lowest=5),
            unhealthy_upgraded_percent=_percent(given, "maxUnhealthyUpgradedInstancePercent", lowest=0),
            pause=_duration(str(given.get("pauseTimeBetweenBatches") or "PT0S")),
            surge=bool(given.get("maxSurge")),
            unhealthy_first=bool(given.get("prioritizeUnhealthyInstances")),
        )
        if policy.unhealthy_percent < policy.batch_percent and not policy.surge:
            raise ArmError(
                "InvalidParameter",
                f"maxUnhealthyInstancePercent ({policy.unhealthy_percent}) must not be less than "
                f"maxBatchInstancePercent ({policy.batch_percent}).",
                target="upgradePolicy.rollingUpgradePolicy",
            )
        return policy

    def shown(self) -> Raw:
        """As on the wire."""
        return {
            "maxBatchInstancePercent": self.batch_percent,
            "maxUnhealthyInstancePercent": self.unhealthy_percent,
            "maxUnhealthyUpgradedInstancePercent": self.unhealthy_upgraded_percent,
            "pauseTimeBetweenBatches": f"PT{int(self.pause.total_seconds())}S",
            "maxSurge": self.surge,
            "prioritizeUnhealthyInstances": self.unhealthy_first,
        }


class Batches(Protocol):
    """How a scale set upgrades a batch of its machines."""

    operation: Operation
    """What it is a part of."""

    def begin(self, batch: list[Machine]) -> list[Machine]:
        """Start, and return the machines to watch: the same ones, or those that take their places."""
        ...

    def end(self, batch: list[Machine]) -> None:
        """Called when the machines to watch do not change any more."""
        ...

    def going(self) -> bool:
        """Whether machines that were replaced are still there; no batch begins before they are gone."""
        ...

    def everyone(self) -> list[Machine]:
        """All machines that count."""
        ...


class RollingUpgrade:
    """One run, from batch to batch, at most one with each look."""

    def __init__(self, *, policy: Policy, started: dt.datetime, pending: list[Machine], batches: Batches) -> None:
        self.policy = policy
        self.started = started
        self.code = "RollingForward"
        self.last_action = "Start"
        self.last_action_time = started
        self.error: ArmError | None = None
        self.pending = pending
        self.batch: list[Machine] = []
        self.watched: list[Machine] = []
        self.succeeded = 0
        self.failed = 0
        self._size = len(pending)
        self.batches = batches
        self._next_at = started

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.code == "RollingForward"

    def advance(self, now: dt.datetime) -> bool:
        """Bring it up to the present. Returns whether it is over; raises ArmError when it gave up."""
        if not self.running:
            return True
        if self.batch:
            if any(_changing(machine) for machine in self.watched):
                return False
            self._count(now)
            self._next_at = now + self.policy.pause
        if self.batches.going():
            return False
        if not self.pending:
            self._end("Completed", now)
            return True
        if now >= self._next_at:
            self._check_health(now)
            self.batch, self.pending = self._split()
            self.watched = self.batches.begin(self.batch)
        return False

    def _check_health(self, now: dt.datetime) -> None:
        everyone = self.batches.everyone()
        bad = sum(unhealthy(machine) for machine in everyone)
        if bad * 100 > self.policy.unhealthy_percent * len(everyone):
            when = "Before" if not self.succeeded + self.failed else "In"
            self._give_up(
                f"MaxUnhealthyInstancePercentExceeded{when}RollingUpgrade",
                f"{bad} of {len(everyone)} instances are unhealthy, more than the MaxUnhealthyInstancePercent of the "
                "RollingUpgradePolicy allows.",
                now,
            )

    def _split(self) -> tuple[list[Machine], list[Machine]]:
        order = self.pending
        if self.policy.unhealthy_first:
            order = sorted(order, key=lambda machine: not unhealthy(machine))
        size = max(1, self._size * self.policy.batch_percent // 100)
        return order[:size], order[size:]

    def _count(self, now: dt.datetime) -> None:
        bad = sum(unhealthy(machine) for machine in self.watched)
        self.failed += bad
        self.succeeded += len(self.watched) - bad
        done = self.failed + self.succeeded
        batch, self.batch, self.watched = self.batch, [], []
        if self.failed * 100 > self.policy.unhealthy_upgraded_percent * done:
            self._give_up(
                "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade",
                "Rolling Upgrade failed after exceeding the MaxUnhealthyUpgradedInstancePercent value defined in the "
                f"RollingUpgradePolicy. {self.failed} of {done} upgraded instances are unhealthy.",
                now,
            )
        self.batches.end(batch)

    def _give_up(self, code: str, message: str, now: dt.datetime) -> NoReturn:
        self.error = ArmError(code, message)
        self._end("Faulted", now)
        raise self.error

    def approve(self, now: dt.datetime) -> None:
        """Begin the next batch without the rest of the pause."""
        self._next_at = min(self._next_at, now)

    def cancel(self, now: dt.datetime) -> None:
        """Begin no more batches. What is being upgraded goes on."""
        if self.running:
            self.last_action = "Cancel"
            self._end("Cancelled", now)

    def _end(self, code: str, now: dt.datetime) -> None:
        self.code, self.last_action_time = code, now

    def shown(self) -> Raw:
        """As `rollingUpgrades/latest` has it."""
        made: Raw = {
            "policy": self.policy.shown(),
            "runningStatus": {
                "code": self.code,
                "startTime": timestamp(self.started),
                "lastAction": self.last_action,
                "lastActionTime": timestamp(self.last_action_time),
            },
            "progress": {
                "successfulInstanceCount": self.succeeded,
                "failedInstanceCount": self.failed,
                "inProgressInstanceCount": len(self.batch),
                "pendingInstanceCount": len(self.pending),
            },
        }
        return {**made, "error": self.error.body()["error"]} if self.error else made


def _changing(machine: Machine) -> bool:
    return machine.provisioning in (Provisioning.CREATING, Provisioning.UPDATING)


def _percent(given: Raw, field: str, *, lowest: int) -> int:
    value = given.get(field)
    number = 20 if value is None else int(value)
    if not lowest <= number <= 100:
        raise ArmError("InvalidParameter", f"{field} must be between {lowest} and 100, and is {number}.", target=field)
    return number


def _duration(text: str) -> dt.timedelta:
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", text)
    if match is None:
        raise ArmError("InvalidParameter", f"'{text}' is no ISO 8601 duration.", target="pauseTimeBetweenBatches")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
