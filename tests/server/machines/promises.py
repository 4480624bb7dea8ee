"""What a MachineDeployment promises at every instant, judged at each change of a Machine as the server stores it.

- No machine is made beyond `replicas + maxSurge`, those that are on their way out included.
- A rollout takes no available machine away unless `replicas - maxUnavailable` others are available. What is judged is
  the taking away: the number falls below on its own where machines fail, are deleted by somebody, or where replicas
  are added. A rollout goes by what sets report, so a machine that was harmed in the moment before may have been
  counted still: it is counted here too, for `MOMENT`. The promise is for machines of older sets; who asks for fewer
  replicas, of the new set or of a paused deployment, asks for exactly that. `OnDelete` promises nothing.
- A Machine goes last: not before its infrastructure machine, its bootstrap configuration and its instance are gone.

Controllers act a moment after they are told, and not at all while their process is dead: what was wanted within the
last `MOMENT` of the process's life may still be acted on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from capipool.api.core import Machine
from capipool.core.machinedeployment.rollout import resolve_fenceposts
from capipool.machinery import conditions

T = TypeVar("T")

MOMENT = 0.1
"""Seconds of the process's life: it has acted on what it was told after that, conflicts and restarts included."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a deployment rolls."""

    type: str = "RollingUpdate"
    surge: int | str = 1
    unavailable: int | str = 0

    def most(self, replicas: int) -> int:
        """So many machines may there be."""
        return replicas if self.type == "OnDelete" else replicas + resolve_fenceposts(self.surge, 0, replicas)[0]

    def least(self, replicas: int) -> int:
        """So many stay available through a rollout."""
        if self.type == "OnDelete":
            return 0
        return max(replicas - resolve_fenceposts(self.surge, self.unavailable, replicas)[1], 0)


class Lately(Generic[T]):
    """What something was in the last moment: its value now, and those before it."""

    def __init__(self, value: T, uptime: Callable[[], float]) -> None:
        self._uptime = uptime
        self._values = [(uptime(), value)]

    def change(self, value: T) -> None:
        """From now on it is this."""
        self._values.append((self._uptime(), value))

    def values(self) -> set[T]:
        """Every value that it had."""
        since = self._uptime() - MOMENT
        ended = zip(self._values, [*(began for began, _ in self._values[1:]), float("inf")], strict=True)
        return {value for (_, value), end in ended if end >= since}


class Promises:
    """Judges the machines of one deployment. `broken` says which promises were not kept."""

    def __init__(self, strategy: Strategy, *, replicas: int, version: str, uptime: Callable[[], float]) -> None:
        self._strategy = strategy
        self._uptime = uptime
        self.replicas = Lately(replicas, uptime)
        self.version = Lately(version, uptime)
        self.paused = Lately(False, uptime)
        self.calm = False
        """Whether nobody harms machines or changes their number: then enough are available at every instant."""
        self.broken: list[str] = []
        self.taken = 0
        """How many available machines rollouts took away: how often the promise was put to the test."""
        self._machines: dict[str, Machine] = {}
        self._harmed: dict[str, float] = {}
        """When machines ceased to be available by anything but a rollout."""

    def harm(self, name: str) -> None:
        """Somebody harms a machine on purpose."""
        self._harmed[name] = self._uptime()

    def changed(self, old: Machine | None, new: Machine | None) -> None:
        """A machine as the server stores it now."""
        machine = new or old
        assert machine is not None
        name = machine.metadata.name
        before = self._machines.pop(name, None)
        if new is not None:
            self._machines[name] = new
            self._judge(name, before, new)
        if self.calm and self._available() < min(self._strategy.least(r) for r in self.replicas.values()):
            self._break(f"only {self._available()} machines are available")

    def _judge(self, name: str, before: Machine | None, machine: Machine) -> None:
        if before is None:
            most = max(self._strategy.most(r) for r in self.replicas.values())
            if len(self._machines) > most:
                self._break(f"{name} is made where there may be {most}: {sorted(self._machines)}")
        elif is_available(before) and not is_available(machine):
            if machine.deleting and self._is_by_rollout(name, machine):
                self._taken_away(name)
            else:
                self.harm(name)

    def _is_by_rollout(self, name: str, machine: Machine) -> bool:
        told = conditions.find(machine.status.conditions, "OwnerRemediated")
        remediated = told is not None and told.status == "False"
        return name not in self._harmed and not remediated and machine.spec.version not in self.version.values()

    def _taken_away(self, name: str) -> None:
        since = self._uptime() - MOMENT
        counted = self._available() + sum(moment >= since for moment in self._harmed.values())
        least = min(self._strategy.least(r) for r in self.replicas.values())
        self.taken += 1
        if counted < least and True not in self.paused.values():
            self._break(f"{name} is taken away where {counted} others count as available, and {least} must be")

    def _available(self) -> int:
        return sum(map(is_available, self._machines.values()))

    def _break(self, what: str) -> None:
        self.broken.append(f"at {self._uptime():.3f} s of uptime: {what}")


def is_available(machine: Machine) -> bool:
    """Whether a machine serves, and stays."""
    return conditions.is_true(machine.status.conditions, "Available") and not machine.deleting
