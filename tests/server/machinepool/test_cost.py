"""What pools cost: counted in writes, since a write is what everybody pays for."""

from capipool.api.core import MachinePool
from tests.server.core_world import POOLS, World, ids, in_a_world

NODES = tuple(f"n{i}" for i in range(20))


@in_a_world
async def test_a_pool_whose_instances_are_there_takes_three_writes_and_one_a_node(world: World) -> None:
    await world.create_cluster()
    await world.provide(ids=ids(*NODES))
    await world.join(*NODES)
    await world.settle()
    world.writes.take()
    await world.create_pool(replicas=20)
    await world.settle(1)
    assert world.writes.take("MachinePool") == ["patch MachinePool", "patch MachinePool/status"]
    assert len(world.node_writes.take("Node")) == 20
    pool = await world.pool()
    assert (pool.status.phase, len(pool.status.node_refs)) == ("Running", 20)


@in_a_world
async def test_heartbeats_cost_no_write_and_no_reconcile(world: World) -> None:
    await world.create_cluster()
    await world.provide(ids=ids(*NODES))
    await world.join(*NODES)
    await world.create_pool(replicas=20)
    await world.settle(10)
    world.writes.take()
    before = reconciles(world)
    for minute in range(3):
        for name in NODES:
            await world.set_ready(name, "True", heartbeat=f"2026-01-01T00:0{minute}:00Z")
    await world.settle(10)
    assert reconciles(world) == before
    assert world.writes.take() == []
    assert world.node_writes.take("Node") == NODES_WRITTEN_ONCE


NODES_WRITTEN_ONCE = ["patch Node"] * 20


@in_a_world
async def test_a_new_instance_is_referred_to_at_once(world: World) -> None:
    await world.create_cluster()
    await world.provide(ids=ids("a"))
    await world.join("a", "b")
    await world.create_pool(replicas=2)
    await world.settle(10)
    world.writes.take()
    await world.client.patch(POOLS, "workers", "default", patch={"spec": {"providerIDList": ids("a", "b")}})
    await world.settle(0.001)
    assert [r.name for r in (await world.pool()).status.node_refs] == ["a", "b"]
    await world.settle(5)
    assert world.writes.take("MachinePool") == ["patch MachinePool", "patch MachinePool/status"]


@in_a_world
async def test_many_changes_of_workers_are_one_write_of_their_cluster(world: World) -> None:
    await world.create_cluster()
    await world.settle()
    world.writes.take()
    for number in range(20):
        await world.provide(f"p{number}", ids=ids(f"p{number}-a"))
        await world.join(f"p{number}-a")
        await world.create_pool(f"p{number}", replicas=1)
    await world.settle(10)
    assert 1 <= len(world.writes.take("Cluster")) <= 3
    cluster = await world.cluster()
    assert (cluster.status.workers.desired_replicas, cluster.status.workers.ready_replicas) == (20, 20)


@in_a_world
async def test_our_own_writes_lead_to_no_reconcile(world: World) -> None:
    await world.create_cluster()
    await world.provide(ids=ids("a"))
    await world.join("a")
    await world.settle()
    before = reconciles(world)
    await world.create_pool(replicas=1)
    await world.settle(10)
    assert reconciles(world) - before <= 2
    assert (await world.client.get(MachinePool, "workers", "default")).status.phase == "Running"


def reconciles(world: World) -> int:
    """How often the pool reconciler ran."""
    return world.runs
