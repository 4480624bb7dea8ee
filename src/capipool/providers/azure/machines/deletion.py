"""Takes an AzureMachine's virtual machine away, and what it leaves behind. Used by the reconciler."""

from __future__ import annotations

import dataclasses
import datetime as dt

from capipool.api.constants import Label
from capipool.machinery.clock import Clock
from capipool.machinery.objects import Raw
from capipool.providers.azure.api.machine import AzureMachine
from capipool.providers.azure.calls import Caller
from capipool.providers.azure.identities.finding import Identities
from capipool.providers.azure.machines import model, statuses
from capipool.providers.azure.machines.cloud import VirtualMachines
from capipool.providers.azure.machines.decide import World
from capipool.providers.azure.machines.where import ANNOTATION, Where, disk_names, interface_names, parse
from capipool.providers.azure.machines.writes import Writes, pending
from capipool.providers.azure.operations import DELETE, Operation
from capipool.providers.azure.pools.roles import Roles
from capipool.runtime import reconcile
from capipool.runtime.reconcile import RequeueAfter, Result

FINALIZER = "azuremachine.infrastructure.cluster.x-k8s.io"
SERVICE = "virtualmachine"


class Deletion:
    """Deletes what was made for a machine."""

    def __init__(
        self,
        cloud: VirtualMachines,
        identities: Identities,
        writes: Writes,
        roles: Roles,
        *,
        clock: Clock,
        again: dt.timedelta,
    ) -> None:
        self._cloud = cloud
        self._identities = identities
        self._writes = writes
        self._roles = roles
        self._clock = clock
        self._again = again

    async def step(self, world: World) -> Result:
        """The machine goes first, and what it leaves behind after it. What is gone is done."""
        obj = world.obj
        if FINALIZER not in obj.metadata.finalizers:
            return reconcile.DONE
        where = self._last_known(world)
        if where is None:
            await self._let_go(obj)
            return reconcile.DONE
        await self._roles.delete(obj, where)
        found = await self._cloud.get(where)
        cluster = obj.metadata.labels.get(Label.CLUSTER_NAME, "")
        if found is not None and model.is_ours(found, obj, cluster):
            return await self._delete_machine(obj, where, found)
        left = await self._delete_rest(obj, where) if found is None else []
        if not left:
            await self._let_go(obj)
            return reconcile.DONE
        said = f"{', '.join(left)} of the virtual machine {where.name} are being deleted"
        await self._writes.status(
            obj, statuses.with_operation(statuses.of_deletion(obj, said, self._clock.now()), None)
        )
        return RequeueAfter(self._again)

    async def _delete_machine(self, obj: AzureMachine, where: Where, found: Raw) -> Result:
        """Begin the deletion once, and come again."""
        operation, error = pending(obj, DELETE), None
        if operation is not None:
            progress = await self._cloud.ask(where, operation)
            error = progress.error
            operation = operation if progress.running else None
        going = str(found.get("properties", {}).get("provisioningState", "")).lower() == "deleting"
        if operation is None and error is None and not going:
            about = Operation(type=DELETE, service=SERVICE, group=where.group, name=where.name)
            answer = await self._cloud.delete(where)
            operation = about.begun(answer) if answer is not None else None
        said = f"the virtual machine {where.name} is being deleted"
        if error is not None:
            said = f"deleting the virtual machine {where.name} failed, and is tried again: {error}"
        status = statuses.of_deletion(obj, said, self._clock.now())
        await self._writes.status(obj, statuses.with_operation(status, operation))
        return RequeueAfter((error.delay if error is not None else None) or self._again)

    async def _delete_rest(self, obj: AzureMachine, where: Where) -> list[str]:
        """Network interfaces and disks that did not go with the machine. Returns what is not gone yet."""
        left = [name for name in interface_names(obj) if not await self._cloud.delete_interface(where, name)]
        return left + [name for name in disk_names(obj) if not await self._cloud.delete_disk(where, name)]

    def _last_known(self, world: World) -> Where | None:
        """Where it was made; None where nothing was made. Raises ProviderError where nobody can be asked."""
        obj = world.obj
        known = parse(obj.spec.provider_id) or parse(obj.metadata.annotations.get(ANNOTATION, ""))
        if known is None:
            return None
        caller = self._caller(world, known[0])
        return Where(dataclasses.replace(caller, subscription=known[0]), known[1], known[2])

    def _caller(self, world: World, subscription: str) -> Caller:
        """Who calls for the cluster; the process itself, where the cluster is gone."""
        if world.azure is not None:
            return self._identities.of_cluster(world.azure)
        return self._identities.caller(world.obj.metadata.namespace, None, subscription=subscription)

    async def _let_go(self, obj: AzureMachine) -> None:
        await self._writes.metadata(obj, [f for f in obj.metadata.finalizers if f != FINALIZER])
