"""The operations that are under way for each pool, in memory and in the status of its object.

The status is written before anything else is done, so that a restart asks on instead of beginning anew; what ended is
taken out by the next report. The memory is right where the object at hand is old. Used by `provider` alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from capipool.client.client import Client
from capipool.machinery import errors
from capipool.machinery.objects import Raw
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.operations import Operation


class Pending:
    """What was begun and is not known to be over."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, tuple[Operation, ...]] = {}
        """By the object's uid."""
        self._asked: dict[tuple[str, str], dt.datetime] = {}
        """By uid and path: before when Azure does not want to be asked."""

    def of(self, obj: AzureMachinePool) -> tuple[Operation, ...]:
        """The operations of a pool; at first those in its status."""
        if obj.metadata.uid not in self._known:
            kept = (Operation.decode(each) for each in obj.status.long_running_operation_states)
            self._known[obj.metadata.uid] = tuple(each for each in kept if each is not None)
        return self._known[obj.metadata.uid]

    def is_due(self, obj: AzureMachinePool, operation: Operation, now: dt.datetime) -> bool:
        """Whether it may be asked about."""
        return bool(operation.path) and now >= self._asked.get((obj.metadata.uid, operation.path), now)

    def put_off(self, obj: AzureMachinePool, operation: Operation, until: dt.datetime) -> None:
        """Azure wants to be asked later."""
        self._asked[obj.metadata.uid, operation.path] = until

    async def add(self, obj: AzureMachinePool, operation: Operation, *, instead: Operation | None = None) -> None:
        """Note an operation, in the status first. One about the whole takes the place of another. Raises ApiError."""
        others = [each for each in self.of(obj) if each != instead and not (each.about_all and operation.about_all)]
        for each in self.of(obj):
            if each not in others:
                self._asked.pop((obj.metadata.uid, each.path), None)
        await self._write(obj, (*others, operation))

    def drop(self, obj: AzureMachinePool, operation: Operation) -> None:
        """It is over. The status says so with the next report."""
        self._known[obj.metadata.uid] = tuple(each for each in self.of(obj) if each != operation)
        self._asked.pop((obj.metadata.uid, operation.path), None)

    def forget(self, obj: AzureMachinePool) -> None:
        """The pool is gone."""
        for operation in self._known.pop(obj.metadata.uid, ()):
            self._asked.pop((obj.metadata.uid, operation.path), None)

    def raw(self, obj: AzureMachinePool) -> list[Raw] | None:
        """As the status has it; None where there are none."""
        return _raw(self.of(obj)) or None

    async def _write(self, obj: AzureMachinePool, operations: tuple[Operation, ...]) -> None:
        meta = obj.metadata
        patch = {"status": {"longRunningOperationStates": _raw(operations)}}
        self._known[meta.uid] = operations
        try:
            await self._client.patch(AzureMachinePool, meta.name, meta.namespace, patch=patch, subresource="status")
        except errors.NotFound:
            return  # it went meanwhile: nothing is left that could ask on


def _raw(operations: Sequence[Operation]) -> list[Raw]:
    return [msgspec.to_builtins(each.encode()) for each in operations]
