"""Orders to AKS about agent pools, and what came of them: given once, noted in the status, asked about until they end.

Used by the reconciler and by the deletion. An order that failed is not given again at full speed.
"""

from __future__ import annotations

from capipool.machinery.resource import ObjectKey
from capipool.providers.azure import operations
from capipool.providers.azure.aks.cloud import AKS
from capipool.providers.azure.aks.places import PoolPlace
from capipool.providers.azure.aks.pools import scaling, statuses
from capipool.providers.azure.aks.pools.decide import Pool, Put, UpgradeImage
from capipool.providers.azure.aks.pools.progress import Last, Progress
from capipool.providers.azure.aks.pools.writes import Writes
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.providers.azure.calls import Answer
from capipool.providers.azure.failures import Changed
from capipool.providers.azure.operations import Operation
from capipool.providers.azure.pools.setbacks import Setbacks
from capipool.runtime.manager import Manager
from capipool.sdk import ProviderError


class Orders:
    """Gives orders."""

    def __init__(self, aks: AKS, writes: Writes, manager: Manager) -> None:
        self._aks = aks
        self._writes = writes
        self._clock = manager.clock
        self._events = manager.events
        self._setbacks = Setbacks()

    async def look(self, place: PoolPlace) -> Pool | None:
        """The pool as AKS has it; None where there is none."""
        body = await self._aks.pool(place)
        return Pool(body.get("properties") or {}) if body is not None else None

    async def ask(self, obj: AzureManagedMachinePool, place: PoolPlace) -> Progress:
        """About the operation that the status has. One that failed is over: `failure` says why, without a delay."""
        kept = [Operation.decode(each) for each in obj.status.long_running_operation_states]
        operation = next((each for each in kept if each is not None and each.path), None)
        if operation is None:
            return Progress()
        said = await self._aks.ask(place.cluster.caller, operation)
        if said.running:
            return Progress(operation, said.again)
        return Progress(failure=said.error)

    async def give(
        self, obj: AzureManagedMachinePool, place: PoolPlace, action: Put | UpgradeImage, *, last: Last
    ) -> Progress:
        """Give an order, unless it failed a moment ago. Raises Changed where the pool is another by now, ApiError."""
        self._learn(obj, last, action.about)
        if (held := self._held(obj, action.about)) is not None:
            return Progress(failure=held)
        try:
            if isinstance(action, Put):
                await self._writes.tags(obj, scaling.tags_before(obj))
                answer = await self._aks.put(place, action.properties, etag=action.etag)
            else:
                answer = await self._aks.upgrade_image(place)
        except Changed:
            raise
        except ProviderError as error:
            return self._refused(obj, error, action.about)
        kind = operations.PUT if isinstance(action, Put) else operations.POST
        return await self._begun(obj, place, kind, answer)

    async def delete(self, obj: AzureManagedMachinePool, place: PoolPlace, *, last: Last) -> Progress:
        """Order the deletion, unless that failed a moment ago. Raises ApiError."""
        about = operations.DELETE
        if last.error is not None:
            self._learn(obj, last, about)  # what failed before was not the deletion, if no operation says so
        if (held := self._held(obj, about)) is not None:
            return Progress(failure=held)
        try:
            answer = await self._aks.delete(place)
        except ProviderError as error:
            return self._refused(obj, error, about)
        return Progress() if answer is None else await self._begun(obj, place, about, answer)

    def forget(self, key: ObjectKey) -> None:
        """All is as wanted, or the pool is gone."""
        self._setbacks.forget(key)

    def _learn(self, obj: AzureManagedMachinePool, last: Last, about: str) -> None:
        """Remember that the last change failed: each failure once, be it seen ever so often."""
        if (error := last.failure) is not None:
            mark = str(last.pool.properties.get("eTag") or "") if last.pool is not None else ""
            self._setbacks.note_once(obj.key, error, about=about, mark=mark, now=self._clock.now())

    def _held(self, obj: AzureManagedMachinePool, about: str) -> ProviderError | None:
        """What the same order came to a moment ago, if it is too early for another."""
        try:
            self._setbacks.hold(obj.key, about=about, now=self._clock.now())
        except ProviderError as error:
            return error
        return None

    def _refused(self, obj: AzureManagedMachinePool, error: ProviderError, about: str) -> Progress:
        """Remember why an order was not taken, and say so."""
        if not error.quiet:
            self._setbacks.note(obj.key, error, about=about, now=self._clock.now())
            self._events.event(obj, "Warning", error.reason, str(error))
        return Progress(failure=error)

    async def _begun(self, obj: AzureManagedMachinePool, place: PoolPlace, kind: str, answer: Answer) -> Progress:
        """Note the operation in the status, before anything else is done."""
        operation = Operation(type=kind, service="agentpools", group=place.cluster.group, name=place.name).begun(answer)
        if operation is not None:
            await self._writes.operations(obj, statuses.operations(operation))
        return Progress(operation, answer.again)
