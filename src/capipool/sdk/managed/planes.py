"""The frame of a controller whose control planes exist already, and are only read: nothing is made, nothing deleted.

A provider says what is looked at (`look`), what a failure makes of the object (`fail`), and how it ends (`release`).
"""

from __future__ import annotations

import abc
import datetime as dt
from typing import ClassVar, Generic, TypeVar

from capipool.api import labels
from capipool.api.core import Cluster
from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, RequeueAfter, Result
from capipool.sdk import writes
from capipool.sdk.errors import ProviderError
from capipool.sdk.inputs import cluster_of, is_paused
from capipool.sdk.provider import Intervals

PlaneT = TypeVar("PlaneT", bound=Object)
CONVERGING, REST = dt.timedelta(seconds=20), dt.timedelta(minutes=5)
INTERVALS = Intervals(CONVERGING, REST)
"""How often a cluster is looked at while it is not up, or not there; and while it is."""


class Reader(abc.ABC, Generic[PlaneT]):
    """Takes objects of one kind to what their clusters are."""

    finalizer: ClassVar[str]

    def __init__(self, manager: Manager, kind: type[PlaneT], intervals: Intervals) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._events = manager.events
        self._converging = intervals.converging or CONVERGING
        self._rest = intervals.rest or REST
        self.objects = manager.caches.of(kind)
        self.clusters = manager.caches.of(Cluster)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Safe to repeat; an object that somebody else manages is left alone."""
        obj = self.objects.get(key)
        if obj is None or labels.is_externally_managed(obj.metadata.annotations):
            return DONE
        if obj.deleting:
            return await self._release(obj) if self.finalizer in obj.metadata.finalizers else DONE
        cluster = cluster_of(obj, self.clusters)
        if cluster is None or is_paused(obj, cluster):
            return DONE
        if self.finalizer not in obj.metadata.finalizers:
            await writes.set_finalizers(self._client, obj, [*obj.metadata.finalizers, self.finalizer])
            return RequeueAfter(dt.timedelta(0))
        try:
            again = await self._look(obj, cluster)
        except ProviderError as error:
            await self._fail(obj, error)
            again = min(error.delay or self._converging, self._rest)
        return RequeueAfter(again) if again is not None else DONE

    @abc.abstractmethod
    async def _look(self, obj: PlaneT, cluster: Cluster) -> dt.timedelta | None:
        """Look, and write what is so. Returns when to look again; None waits for news. Raises ProviderError."""

    @abc.abstractmethod
    async def _fail(self, obj: PlaneT, error: ProviderError) -> None:
        """Say on the object that its cluster could not be looked at, and why."""

    @abc.abstractmethod
    async def _release(self, obj: PlaneT) -> Result:
        """Let an object that is being deleted go, or wait. The cluster stays."""
