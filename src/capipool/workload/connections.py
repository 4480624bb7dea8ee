"""Connections to workload clusters: one client and one set of caches for each Cluster, opened from its kubeconfig.

Controllers ask for what is there (`get` never waits), and are told when a cluster is connected or lost. Everything that
waits or fails happens here, in one task a cluster: a workload API that is away slows nothing else down.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from capipool.api import builtin
from capipool.api.builtin import Node, Pod, Secret
from capipool.api.constants import Label
from capipool.api.core import Cluster
from capipool.client.client import Client
from capipool.machinery import errors
from capipool.machinery.resource import ObjectKey
from capipool.runtime.cache import Caches
from capipool.runtime.logs import Logger
from capipool.runtime.queue import Backoff
from capipool.workload.nodes import NodeIndex

_log = Logger("capipool.workload.connections")

KUBECONFIG_KEY = "value"


def kubeconfig_secret_name(cluster: str) -> str:
    """The name of the secret that holds a cluster's kubeconfig, by Cluster API's contract."""
    return f"{cluster}-kubeconfig"


@dataclass(frozen=True, slots=True)
class Settings:
    """How patient connections are."""

    probe: dt.timedelta = dt.timedelta(seconds=15)
    """How often a connected cluster's API server is asked whether it is there."""
    failures: int = 3
    """Probes that must fail in a row before a cluster counts as lost: one slow answer is no outage."""
    timeout: dt.timedelta = dt.timedelta(seconds=10)
    """How long one attempt to connect, or one probe, may take."""
    backoff: Backoff = field(default_factory=lambda: Backoff(first_seconds=0.1, most_seconds=10.0))
    """Between attempts to connect. A kubeconfig secret that appears or changes ends the wait at once."""


class Unavailable(Exception):
    """A workload cluster cannot be reached now; the text says why, without anything secret."""


@dataclass(frozen=True, slots=True)
class WorkloadCluster:
    """A connected workload cluster: its Node cache is synced."""

    key: ObjectKey
    client: Client
    caches: Caches
    nodes: NodeIndex


Open = Callable[[bytes], Awaitable[Client]]
"""Makes a client from a kubeconfig. Raises ApiError, ValueError or OSError where that cannot work."""
Subscriber = Callable[[ObjectKey, WorkloadCluster | None], None]


class Connections:
    """The workload clusters of all Clusters in the management cluster's caches.

    `run` must run for anything to be connected; the composition root adds it to its manager's tasks.
    """

    def __init__(
        self,
        open: Open,
        management: Caches,
        *,
        rng: random.Random,
        settings: Settings | None = None,
        namespace: str = "",
    ) -> None:
        self._open = open
        self._management = management
        self._rng = rng
        self._settings = settings or Settings()
        self._namespace = namespace or management.namespace
        self._links: dict[ObjectKey, _Link] = {}
        self._subscribers: tuple[Subscriber, ...] = ()
        self._closing: set[asyncio.Task[None]] = set()

    def get(self, cluster: ObjectKey) -> WorkloadCluster | None:
        """The connected cluster of this Cluster, or None: see `unavailable_reason`. Never waits."""
        link = self._links.get(cluster)
        return link.connected if link is not None else None

    def unavailable_reason(self, cluster: ObjectKey) -> str:
        """Why `get` gives None: a clause that a condition's message can end with. Empty while connected."""
        link = self._links.get(cluster)
        return link.reason if link is not None else "not connected yet"

    def is_known(self, cluster: ObjectKey) -> bool:
        """Whether connecting was tried, so that being unconnected means something."""
        link = self._links.get(cluster)
        return link is not None and link.tried

    def subscribe(self, subscriber: Subscriber) -> None:
        """Be told when a cluster is connected, and, with None, when it is lost or gone. Tells of those connected."""
        self._subscribers = (*self._subscribers, subscriber)
        for key, link in self._links.items():
            if link.connected is not None:
                subscriber(key, link.connected)

    def nudge(self, cluster: ObjectKey) -> None:
        """Try to connect, or read the kubeconfig again, now: something changed that may help."""
        link = self._links.get(cluster)
        if link is not None:
            link.nudged.set()

    async def run(self) -> None:
        """Keep connections to all Clusters until cancelled, then close them."""
        stop = self._management.of(Cluster, self._namespace).subscribe(self._cluster_changed)
        try:
            await self._follow_secrets()
        finally:
            stop()
            await asyncio.gather(*(link.close() for link in self._links.values()), *self._closing)
            self._links.clear()

    def _cluster_changed(self, old: Cluster | None, new: Cluster | None) -> None:
        if new is not None and new.key not in self._links:
            self._links[new.key] = _Link(new.key, self)
        elif new is None and old is not None:
            link = self._links.pop(old.key, None)
            if link is not None:
                closing = asyncio.ensure_future(link.close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)

    async def _follow_secrets(self) -> None:
        """Notice kubeconfig secrets as they come and change; those without the label are found by retrying."""
        suffix = kubeconfig_secret_name("")
        while True:
            try:
                watch = self._management.client.watch(Secret, self._namespace, labels=Label.CLUSTER_NAME)
                async for change in watch:
                    namespace, name = change.object.key
                    if change.type != "DELETED" and name.endswith(suffix):
                        self.nudge(ObjectKey(namespace, name.removesuffix(suffix)))
            except errors.ApiError as error:
                _log.debug("watch of kubeconfig secrets broke", why=error.message)
            await asyncio.sleep(self._settings.backoff.delay(5, self._rng))

    async def _kubeconfig(self, cluster: ObjectKey) -> bytes:
        """Raises Unavailable where there is none, ApiError where it cannot be read."""
        name = kubeconfig_secret_name(cluster.name)
        try:
            secret = await self._management.client.get(Secret, name, cluster.namespace)
        except errors.NotFound:
            raise Unavailable(f"the kubeconfig secret {name} does not exist yet") from None
        if not (content := secret.data.get(KUBECONFIG_KEY)):
            raise Unavailable(f"the kubeconfig secret {name} has no content under {KUBECONFIG_KEY!r}")
        return content

    def _tell(self, cluster: ObjectKey, connected: WorkloadCluster | None) -> None:
        for subscriber in self._subscribers:
            try:
                subscriber(cluster, connected)
            except Exception as error:
                _log.error("subscriber failed", cluster=str(cluster), exc_info=error)


class _Link:
    """The life of one connection, in one task: connect, probe, lose, connect again."""

    def __init__(self, key: ObjectKey, owner: Connections) -> None:
        self.key = key
        self.connected: WorkloadCluster | None = None
        self.reason = "not connected yet"
        self.tried = False
        self.nudged = asyncio.Event()
        self._owner = owner
        self._settings = owner._settings
        self._kubeconfig = b""
        self._opened: WorkloadCluster | None = None
        """Kept while the cluster is away: its caches go on where they stopped."""
        self._task = asyncio.create_task(self._run(), name=f"workload cluster {key}")

    async def close(self) -> None:
        """Let go of the cluster. Idempotent."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._drop()

    async def _run(self) -> None:
        failures = 0
        while True:
            self.nudged.clear()
            try:
                async with asyncio.timeout(self._settings.timeout.total_seconds()):
                    await self._connect()
                failures = 0
                await self._wait(self._settings.probe.total_seconds())
            except Exception as error:  # whatever a kubeconfig, its credentials plugin or a network can come up with
                failures += 1
                self._failed(error, failures)
                await self._wait(self._pause(failures))
            self.tried = True

    async def _connect(self) -> None:
        """Be connected: open where that is needed, else ask the API server whether it is there."""
        kubeconfig = await self._read_kubeconfig()
        if self._opened is not None and kubeconfig != self._kubeconfig:
            await self._renew(self._opened.client, kubeconfig)
        if self._opened is None:
            self._opened = await self._make(kubeconfig)
            self._kubeconfig = kubeconfig
        await self._opened.client.transport.get_path("/version")
        await self._opened.nodes.cache.synced()
        if self.connected is None:
            self.connected, self.reason = self._opened, ""
            _log.info("workload cluster connected", cluster=str(self.key))
            self._owner._tell(self.key, self.connected)

    async def _renew(self, client: Client, kubeconfig: bytes) -> None:
        """Go on with other credentials where the server is the same, as with tokens that live for minutes.

        Caches and watches go on then, and nobody is told. A cluster that is reached in another way is let go of.
        """
        fresh = await self._owner._open(kubeconfig)
        try:
            take: Callable[[object], bool] | None = getattr(client.transport, "take_credentials", None)
            if take is not None and take(fresh.transport):
                self._kubeconfig = kubeconfig
            else:
                await self._drop()
        finally:
            if fresh.transport is not client.transport:
                await fresh.close()

    async def _read_kubeconfig(self) -> bytes:
        """The kubeconfig as it is now, or the one in use where the management cluster cannot be asked."""
        try:
            return await self._owner._kubeconfig(self.key)
        except errors.ApiError as error:
            if self._opened is not None:
                return self._kubeconfig
            raise Unavailable(f"its kubeconfig secret cannot be read: {error.message}") from error

    async def _make(self, kubeconfig: bytes) -> WorkloadCluster:
        client = await self._owner._open(kubeconfig)
        caches = Caches(client, rng=self._owner._rng, lean=(Node, Pod), name=str(self.key))
        return WorkloadCluster(self.key, client, caches, NodeIndex(caches.of(builtin.Node)))

    def _failed(self, error: Exception, failures: int) -> None:
        self.reason = _why(error)
        if self.connected is not None and failures < self._settings.failures and not isinstance(error, Unavailable):
            return
        if self.connected is not None:
            _log.warning("workload cluster lost", cluster=str(self.key), why=self.reason)
            self.connected = None
            self._owner._tell(self.key, None)
        elif not self.tried:
            self.tried = True
            self._owner._tell(self.key, None)

    async def _drop(self) -> None:
        opened, self._opened, self._kubeconfig = self._opened, None, b""
        if self.connected is not None:
            self.connected, self.reason = None, "not connected"
            self._owner._tell(self.key, None)
        if opened is not None:
            await opened.caches.stop()
            await opened.client.close()

    def _pause(self, failures: int) -> float:
        """Seconds until the next attempt: quick to connect, but slow to give up what is connected."""
        if self.connected is not None:
            return self._settings.probe.total_seconds() / self._settings.failures
        return self._settings.backoff.delay(failures, self._owner._rng)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.nudged.wait()
        except TimeoutError:
            return


def _why(error: Exception) -> str:
    """What a condition may say of a failure. Parsing errors are not quoted: they may hold parts of a kubeconfig."""
    if isinstance(error, Unavailable):
        return str(error)
    if isinstance(error, TimeoutError):
        return "its API server does not answer in time"
    if isinstance(error, errors.ApiError):
        return f"its API server answers: {error.message}" if error.message else "its API server cannot be reached"
    if isinstance(error, OSError):
        return f"its API server cannot be reached ({type(error).__name__})"
    return "its kubeconfig cannot be used"
