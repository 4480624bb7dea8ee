"""A provider in memory, for tests of what uses providers, and as the smallest complete example of one.

It records every call, and fails the next one when told to. Its groups keep their number by themselves, as clouds do,
whenever `tick` is called; `observe` calls it. With `machines` it shows each instance as a FakeMachine.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

import msgspec

from capipool.machinery.clock import Clock
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Model, Object, Raw
from capipool.machinery.resource import ObjectKey, Resource
from capipool.machinery.schema.limits import Limits
from capipool.sdk import (
    Group,
    GroupChanged,
    Instance,
    InstanceGroupNotFound,
    InstanceState,
    InstanceView,
    InsufficientCapacity,
    Launch,
    Pool,
    PoolProvider,
    ProviderError,
    Strategy,
)


class FakePoolSpec(Model):
    """What is wanted. `launch` is whatever instances are made from."""

    launch: Annotated[Raw, Limits(preserve_unknown=True)] = msgspec.field(default_factory=dict)
    provider_id_list: tuple[str, ...] = ()


class FakeInitialization(Model):
    """What happens once."""

    provisioned: bool | None = None


class FakePoolStatus(Model):
    """What is observed; what else the contract has is kept as it is."""

    LIMITS: ClassVar = Limits(preserve_unknown=True)

    conditions: tuple[Condition, ...] = ()
    initialization: FakeInitialization = FakeInitialization()


class FakePool(Object):
    """A pool object of no cloud."""

    RESOURCE: ClassVar = Resource("infrastructure.cluster.x-k8s.io", "v1beta2", "FakePool", "fakepools")

    spec: FakePoolSpec = FakePoolSpec()
    status: FakePoolStatus = FakePoolStatus()


class FakeMachineSpec(Model):
    """What an instance is."""

    provider_id: str = ""
    zone: str = ""


class FakeMachine(Object):
    """An instance of a group as an object, of which Cluster API makes a Machine."""

    RESOURCE: ClassVar = Resource("infrastructure.cluster.x-k8s.io", "v1beta2", "FakeMachine", "fakemachines")

    spec: FakeMachineSpec = FakeMachineSpec()
    status: FakePoolStatus = FakePoolStatus()


@dataclass
class FakeGroup:
    """A group in memory."""

    desired: int
    revision: str
    bootstrap: str
    instances: dict[str, Instance] = field(default_factory=dict)


class FakeProvider(PoolProvider[FakePool]):
    """Keeps groups in memory. `calls` has the name of every call made, with the pool's name."""

    kind: ClassVar = FakePool
    finalizer: ClassVar = "fakepool.capipool.io"
    machine_kind: ClassVar = FakeMachine
    machine_finalizer: ClassVar = "fakemachine.capipool.io"

    def __init__(self, clock: Clock, *, capacity: int = 1000) -> None:
        self.clock = clock
        self.capacity = capacity
        """How many instances there may be in all."""
        self.boot = dt.timedelta(0)
        """How long an instance takes to run."""
        self.machines = False
        """Whether instances are shown as FakeMachines."""
        self.launched = 0
        """How many instances were ever launched; no id is used twice."""
        self.groups: dict[ObjectKey, FakeGroup] = {}
        self.calls: list[tuple[str, str]] = []
        self.next_error: ProviderError | None = None
        """Raised by the next call, once, before it does anything."""

    def launch_content(self, pool: Pool[FakePool]) -> Raw:
        """Everything under `spec.launch`."""
        return pool.object.spec.launch

    def strategy(self, pool: Pool[FakePool]) -> Strategy:
        """The engine's defaults."""
        return Strategy()

    def wants_machines(self, pool: Pool[FakePool]) -> bool:
        """As told."""
        return self.machines

    def machine_name(self, pool: Pool[FakePool], instance: Instance) -> str:
        """The instance's id, which has the pool's name in it."""
        return instance.id

    def machine(self, pool: Pool[FakePool], instance: Instance) -> Raw:
        """What the instance is."""
        return {"spec": {"providerID": instance.provider_id} | ({"zone": instance.zone} if instance.zone else {})}

    def machine_status(self, pool: Pool[FakePool], view: InstanceView) -> Raw:
        """The contract's: provisioned once it has run."""
        runs = view.instance.state is InstanceState.RUNNING
        return {"initialization": {"provisioned": True}} if runs else {}

    async def observe(self, pool: Pool[FakePool]) -> Group:
        """The group as it is now."""
        group = self._begin("observe", pool.key)
        self.tick(pool.key)
        instances = tuple(self._aged(i) for i in group.instances.values())
        return Group(desired=group.desired, revision=group.revision, instances=instances, native=group.bootstrap)

    async def ensure(self, pool: Pool[FakePool], launch: Launch, *, replicas: int, seen: Group | None) -> None:
        """Make the group, or have it launch another revision."""
        self._record("ensure", pool.key)
        group = self.groups.get(pool.key)
        if group is None:
            group = self.groups[pool.key] = FakeGroup(replicas, "", "")
        group.revision, group.bootstrap = launch.revision, launch.bootstrap_version
        self.tick(pool.key)

    async def set_desired(self, pool: Pool[FakePool], desired: int, *, seen: Group) -> None:
        """Set the number, unless that would need a victim."""
        group = self._begin("set_desired", pool.key)
        if desired < len(group.instances):
            raise GroupChanged(str(pool.key), f"it has {len(group.instances)} instances")
        if desired - len(group.instances) > self._free():
            raise InsufficientCapacity(wanted=desired - len(group.instances))
        group.desired = desired
        self.tick(pool.key)

    async def terminate(self, pool: Pool[FakePool], ids: Collection[str], *, decrement: bool) -> None:
        """Drop instances at once."""
        group = self._begin("terminate", pool.key)
        for id in set(ids) & group.instances.keys():
            del group.instances[id]
            group.desired -= decrement
        self.tick(pool.key)

    async def delete(self, obj: FakePool) -> None:
        """Drop the group; it is gone at the next call."""
        self._begin("delete", obj.key)
        del self.groups[obj.key]

    def tick(self, key: ObjectKey) -> None:
        """Launch what is missing, as far as there is room."""
        group = self.groups[key]
        for _ in range(min(group.desired - len(group.instances), self._free())):
            self.launched += 1
            id = f"{key.name}-{self.launched}"
            group.instances[id] = Instance(
                id=id,
                provider_id=f"fake:///{key.namespace}/{id}",
                state=InstanceState.PENDING,
                revision=group.revision,
                created=self.clock.now(),
            )

    def _aged(self, instance: Instance) -> Instance:
        if instance.state is not InstanceState.PENDING or instance.created is None:
            return instance
        up = self.clock.now() >= instance.created + self.boot
        return replace(instance, state=InstanceState.RUNNING) if up else instance

    def _free(self) -> int:
        return max(self.capacity - sum(len(g.instances) for g in self.groups.values()), 0)

    def _begin(self, call: str, key: ObjectKey) -> FakeGroup:
        self._record(call, key)
        if key not in self.groups:
            raise InstanceGroupNotFound(str(key))
        return self.groups[key]

    def _record(self, call: str, key: ObjectKey) -> None:
        self.calls.append((call, key.name))
        error, self.next_error = self.next_error, None
        if error is not None:
            raise error
