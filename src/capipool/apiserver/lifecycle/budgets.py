"""The status of PodDisruptionBudgets, kept up to date as pods come, go and change."""

from __future__ import annotations

from capipool.apiserver import budgets
from capipool.apiserver.budgets import BUDGETS, PODS
from capipool.apiserver.context import Context
from capipool.apiserver.lifecycle import internal
from capipool.apiserver.lifecycle.worker import Worker
from capipool.apiserver.store.collection import Collection
from capipool.apiserver.store.entry import Change
from capipool.machinery.objects import Raw

_Key = tuple[str, str]


class BudgetLifecycle:
    """Recounts the budgets of a namespace when something in it changed. Where there is no budget, nothing is done."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._worker: Worker[_Key] = Worker("disruption budgets", self._recount)
        context.store.observe(self._observe)

    def start(self) -> None:
        """Recount everything once."""
        for space in self._context.store.spaces():
            for namespace in self._context.store.collection(space, *BUDGETS).committed:
                self._worker.add((space, namespace))
        self._worker.start()

    async def stop(self) -> None:
        """Leave the rest to the next start."""
        await self._worker.stop()

    def _observe(self, collection: Collection, change: Change) -> None:
        if collection.resource == PODS.resource and not collection.group:
            there = self._context.store.collection(collection.space, *BUDGETS)
            if there.committed and there.count(change.after.namespace):
                self._worker.add((collection.space, change.after.namespace))
        elif collection.resource == BUDGETS.resource and collection.group == BUDGETS.group:
            self._worker.add((collection.space, change.after.namespace))

    def _recount(self, key: _Key) -> None:
        space, namespace = key
        collection = self._context.store.collection(space, *BUDGETS)
        for entry in tuple(collection.latest_entries(namespace)):
            internal.rewrite(self._context, collection, entry, lambda raw: self._counted(space, raw))

    def _counted(self, space: str, raw: Raw) -> Raw:
        state = budgets.assess(self._context, space, raw)
        status = raw.get("status") or {}
        new = {
            **status,
            "observedGeneration": raw["metadata"].get("generation", 1),
            "expectedPods": state.expected,
            "currentHealthy": state.healthy,
            "desiredHealthy": state.desired,
            "disruptionsAllowed": state.allowed,
            "conditions": [self._condition(status, state.allowed > 0, raw["metadata"].get("generation", 1))],
        }
        return {**raw, "status": new}

    def _condition(self, status: Raw, allowed: bool, generation: int) -> Raw:
        value = "True" if allowed else "False"
        before = next((c for c in status.get("conditions") or () if c["type"] == "DisruptionAllowed"), None)
        since = before["lastTransitionTime"] if before and before["status"] == value else self._context.now()
        return {
            "type": "DisruptionAllowed",
            "status": value,
            "reason": "SufficientPods" if allowed else "InsufficientPods",
            "message": "",
            "lastTransitionTime": since,
            "observedGeneration": generation,
        }
