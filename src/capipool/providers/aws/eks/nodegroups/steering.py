"""Asks EKS for updates, one at a time, and finds out how they end; writes down both before and after.

Used by the reconciler. What to ask for is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from capipool.machinery.clock import Clock
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.eks.nodegroups import updates
from capipool.providers.aws.eks.nodegroups.cloud import Home, NodeGroups
from capipool.providers.aws.eks.nodegroups.deciding import Update
from capipool.providers.aws.eks.nodegroups.updates import Record
from capipool.providers.aws.eks.nodegroups.writes import Writes
from capipool.runtime.events import EventRecorder
from capipool.sdk import CloudUnavailable, InvalidConfiguration, ProviderError

Records = Mapping[str, Record]


class Steering:
    """The updates of all node groups."""

    def __init__(self, nodegroups: NodeGroups, writes: Writes, events: EventRecorder, clock: Clock) -> None:
        self._nodegroups = nodegroups
        self._writes = writes
        self._events = events
        self._clock = clock

    async def poll(
        self, obj: AWSManagedMachinePool, home: Home, records: Records
    ) -> tuple[AWSManagedMachinePool, dict[str, Record]]:
        """Find out how updates ended, once the group takes orders again. Returns the object, and what is left.

        Raises ProviderError, ApiError.
        """
        left = dict(records)
        for kind, record in records.items():
            if not record.open:
                continue
            found = await self._find(home, record)
            settled = updates.settled(record, found) if found is not None else None
            left.pop(kind)
            if settled is not None:
                left[kind] = settled
                if settled.error:
                    said = f"the update to {settled.about} of node group {home.name} failed: {settled.error}"
                    self._events.event(obj, "Warning", "FailedUpdateEKSNodegroup", said)
        return await self._writes.annotations(obj, updates.to_annotations(left)), left

    async def _find(self, home: Home, record: Record) -> dict[str, object] | None:
        """As EKS has it; None where it was never asked for, or is so old that EKS forgot it."""
        if record.id:
            return await self._nodegroups.progress(home, record.id)
        return updates.find(record, await self._nodegroups.updates(home))

    async def ask(
        self, obj: AWSManagedMachinePool, home: Home, records: Records, wanted: tuple[Update, ...]
    ) -> tuple[dict[str, Record], bool]:
        """Ask for the first update that did not fail just now. Returns the records, and whether there is one now.

        Raises ProviderError, ApiError.
        """
        about = {update.kind: update.about for update in wanted}
        left = {kind: record for kind, record in records.items() if about.get(kind) == record.about}
        for update in wanted:
            if updates.is_held(left, update, self._clock.now()):
                continue
            record = Record(kind=update.kind, about=update.about, at=self._clock.now())
            obj, left[update.kind] = await self._order(obj, home, left, update=update, record=record)
            if left[update.kind].open:
                return left, True
        await self._writes.annotations(obj, updates.to_annotations(left))
        return left, False

    async def _order(
        self, obj: AWSManagedMachinePool, home: Home, records: Records, *, update: Update, record: Record
    ) -> tuple[AWSManagedMachinePool, Record]:
        """Note it, ask for it, note its id. What EKS refuses is noted as failed, and does not hold others up."""
        others = {kind: each for kind, each in records.items() if kind != update.kind}
        obj = await self._writes.annotations(obj, updates.to_annotations({**others, update.kind: record}))
        try:
            id = await self._nodegroups.update(home, update)
            made = Record(kind=record.kind, about=record.about, at=record.at, id=id)
            said = f"asked EKS to update node group {home.name}: {update.about}"
            self._events.event(obj, "Normal", "SuccessfulUpdateEKSNodegroup", said)
        except CloudUnavailable:
            raise  # nobody knows whether it was done: the record is how that is found out
        except InvalidConfiguration as error:
            made = Record(kind=record.kind, about=record.about, at=record.at, error=str(error))
            self._events.event(obj, "Warning", "FailedUpdateEKSNodegroup", str(error))
        except ProviderError:
            await self._writes.annotations(obj, updates.to_annotations(others))
            raise
        return await self._writes.annotations(obj, updates.to_annotations({**others, update.kind: made})), made
