"""Pools whose provider represents instances by infrastructure machines: one Machine for each, and no more."""

import asyncio
from contextlib import suppress
from typing import Any

from capipool.api.builtin import Pod, PodDisruptionBudget
from capipool.api.core import Machine, MachinePool
from capipool.machinery import errors, objects
from tests.server.core_world import MACHINES, POOLS, World, condition, ids, in_a_world


async def _infra_machine(world: World, name: str, *, provisioned: bool = False) -> None:
    labels = {"cluster.x-k8s.io/cluster-name": "c", "cluster.x-k8s.io/pool-name": "workers"}
    spec = {"providerID": f"acme://{name}"}
    held = ["acme.example.org/instance"] if provisioned else []
    await world.create(MACHINES.api_version, MACHINES.kind, name, spec, labels=labels, finalizers=held)
    if provisioned:
        status = {"status": {"initialization": {"provisioned": True}}}
        await world.client.patch(MACHINES, name, "default", patch=status, subresource="status")


async def _provide(world: World, *names: str, provisioned: bool = False, **pool: Any) -> None:
    await world.create_cluster()
    await world.provide(ids=ids(*names))
    status = {"status": {"infrastructureMachineKind": MACHINES.kind}}
    await world.client.patch(POOLS, "workers", "default", patch=status, subresource="status")
    for name in names:
        await _infra_machine(world, name, provisioned=provisioned)
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


class AcmeScaler:
    """The foreign provider's controller as its contract asks: it deletes Machines, and instances only after them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.made = 0

    async def run(self) -> None:
        """Have as many instances as wanted until cancelled."""
        while True:
            with suppress(errors.Conflict, errors.NotFound):
                await self.step()
            await asyncio.sleep(0.5)

    async def step(self) -> None:
        client = self.world.client
        for obj in await client.list(MACHINES, "default"):
            if obj.deleting:
                await client.patch(MACHINES, obj.metadata.name, "default", patch={"metadata": {"finalizers": None}})
        there = [obj.metadata.name for obj in await client.list(MACHINES, "default")]
        listed = (await client.get(POOLS, "workers", "default")).spec["providerIDList"]
        if sorted(listed) != sorted(ids(*there)):
            await self.world.provide(ids=ids(*there))
        wanted = (await self.world.pool()).spec.replicas or 0
        staying = [m for m in await client.list(Machine, "default") if not m.deleting]
        staying.sort(key=lambda m: ("cluster.x-k8s.io/delete-machine" not in m.metadata.annotations, m.metadata.name))
        for machine in staying[: max(0, len(staying) - wanted)]:
            await client.delete(Machine, machine.metadata.name, "default")
        for _ in range(wanted - len(there)):
            self.made += 1
            name = f"new-{self.made}"
            await _infra_machine(self.world, name, provisioned=True)
            await self.world.join(name)


async def _scaled_by_its_provider(world: World, *names: str) -> asyncio.Task[None]:
    """A pool whose provider is at work, with a pod under a budget that allows nothing on each node."""
    await _provide(world, *names, provisioned=True)
    scaler = asyncio.create_task(AcmeScaler(world).run())
    for name in names:
        raw = {"metadata": {"name": f"web-{name}", "namespace": "default", "labels": {"app": "web"}}}
        spec = {"nodeName": name, "containers": [{"name": "c", "image": "i"}]}
        await world.workload.create(objects.from_raw(Pod, {"apiVersion": "v1", "kind": "Pod", **raw, "spec": spec}))
        up = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        await world.workload.patch(Pod, f"web-{name}", "default", patch={"status": up}, subresource="status")
    spec = {"selector": {"matchLabels": {"app": "web"}}, "maxUnavailable": 0}
    meta = {"name": "web", "namespace": "default"}
    raw = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec}
    await world.workload.create(objects.from_raw(PodDisruptionBudget, raw))
    await world.settle(2)
    return scaler


async def _let_pods_go(world: World) -> None:
    """The budget goes, and the kubelet takes away what is evicted."""
    await world.workload.delete(PodDisruptionBudget, "web", "default")
    for _ in range(8):
        await world.settle(10)
        for pod in await world.workload.list(Pod, "default"):
            if pod.deleting:
                await world.workload.delete(Pod, pod.metadata.name, "default", grace_period_seconds=0)
    await world.settle(30)


async def _machine_names(world: World) -> list[str]:
    return sorted(m.metadata.name for m in await world.client.list(Machine, "default"))


@in_a_world
async def test_scale_in_goes_through_the_deletion_of_the_marked_machine_with_its_drain(world: World) -> None:
    scaler = await _scaled_by_its_provider(world, "a", "b", "c")
    mark = {"metadata": {"annotations": {"cluster.x-k8s.io/delete-machine": ""}}}
    await world.client.patch(Machine, "b", "default", patch=mark)
    await world.settle(2)
    await world.client.update_scale(MachinePool, "workers", "default", replicas=2)
    await world.settle(60)
    pool = await world.pool()
    status, _, message = condition(pool, "ScalingDown")
    assert (status, pool.status.phase) == ("True", "ScalingDown")
    assert "* Machine b: " in message
    assert "Pod default/web-b: PodDisruptionBudget web does not allow its eviction now" in message
    assert await world.node_names() == ["a", "b", "c"]
    await _let_pods_go(world)
    assert (await _machine_names(world), await world.node_names()) == (["a", "c"], ["a", "c"])
    assert sorted(p.metadata.name for p in await world.workload.list(Pod, "default")) == ["web-a", "web-c"]
    pool = await world.pool()
    assert (pool.status.phase, sorted(pool.spec.provider_id_list)) == ("Running", ids("a", "c"))
    scaler.cancel()


@in_a_world
async def test_a_machine_deleted_by_hand_is_drained_and_its_instance_replaced(world: World) -> None:
    scaler = await _scaled_by_its_provider(world, "a", "b")
    await world.client.delete(Machine, "a", "default")
    await world.settle(60)
    assert await world.exists(MACHINES, "a")
    assert "Machine is being deleted" in condition(await world.pool(), "MachinesUpToDate")[2]
    await _let_pods_go(world)
    assert (await _machine_names(world), await world.node_names()) == (["b", "new-1"], ["b", "new-1"])
    assert [p.metadata.name for p in await world.workload.list(Pod, "default")] == ["web-b"]
    assert (await world.pool()).status.phase == "Running"
    scaler.cancel()


@in_a_world
async def test_a_node_that_is_being_drained_stays_though_its_instance_is_not_listed_any_more(world: World) -> None:
    scaler = await _scaled_by_its_provider(world, "a", "b")
    scaler.cancel()
    await world.client.delete(Machine, "a", "default")
    await world.provide(ids=ids("b"))
    await world.settle(120)
    assert await world.node_names() == ["a", "b"]
    assert [r.name for r in (await world.pool()).status.node_refs] == ["b"]


@in_a_world
async def test_a_machine_is_seen_to_by_the_manager_that_sees_to_its_pool(world: World) -> None:
    await _provide(world, "a")
    mark = {"metadata": {"labels": {"cluster.x-k8s.io/watch-filter": "mine"}}}
    await world.client.patch(MachinePool, "workers", "default", patch=mark)
    await world.settle()
    machine = await world.client.get(Machine, "a", "default")
    assert machine.metadata.labels["cluster.x-k8s.io/watch-filter"] == "mine"
