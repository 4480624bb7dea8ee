"""Takes a node group that is wanted to what is wanted of it: role, launch template, the group, its updates, its tags.

Used by the reconciler. A part that fails is said by its own condition, and keeps none of the others from going on.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from capipool.api.core import Cluster, MachinePool
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws import tags
from capipool.providers.aws.eks import naming
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.eks.controlplane import name_of as cluster_name_of
from capipool.providers.aws.eks.nodegroups import deciding, picture, roles, statuses, updates
from capipool.providers.aws.eks.nodegroups.cloud import Home, NodeGroups, provider_ids
from capipool.providers.aws.eks.nodegroups.deciding import Note
from capipool.providers.aws.eks.nodegroups.picture import NodeGroup, Template, Wish
from capipool.providers.aws.eks.nodegroups.steering import Steering
from capipool.providers.aws.eks.nodegroups.templating import NodeTemplates
from capipool.providers.aws.eks.nodegroups.updates import Record
from capipool.providers.aws.eks.nodegroups.writes import Writes
from capipool.providers.aws.lookups import Lookups
from capipool.providers.aws.places import REGION_ANNOTATION, Place, Places
from capipool.providers.aws.upkeep import TAGS_ANNOTATION, applied
from capipool.runtime.manager import Manager
from capipool.sdk import InvalidConfiguration, NotOwned, ProviderError
from capipool.sdk.inputs import is_externally_scaled

CLUSTER_ANNOTATION = "capipool.io/eks-cluster"
"""On an AWSManagedMachinePool: the EKS cluster of its node group. Written before that is made."""
CREATED_ANNOTATION = "capipool.io/eks-created"
"""On an AWSManagedMachinePool: tells which wish its node group was made by."""


@dataclass(slots=True)
class Pass:
    """What one look at a pool brings to light."""

    part: str
    """The condition that is about what is being done."""
    failures: dict[str, ProviderError] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    records: dict[str, Record] = field(default_factory=dict)
    template: Template | None = None
    role: roles.Role | None = None
    replicas: int | None = None

    @contextmanager
    def about(self, part: str) -> Iterator[None]:
        """What goes wrong in here is that part's, and ends only this."""
        before, self.part = self.part, part
        try:
            yield
        except ProviderError as error:
            self.failures[part] = error
        self.part = before


class Keeper:
    """Keeps the node groups of all places."""

    def __init__(self, manager: Manager, writes: Writes, places: Places, *, rest: dt.timedelta) -> None:
        self._clock = manager.clock
        self._events = manager.events
        self._writes = writes
        self._places = places
        self._shared_seconds = rest.total_seconds() / 2
        """How old what is known of instances may be at rest: one look brings those of many pools."""
        self._lookups = Lookups()
        self._checked: dict[ObjectKey, tuple[str, int]] = {}
        """By pool: for which uid and generation its role was seen to."""
        self.nodegroups = NodeGroups()
        self.templates = NodeTemplates(manager.client, manager.caches)
        self._steering = Steering(self.nodegroups, writes, manager.events, manager.clock)

    async def keep(
        self,
        obj: AWSManagedMachinePool,
        owner: MachinePool,
        cluster: Cluster,
        *,
        plane: AWSManagedControlPlane,
        now: Pass,
    ) -> bool:
        """Take one step. Returns whether all is as wanted. Raises ProviderError, ApiError."""
        place = self._places.of(cluster)
        home = Home(place, cluster_name_of(plane), name_of(obj))
        obj = await self._remember(obj, home)
        now.records = updates.read(obj)
        group = await self.nodegroups.look(home)
        if group is not None and not picture.is_ours(obj, group, place.cluster):
            raise NotOwned(f"node group {home.name} of the EKS cluster {home.cluster}", owner=tags.owner(group.tags))
        with now.about(statuses.ROLES):
            obj = await self._role(obj, home, group, now)
        with now.about(statuses.TEMPLATE):
            marks = _marks(obj, place)
            now.template = await self.templates.ensure(place, obj, owner, group=group, marks=marks)
        settled = False
        with now.about(statuses.NODEGROUP):
            wish = await self._wish(obj, owner, plane, home=home, group=group, now=now)
            group, settled = await self._group(obj, home, group, wish=wish, now=now)
        with now.about(statuses.NODEGROUP):
            settled = await self._after(obj, owner, home, group=group, now=now) and settled
        status = statuses.of_group(
            obj,
            group,
            notes=now.notes,
            failures=now.failures,
            records=now.records,
            template=now.template,
            now=self._clock.now(),
        )
        await self._writes.status(obj, status | ({"replicas": now.replicas} if now.replicas is not None else {}))
        return settled and not now.failures

    async def _remember(self, obj: AWSManagedMachinePool, home: Home) -> AWSManagedMachinePool:
        """Note where the group will be, before it is made. Raises InvalidConfiguration for another region."""
        region = home.place.region
        if (known := obj.metadata.annotations.get(REGION_ANNOTATION, region)) != region:
            said = f"was {known} when the pool was made, which stays there: make another pool for {region}"
            raise InvalidConfiguration("the cluster's region", detail=said)
        return await self._writes.annotations(obj, home.place.annotations() | {CLUSTER_ANNOTATION: home.cluster})

    async def _role(
        self, obj: AWSManagedMachinePool, home: Home, group: NodeGroup | None, now: Pass
    ) -> AWSManagedMachinePool:
        """The nodes' role, seen to before a group is made and whenever the spec changed."""
        seen = (obj.metadata.uid, obj.metadata.generation)
        if group is not None and (not obj.spec.role_name or self._checked.get(obj.key) == seen):
            return obj
        if not obj.spec.role_name:
            there = await roles.find(home.place, obj, roles.DEFAULT)
            obj = await self._writes.role(obj, roles.DEFAULT if there is not None else roles.generated(obj))
        now.role = await roles.ensure(home.place, obj, _marks(obj, home.place))
        self._checked[obj.key] = (obj.metadata.uid, obj.metadata.generation)
        return obj

    async def _wish(
        self,
        obj: AWSManagedMachinePool,
        owner: MachinePool,
        plane: AWSManagedControlPlane,
        *,
        home: Home,
        group: NodeGroup | None,
        now: Pass,
    ) -> Wish:
        subnets: list[str] = list(obj.spec.subnet_ids)
        if group is None and not subnets:
            zones = obj.spec.availability_zones or owner.spec.failure_domains
            kind = obj.spec.availability_zone_subnet_type
            subnets = await self._lookups.subnets(home.place, (), zones=zones, kind=kind)
        found = plane.status.network_status.security_groups.get("cluster")
        return Wish(
            obj=obj,
            replicas=1 if owner.spec.replicas is None else owner.spec.replicas,
            external=is_externally_scaled(owner),
            version=owner.spec.template.spec.version,
            plane_version=plane.status.version,
            template=now.template,
            role=now.role.arn if now.role is not None else "",
            subnets=tuple(subnets),
            marks=_marks(obj, home.place),
            ssh_key=plane.spec.ssh_key_name,
            cluster_group=found.id if found is not None else "",
        )

    # --- the group itself

    async def _group(
        self, obj: AWSManagedMachinePool, home: Home, group: NodeGroup | None, *, wish: Wish, now: Pass
    ) -> tuple[NodeGroup | None, bool]:
        """Make it, or ask for what is to be updated next. Returns it as it is then, and whether it is as wanted."""
        if group is None:
            return await self._create(obj, home, wish, now), False
        if group.status == picture.CREATE_FAILED:
            whole = not now.failures  # without its template it would seem to be another wish
            return await self._make_anew(obj, home, group, wish) if whole else group, False
        step = deciding.decide(wish, group)
        now.notes = step.notes
        if not group.takes_orders:
            return group, False
        obj, now.records = await self._steering.poll(obj, home, now.records)
        if any(record.open for record in now.records.values()):
            return group, False
        now.records, asked = await self._steering.ask(obj, home, now.records, step.updates)
        if not asked:
            return group, True
        self.nodegroups.forget(home, group)
        return await self.nodegroups.look(home), False

    async def _create(self, obj: AWSManagedMachinePool, home: Home, wish: Wish, now: Pass) -> NodeGroup | None:
        """Have it made, once all that it needs is there."""
        if now.failures or now.role is None or now.role.fresh:
            return None
        request = deciding.creation(wish)
        await self._writes.annotations(obj, {CREATED_ANNOTATION: deciding.creation_digest(request)})
        made = await self.nodegroups.create(home, request)
        said = f"asked EKS to make node group {home.name} of the cluster {home.cluster}"
        self._events.event(obj, "Normal", "SuccessfulCreateEKSNodegroup", said)
        return made

    async def _make_anew(
        self, obj: AWSManagedMachinePool, home: Home, group: NodeGroup, wish: Wish
    ) -> NodeGroup | None:
        """A group that could not be made goes as soon as something else is wanted of it: it can never be updated."""
        known = obj.metadata.annotations.get(CREATED_ANNOTATION)
        if known is None or known == deciding.creation_digest(deciding.creation(wish)):
            return group
        await self.nodegroups.delete(home, group)
        self.nodegroups.drop(home, group)
        return await self.nodegroups.look(home)

    # --- what follows it

    async def _after(
        self, obj: AWSManagedMachinePool, owner: MachinePool, home: Home, *, group: NodeGroup | None, now: Pass
    ) -> bool:
        """Tags, the MachinePool's number, the nodes. Returns whether there are as many nodes as wanted."""
        if group is None:
            return False
        if is_externally_scaled(owner) and group.serves and owner.spec.replicas != group.desired:
            await self._writes.replicas(owner, group.desired)
        found = await self.nodegroups.scaling_groups(home, group, max_age=self._shared_seconds)
        if len(provider_ids(found)) != group.desired:
            found = await self.nodegroups.scaling_groups(home, group, max_age=0.0)
        ids = provider_ids(found)
        now.replicas = len(ids)
        await self._writes.provider_ids(obj, ids)
        if group.serves:
            await self._tag(obj, home, group, found=found)
        return len(ids) == group.desired

    async def _tag(self, obj: AWSManagedMachinePool, home: Home, group: NodeGroup, *, found: list[Raw]) -> None:
        """Ours are kept as they should be, those that left the spec are removed; others' are left alone."""
        wanted, user = _marks(obj, home.place), _user_marks(obj, home.place)
        before = applied(obj)
        gone = before.keys() - wanted.keys()
        if before != user:
            both = json.dumps({**before, **user}, sort_keys=True)
            obj = await self._writes.annotations(obj, {TAGS_ANNOTATION: both if before or user else None})
        await self.nodegroups.tag(home, group, wanted, gone)
        for each in found:
            await self.nodegroups.tag_scaling(home, each, user, gone)
        said = json.dumps(user, sort_keys=True) if user else None
        await self._writes.annotations(obj, {TAGS_ANNOTATION: said})

    def forget(self, obj: AWSManagedMachinePool) -> None:
        """The pool is gone."""
        self._checked.pop(obj.key, None)


def name_of(obj: AWSManagedMachinePool) -> str:
    """The node group's name: admission writes it, and an object that never went through admission has upstream's."""
    meta = obj.metadata
    return obj.spec.eks_nodegroup_name or naming.generated(meta.name, meta.namespace, limit=naming.NODEGROUP_NAME_LIMIT)


def _user_marks(obj: AWSManagedMachinePool, place: Place) -> dict[str, str]:
    return {**place.additional_tags, **obj.spec.additional_tags}


def _marks(obj: AWSManagedMachinePool, place: Place) -> dict[str, str]:
    """The tags of everything that is made for a pool."""
    more = (place.additional_tags, obj.spec.additional_tags)
    name, key = obj.metadata.name, str(obj.key)
    return tags.wanted(cluster=place.cluster, kubernetes=place.kubernetes, pool=name, key=key, more=more)
