"""A fault at any call of a reconcile leaves a state from which the next run reaches the same end."""

import asyncio
import datetime as dt
from functools import cache
from typing import Any

import pytest

from capipool.api.builtin import Node
from capipool.api.core import Machine, MachinePool
from capipool.machinery import objects
from capipool.machinery.calls import Call
from capipool.testing import virtual
from capipool.testing.faults import Fault, FaultyTransport
from tests.server.core_world import MACHINES, POOLS, World, ids

MOST_CALLS = 40


class FaultyWorld(World):
    """A world whose controllers make calls that can be made to fail, counted over both clusters."""

    def __init__(self) -> None:
        super().__init__()
        self.died = asyncio.Event()
        self.management_faults = FaultyTransport(self.management_transport, counts=_is_counted)
        self.workload_faults = FaultyTransport(self.workload_transport, counts=_is_counted)
        for faults in (self.management_faults, self.workload_faults):
            faults.on_death = self.died.set
        self.management_transport = self.management_faults
        self.workload_transport = self.workload_faults

    async def mend(self) -> None:
        """Start the process anew where it died."""
        if not self.died.is_set():
            return
        self.died.clear()
        self.manager._grace = dt.timedelta(0)
        await self.stop()
        self.management_faults.reset()
        self.workload_faults.reset()
        await self.start()


def _is_counted(call: Call) -> bool:
    """All writes, and the reads that a reconcile makes; not those of caches, which list."""
    return call.verb not in ("list", "watch") and call.resource.kind != "Event"


async def _create(world: World) -> None:
    await world.create_pool(replicas=2, metadata={"labels": {"node-role.kubernetes.io/worker": ""}})


async def _create_with_machines(world: World) -> None:
    kind = {"status": {"infrastructureMachineKind": MACHINES.kind}}
    await world.client.patch(POOLS, "workers", "default", patch=kind, subresource="status")
    labels = {"cluster.x-k8s.io/cluster-name": "c", "cluster.x-k8s.io/pool-name": "workers"}
    for name in ("a", "b"):
        spec = {"providerID": f"acme://{name}"}
        await world.create(MACHINES.api_version, MACHINES.kind, name, spec, labels=labels)
        made = {"status": {"initialization": {"provisioned": True}}}
        await world.client.patch(MACHINES, name, "default", patch=made, subresource="status")
    await world.create_pool(replicas=2, metadata={"labels": {"node-role.kubernetes.io/worker": ""}})


async def _replace_an_instance(world: World) -> None:
    await world.client.patch(POOLS, "workers", "default", patch={"spec": {"providerIDList": ids("b", "c")}})


async def _delete(world: World) -> None:
    await world.client.delete(MachinePool, "workers", "default")


SCENARIOS = {
    "create": ((), _create),
    "replace an instance": ((_create,), _replace_an_instance),
    "delete": ((_create,), _delete),
    "create with machines": ((), _create_with_machines),
    "delete with machines": ((_create_with_machines,), _delete),
}


async def _outcome(world: World) -> dict[str, Any]:
    """All that must be the same whatever went wrong on the way: versions, times and UIDs aside."""
    pools = [objects.to_raw(p) for p in await world.client.list(MachinePool)]
    infra = [objects.to_raw(p) for p in await world.client.list(POOLS)]
    machines = [objects.to_raw(m) for m in await world.client.list(Machine)]
    nodes = [objects.to_raw(n) for n in await world.workload.list(Node)]
    return {
        "pools": [_plain(p) for p in pools],
        "infra": [_plain(p) for p in infra],
        "machines": [_plain(m) for m in machines],
        "nodes": [_plain(n) for n in nodes],
    }


_VOLATILE = {
    "uid",
    "resourceVersion",
    "lastTransitionTime",
    "creationTimestamp",
    "managedFields",
    "generation",
    "lastUpdated",
}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        volatile = _VOLATILE | {"observedGeneration"}
        return {k: _plain(v) for k, v in value.items() if k not in volatile}
    if isinstance(value, list):
        return sorted((_plain(v) for v in value), key=_type)  # who was first to write a condition is chance
    return value


def _type(value: Any) -> str:
    return str(value.get("type", "")) if isinstance(value, dict) else ""


async def _run(scenario: str, cluster: str = "", number: int = 0, fault: Fault | None = None) -> tuple[Any, bool]:
    """Play a scenario, with a fault at one call of one cluster. The outcome, and whether the fault struck."""
    world = FaultyWorld()
    before, act = SCENARIOS[scenario]
    await world.server.start()
    await world.install()
    await world.start()
    try:
        await world.create_cluster()
        await world.provide(ids=ids("a", "b"))
        await world.join("a", "b", "c")
        await world.settle(5)
        for step in before:
            await step(world)
            await world.settle(5)
        faults = world.management_faults if cluster == "management" else world.workload_faults
        if fault is not None:
            faults.fail(number, fault)
        await act(world)
        await world.settle(5)
        struck = faults.struck
        await world.mend()
        await world.settle(120)
        return await _outcome(world), struck
    finally:
        await world.stop()
        await world.server.stop()


@cache
def _without_faults(scenario: str) -> Any:
    outcome, _ = virtual.run(_run(scenario), limit=dt.timedelta(hours=1))
    return outcome


@pytest.mark.parametrize("cluster", ["management", "workload"])
@pytest.mark.parametrize("fault", list(Fault), ids=lambda f: f.value)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_fault_at_any_call_is_mended_by_the_next_run(scenario: str, fault: Fault, cluster: str) -> None:
    wanted = _without_faults(scenario)
    for number in range(1, MOST_CALLS):
        found, struck = virtual.run(_run(scenario, cluster, number, fault), limit=dt.timedelta(hours=1))
        if not struck:
            assert number > 1, "no call was made at all"
            return
        assert found == wanted, f"{fault.value} at call {number} of the {cluster} cluster"
    raise AssertionError(f"more than {MOST_CALLS} calls")
