"""Gather what a decision about a Machine needs, from caches: its own objects by reference, its node by index.

Calls are made only on the way out: to confirm that an object is really gone, to drain, and to ask for volumes.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TypeVar

from capipool.api import indexes
from capipool.api.constants import Annotation, ConditionType, Label
from capipool.api.core import (
    Cluster,
    ContractVersionedObjectReference,
    Machine,
    MachineDeployment,
    MachineDrainRule,
    MachineSet,
)
from capipool.contract import conditions, control_plane, failure, infra_machine
from capipool.core import ownership
from capipool.core.bootstrap import BootstrapObject, bootstrap_object
from capipool.core.machine import deletion, nodes
from capipool.core.machine.world import ControlPlane, InfraMachine, Plan, World
from capipool.core.references import Absent, References, Served
from capipool.machinery.objects import Object, Unstructured
from capipool.machinery.resource import ObjectKey
from capipool.runtime.cache import Cache
from capipool.runtime.manager import Manager
from capipool.workload import drain, volumes
from capipool.workload.connections import Connections, WorkloadCluster
from capipool.workload.drain import DrainOptions

T = TypeVar("T", bound=Object)

CONTROL_PLANE_MACHINES = "control plane of cluster"


def control_plane_of(machine: Machine) -> tuple[str, ...]:
    """Under `CONTROL_PLANE_MACHINES`: a cluster's control plane machines."""
    if Label.MACHINE_CONTROL_PLANE not in machine.metadata.labels or machine.deleting:
        return ()
    return indexes.cluster_name(machine)


class Observer:
    """Reads the world of one Machine."""

    def __init__(self, manager: Manager, connections: Connections, references: References, namespace: str) -> None:
        self._manager = manager
        self._clusters = manager.caches.of(Cluster, namespace)
        self._sets = manager.caches.of(MachineSet, namespace)
        self._deployments = manager.caches.of(MachineDeployment, namespace)
        self._rules = manager.caches.of(MachineDrainRule, namespace)
        self._machines = manager.caches.of(Machine, namespace)
        self._machines.add_index(CONTROL_PLANE_MACHINES, control_plane_of)
        self._connections = connections
        self._references = references

    def connected(self, machine: Machine) -> WorkloadCluster | None:
        """The machine's workload cluster, while it is connected."""
        return self._connections.get(ObjectKey(machine.metadata.namespace, machine.spec.cluster_name))

    async def observe(self, machine: Machine) -> World:
        """The world of a machine now. Raises ApiError or TimeoutError where a provider's kind cannot be read."""
        key = ObjectKey(machine.metadata.namespace, machine.spec.cluster_name)
        cluster = self._clusters.get(key)
        infra = await self._infra(machine)
        connected = self._connections.get(key)
        provider_id = machine.spec.provider_id
        if isinstance(infra, InfraMachine) and infra.provisioned and infra.provider_id:
            provider_id = infra.provider_id
        reference = machine.status.node_ref
        return World(
            machine=machine,
            cluster=cluster,
            infra=infra,
            bootstrap=await self._bootstrap(machine),
            connected=connected is not None,
            unavailable=self._connections.unavailable_reason(key),
            nodes=tuple(connected.nodes.by_provider_id(provider_id)) if connected is not None else (),
            node=connected.nodes.get(reference.name) if connected is not None and reference is not None else None,
            outdated=self._is_outdated(machine),
            control_plane=await self._control_plane(machine, cluster) if machine.deleting else ControlPlane(),
        )

    async def complete(self, world: World, plan: Plan, now: dt.datetime) -> World:
        """Do, or find out, what a decision needs. Raises ApiError, DrainError."""
        connected, node = self.connected(world.machine), deletion.node_of(world)
        assert connected is not None  # a decision asks for nothing where there is no node to ask
        assert node is not None
        options = self._drain_options(world, now)
        name = node.metadata.name
        if plan.needs == "drain":
            step = await drain.drain(connected.client, connected.caches, name, options=options, now=now)
            return dataclasses.replace(world, drained=step)
        ignored = await drain.ignored_pods(connected.client, connected.caches, name, options=options, now=now)
        found = await volumes.attached(connected.client, node, ignored=ignored)
        return dataclasses.replace(world, attached=found)

    def _drain_options(self, world: World, now: dt.datetime) -> DrainOptions:
        machine, cluster = world.machine, world.cluster
        rules = drain.rules_for(
            self._rules.list(machine.metadata.namespace),
            machine.metadata.labels,
            cluster.metadata.labels if cluster is not None else {},
        )
        return DrainOptions(
            rules=rules,
            started_at=machine.status.deletion.node_drain_start_time or now,
            timeout_seconds=machine.spec.deletion.node_drain_timeout_seconds,
        )

    async def _infra(self, machine: Machine) -> InfraMachine | Absent:
        found = await self._get(machine, machine.spec.infrastructure_ref)
        return infra_object(*found) if isinstance(found, tuple) else found

    async def _bootstrap(self, machine: Machine) -> BootstrapObject | Absent | None:
        reference = machine.spec.bootstrap.config_ref
        if reference is None:
            return None
        found = await self._get(machine, reference)
        return bootstrap_object(*found) if isinstance(found, tuple) else found

    async def _get(
        self, machine: Machine, reference: ContractVersionedObjectReference
    ) -> tuple[Unstructured, Served] | Absent:
        return await self._references.get(reference, machine.metadata.namespace, confirm_gone=machine.deleting)

    async def _control_plane(self, machine: Machine, cluster: Cluster | None) -> ControlPlane:
        count = len(self._machines.by(CONTROL_PLANE_MACHINES, *indexes.cluster_name(machine)))
        reference = cluster.spec.control_plane_ref if cluster is not None else None
        if reference is None:
            return ControlPlane(machines=count)
        found = await self._references.get(reference, machine.metadata.namespace)
        if isinstance(found, Absent):
            return ControlPlane(machines=count)
        obj = found[0]
        return ControlPlane(obj.deleting, control_plane.externally_managed(obj), count)

    def _is_outdated(self, machine: Machine) -> bool:
        machine_set = _owner(machine, self._sets)
        deployment = _owner(machine_set, self._deployments) if machine_set is not None else None
        if machine_set is None or deployment is None:
            return False
        revisions = (o.metadata.annotations.get(Annotation.REVISION) for o in (machine_set, deployment))
        return nodes.is_outdated(*revisions)


def _owner(obj: Object, cache: Cache[T]) -> T | None:
    owner = ownership.controller_of(obj, cache.resource.group_kind)
    return cache.get(ObjectKey(obj.metadata.namespace, owner.name)) if owner is not None else None


def infra_object(obj: Unstructured, served: Served) -> InfraMachine:
    """An infrastructure machine's facts."""
    failed = failure.of(obj)
    return InfraMachine(
        object=obj,
        resource=served.resource,
        provisioned=infra_machine.provisioned(obj, served.contract),
        provider_id=infra_machine.provider_id(obj),
        failure_domain=infra_machine.failure_domain(obj, served.contract),
        addresses=infra_machine.addresses(obj),
        failure_reason=failed.reason,
        failure_message=failed.message,
        ready=conditions.find(obj, ConditionType.READY),
        legacy_ready=conditions.find_legacy(obj, ConditionType.READY, served.contract),
    )
