"""One health check over a pool without Machines and a MachineDeployment, on the development cloud, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from capipool.api.builtin import Event, Node
from capipool.api.core import Machine, MachineHealthCheck, MachinePool
from capipool.app.embedded import Embedded
from capipool.client.client import Client
from capipool.machinery import codec
from capipool.providers.dev.api.cloud import DevInstance, Fault
from capipool.testing import virtual
from capipool.testing.embedded import embedded
from capipool.workload import nodes

EXAMPLE = Path(__file__).parents[3] / "examples" / "healthcheck.yaml"
ASKED = "cluster.x-k8s.io/remediate-machine"


def on_virtual_time(test: Callable[[Embedded], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def main() -> None:
            async with embedded(clock=virtual.clock(), seed=7) as running:
                for raw in codec.decode_yaml(EXAMPLE.read_text()):
                    await running.client.apply(raw)
                await asyncio.sleep(30)
                await test(running)

        virtual.run(main(), limit=7200)

    run.__name__ = test.__name__
    return run


class Extremes:
    """Notes at every change how few instances of a sort there are, and stay, and how many there are in all."""

    def __init__(self, running: Embedded) -> None:
        self._instances = running.caches.of(DevInstance)
        self.fewest = {"pool": 3, "machines": 3}
        self.most = {"pool": 3, "machines": 3}
        self._instances.subscribe(lambda old, new: self._look())

    def _look(self) -> None:
        for sort in self.fewest:
            there = [i for i in self._instances.list("default") if is_of(sort, i.metadata.name)]
            staying = [i for i in there if not i.deleting]
            self.fewest[sort] = min(self.fewest[sort], len(staying))
            self.most[sort] = max(self.most[sort], len(there))


def is_of(sort: str, name: str) -> bool:
    return name.startswith(f"{sort}-")


async def instances(running: Embedded, sort: str) -> list[str]:
    those = await running.client.list(DevInstance, "default")
    return sorted(i.metadata.name for i in those if is_of(sort, i.metadata.name))


async def silence(running: Embedded, *names: str) -> None:
    for name in names:
        patch = {"metadata": {"annotations": {Fault.NODE: "silent"}}}
        await running.client.patch(DevInstance, name, "default", patch=patch)


async def silence_no_more(running: Embedded, name: str) -> None:
    patch = {"metadata": {"annotations": {Fault.NODE: None}}}
    await running.client.patch(DevInstance, name, "default", patch=patch)


async def workload_nodes(running: Embedded) -> list[Node]:
    return await Client(running.transport("default/mixed")).list(Node)


async def check(running: Embedded) -> MachineHealthCheck:
    return await running.client.get(MachineHealthCheck, "mixed", "default")


async def counts(running: Embedded) -> tuple[int | None, int | None, int | None]:
    status = (await check(running)).status
    return status.expected_machines, status.current_healthy, status.remediations_allowed


async def assert_well(running: Embedded) -> None:
    assert [len(await instances(running, sort)) for sort in ("pool", "machines")] == [3, 3]
    there = await workload_nodes(running)
    assert len(there) == 6
    assert all(nodes.is_ready(n) and ASKED not in n.metadata.annotations for n in there)
    assert await counts(running) == (6, 6, 2)


@on_virtual_time
async def test_a_silent_node_of_each_is_replaced_and_never_more_at_once(running: Embedded) -> None:
    assert await counts(running) == (6, 6, 2)
    assert {m.metadata.name for m in await running.client.list(Machine, "default")} == set(
        await instances(running, "machines")
    )
    of_pool, of_machines = await instances(running, "pool"), await instances(running, "machines")
    extremes = Extremes(running)
    await silence(running, of_pool[0], of_machines[0])
    await asyncio.sleep(60)  # 40 s until nobody hears of the node, and of the 30 s that it may last not all
    assert of_pool == await instances(running, "pool")
    assert of_machines == await instances(running, "machines")
    await asyncio.sleep(240)
    for sort, before in (("pool", of_pool), ("machines", of_machines)):
        after = await instances(running, sort)
        assert before[0] not in after
        assert before[1:] == [name for name in after if name in before]
        assert extremes.fewest[sort] == 2
        assert extremes.most[sort] <= 4
    await assert_well(running)
    told = [e for e in await running.client.list(Event, "default") if e.reason == "InstanceMarkedUnhealthy"]
    assert [(e.involved_object.kind, e.involved_object.name) for e in told] == [("MachinePool", "pool")]


@on_virtual_time
async def test_while_too_many_are_unwell_none_is_replaced(running: Embedded) -> None:
    of_pool, of_machines = await instances(running, "pool"), await instances(running, "machines")
    await silence(running, *of_pool[:2], of_machines[0])
    await asyncio.sleep(300)
    assert of_pool == await instances(running, "pool")
    assert of_machines == await instances(running, "machines")
    assert await counts(running) == (6, 3, 0)
    assert not any(ASKED in n.metadata.annotations for n in await workload_nodes(running))
    await silence_no_more(running, of_pool[1])
    await asyncio.sleep(300)
    assert of_pool[0] not in await instances(running, "pool")
    assert of_pool[1] in await instances(running, "pool")
    await assert_well(running)


@on_virtual_time
async def test_two_silent_nodes_of_a_pool_go_one_after_the_other(running: Embedded) -> None:
    before = await instances(running, "pool")
    extremes = Extremes(running)
    await silence(running, *before[:2])
    await asyncio.sleep(400)
    after = await instances(running, "pool")
    assert [name for name in after if name in before] == before[2:]
    assert extremes.fewest["pool"] == 2
    await assert_well(running)


@on_virtual_time
async def test_a_pool_that_is_exempt_is_not_judged(running: Embedded) -> None:
    skip = {"metadata": {"annotations": {"cluster.x-k8s.io/skip-remediation": ""}}}
    await running.client.patch(MachinePool, "pool", "default", patch=skip)
    before = await instances(running, "pool")
    await silence(running, before[0])
    await asyncio.sleep(300)
    assert await instances(running, "pool") == before
    assert await counts(running) == (3, 3, 2)
