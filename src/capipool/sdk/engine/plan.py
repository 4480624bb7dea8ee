"""What the engine wants done, and what it waits for."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass


class Cause(enum.StrEnum):
    """Why an instance goes."""

    FAILED = "Failed"
    REMEDIATION = "Remediation"
    SCALE_DOWN = "ScaleDown"
    OUTDATED = "Outdated"
    MACHINE_DELETED = "MachineDeleted"
    """Its Machine is being deleted, and nothing else speaks for its going: another comes in its place."""
    INTERRUPTED = "Interrupted"
    """The cloud takes it back."""
    DELETION = "Deletion"
    """The whole pool goes."""


@dataclass(frozen=True, slots=True)
class Removal:
    """One instance that is to go: cordon and drain its node; then terminate it, if that is allowed already."""

    id: str
    cause: Cause
    terminate: bool = True
    """False while too few others are available: the node may be drained, the instance must stay."""
    decrement: bool = True
    """Whether the group's number falls with it; otherwise the cloud launches another in its place."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Why the pool is not where its spec wants it: one CamelCase word, and a sentence for a person."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One step. Empty means that nothing is to be done now; `waits` says whether that is because all is well.

    `desired` is set before anything is terminated. It never makes the cloud choose a victim: it is lowered at most to
    the number of instances there are.
    """

    desired: int | None = None
    """The number to set the group to; None leaves it as it is."""
    removals: tuple[Removal, ...] = ()
    spare: tuple[str, ...] = ()
    """Instances whose removal had begun and is called off: uncordon their nodes."""
    waits: tuple[Wait, ...] = ()
    recheck: dt.datetime | None = None
    """When time alone changes the picture: a node becomes available, a failed instance may be replaced."""

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do and nothing to wait for."""
        return self.desired is None and not self.removals and not self.spare and not self.waits
