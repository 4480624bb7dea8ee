"""`capipool manager`: the controllers alone, against an API server that somebody else runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field

from capipool.api.builtin import Namespace
from capipool.app import controllers, kinds, providers
from capipool.app.clouds import Clouds
from capipool.app.dialing import Dialer
from capipool.app.manifests import NAME, NAMESPACE
from capipool.client import credentials
from capipool.client.client import Client
from capipool.client.kubeconfig import Endpoint
from capipool.machinery.clock import Clock, SystemClock
from capipool.machinery.errors import Forbidden
from capipool.runtime import metrics
from capipool.runtime.cache import Caches
from capipool.runtime.election import Election
from capipool.runtime.manager import Manager
from capipool.workload.connections import Connections


@dataclass(frozen=True, slots=True, kw_only=True)
class StandaloneSettings:
    """How to run the controllers alone."""

    gates: Mapping[str, bool]
    leader_elect: bool = True
    """Whether to wait for, and keep, a lease: of several managers one works at a time."""
    namespace: str = ""
    """See this namespace alone; empty means all."""
    providers: tuple[str, ...] = providers.STANDALONE
    """Names of the providers to run, out of `app.providers`. Their kinds must be installed."""
    clouds: Clouds = field(default_factory=Clouds)
    """Where clouds are, for clusters that do not say."""
    watch_filter: str = ""
    """See to objects whose label `cluster.x-k8s.io/watch-filter` has this value alone; empty means all."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0
    """Port to serve Prometheus metrics on; 0 serves none."""


async def run(
    endpoint: Endpoint, settings: StandaloneSettings, started: Callable[[Manager], Coroutine[None, None, None]]
) -> None:
    """Run until cancelled. Raises NotFound where Cluster API's kinds are not installed, LostLeadership, ApiError."""
    clock, rng = SystemClock(), random.SystemRandom()
    count = metrics.METRICS.requests.add
    client = credentials.connect(endpoint, clock=clock, rng=rng, on_request=count, field_manager=NAME)
    try:
        await _require_kinds(client, settings.providers)
        await _require_namespace(client, settings, endpoint)
        caches = Caches(client, rng=rng, namespace=settings.namespace)
        election = _election(client, settings, clock, rng, endpoint)
        manager = Manager(client, clock=clock, rng=rng, caches=caches, election=election)
        connections = Connections(Dialer(None, clock), manager.caches, rng=rng)
        controllers.add_all(
            manager,
            connections,
            gates=settings.gates,
            chosen=settings.providers,
            clouds=settings.clouds,
            watch_filter=settings.watch_filter,
            spaces=None,
        )
        if settings.metrics_port:
            manager.add_task("metrics", lambda: _serve_metrics(settings.metrics_host, settings.metrics_port))
        await _run(manager, started)
    finally:
        await client.close()


async def _require_kinds(client: Client, chosen: Iterable[str]) -> None:
    """Ask for every kind first: a manager that waits for one in silence looks like one that works. Raises NotFound."""
    specs = [definition["spec"] for definition in kinds.crds(chosen)]
    await asyncio.gather(*(client.resources.find(spec["group"], spec["names"]["kind"]) for spec in specs))


async def _require_namespace(client: Client, settings: StandaloneSettings, endpoint: Endpoint) -> None:
    """Look for where the lease is to be, for the same reason. Raises NotFound."""
    if not settings.leader_elect:
        return
    with contextlib.suppress(Forbidden):  # who may not look may still be allowed to lead
        await client.get(Namespace, _lease_namespace(endpoint))


def _lease_namespace(endpoint: Endpoint) -> str:
    return endpoint.namespace if endpoint.namespace not in ("", "default") else NAMESPACE


async def _run(manager: Manager, started: Callable[[Manager], Coroutine[None, None, None]]) -> None:
    running = asyncio.create_task(manager.run())
    telling = asyncio.create_task(started(manager))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await manager.stop()
        raise
    finally:
        telling.cancel()
        await asyncio.gather(running, telling, return_exceptions=True)


def _election(
    client: Client, settings: StandaloneSettings, clock: Clock, rng: random.Random, endpoint: Endpoint
) -> Election | None:
    if not settings.leader_elect:
        return None
    identity = f"{socket.gethostname()}_{os.getpid()}_{rng.getrandbits(32):08x}"
    return Election(client, name=NAME, namespace=_lease_namespace(endpoint), identity=identity, clock=clock, rng=rng)


async def _serve_metrics(host: str, port: int) -> None:
    """Serve Prometheus metrics from a thread of that library's own, for as long as the manager runs."""
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry()
    registry.register(metrics.METRICS)
    server, thread = start_http_server(port, host, registry)
    try:
        await asyncio.Event().wait()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
