"""Carry a plan out: the one place from which the MachineDeployment reconciler writes.

The finalizer comes before a set is made, and goes after all of them are gone.
"""

from __future__ import annotations

from capipool.api.core import MachineDeployment, MachineSet
from capipool.client.client import Client
from capipool.core import writes
from capipool.core.machinedeployment.decide import FIELD_MANAGER
from capipool.core.machinedeployment.world import Plan
from capipool.machinery.objects import Raw


async def apply(client: Client, deployment: MachineDeployment, plan: Plan) -> MachineDeployment:
    """Carry a plan out that was made for this deployment as it was read. Returns the deployment as it is then.

    Raises ApiError, or an ExceptionGroup of those where several writes failed; all other writes were tried.
    """
    going = deployment.deleting and plan.deployment.metadata != deployment.metadata
    if not going:
        deployment = await writes.write_body(client, deployment, plan.deployment)
    await writes.all_of(
        [*(_apply(client, raw) for raw in plan.sets), *(writes.delete(client, d) for d in plan.deletions)]
    )
    if going:
        return await writes.write_body(client, deployment, plan.deployment)
    return await writes.write_status(client, deployment, plan.deployment)


async def _apply(client: Client, raw: Raw) -> None:
    await client.apply(raw, resource=MachineSet.RESOURCE, field_manager=FIELD_MANAGER, force=True)
