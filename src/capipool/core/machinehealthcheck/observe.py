"""Gather what a decision about a health check needs, from caches: its machines by cluster, their nodes by name."""

from __future__ import annotations

from capipool.api.core import Cluster, Machine, MachineHealthCheck
from capipool.core.machinehealthcheck import health
from capipool.core.machinehealthcheck.world import External, World
from capipool.core.references import References
from capipool.machinery import errors
from capipool.machinery.resource import GroupKind, ObjectKey, split_api_version
from capipool.runtime.cache import Cache
from capipool.runtime.manager import Manager
from capipool.workload.connections import Connections

BY_CLUSTER = "spec.clusterName"


def of_cluster(obj: Machine | MachineHealthCheck) -> tuple[str, ...]:
    """The index value of what belongs to a cluster."""
    return (f"{obj.metadata.namespace}/{obj.spec.cluster_name}",)


class Observer:
    """Reads the world of one health check."""

    def __init__(self, manager: Manager, connections: Connections, references: References, namespace: str) -> None:
        self._client = manager.client
        self._clusters = manager.caches.of(Cluster, namespace)
        self.machines: Cache[Machine] = manager.caches.of(Machine, namespace)
        self.machines.add_index(BY_CLUSTER, of_cluster)
        self._connections = connections
        self._references = references

    async def observe(self, check: MachineHealthCheck) -> World:
        """The world of a health check now. Raises ApiError, TimeoutError where a remediation kind cannot be read."""
        cluster = ObjectKey(check.metadata.namespace, check.spec.cluster_name)
        connected = self._connections.get(cluster)
        machines = sorted(self.machines.by(BY_CLUSTER, f"{cluster.namespace}/{cluster.name}"), key=lambda m: m.key)
        return World(
            check=check,
            cluster=self._clusters.get(cluster),
            targets=tuple(health.targets(check, machines, connected.nodes.get if connected is not None else None)),
            connected=connected is not None,
            unavailable=self._connections.unavailable_reason(cluster),
            external=await self._external(check),
        )

    async def _external(self, check: MachineHealthCheck) -> External | None:
        """The remediation template, and the requests made from it, whose kind is the template's without its end."""
        reference = check.spec.remediation.template_ref
        if reference is None:
            return None
        group, version = split_api_version(reference.api_version)
        template = self._references.at(GroupKind(group, reference.kind), version)
        requests = self._references.at(GroupKind(group, reference.kind.removesuffix("Template")), version)
        if template is None:
            return External(None, requests)
        try:
            found = await self._client.get(template, reference.name, check.metadata.namespace)
        except errors.NotFound:
            return External(None, requests)
        if requests is None:
            return External(found)
        there = (await self._references.cache(requests)).list(check.metadata.namespace)
        return External(found, requests, {r.metadata.name: r for r in there})
