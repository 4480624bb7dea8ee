"""Pools whose provider represents instances by infrastructure machines: one Machine for each, and no more."""

from typing import Any

from capipool.api.core import Machine, MachinePool
from tests.server.core_world import MACHINES, POOLS, World, condition, ids, in_a_world


async def _infra_machine(world: World, name: str) -> None:
    labels = {"cluster.x-k8s.io/cluster-name": "c", "cluster.x-k8s.io/pool-name": "workers"}
    spec = {"providerID": f"acme://{name}"}
    await world.create(MACHINES.api_version, MACHINES.kind, name, spec, labels=labels)


async def _provide(world: World, *names: str, **pool: Any) -> None:
    await world.create_cluster()
    await world.provide(ids=ids(*names))
    status = {"status": {"infrastructureMachineKind": MACHINES.kind}}
    await world.client.patch(POOLS, "workers", "default", patch=status, subresource="status")
    for name in names:
        await _infra_machine(world, name)
    await world.join(*names)
    await world.create_pool(replicas=len(names), **pool)
    await world.settle()


@in_a_world
async def test_each_infrastructure_machine_gets_a_machine_that_keeps_what_the_template_says(world: World) -> None:
    await _provide(world, "a", "b", deletion={"nodeDrainTimeoutSeconds": 60}, metadata={"labels": {"team": "x"}})
    machines = sorted(await world.client.list(Machine), key=lambda m: m.metadata.name)
    assert [m.metadata.name for m in machines] == ["a", "b"]
    first = machines[0]
    assert first.metadata.labels == {
        "team": "x",
        "cluster.x-k8s.io/cluster-name": "c",
        "cluster.x-k8s.io/pool-name": "workers",
    }
    owner = first.metadata.owner_references[0]
    assert (owner.kind, owner.name, owner.controller) == ("MachinePool", "workers", True)
    assert first.spec.infrastructure_ref.name == "a"
    assert first.spec.version == "v1.34.0"
    assert first.spec.deletion.node_drain_timeout_seconds == 60
    assert [(c.type, c.status) for c in first.status.conditions if c.type == "UpToDate"] == [("UpToDate", "True")]


@in_a_world
async def test_counters_follow_the_conditions_of_machines(world: World) -> None:
    await _provide(world, "a", "b")
    provisioned = {"status": {"initialization": {"provisioned": True}}}
    for name in ("a", "b"):
        await world.client.patch(MACHINES, name, "default", patch=provisioned, subresource="status")
    await world.set_ready("b", "False")
    await world.settle()
    pool = await world.pool()
    counted = (pool.status.ready_replicas, pool.status.available_replicas, pool.status.up_to_date_replicas)
    assert counted == (1, 1, 2)
    status, _, message = condition(pool, "MachinesReady")
    assert status == "False"
    assert message.startswith("* Machine b: ")


@in_a_world
async def test_a_machine_goes_when_its_infrastructure_machine_is_gone(world: World) -> None:
    await _provide(world, "a", "b")
    await world.client.delete(MACHINES, "a", "default")
    await world.settle()
    assert [m.metadata.name for m in await world.client.list(Machine)] == ["b"]


@in_a_world
async def test_a_machine_that_was_changed_by_hand_is_put_right_and_then_left_alone(world: World) -> None:
    await _provide(world, "a")
    world.writes.take()
    await world.client.patch(Machine, "a", "default", patch={"metadata": {"ownerReferences": None}})
    await world.settle(1)
    machine = await world.client.get(Machine, "a", "default")
    assert [o.name for o in machine.metadata.owner_references] == ["workers"]
    world.writes.take()
    await world.client.patch(MachinePool, "workers", "default", patch={"metadata": {"annotations": {"touch": "2"}}})
    await world.settle(60)
    assert world.writes.take() == []
