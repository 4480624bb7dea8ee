"""Gather what a decision about a MachineDeployment needs, from caches: its sets and their machines by owner."""

from __future__ import annotations

from capipool.api.core import Cluster, Machine, MachineDeployment, MachineSet
from capipool.core import ownership, references
from capipool.core.machinedeployment.world import World
from capipool.core.references import Absent, References
from capipool.machinery.resource import ObjectKey
from capipool.runtime.manager import Manager


class Observer:
    """Reads the world of one MachineDeployment."""

    def __init__(self, manager: Manager, references: References, namespace: str) -> None:
        self._clusters = manager.caches.of(Cluster, namespace)
        self.sets = manager.caches.of(MachineSet, namespace)
        self.machines = manager.caches.of(Machine, namespace)
        self._references = references

    async def observe(self, deployment: MachineDeployment) -> World:
        """The world of a deployment now. Raises ApiError or TimeoutError where a provider's kind cannot be read."""
        meta = deployment.metadata
        owned = (s for s in self.sets.owned_by(meta.uid) if ownership.controls(deployment, s.metadata))
        sets = sorted(owned, key=lambda s: s.key)
        machines = [m for s in sets for m in self.machines.owned_by(s.metadata.uid)]
        return World(
            deployment=deployment,
            cluster=self._clusters.get(ObjectKey(meta.namespace, deployment.spec.cluster_name)),
            sets=tuple(sets),
            machines=tuple(sorted(machines, key=lambda m: m.key)),
            missing_templates=await self._missing(deployment),
        )

    async def _missing(self, deployment: MachineDeployment) -> tuple[str, ...]:
        if deployment.deleting:
            return ()
        wanted = references.of(deployment)
        found = [await self._references.get(r, deployment.metadata.namespace) for r in wanted]
        return tuple(f.message for f in found if isinstance(f, Absent))
