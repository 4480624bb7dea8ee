"""The embedded API server alone: create, get, patch and list ConfigMaps of 1 kB over HTTPS, 32 at a time."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks._process import cpu_seconds, resident_mib
from capipool.client import credentials
from capipool.client.client import Client
from capipool.machinery.calls import Call
from capipool.machinery.clock import SystemClock
from capipool.machinery.codec import encode_json
from capipool.machinery.resource import Resource
from tests.e2e import process

OBJECTS, CLIENTS, LISTS = 3_000, 32, 20
CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps")


def run() -> dict[str, Any]:
    """Operations a second and milliseconds of the server's CPU each."""
    with tempfile.TemporaryDirectory(prefix="capipool-bench-") as directory:
        up = process.start(Path(directory) / "data", "--no-controllers")
        try:
            return asyncio.run(_measure(up.kubeconfig, up.process.pid))
        finally:
            up.terminate()


async def _measure(kubeconfig: Path, pid: int) -> dict[str, Any]:
    client = credentials.connect(credentials.load(kubeconfig), clock=SystemClock())
    figures: dict[str, Any] = {"objects": OBJECTS, "clients": CLIENTS}
    for name, call, count in (
        ("create", _create, OBJECTS),
        ("get", _get, OBJECTS),
        ("patch", _patch, OBJECTS),
        ("list", _list, LISTS),
    ):
        figures[name] = await _timed(client, pid, call, count)
    figures["resident_mib"] = resident_mib(pid)
    await client.close()
    return figures


async def _timed(
    client: Client, pid: int, call: Callable[[Client, int], Awaitable[object]], count: int
) -> dict[str, float]:
    room = asyncio.Semaphore(CLIENTS)

    async def one(number: int) -> None:
        async with room:
            await call(client, number)

    began, cpu = time.monotonic(), cpu_seconds(pid)
    await asyncio.gather(*(one(n) for n in range(count)))
    seconds = time.monotonic() - began
    return {"per_s": round(count / seconds), "cpu_ms": round((cpu_seconds(pid) - cpu) / count * 1e3, 3)}


def _create(client: Client, number: int) -> Awaitable[object]:
    raw = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"cm-{number}", "labels": {"shard": str(number % 10)}},
        "data": {"payload": "x" * 900},
    }
    return client.transport.call(Call(verb="create", resource=CONFIG_MAPS, namespace="default", body=encode_json(raw)))


def _get(client: Client, number: int) -> Awaitable[object]:
    return client.transport.call(Call(verb="get", resource=CONFIG_MAPS, namespace="default", name=f"cm-{number}"))


def _patch(client: Client, number: int) -> Awaitable[object]:
    return client.patch(CONFIG_MAPS, f"cm-{number}", "default", patch={"data": {"k": str(number)}})


def _list(client: Client, number: int) -> Awaitable[object]:
    return client.transport.call(Call(verb="list", resource=CONFIG_MAPS, namespace="default"))
