"""The end of an agent pool. AKS drains its nodes, and keeps its last pool of mode System. Used by the reconciler."""

from __future__ import annotations

from capipool.providers.azure.aks.cloud import AKS
from capipool.providers.azure.aks.places import PoolPlace, pool_name
from capipool.providers.azure.aks.pools import decide, ownership, statuses
from capipool.providers.azure.aks.pools.decide import Note, Pool
from capipool.providers.azure.aks.pools.orders import Orders
from capipool.providers.azure.aks.pools.progress import Last, Progress
from capipool.providers.azure.aks.pools.writes import Writes
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.runtime.manager import Manager
from capipool.sdk import conditions


class Deletion:
    """Deletes agent pools."""

    def __init__(self, aks: AKS, writes: Writes, orders: Orders, manager: Manager) -> None:
        self._aks = aks
        self._writes = writes
        self._orders = orders
        self._clock = manager.clock
        self._events = manager.events

    async def step(
        self, obj: AzureManagedMachinePool, place: PoolPlace | None, *, last_may_stay: bool
    ) -> Progress | None:
        """Returns how far it is; None once the object can go. `place` is None where nothing says it any more.

        The last pool of mode System holds the object, but where it `may stay`. Raises ProviderError, ApiError.
        """
        if place is None:
            self._keep(obj, f"agent pool {pool_name(obj)}", "nothing says any more which AKS cluster it is of")
            return None
        progress = await self._orders.ask(obj, place)
        pool = await self._orders.look(place)
        if pool is None:
            return None
        if not ownership.is_ours(obj, pool):
            self._keep(obj, f"agent pool {place.name}", "it is another's")
            return None
        note: Note | None = None
        if not pool.busy and progress.operation is None:
            if await self._is_last(obj, place, pool):
                if last_may_stay:
                    self._keep(obj, f"agent pool {place.name}", "an AKS cluster keeps its last of mode System")
                    return None
                note = decide.held_by_system()
            else:
                progress = await self._orders.delete(obj, place, last=Last(pool, progress.failure))
        await self._report(obj, note or _note(pool, progress), progress)
        return progress

    async def _is_last(self, obj: AzureManagedMachinePool, place: PoolPlace, pool: Pool) -> bool:
        if not decide.asks_for_others(obj, pool):
            return False
        return decide.is_last_system(await self._aks.pools(place.cluster), place.name)

    async def _report(self, obj: AzureManagedMachinePool, note: Note, progress: Progress) -> None:
        kept = statuses.operations(progress.operation)
        status = statuses.waiting(obj, note, self._clock.now()) | {"longRunningOperationStates": kept}
        await self._writes.status(obj, status)

    def _keep(self, obj: AzureManagedMachinePool, what: str, why: str) -> None:
        self._events.event(obj, "Normal", "AgentPoolKept", f"{what} is left as it is: {why}")


def _note(pool: Pool, progress: Progress) -> Note:
    if progress.failure is not None and not progress.failure.quiet:
        return Note("DeletionFailed", str(progress.failure))
    return Note("Deleting", f"the agent pool is being deleted, and was {pool.state}", conditions.INFO)
