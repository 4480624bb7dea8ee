"""What the runtime costs: heartbeats through a cache of 10,000 nodes, keys through a queue, reconciles, memory.

CPU time, not wall time; run alone with `python -m benchmarks.runtime`.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from capipool.api.builtin import Node
from capipool.client import Client
from capipool.machinery import codec, objects
from capipool.machinery.calls import Call, Reply, WatchEvent
from capipool.machinery.clock import SystemClock
from capipool.machinery.resource import ObjectKey
from capipool.runtime import DONE, Cache, Caches, Controller, Manager, Result
from capipool.runtime.queue import WorkQueue

NODES = 10_000
BEGINNING = "2026-01-01T00:00:00Z"
ROUNDS = 3


def node(number: int, version: int, beat: str) -> bytes:
    """A node as a kubelet of the development cloud reports it."""
    name = f"cluster-{number // 50:04}-pool-{number % 50:03}"
    kinds = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
    condition = {"reason": "KubeletReady", "message": "kubelet is posting ready status"}
    times = {"lastHeartbeatTime": beat, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    raw = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "uid": f"00000000-0000-4000-8000-{number:012}",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "pool": str(number // 50)},
            "annotations": {"cluster.x-k8s.io/cluster-name": f"cluster-{number // 50:04}"},
        },
        "spec": {"providerID": f"dev:////{name}", "podCIDR": f"10.{number >> 8}.{number & 255}.0/24"},
        "status": {
            "conditions": [{"type": k, "status": str(k == "Ready"), **condition, **times} for k in kinds],
            "addresses": [{"type": "InternalIP", "address": f"10.0.{number >> 8}.{number & 255}"}],
            "capacity": {"cpu": "4", "memory": "16Gi", "pods": "110"},
            "nodeInfo": {"kubeletVersion": "v1.33.0", "osImage": "Debian GNU/Linux 12", "architecture": "amd64"},
        },
    }
    return codec.encode_json(raw)


class Source:
    """A server that has nodes and sends the events it is given."""

    initial_events = True

    def __init__(self) -> None:
        self.events: asyncio.Queue[Sequence[WatchEvent]] = asyncio.Queue()

    async def call(self, call: Call) -> Reply:  # noqa: D102
        raise AssertionError(f"not expected: {call.verb}")

    async def watch(self, call: Call) -> AsyncIterator[Sequence[WatchEvent]]:  # noqa: D102
        while True:
            yield await self.events.get()

    async def get_path(self, path: str) -> bytes:  # noqa: D102
        raise AssertionError(f"not expected: {path}")

    async def close(self) -> None:  # noqa: D102
        return


def bookmark(version: int) -> WatchEvent:
    meta = {"resourceVersion": str(version), "annotations": {"k8s.io/initial-events-end": "true"}}
    return WatchEvent("BOOKMARK", codec.encode_json({"metadata": meta}))


def cpu(action: Callable[[], Any]) -> float:
    """CPU seconds of an action, at best."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        action()
        best = min(best, time.process_time() - began)
    return best


_figures: dict[str, float] = {}


def report(what: str, seconds: float, count: int) -> None:
    """Note what one of many costs, in microseconds of CPU."""
    _figures[f"{what}, us"] = round(seconds / count * 1e6, 1)


def memory() -> float:
    """MiB that live Python objects take, as tracemalloc counts them."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0] / 2**20


async def node_memory(*, lean: bool) -> None:
    """What a cache of nodes keeps; the bytes are the cache's own here, and the store's in one process with it."""
    source = Source()
    caches = Caches(Client(source), rng=random.Random(1), lean=[Node] if lean else [])
    cache = caches.of(Node)
    with_indexes(cache)
    tracemalloc.start()
    source.events.put_nowait([WatchEvent("ADDED", node(n, n + 1, BEGINNING)) for n in range(NODES)])
    source.events.put_nowait([bookmark(NODES)])
    await cache.synced()
    await asyncio.sleep(0)
    _figures[f"cache of {NODES:,} nodes, {'lean' if lean else 'keeping bytes'}, MiB"] = round(memory())
    tracemalloc.stop()
    await caches.stop()


def with_indexes(cache: Cache[Node]) -> None:
    cache.add_index("providerID", lambda n: (n.spec.provider_id,) if n.spec.provider_id else ())
    cache.add_index("cluster", lambda n: (n.metadata.annotations.get("cluster.x-k8s.io/cluster-name", ""),))


async def heartbeats(*, lean: bool) -> None:
    """Heartbeats of all nodes through a cache with two indexes and two subscribers that want none of them."""
    source = Source()
    caches = Caches(Client(source), rng=random.Random(1), lean=[Node] if lean else [])
    cache = caches.of(Node)
    with_indexes(cache)
    relevant = 0

    def subscriber(old: Node | None, new: Node | None) -> None:
        nonlocal relevant
        if old is None or new is None or old.spec != new.spec or old.status.conditions != new.status.conditions:
            relevant += 1

    cache.subscribe(subscriber)
    cache.subscribe(subscriber)
    initial = [WatchEvent("ADDED", node(n, n + 1, BEGINNING)) for n in range(NODES)]
    source.events.put_nowait([*initial, bookmark(NODES)])
    await cache.synced()
    initial.clear()
    beats = [WatchEvent("MODIFIED", node(n, NODES + n + 1, "2026-01-01T00:00:10Z")) for n in range(NODES)]
    decode = objects.decode_lean if lean else objects.decode
    gc.collect()

    def decode_all() -> None:
        for beat in beats:
            decode(Node, beat.object)

    decoding = cpu(decode_all)
    report(f"decoding a heartbeat of {len(beats[0].object)} bytes{', lean' if lean else ''}", decoding, NODES)
    told, relevant = relevant, 0
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for start in range(0, NODES, 100):
            source.events.put_nowait(beats[start : start + 100])
            await asyncio.sleep(0)
        await all_taken(source)
        best = min(best, time.process_time() - began)
    report(f"a heartbeat through the cache{', lean' if lean else ''}", best, NODES)
    report(f"of that, beyond decoding{', lean' if lean else ''}", best - decoding, NODES)
    assert told == 2 * NODES
    assert relevant == 0
    await caches.stop()


async def all_taken(source: Source) -> None:
    while not source.events.empty():  # noqa: ASYNC110  (nothing else is to run meanwhile)
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def queue() -> None:
    """Keys added, taken and done."""
    keys = [ObjectKey("ns", f"pool-{n}") for n in range(50_000)]
    best = float("inf")
    for _ in range(ROUNDS):
        work: WorkQueue[ObjectKey] = WorkQueue(rng=random.Random(1))
        began = time.process_time()
        for key in keys:
            work.add(key)
        for _ in keys:
            work.done(await work.take())
        best = min(best, time.process_time() - began)
    report("a key through the queue", best, len(keys))
    work = WorkQueue(rng=random.Random(1))
    began = time.process_time()
    for number, key in enumerate(keys):
        work.add_after(key, 60 + number % 977)
    report("a delayed add", time.process_time() - began, len(keys))
    work.close()


class Nothing:
    """A reconciler that finds nothing to do."""

    def __init__(self) -> None:
        self.count = 0

    async def reconcile(self, key: ObjectKey) -> Result:  # noqa: D102
        self.count += 1
        return DONE


async def reconciles() -> None:
    """Reconciles that do nothing: what the controller itself costs."""
    reconciler = Nothing()
    controller = Controller("nothing", reconciler, rng=random.Random(1))
    manager = Manager(Client(Source()), clock=SystemClock(), rng=random.Random(1))
    manager.add(controller)
    running = asyncio.create_task(manager.run())
    await manager.started.wait()
    keys = [ObjectKey("ns", f"pool-{n}") for n in range(20_000)]
    began = time.process_time()
    for key in keys:
        controller.enqueue(key)
    while not controller.idle:  # noqa: ASYNC110  (nothing else is to run meanwhile)
        await asyncio.sleep(0)
    report("a reconcile that does nothing", time.process_time() - began, len(keys))
    assert reconciler.count == len(keys)
    await manager.stop()
    await running


def run() -> dict[str, float]:
    """Every measurement, in turn."""
    _figures.clear()
    asyncio.run(node_memory(lean=True))
    asyncio.run(node_memory(lean=False))
    asyncio.run(heartbeats(lean=True))
    asyncio.run(heartbeats(lean=False))
    asyncio.run(queue())
    asyncio.run(reconciles())
    return dict(_figures)
