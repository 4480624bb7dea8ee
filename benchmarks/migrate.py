"""Ten thousand objects from the old groups to the new ones, over HTTPS: how long, and how much memory it takes."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from capipool.app import kinds
from capipool.client import credentials
from capipool.client.client import Client
from capipool.machinery import objects
from capipool.machinery.clock import SystemClock
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.resource import Resource
from capipool.migrate import apply as applying
from capipool.migrate import commit as committing
from capipool.migrate.naming import Renaming
from capipool.migrate.run import Run, Settings
from tests.e2e import process
from tests.e2e.process import Up
from tests.server.migrate import world

OBJECTS, CLIENTS = 10_000, 16
"""A quarter each: pools, their infrastructure, their configs, their secrets."""


def run() -> dict[str, Any]:
    """Fill a server with the old world, migrate, commit."""
    with tempfile.TemporaryDirectory(prefix="capipool-bench-") as directory:
        up = process.start(Path(directory) / "data", "--no-controllers")
        try:
            return asyncio.run(_measure(up))
        finally:
            up.terminate()


async def _measure(up: Up) -> dict[str, Any]:
    client = credentials.connect(credentials.load(up.kubeconfig), clock=SystemClock())
    await _fill(client)
    figures: dict[str, Any] = {"objects": OBJECTS}
    before = _peak(reset=True)
    for name, command in (("apply", applying.apply), ("commit", committing.commit)):
        began, cpu = time.monotonic(), time.process_time()
        await command(_run(client))
        figures[f"{name}_s"] = round(time.monotonic() - began, 1)
        figures[f"{name}_cpu_s"] = round(time.process_time() - cpu, 1)
    figures["memory_mib"] = round((_peak() - before) / 1024, 1)
    await client.close()
    return figures


def _run(client: Client) -> Run:
    return Run(
        client=client,
        renaming=Renaming(),
        converters=kinds.converters,
        clock=SystemClock(),
        rng=random.SystemRandom(),
        settings=Settings(concurrency=CLIENTS),
    )


async def _fill(client: Client) -> None:
    for raw in world.old_definitions():
        await _create(client, world.DEFINITIONS, raw)
    meta = {"metadata": {"name": "c", "namespace": "default"}}
    cluster = await _create(client, world.CLUSTERS, meta | {"spec": {"paused": False}})
    room = asyncio.Semaphore(CLIENTS)
    async with asyncio.TaskGroup() as tasks:
        for number in range(OBJECTS // 4):
            tasks.create_task(_pool(client, f"pool-{number}", cluster, room))


async def _pool(client: Client, name: str, cluster: Raw, room: asyncio.Semaphore) -> None:
    async with room:
        pool = await _create(client, world.OLD_POOLS, world.old_pool(name, cluster))
        meta = world.child_meta(name, pool, cluster)
        await _create(client, world.OLD_INFRA, {"metadata": meta, "spec": {"backend": {"inMemory": {}}}})
        await _create(client, world.CONFIGS, {"metadata": meta, "spec": {"verbosity": 1}})
        await _create(client, world.SECRETS, {"metadata": meta, "data": {"value": "eA=="}})


async def _create(client: Client, resource: Resource, raw: Raw) -> Raw:
    raw = {"apiVersion": resource.api_version, "kind": resource.kind, **raw}
    return objects.to_raw(await client.create(objects.from_raw(Unstructured, raw), resource=resource))


def _peak(*, reset: bool = False) -> int:
    """The most memory that this process held, in KiB; since now, with `reset`."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
