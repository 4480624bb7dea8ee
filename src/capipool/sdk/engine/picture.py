"""What the engine looks at: one moment of a pool, put together from the cloud and from the workload cluster's nodes."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field

from capipool.sdk.engine.strategy import Strategy


class InstanceState(enum.StrEnum):
    """Where an instance is in its life, as its cloud says."""

    PENDING = "Pending"
    """Accepted or booting."""
    RUNNING = "Running"
    """In service, as far as the cloud can tell."""
    FAILED = "Failed"
    """It will never serve, and stays until it is terminated."""
    TERMINATING = "Terminating"
    """On its way out, whoever ordered that; it still counts until it is gone."""


class NodeHealth(enum.StrEnum):
    """What the instance's node says."""

    ABSENT = "Absent"
    NOT_READY = "NotReady"
    READY = "Ready"


class Deletion(enum.StrEnum):
    """Whether the Machine of an instance, or the object that stands for it, is being deleted: no way leads back."""

    NONE = ""
    PLANNED = "Planned"
    """By this engine."""
    ORDERED = "Ordered"
    """By somebody else: a person, or a health check (`remediate`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An instance and its node."""

    id: str
    state: InstanceState = InstanceState.RUNNING
    revision: str = ""
    """What it was launched from; empty where nobody knows, which counts as up to date: it is not touched."""
    zone: str = ""
    created: dt.datetime | None = None
    protected: bool = False
    """Protected from removal: never chosen, by nobody."""
    marked: bool = False
    """Somebody asked for it to go first (`cluster.x-k8s.io/delete-machine`)."""
    remediate: bool = False
    """A health check asks for its replacement."""
    removing: bool = False
    """Its removal has begun: it is cordoned, or draining. It is chosen again before others, or spared."""
    deletion: Deletion = Deletion.NONE
    """Where it has a Machine. One that is being deleted is `removing`, too."""
    drained: bool = False
    """Its Machine has been drained and waits for it to be terminated."""
    node: NodeHealth = NodeHealth.ABSENT
    ready_since: dt.datetime | None = None
    """When the node became ready; None while it is not."""
    name: str = ""
    """What messages call it; empty means its id."""
    message: str = ""
    """Why it failed, in the cloud's words."""

    @property
    def title(self) -> str:
        """What messages call it."""
        return self.name or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One moment of a pool."""

    now: dt.datetime
    replicas: int
    """What the MachinePool wants."""
    desired: int
    """How many instances the cloud's group keeps now."""
    revision: str
    """What the group launches from now on."""
    members: tuple[Member, ...] = ()
    strategy: Strategy = field(default_factory=Strategy)
    min_ready_seconds: int = 0
    """For how long a node must have been ready before it counts as available."""
    externally_scaled: bool = False
    """Somebody else sets the group's desired number (`cluster.x-k8s.io/replicas-managed-by`): it is never sent."""
    nodes_known: bool = True
    """Whether the workload cluster answers. If not, nothing that works may be removed."""
    nodes_unknown_reason: str = ""
    operation: str = ""
    """What the cloud is doing with the group as a whole; nothing is asked of it meanwhile."""
    paused: bool = False

    @property
    def wanted(self) -> int:
        """How many instances there should be at rest: the cloud's number where somebody else scales, else clamped."""
        if self.externally_scaled:
            return self.desired
        least, most = self.strategy.min_size, self.strategy.max_size
        wanted = max(self.replicas, 0)
        wanted = min(wanted, most) if most is not None else wanted
        return max(wanted, least) if least is not None else wanted
