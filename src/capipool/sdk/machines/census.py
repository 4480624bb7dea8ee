"""Who is shown how: the objects of a pool's instances and their Machines, out of the caches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from capipool.api import labels
from capipool.api.constants import Annotation, ConditionType, Label
from capipool.api.core import Machine, MachinePool
from capipool.machinery import conditions
from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey, Resource
from capipool.runtime.cache import Cache, Caches
from capipool.sdk import removal
from capipool.sdk.engine.picture import Deletion
from capipool.sdk.provider import DescribesMachines, Group, Instance, Pool

_OF_OBJECT = "infrastructure object"


@dataclass(frozen=True, slots=True)
class Shown:
    """How an instance is shown: its object, and the Machine that core made of it, as far as there are any."""

    object: Any = None
    """Typed, of `DescribesMachines.machine_kind`."""
    machine: Machine | None = None

    @property
    def drained(self) -> bool:
        """Whether nothing stands against terminating the instance: core, or somebody else, deletes the object."""
        return self.object is not None and bool(self.object.deleting)

    @property
    def begun(self) -> bool:
        """Whether the engine has begun to remove it."""
        return self.machine is not None and removal.REMOVING in self.machine.metadata.annotations

    @property
    def deletion(self) -> Deletion:
        """Whether there is no way back, and whose idea that was."""
        if not self.drained and (self.machine is None or not self.machine.deleting):
            return Deletion.NONE
        return Deletion.PLANNED if self.begun else Deletion.ORDERED

    @property
    def marked(self) -> bool:
        """Whether somebody wants it removed first."""
        there = (o for o in (self.object, self.machine) if o is not None)
        return any(Annotation.DELETE_MACHINE in o.metadata.annotations for o in there)

    @property
    def given_up(self) -> bool:
        """Whether a health check has the Machine replaced."""
        if self.machine is None:
            return False
        told = conditions.find(self.machine.status.conditions, ConditionType.OWNER_REMEDIATED)
        return told is not None and told.status == "False"


NOT_SHOWN = Shown()


@dataclass(frozen=True, slots=True)
class Census:
    """A pool's instances as they are shown, and what is left over of others."""

    wanted: bool = False
    """Whether instances are to be shown."""
    shown: Mapping[str, Shown] = field(default_factory=dict)
    """By instance id."""
    left: tuple[Shown, ...] = ()
    """Those whose instances are gone."""
    unwanted: tuple[Shown, ...] = ()
    """Those to be let go though their instances stay: objects, Machines, or both."""
    taken: tuple[str, ...] = ()
    """Names that instances would have, and that are somebody else's."""


class Records:
    """Finds the objects of one provider's pools, and their Machines. Reads caches only."""

    def __init__(self, provider: DescribesMachines, caches: Caches) -> None:
        self._provider = provider
        self.resource: Resource = provider.machine_kind.RESOURCE
        self.objects: Cache[Any] = caches.of(provider.machine_kind)
        self.machines: Cache[Machine] = caches.of(Machine)
        self.machines.add_index(_OF_OBJECT, _reference)

    def machine_of(self, obj: Object) -> Machine | None:
        """The Machine of an object, also before it has become its owner."""
        return self._machine(obj.key)

    def of(self, obj: Object) -> list[Shown]:
        """All that a pool object owns."""
        return [Shown(o, self.machine_of(o)) for o in self._owned(obj)]

    def take(self, pool: Pool[Any], group: Group) -> Census:
        """Count who is there."""
        wanted = self._provider.wants_machines(pool)
        owned = {o.metadata.name: o for o in self._owned(pool.object)}
        shown: dict[str, Shown] = {}
        taken = []
        for instance in group.instances if wanted or owned else ():
            name = self._provider.machine_name(pool, instance)
            obj = owned.pop(name, None) or self._orphan(pool, name)
            if obj is None and wanted and self.objects.get(ObjectKey(pool.key.namespace, name)) is not None:
                taken.append(name)
                continue
            machine = self._machine(ObjectKey(pool.key.namespace, name)) if obj is not None else None
            shown[instance.id] = Shown(obj, machine)
        left = tuple(Shown(o, self.machine_of(o)) for o in owned.values())
        if wanted:
            return Census(True, shown, left, taken=tuple(taken))
        return self._without(pool, shown, left)

    def _without(self, pool: Pool[Any], shown: Mapping[str, Shown], left: tuple[Shown, ...]) -> Census:
        """A pool that shows no instances, or no longer. What is on its way out goes to its end as it began."""
        going = {id: s for id, s in shown.items() if s.deletion is not Deletion.NONE}
        unwanted = [s for id, s in shown.items() if id not in going and s.object is not None]
        known = {s.machine.key for s in (*shown.values(), *left) if s.machine is not None}
        stray = (m for m in self._machines_of(pool.machine_pool) if m.key not in known and not m.deleting)
        return Census(False, going, left, (*unwanted, *(Shown(None, m) for m in stray)))

    def _machines_of(self, owner: MachinePool) -> Iterable[Machine]:
        """The Machines that core made of objects of this kind."""
        owned = self.machines.owned_by(owner.metadata.uid)
        return (m for m in owned if m.spec.infrastructure_ref.group_kind == self.resource.group_kind)

    def _owned(self, obj: Object) -> Iterable[Any]:
        return self.objects.owned_by(obj.metadata.uid)

    def _orphan(self, pool: Pool[Any], name: str) -> Any:
        """An object of this name that has the pool's labels, though not its owner reference any more."""
        obj = self.objects.get(ObjectKey(pool.key.namespace, name))
        there = obj is not None and identity(pool).items() <= obj.metadata.labels.items()
        return obj if there else None

    def _machine(self, key: ObjectKey) -> Machine | None:
        found = self.machines.by(_OF_OBJECT, _value(self.resource, key))
        return found[0] if found else None


def identity(pool: Pool[Any]) -> dict[str, str]:
    """The labels by which core finds the objects of a pool."""
    return {
        Label.CLUSTER_NAME: pool.cluster.metadata.name,
        Label.MACHINE_POOL_NAME: labels.format_value(pool.machine_pool.metadata.name),
    }


def title(instance: Instance) -> str:
    """What messages call an instance."""
    return instance.name or instance.id


def _reference(machine: Machine) -> tuple[str, ...]:
    reference = machine.spec.infrastructure_ref
    return (f"{reference.group_kind}/{machine.metadata.namespace}/{reference.name}",)


def _value(resource: Resource, key: ObjectKey) -> str:
    return f"{resource.group_kind}/{key.namespace}/{key.name}"
