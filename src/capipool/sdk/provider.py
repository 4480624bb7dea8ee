"""The interface that a cloud implements, and what it is given and gives back.

A provider works on *instances* and knows no nodes, budgets, conditions or reconcile loops: `sdk.reconciler` does all of
that for every pool kind alike. Rules that hold for every method:

- **Idempotent.** Any call may be repeated, also after the process died in its middle; the second call does nothing.
- **Never blocks.** Start what takes long and return; `observe` tells of the progress.
- **Reads its own writes.** After `ensure`, `set_desired` or `terminate` returned, `observe` shows the effect at least
  in `desired` and in the state of the instances concerned. Where the cloud lags, the provider remembers.
- **Typed errors.** Whatever the cloud's library raises is translated into `sdk.errors`, `raise ... from`.
"""

from __future__ import annotations

import abc
import datetime as dt
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from capipool.api.builtin import Node
from capipool.api.core import Cluster, MachinePool
from capipool.machinery.objects import Object, Raw
from capipool.machinery.resource import ObjectKey
from capipool.sdk.engine.picture import InstanceState
from capipool.sdk.engine.strategy import Strategy
from capipool.sdk.errors import ProviderError

if TYPE_CHECKING:
    from capipool.sdk.report import Report

ObjectT = TypeVar("ObjectT", bound=Object)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance of a group, as its cloud sees it."""

    id: str
    """How the cloud's calls name it."""
    provider_id: str
    """What its Node has in `spec.providerID`, letter by letter."""
    state: InstanceState
    revision: str = ""
    """The `Launch.revision` it was launched from; empty where the cloud cannot tell."""
    zone: str = ""
    created: dt.datetime | None = None
    name: str = ""
    """What people call it; empty means its id."""
    protected: bool = False
    """Protected from scale-in, in the cloud or by its owner: the engine never removes it."""
    marked: bool = False
    """Somebody wants it removed first."""
    held: bool = False
    """It is terminating, and the cloud waits for `HoldsTerminations.release` before it goes on."""
    message: str = ""
    """Why it failed, for a person."""
    addresses: tuple[tuple[str, str], ...] = ()
    """(type, address), with the types of node addresses: `InternalIP`, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of instances, as its cloud sees it."""

    desired: int
    """How many instances the cloud keeps. It launches and replaces by itself to that end."""
    revision: str
    """What it launches from now on: the `Launch.revision` last ensured."""
    instances: tuple[Instance, ...] = ()
    """All of them, those on their way out included until they are gone."""
    operation: str = ""
    """What the cloud is doing with the group as a whole; as long as it says so, nothing is asked of it."""
    problem: ProviderError | None = None
    """Why the cloud does not reach `desired`, where it says so only afterwards (a failed launch)."""
    rollout: str = ""
    """Progress of the cloud's own rollout, for a person; empty when there is none."""
    native: Any = None
    """Whatever the provider wants to see again in `seen`, to save a second read."""


@dataclass(frozen=True, slots=True)
class Pool(Generic[ObjectT]):
    """A pool that is wanted: its provider's object, and whom it belongs to."""

    object: ObjectT
    machine_pool: MachinePool
    cluster: Cluster

    @property
    def key(self) -> ObjectKey:
        """Namespace and name of the provider's object."""
        return self.object.key

    @property
    def version(self) -> str:
        """The Kubernetes version wanted, with its leading `v`; empty where the image decides."""
        return self.machine_pool.spec.template.spec.version

    @property
    def failure_domains(self) -> tuple[str, ...]:
        """Where instances may be; empty leaves it to the provider."""
        return self.machine_pool.spec.failure_domains


@dataclass(frozen=True, slots=True)
class BootstrapData:
    """What an instance boots with. Secret: it holds a token."""

    data: bytes
    format: str = "cloud-config"
    """`cloud-config` or `ignition`."""

    def __repr__(self) -> str:
        return f"BootstrapData({len(self.data)} bytes, {self.format})"


@dataclass(frozen=True, slots=True)
class Launch:
    """What new instances are made from."""

    revision: str
    """Names the content: two launches of the same revision make the same instance. Holds no token."""
    bootstrap_version: str
    """Changes with every change of the bootstrap data, a fresh token included. A provider that copies the data keeps
    this beside the copy, so as to know when to copy anew; instances are not replaced for it."""
    read_bootstrap: Callable[[], Awaitable[BootstrapData]]
    """Reads the data, on demand: most reconciles need none. Raises `machinery.errors.ApiError`."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often a cloud is asked that does not tell by itself."""

    converging: dt.timedelta | None = dt.timedelta(seconds=5)
    """While something is under way; None where the provider tells of every change (`PushesChanges`)."""
    rest: dt.timedelta | None = dt.timedelta(minutes=1)
    """When all is well; None is never."""


class PoolProvider(abc.ABC, Generic[ObjectT]):
    """One cloud's way to keep a group of instances. The rules in the module's docstring hold for every method."""

    kind: ClassVar[type[Any]]
    """The provider's pool object: a typed `Object` with `spec.provider_id_list`."""
    finalizer: ClassVar[str]
    """Holds the object until its group is gone."""
    intervals: Intervals = Intervals()

    @abc.abstractmethod
    def launch_content(self, pool: Pool[ObjectT]) -> Raw:
        """Return what of the spec makes a new instance differ: its hash becomes part of the revision.

        Pure and normalised: defaults filled in, order and spelling that mean nothing removed, names resolved at most
        once a revision. What can change on a running group (sizes, tags, policies) is left out. The Kubernetes version
        and the bootstrap data are added by the SDK.
        """

    @abc.abstractmethod
    def strategy(self, pool: Pool[ObjectT]) -> Strategy:
        """Return how instances are replaced and chosen, out of the spec. Pure. Raises InvalidConfiguration."""

    @abc.abstractmethod
    async def observe(self, pool: Pool[ObjectT]) -> Group:
        """Return the group as it is. Changes nothing.

        Raises InstanceGroupNotFound where there is none, Throttled, PermissionDenied, CloudUnavailable.
        """

    @abc.abstractmethod
    async def ensure(self, pool: Pool[ObjectT], launch: Launch, *, replicas: int, seen: Group | None) -> None:
        """See to it that the group exists and launches this revision from now on.

        `seen` is what `observe` returned; None where there is no group: it is made, with `replicas` instances desired.
        The desired number of a group that exists stays, and so does every instance. Called at each reconcile: makes no
        call that changes nothing. A group of the same name that is not this pool's is left alone.

        Idempotence: by the group's computed name. Raises NotOwned, InvalidConfiguration, QuotaExceeded,
        PermissionDenied, Throttled, OperationInProgress, CloudUnavailable.
        """

    @abc.abstractmethod
    async def set_desired(self, pool: Pool[ObjectT], desired: int, *, seen: Group) -> None:
        """Have the cloud keep so many instances.

        Must never make the cloud choose a victim: where there are more instances (those terminating apart) than
        `desired`, raises GroupChanged and changes nothing.

        Idempotence: the number is absolute. Raises InstanceGroupNotFound, GroupChanged, InsufficientCapacity,
        QuotaExceeded, Throttled, OperationInProgress, CloudUnavailable.
        """

    @abc.abstractmethod
    async def terminate(self, pool: Pool[ObjectT], ids: Collection[str], *, decrement: bool) -> None:
        """Terminate exactly these instances.

        With `decrement` the desired number falls by as many in the same step, otherwise the cloud launches others in
        their place. An instance that is terminating or gone already counts as done and decrements nothing.

        Idempotence: by instance id. Raises InstanceGroupNotFound, Throttled, OperationInProgress, CloudUnavailable.
        """

    @abc.abstractmethod
    async def delete(self, obj: ObjectT) -> None:
        """Delete the group with its instances and everything made for it; called until it says that it is gone.

        Given only the object: its MachinePool and Cluster may be gone. Pieces that are missing count as deleted.

        Idempotence: starts once, then only looks. Raises InstanceGroupNotFound when nothing is left, NotOwned where
        the group is not this pool's (which is left alone, and counts as gone), Throttled, CloudUnavailable.
        """

    def status(self, pool: Pool[ObjectT], report: Report) -> Raw:
        """Return the object's status, in the shape of its contract. Pure. Keys with None are removed.

        The default is the contract of v1beta2; a provider adds what is its own, or writes another contract's shape.
        """
        return report.v1beta2()

    def deletion_status(self, obj: ObjectT, report: Report) -> Raw:
        """Return what of the status says how the deletion is (`report.deleting`). Pure. Keys with None are removed.

        Its MachinePool and Cluster may be gone. The default is the conditions by the contract of v1beta2.
        """
        return {"conditions": report.v1beta2()["conditions"]}


@runtime_checkable
class PushesChanges(Protocol):
    """A provider that tells when something about a group may have changed, so that nobody needs to ask."""

    def subscribe(self, notify: Callable[[ObjectKey], None]) -> None:
        """Call `notify` with the key of a pool whose group changed. Called once, before the first reconcile."""
        ...


@runtime_checkable
class RollsNatively(Protocol):
    """A cloud that replaces outdated instances by itself, in `RolloutMode.NATIVE`."""

    async def roll(self, pool: Pool[Any], launch: Launch, *, seen: Group) -> None:
        """Have the cloud replace every instance of another revision; progress shows in `Group.rollout`.

        Called while there are outdated instances. Idempotence: one that is under way towards this revision goes on; one
        towards another is cancelled and superseded. Raises as `ensure` does.
        """
        ...


@runtime_checkable
class HoldsTerminations(Protocol):
    """A cloud that can hold terminations it began itself until the node is drained (`Instance.held`)."""

    async def release(self, pool: Pool[Any], id: str) -> None:
        """Let the cloud go on to terminate an instance it holds. Idempotence: one not held any more is done."""
        ...


@runtime_checkable
class ProtectsInstances(Protocol):
    """A cloud that can be told to spare instances when it must choose."""

    async def protect(self, pool: Pool[Any], ids: Collection[str], *, protected: bool) -> None:
        """Protect instances from scale-in, or no longer.

        Called around a lowering of the desired number, so that an instance launched meanwhile costs no other its life.
        `Instance.protected` tells only of protection that did not come from here: what a process that died left behind
        must not keep instances for ever. Idempotence: absolute. Raises as `terminate` does.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """An instance, its node, and the object that stands for it: from which `machine_status` is said."""

    instance: Instance
    node: Node | None
    """Its Node in the workload cluster, if that is known."""
    object: Any
    """The provider's machine object as it was read: a typed `Object`."""
    now: dt.datetime
    outdated: bool = False
    """Whether it was launched from another revision than the pool's: what core shows as `UpToDate`, if the status has
    that condition."""


@runtime_checkable
class DescribesMachines(Protocol):
    """A provider that shows each instance as an object of its own, so that Cluster API makes a Machine of it.

    The SDK makes, updates and removes these objects, and says their kind in `status.infrastructureMachineKind`; core
    makes a Machine of each. An instance that the engine removes is drained by its Machine: the SDK deletes the Machine,
    and calls `terminate` once core has deleted the object that stands for the instance. Where somebody else deletes a
    Machine, its instance is terminated without decrement, so that the cloud replaces it.
    """

    machine_kind: ClassVar[type[Any]]
    """The objects' kind: a typed `Object`. Its own controller, if there is one, must leave those alone that a pool
    owns."""
    machine_finalizer: ClassVar[str]
    """Holds an object until its instance is gone."""

    def wants_machines(self, pool: Pool[Any]) -> bool:
        """Return whether this pool's instances are to have objects. Pure."""
        ...

    def machine_name(self, pool: Pool[Any], instance: Instance) -> str:
        """Return the object's name: computed from the instance, and the same at each call. Pure."""
        ...

    def machine(self, pool: Pool[Any], instance: Instance) -> Raw:
        """Return `spec`, and `metadata.labels` and `metadata.annotations` where there are any. Pure.

        The SDK adds the name, the labels of cluster and pool, the owner reference and the finalizer. Of an object that
        exists only what differs is written: fields that are not named stay, lists are replaced whole. Asked only when
        pool, instance, node or object have changed.
        """
        ...

    def machine_status(self, pool: Pool[Any], view: InstanceView) -> Raw:
        """Return the object's status, in the shape of its contract. Pure. Keys with None are removed.

        `view.now` is for transition times alone: time by itself is no reason to ask again.
        """
        ...
