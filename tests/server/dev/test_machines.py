"""Pools whose instances are Machines, too: one object and one Machine for each, and Machines decide how they go."""

from __future__ import annotations

import asyncio

from capipool.api.builtin import Pod
from capipool.api.core import Cluster, Machine, MachinePool
from capipool.machinery import objects
from capipool.machinery.objects import Object, Raw, Unstructured
from capipool.machinery.resource import Resource
from capipool.providers.dev.api.cloud import DevInstance, DevScalingGroup, Fault
from capipool.providers.dev.api.machine import DevMachine
from capipool.providers.dev.api.machinepool import DevMachinePool
from tests.server.dev.machines_world import SHOWN, MachinesWorld, with_machines
from tests.server.dev.world import NS

BUDGETS = Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
HOOK = "pre-terminate.delete.hook.machine.cluster.x-k8s.io/test"


@with_machines
async def test_each_instance_is_an_object_and_a_machine_that_finds_its_node(world: MachinesWorld) -> None:
    await world.shown(3)
    pool = await world.dev_pool()
    assert pool.status.infrastructure_machine_kind == "DevMachine"
    for obj, machine in zip(await world.objects(), await world.machines(), strict=True):
        name = obj.metadata.name
        assert obj.spec.provider_id == machine.spec.provider_id == f"dev:////{NS}/{name}"
        assert machine.status.node_ref is not None
        assert machine.status.node_ref.name == name
        labels = {"cluster.x-k8s.io/cluster-name": "c", "cluster.x-k8s.io/pool-name": "p"}
        assert labels.items() <= obj.metadata.labels.items()
        owners = {(o.kind, o.name, bool(o.controller)) for o in obj.metadata.owner_references}
        assert owners == {("DevMachinePool", "p", False), ("Machine", name, True)}
        assert obj.status.initialization.provisioned

    async def counted() -> bool:
        told = (await world.client.get(MachinePool, "p", NS)).status
        return (told.ready_replicas, told.available_replicas, told.up_to_date_replicas) == (3, 3, 3)

    await world.until(counted, minutes=1)


@with_machines
async def test_a_pool_costs_one_object_and_one_status_for_each_instance_and_nothing_at_rest(
    world: MachinesWorld,
) -> None:
    world.management.writes.clear()
    await world.shown(5)
    writes = world.management.writes
    assert writes.count("create DevMachine") == 5
    assert writes.count("patch DevMachine/status") <= 10
    assert writes.count("patch DevMachine") == 5  # core takes each as its own
    await asyncio.sleep(600)
    world.management.writes.clear()
    await asyncio.sleep(3600)
    assert world.management.writes == []


@with_machines
async def test_scaling_in_drains_by_the_machine_and_waits_for_its_hooks(world: MachinesWorld) -> None:
    await world.shown(3)
    for machine in await world.machines():
        hook = {"metadata": {"annotations": {HOOK: ""}}}
        await world.client.patch(Machine, machine.metadata.name, NS, patch=hook)
    await world.set(replicas=2)

    async def held() -> bool:
        return "pre-terminate hooks" in await world.why()

    await world.until(held)
    await asyncio.sleep(60)
    (going,) = [m for m in await world.machines() if m.deleting]
    assert "ScaleDown" in going.metadata.annotations["capipool.io/removing"]
    assert len(await world.names()) == 3
    assert (await world.workload.get(type((await world.nodes())[0]), going.metadata.name)).spec.unschedulable
    await world.client.patch(Machine, going.metadata.name, NS, patch={"metadata": {"annotations": {HOOK: None}}})
    await world.all_shown(2)
    assert going.metadata.name not in await world.names()
    assert (await world.group()).spec.replicas == 2


@with_machines
async def test_a_pod_that_must_not_be_evicted_holds_up_a_scale_in(world: MachinesWorld) -> None:
    await world.shown(2)
    for node in await world.nodes():
        await world.run_pod(f"on-{node.metadata.name}", node.metadata.name, labels={"app": "web"})
    await world.workload.create(_budget(), resource=BUDGETS)
    await world.set(replicas=1)

    async def told() -> bool:
        return "default/on-" in await world.why() or "on-" in await world.why()

    await world.until(told)
    await asyncio.sleep(120)
    assert len(await world.names()) == 2
    await world.workload.delete(BUDGETS, "b", NS)
    await world.all_shown(1)
    assert len(await world.workload.list(Pod, NS)) == 1


def _budget() -> Unstructured:
    spec: Raw = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}}
    raw = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b", "namespace": NS}}
    return objects.from_raw(Unstructured, {**raw, "spec": spec})


@with_machines
async def test_a_machine_that_somebody_deletes_is_replaced(world: MachinesWorld) -> None:
    await world.shown(3)
    victim = sorted(await world.names())[0]
    await world.delete_machine(victim)

    async def replaced() -> bool:
        return victim not in await world.names()

    await world.until(replaced)
    assert (await world.group()).spec.replicas == 3
    await world.all_shown(3)
    assert victim not in {n.metadata.name for n in await world.nodes()}


@with_machines
async def test_an_object_that_somebody_deletes_is_replaced_with_its_machine(world: MachinesWorld) -> None:
    await world.shown(2)
    victim = sorted(await world.names())[0]
    await world.client.delete(DevMachine, victim, NS)

    async def replaced() -> bool:
        return victim not in await world.names()

    await world.until(replaced)
    await world.all_shown(2)


@with_machines
async def test_a_rollout_goes_machine_by_machine_and_keeps_to_surge_and_availability(world: MachinesWorld) -> None:
    await world.shown(4, rollout={"maxSurge": 1, "maxUnavailable": 0})
    old = await world.names()
    await world.upgrade("v1.35.0")

    async def rolled() -> bool:
        assert len(await world.ready()) >= 4
        assert len(await world.instances()) <= 5
        return not old & await world.names()

    await world.until(rolled)
    await world.all_shown(4, version="v1.35.0")
    assert {m.spec.version for m in await world.machines()} == {"v1.35.0"}


@with_machines
async def test_the_deletion_of_machines_is_not_held_back_and_yet_counts(world: MachinesWorld) -> None:
    await world.shown(4, rollout={"maxSurge": 0, "maxUnavailable": 1})
    for name in sorted(await world.names())[:3]:
        await world.delete_machine(name)

    async def gone() -> bool:
        return len(await world.ready()) <= 1

    await world.until(gone)
    await world.all_shown(4)


@with_machines
async def test_a_health_check_over_a_pool_keeps_to_the_pools_limits(world: MachinesWorld) -> None:
    await world.shown(5, rollout={"maxSurge": 1, "maxUnavailable": 0})
    sick = sorted(await world.names())[:4]
    await world.health_check()
    for name in sick:
        await world.annotate(name, Fault.NODE, "not-ready")
    most = 0

    async def healed() -> bool:
        nonlocal most
        group = await world.group()
        most = max(most, len(group.spec.terminating))
        names = await world.names()
        return not set(sick) & names and len(await world.ready()) == 5

    await world.until(healed)
    assert most == 1
    await world.all_shown(5)


@with_machines
async def test_an_instance_that_the_cloud_takes_back_leaves_neither_object_nor_machine(world: MachinesWorld) -> None:
    await world.shown(3)
    victim = sorted(await world.names())[0]
    await world.annotate(victim, Fault.INTERRUPT, "spot")

    async def replaced() -> bool:
        return victim not in await world.names() and len(await world.names()) == 3

    await world.until(replaced)
    await world.all_shown(3)


@with_machines
async def test_an_instance_that_vanishes_takes_its_machine_its_object_and_its_node_along(world: MachinesWorld) -> None:
    await world.shown(3)
    victim = sorted(await world.names())[1]
    await world.stop()
    await world.client.delete(DevInstance, victim, NS)
    await world.start()
    await world.all_shown(3)
    assert victim not in {n.metadata.name for n in await world.nodes()}


@with_machines
async def test_a_pool_with_a_long_name_finds_its_objects_by_a_hash(world: MachinesWorld) -> None:
    name = "p" + "o" * 61 + "ls"
    await world.pool(name, replicas=1, backend=SHOWN)
    await world.settled(1, name=name)

    async def running() -> bool:
        return [m.status.phase for m in await world.machines()] == ["Running"]

    await world.until(running)
    (obj,) = await world.objects()
    assert obj.metadata.labels["cluster.x-k8s.io/pool-name"].startswith("hash_")


@with_machines
async def test_a_rollout_goes_on_where_somebody_else_scales(world: MachinesWorld) -> None:
    await world.shown(3, rollout={"maxSurge": 2, "maxUnavailable": 0})
    managed = {"metadata": {"annotations": {"cluster.x-k8s.io/replicas-managed-by": "autoscaler"}}}
    await world.client.patch(MachinePool, "p", NS, patch=managed)
    await world.upgrade("v1.35.0")
    fewest = 3

    async def rolled() -> bool:
        nonlocal fewest
        fewest = min(fewest, len(await world.ready()))
        assert (await world.group()).spec.replicas == 3
        return {i.spec.version for i in await world.instances()} == {"v1.35.0"}

    await world.until(rolled)
    await world.all_shown(3, version="v1.35.0")
    assert fewest == 2  # one at a time: there can be no surge


@with_machines
async def test_a_mark_on_a_machine_has_its_instance_go_first(world: MachinesWorld) -> None:
    await world.shown(4)
    victim = sorted(await world.names())[2]
    marked = {"metadata": {"annotations": {"cluster.x-k8s.io/delete-machine": ""}}}
    await world.client.patch(Machine, victim, NS, patch=marked)
    before = await world.names()
    await world.set(replicas=3)
    await world.all_shown(3)
    assert before - await world.names() == {victim}


@with_machines
async def test_a_mark_that_a_dead_process_left_on_a_machine_is_taken_off(world: MachinesWorld) -> None:
    await world.shown(2)
    name = sorted(await world.names())[0]
    left = {"metadata": {"annotations": {"capipool.io/removing": "2026-01-01T00:00:00Z ScaleDown"}}}
    await world.client.patch(Machine, name, NS, patch=left)

    async def clean() -> bool:
        machines = await world.machines()
        return not any("capipool.io/removing" in m.metadata.annotations for m in machines)

    await world.until(clean)
    await world.all_shown(2)
    assert name in await world.names()


@with_machines
async def test_objects_that_others_changed_are_put_right_and_what_is_theirs_stays(world: MachinesWorld) -> None:
    await world.shown(1)
    (name,) = await world.names()
    change = {
        "metadata": {"labels": {"mine": "x"}, "finalizers": ["example.org/f"]},
        "spec": {"backend": {"inMemory": {"vm": {"provisioning": {"startupDuration": "1h"}}}}},
    }
    await world.client.patch(DevMachine, name, NS, patch=change)

    async def right() -> bool:
        (obj,) = await world.objects()
        meta = obj.metadata
        return (
            meta.labels["mine"] == "x"
            and len(meta.finalizers) == 2
            and _boot_time(obj) == _boot_time(await world.dev_pool()) == "5s"
        )

    await world.until(right)
    await world.client.patch(DevMachine, name, NS, patch={"metadata": {"finalizers": []}})
    await world.all_shown(1)


def _boot_time(obj: DevMachine | DevMachinePool) -> str:
    backend = obj.spec.backend.in_memory
    assert backend is not None
    assert backend.vm is not None
    assert backend.vm.provisioning is not None
    return backend.vm.provisioning.startup_duration


@with_machines
async def test_switching_machines_off_leaves_instances_and_nodes_alone(world: MachinesWorld) -> None:
    await world.shown(3)
    before = {n.metadata.name: n.metadata.uid for n in await world.nodes()}
    await world.backend(machines=False)

    async def off() -> bool:
        return await world.gone(Machine) and await world.gone(DevMachine)

    await world.until(off)
    await asyncio.sleep(300)
    assert {n.metadata.name: n.metadata.uid for n in await world.nodes()} == before
    assert not any(n.spec.unschedulable for n in await world.nodes())
    assert (await world.dev_pool()).status.infrastructure_machine_kind == ""
    await world.settled(3)
    await world.set(replicas=2)
    await world.settled(2)
    await world.backend(machines=True)
    await world.all_shown(2)


@with_machines
async def test_a_paused_pool_writes_no_objects(world: MachinesWorld) -> None:
    await world.shown(2)
    await world.client.patch(MachinePool, "p", NS, patch={"spec": {"replicas": 2}})
    pause = {"metadata": {"annotations": {"cluster.x-k8s.io/paused": ""}}}
    await world.client.patch(DevMachinePool, "p", NS, patch=pause)
    await asyncio.sleep(5)
    await world.client.patch(DevMachine, sorted(await world.names())[0], NS, patch={"spec": {"providerID": "x"}})
    world.management.writes.clear()
    await asyncio.sleep(60)
    assert [w for w in world.management.writes if "patch DevMachine" in w] == []
    await world.client.patch(DevMachinePool, "p", NS, patch={"metadata": {"annotations": None}})
    await world.all_shown(2)


@with_machines
async def test_nothing_is_left_of_a_pool_that_is_deleted(world: MachinesWorld) -> None:
    await world.shown(3)
    await world.client.delete(MachinePool, "p", NS)
    kinds = (MachinePool, DevMachinePool, DevScalingGroup, DevMachine, Machine)

    async def gone() -> bool:
        return all([await world.gone(kind) for kind in kinds]) and not await world.nodes()

    await world.until(gone)


@with_machines
async def test_a_pool_that_is_drained_at_its_end_deletes_its_machines_first(world: MachinesWorld) -> None:
    await world.shown(2, drainOnDelete=True)
    (node, _) = await world.nodes()
    await world.run_pod("web", node.metadata.name, labels={"app": "web"})
    await world.workload.create(_budget(), resource=BUDGETS)
    await world.client.delete(MachinePool, "p", NS)
    await asyncio.sleep(120)
    assert len(await world.names()) == 2
    assert all(m.deleting for m in await world.machines())
    assert not all(o.deleting for o in await world.objects())
    await world.workload.delete(BUDGETS, "b", NS)

    async def gone() -> bool:
        return await world.gone(MachinePool) and await world.gone(Machine) and await world.gone(DevMachine)

    await world.until(gone)
    assert await world.nodes() == []


@with_machines
async def test_a_pool_is_let_go_when_its_machines_or_its_objects_are_gone_already(world: MachinesWorld) -> None:
    await world.shown(3, drainOnDelete=True)
    first, second, _ = sorted(await world.names())
    await world.client.patch(MachinePool, "p", NS, patch={"metadata": {"annotations": {"cluster.x-k8s.io/paused": ""}}})
    await asyncio.sleep(1)
    for kind, name in ((Machine, first), (DevMachine, second)):
        await world.client.patch(kind, name, NS, patch={"metadata": {"finalizers": []}})
        await world.client.delete(kind, name, NS)
    await world.client.patch(MachinePool, "p", NS, patch={"metadata": {"annotations": None}})
    await world.client.delete(MachinePool, "p", NS)

    async def gone() -> bool:
        return all([await world.gone(kind) for kind in (MachinePool, DevMachinePool, DevMachine, Machine)])

    await world.until(gone)


@with_machines
async def test_a_pool_goes_while_its_workload_cluster_is_away(world: MachinesWorld) -> None:
    await world.shown(2, drainOnDelete=True)
    world.away = True
    await world.stop()
    await world.start()
    await world.client.delete(MachinePool, "p", NS)

    async def gone() -> bool:
        return all([await world.gone(kind) for kind in (DevMachinePool, DevMachine, Machine)])

    await world.until(gone)


@with_machines
async def test_a_pool_goes_when_its_cluster_and_its_machine_pool_are_gone(world: MachinesWorld) -> None:
    await world.shown(2, drainOnDelete=True)
    await world.stop()
    kinds: tuple[tuple[type[Object], str], ...] = ((MachinePool, "p"), (Cluster, "c"))
    for kind, name in kinds:
        await world.client.patch(kind, name, NS, patch={"metadata": {"finalizers": []}})
        await world.client.delete(kind, name, NS)  # the garbage collector deletes what they owned
    await world.start()

    async def gone() -> bool:
        return all([await world.gone(kind) for kind in (DevMachinePool, DevMachine, Machine, DevInstance)])

    await world.until(gone)


@with_machines
async def test_a_name_that_is_taken_is_said_and_left_alone(world: MachinesWorld) -> None:
    await world.pool(replicas=1)
    await world.settled(1)
    (name,) = await world.names()
    meta = {"name": name, "namespace": NS, "annotations": {"whose": "mine"}}
    raw = {"apiVersion": DevMachine.RESOURCE.api_version, "kind": "DevMachine", "metadata": meta}
    await world.client.create(objects.from_raw(DevMachine, {**raw, "spec": {"backend": {"inMemory": {}}}}))
    await world.backend(machines=True)

    async def said() -> bool:
        return f"DevMachine {name} exists already" in await world.why()

    await world.until(said)
    (obj,) = await world.objects()
    assert obj.metadata.annotations == {"whose": "mine"}
    await world.client.delete(DevMachine, name, NS)
    await world.all_shown(1)
