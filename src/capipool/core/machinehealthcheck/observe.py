"""Gather what a decision about a health check needs from caches: machines and pools of its cluster, their nodes."""

from __future__ import annotations

from capipool.api import indexes
from capipool.api.core import Cluster, Machine, MachineHealthCheck, MachinePool
from capipool.core.machinehealthcheck import health, pools
from capipool.core.machinehealthcheck.world import External, World
from capipool.core.references import References
from capipool.machinery import errors
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import GroupKind, ObjectKey, Resource, split_api_version
from capipool.runtime.cache import Cache
from capipool.runtime.manager import Manager
from capipool.workload.connections import Connections


class Observer:
    """Reads the world of one health check."""

    def __init__(self, manager: Manager, connections: Connections, references: References, namespace: str) -> None:
        self._client = manager.client
        self._clusters = manager.caches.of(Cluster, namespace)
        self.machines: Cache[Machine] = manager.caches.of(Machine, namespace)
        self.machines.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
        self.pools: Cache[MachinePool] = manager.caches.of(MachinePool, namespace)
        self.pools.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
        self.pools.add_index(indexes.PROVIDER_ID_LIST, indexes.pool_provider_ids)
        self._connections = connections
        self._references = references

    async def observe(self, check: MachineHealthCheck) -> World:
        """The world of a health check now. Raises ApiError, TimeoutError where a remediation kind cannot be read."""
        cluster = ObjectKey(check.metadata.namespace, check.spec.cluster_name)
        connected = self._connections.get(cluster)
        machines = sorted(self.machines.by(indexes.CLUSTER_NAME, str(cluster)), key=lambda m: m.key)
        those = sorted(self.pools.by(indexes.CLUSTER_NAME, str(cluster)), key=lambda p: p.key)
        nodes = connected.nodes if connected is not None else None
        return World(
            check=check,
            cluster=self._clusters.get(cluster),
            targets=tuple(health.targets(check, machines, nodes.get if nodes is not None else None)),
            instances=tuple(pools.targets(check, those, machines, nodes.by_provider_id if nodes is not None else None)),
            connected=connected is not None,
            unavailable=self._connections.unavailable_reason(cluster),
            external=await self._external(check),
        )

    def template_kinds(self, check: MachineHealthCheck) -> tuple[GroupKind, GroupKind] | None:
        """The kind of the check's remediation template, and that of its requests: the same without its end."""
        reference = check.spec.remediation.template_ref
        if reference is None:
            return None
        group, _ = split_api_version(reference.api_version)
        return GroupKind(group, reference.kind), GroupKind(group, reference.kind.removesuffix("Template"))

    def resources(self, check: MachineHealthCheck) -> tuple[Resource | None, Resource | None]:
        """Both, as they are served in the version that the check names; None where one is not."""
        reference, kinds = check.spec.remediation.template_ref, self.template_kinds(check)
        if reference is None or kinds is None:
            return None, None
        _, version = split_api_version(reference.api_version)
        return self._references.at(kinds[0], version), self._references.at(kinds[1], version)

    async def _external(self, check: MachineHealthCheck) -> External | None:
        """The remediation template and its requests. One that cannot be read keeps nobody from judging."""
        reference = check.spec.remediation.template_ref
        if reference is None:
            return None
        template, requests = self.resources(check)
        name = f"{reference.kind} {reference.name}"
        there: dict[str, Unstructured] = {}
        try:
            if requests is not None:
                listed = (await self._references.cache(requests)).list(check.metadata.namespace)
                there = {r.metadata.name: r for r in listed}
            if template is None:
                why = f"no kind {reference.kind} is served in {reference.api_version}"
                return External(None, requests, there, f"Error retrieving remediation template {name}: {why}")
            found = await self._client.get(template, reference.name, check.metadata.namespace)
        except (errors.ApiError, TimeoutError) as error:
            why = error.message if isinstance(error, errors.ApiError) else "its kind cannot be listed"
            return External(None, requests, there, f"Error retrieving remediation template {name}: {why}")
        kind = reference.kind.removesuffix("Template")
        missing = f"no kind {kind} is served in {reference.api_version}, of which {name} is a template"
        return External(found, requests, there, "" if requests is not None else missing)
