"""A pool of the development cloud from its creation to its end."""

from __future__ import annotations

import asyncio
import random

import pytest

from capipool.api.builtin import Lease, Node, Pod, Secret
from capipool.api.core import Cluster, MachinePool
from capipool.client import kubeconfig
from capipool.machinery import errors, objects
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import Resource
from capipool.providers.dev.api.cloud import DevScalingGroup, Fault
from capipool.providers.dev.api.cluster import DevCluster
from capipool.providers.dev.api.machinepool import DevMachinePool
from tests.server.dev.world import FAST, NS, World, virtually

BUDGETS = Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
ZONES = [{"name": "a"}, {"name": "b"}, {"name": "c"}]


@virtually
async def test_a_cluster_gets_an_api_server_a_kubeconfig_and_an_endpoint(world: World) -> None:
    cluster = await world.client.get(DevCluster, "c", NS)
    assert (cluster.spec.control_plane_endpoint.host, cluster.spec.control_plane_endpoint.port) == ("dev.invalid", 443)
    secret = await world.client.get(Secret, "c-kubeconfig", NS)
    assert secret.type == "cluster.x-k8s.io/secret"
    assert secret.metadata.labels["cluster.x-k8s.io/cluster-name"] == "c"
    assert kubeconfig.parse(secret.data["value"]).server == "https://dev.invalid/workload/default/c"


@virtually
async def test_a_kubeconfig_that_was_spoilt_or_deleted_is_made_anew(world: World) -> None:
    good = (await world.client.get(Secret, "c-kubeconfig", NS)).data
    await world.client.patch(Secret, "c-kubeconfig", NS, patch={"stringData": {"value": "garbage: ["}})
    await asyncio.sleep(1)
    assert (await world.client.get(Secret, "c-kubeconfig", NS)).data == good
    await world.client.delete(Secret, "c-kubeconfig", NS)
    await asyncio.sleep(1)
    assert (await world.client.get(Secret, "c-kubeconfig", NS)).data == good


@virtually
async def test_a_pool_is_let_alone_while_the_feature_gate_is_off_and_its_nodes_live_on(world: World) -> None:
    await world.pool(backend=FAST)
    await world.settled(3)
    before = await world.names()
    await world.stop()
    await world.start(machine_pools=False)
    await world.set(replicas=1)
    await asyncio.sleep(1800)
    assert await world.names() == before
    assert len(await world.ready()) == 3
    await world.stop()
    await world.start()
    await world.settled(1)


@virtually
async def test_a_pool_comes_up_with_nodes_that_carry_its_provider_ids(world: World) -> None:
    await world.pool(backend={**FAST, "zones": ZONES})
    await world.settled(3)
    pool = await world.dev_pool()
    nodes = await world.ready()
    assert sorted(pool.spec.provider_id_list) == sorted(n.spec.provider_id for n in nodes)
    assert {n.metadata.labels["topology.kubernetes.io/zone"] for n in nodes} == {"a", "b", "c"}
    assert {n.status.node_info.kubelet_version for n in nodes} == {"v1.34.0"}
    assert (pool.status.ready, pool.status.replicas, pool.status.initialization.provisioned) == (True, 3, True)


@virtually
async def test_a_pool_costs_few_writes(world: World) -> None:
    world.management.writes.clear()
    await world.pool(replicas=10)
    await world.settled(10)
    writes = world.management.writes
    assert writes.count("create DevInstance") == 10
    assert writes.count("create DevScalingGroup") == 1
    assert writes.count("patch DevMachinePool") == 2  # the finalizer, the provider IDs
    assert writes.count("patch DevInstance/status") == writes.count("patch DevScalingGroup") == 0


@virtually
async def test_a_pool_at_rest_writes_nothing_but_leases(world: World) -> None:
    await world.pool()
    await world.settled(3)
    await asyncio.sleep(600)
    world.management.writes.clear()
    before = {n.metadata.resource_version for n in await world.nodes()}
    await asyncio.sleep(3600)
    assert world.management.writes == []
    assert {n.metadata.resource_version for n in await world.nodes()} == before
    leases = await world.workload.list(Lease, "kube-node-lease")
    assert len(leases) == 3


@virtually
async def test_a_pool_scales_up_and_down_and_its_nodes_follow(world: World) -> None:
    await world.pool(replicas=2)
    await world.settled(2)
    await world.set(replicas=5)
    await world.settled(5)
    await world.set(replicas=1)
    await world.settled(1)
    await world.until(lambda: _count(world, 1))
    await world.set(replicas=0)
    await world.settled(0)
    await world.until(lambda: _count(world, 0))


async def _count(world: World, wanted: int) -> bool:
    return len(await world.nodes()) == len(await world.workload.list(Lease, "kube-node-lease")) == wanted or (
        len(await world.nodes()) == wanted
    )


@virtually
async def test_a_rollout_keeps_to_surge_and_availability_at_every_moment(world: World) -> None:
    rollout = {"maxSurge": 1, "maxUnavailable": 0}
    await world.pool(replicas=5, backend={**FAST, "rollout": rollout})
    await world.settled(5)
    await world.upgrade("v1.35.0")
    seen: set[int] = set()

    async def rolled() -> bool:
        ready, instances = len(await world.ready()), len(await world.instances())
        assert ready >= 5
        assert instances <= 6
        seen.add(instances)
        return {n.status.node_info.kubelet_version for n in await world.nodes()} == {"v1.35.0"}

    await world.until(rolled)
    await world.settled(5, version="v1.35.0")
    assert seen == {5, 6}


@virtually
async def test_a_fresh_token_reaches_the_group_and_replaces_nothing(world: World) -> None:
    await world.pool()
    await world.settled(3)
    before, group = await world.names(), await world.group()
    await world.boot_data(token="fedcba.fedcba9876543210")

    async def refreshed() -> bool:
        return (await world.group()).spec.template.bootstrap != group.spec.template.bootstrap

    await world.until(refreshed)
    await asyncio.sleep(300)
    assert await world.names() == before
    assert (await world.group()).spec.template.revision == group.spec.template.revision


@virtually
async def test_changed_bootstrap_data_replaces_every_instance(world: World) -> None:
    await world.pool()
    await world.settled(3)
    before = await world.names()
    await world.boot_data(content="echo join differently")

    async def replaced() -> bool:
        return not before & await world.names()

    await world.until(replaced)
    await world.settled(3)


@virtually
async def test_a_rollout_stops_at_the_first_new_instance_that_fails_and_goes_on_when_mended(world: World) -> None:
    await world.pool(replicas=3)
    await world.settled(3)
    old = await world.names()
    await world.client.patch(DevMachinePool, "p", NS, patch={"metadata": {"annotations": {Fault.BOOT: "fail"}}})
    await world.upgrade("v1.35.0")
    await world.until(lambda: _says(world, "RolloutStopped"))
    assert "did not boot" in await world.why()
    await asyncio.sleep(600)
    assert old <= await world.names()
    assert len(await world.ready()) == 3
    await world.client.patch(DevMachinePool, "p", NS, patch={"metadata": {"annotations": {Fault.BOOT: None}}})
    await world.settled(3, version="v1.35.0")


async def _says(world: World, text: str) -> bool:
    return text in await world.why()


@virtually
async def test_an_instance_that_the_cloud_takes_back_is_replaced(world: World) -> None:
    await world.pool()
    await world.settled(3)
    victim = sorted(await world.names())[0]
    await world.annotate(victim, Fault.INTERRUPT, "spot")

    async def replaced() -> bool:
        names = await world.names()
        return victim not in names and len(names) == 3 and len(await world.ready()) == 3

    await world.until(replaced)
    await world.settled(3)
    assert victim not in {n.metadata.name for n in await world.nodes()}


@virtually
async def test_an_instance_that_does_not_boot_is_replaced_after_a_while(world: World) -> None:
    await world.pool()
    await world.until(lambda: _exist(world, 3))
    victim = sorted(await world.names())[0]
    await world.annotate(victim, Fault.BOOT, "fail")
    await world.settled(3)
    assert victim not in await world.names()


async def _exist(world: World, count: int) -> bool:
    return len(await world.names()) == count


@virtually
async def test_a_node_that_falls_silent_is_not_ready_until_it_speaks_again(world: World) -> None:
    await world.pool()
    await world.settled(3)
    name = sorted(await world.names())[0]
    await world.annotate(name, Fault.NODE, "silent")

    async def ready(count: int) -> bool:
        return len(await world.ready()) == count

    await world.until(lambda: ready(2))
    assert (await world.workload.get(Node, name)).status.conditions[0].status == "Unknown"
    await world.until(lambda: _says(world, "WaitingForNodes"))
    await world.annotate(name, Fault.NODE, None)
    await world.settled(3)


@virtually
async def test_a_full_cloud_is_a_reason_that_a_person_understands(world: World) -> None:
    await world.pool(replicas=3, backend={**FAST, "zones": [{"name": "a", "capacity": 2}]})
    await world.until(lambda: _says(world, "InsufficientCapacity"))
    assert "no capacity for 1 more instance" in await world.why()
    zones = {"backend": {"inMemory": {"zones": [{"name": "a", "capacity": 2}, {"name": "b"}]}}}
    await world.client.patch(DevMachinePool, "p", NS, patch={"spec": zones})
    await world.settled(3)


@virtually
async def test_pods_are_evicted_before_their_instance_goes_and_a_budget_holds_it_up(world: World) -> None:
    await world.pool(replicas=2)
    await world.settled(2)
    for number, node in enumerate(await world.nodes()):
        await world.run_pod(f"web-{number}", node.metadata.name, labels={"app": "web"})
    selector = {"matchLabels": {"app": "web"}}
    await world.workload.create(_budget({"minAvailable": 2, "selector": selector}), resource=BUDGETS)
    await world.until(lambda: _running(world, 2))
    await world.set(replicas=1)
    await world.until(lambda: _says(world, "DrainingNode"))
    await asyncio.sleep(60)
    assert len(await world.names()) == 2
    assert "default/web-" in await world.why()
    assert "needs 2 healthy Pods and has 2" in await world.why()
    await world.workload.delete(BUDGETS, "b", NS)
    await world.settled(1)
    assert len(await world.workload.list(Pod, NS)) == 1


def _budget(spec: object) -> Unstructured:
    meta = {"name": "b", "namespace": NS}
    raw = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec}
    return objects.from_raw(Unstructured, raw)


async def _running(world: World, count: int) -> bool:
    return sum(p.status.phase == "Running" for p in await world.workload.list(Pod, NS)) == count


@virtually
async def test_a_pool_that_is_scaled_up_again_keeps_the_node_it_was_draining(world: World) -> None:
    await world.pool(replicas=2)
    await world.settled(2)
    before = await world.names()
    for node in await world.nodes():
        await world.run_pod(f"on-{node.metadata.name}", node.metadata.name, labels={"app": "web"})
    selector = {"matchLabels": {"app": "web"}}
    await world.workload.create(_budget({"maxUnavailable": 0, "selector": selector}), resource=BUDGETS)
    await world.set(replicas=1)
    await world.until(lambda: _says(world, "DrainingNode"))
    assert sum(n.spec.unschedulable for n in await world.nodes()) == 1
    await world.set(replicas=2)
    await world.settled(2)
    assert await world.names() == before

    async def schedulable() -> bool:
        return not any(n.spec.unschedulable for n in await world.nodes())

    await world.until(schedulable)


@virtually
async def test_where_somebody_else_scales_the_machine_pool_follows(world: World) -> None:
    await world.pool(replicas=2)
    await world.settled(2)
    managed = {"metadata": {"annotations": {"cluster.x-k8s.io/replicas-managed-by": "autoscaler"}}}
    await world.client.patch(MachinePool, "p", NS, patch=managed)
    await world.client.patch(DevScalingGroup, "p", NS, patch={"spec": {"replicas": 4}})
    await world.settled(4)
    assert (await world.client.get(MachinePool, "p", NS)).spec.replicas == 4
    await world.client.patch(DevScalingGroup, "p", NS, patch={"spec": {"replicas": 1}})
    await world.settled(1)
    await world.upgrade("v1.35.0")
    await world.settled(1, version="v1.35.0")


@virtually
async def test_a_paused_pool_is_left_alone(world: World) -> None:
    await world.pool(replicas=2)
    await world.settled(2)
    await world.client.patch(Cluster, "c", NS, patch={"spec": {"paused": True}})

    async def paused() -> bool:
        pool = await world.dev_pool()
        return any(c.type == "Paused" and c.status == "True" for c in pool.status.conditions)

    await world.until(paused)
    await world.set(replicas=5)
    await asyncio.sleep(120)
    assert len(await world.names()) == 2
    await world.client.patch(Cluster, "c", NS, patch={"spec": {"paused": False}})
    await world.settled(5)


@virtually
async def test_a_pool_waits_for_its_bootstrap_data_and_says_so(world: World) -> None:
    await world.client.delete(Secret, "boot", NS)
    await world.pool()
    await world.until(lambda: _says(world, "WaitingForBootstrapData"))
    assert await world.names() == set()
    await world.boot_data()
    await world.settled(3)


@virtually
async def test_nothing_is_left_of_a_pool_that_is_deleted(world: World) -> None:
    await world.pool()
    await world.settled(3)
    await world.client.delete(DevMachinePool, "p", NS)

    async def gone() -> bool:
        pools = await world.client.list(DevMachinePool, NS)
        groups = await world.client.list(DevScalingGroup, NS)
        return not (pools or groups or await world.names() or await world.nodes())

    await world.until(gone)


@virtually
async def test_a_pool_whose_machine_pool_and_cluster_are_gone_can_be_deleted(world: World) -> None:
    await world.pool()
    await world.settled(3)
    await world.client.patch(DevMachinePool, "p", NS, patch={"metadata": {"ownerReferences": []}})
    await world.client.delete(MachinePool, "p", NS)
    await world.client.delete(Cluster, "c", NS)
    await world.client.delete(DevMachinePool, "p", NS)

    async def gone() -> bool:
        return not (await world.client.list(DevMachinePool, NS) or await world.names())

    await world.until(gone)


@virtually
async def test_deleting_a_cluster_drops_its_api_server(world: World) -> None:
    assert world.server.has_space("default/c")
    await world.client.delete(DevCluster, "c", NS)

    async def dropped() -> bool:
        return not world.server.has_space("default/c")

    await world.until(dropped)
    with pytest.raises(errors.NotFound):
        await world.workload.list(Node)


@virtually
async def test_the_cloud_goes_on_where_a_process_stopped(world: World) -> None:
    await world.pool(replicas=4)
    rng = random.Random(7)
    for _ in range(12):
        await asyncio.sleep(rng.random() * 2)
        await world.stop()
        await world.start()
    await world.settled(4)
    await world.stop()
    victim = sorted(await world.names())[0]
    await world.annotate(victim, Fault.INTERRUPT, "while nobody looks")
    await world.start()

    async def replaced() -> bool:
        names = await world.names()
        return victim not in names and {n.metadata.name for n in await world.ready()} == names and len(names) == 4

    await world.until(replaced)


@virtually
async def test_a_rollout_survives_being_cut_off_again_and_again(world: World) -> None:
    await world.pool(replicas=3)
    await world.settled(3)
    await world.upgrade("v1.35.0")
    rng = random.Random(8)
    for _ in range(20):
        await asyncio.sleep(rng.random() * 3)
        await world.stop()
        assert len(await world.ready()) >= 3
        assert len(await world.instances()) <= 4
        await world.start()
    await world.settled(3, version="v1.35.0")


@virtually
async def test_a_pool_that_is_to_be_drained_at_its_end_waits_for_its_pods(world: World) -> None:
    await world.pool(replicas=1, backend={**FAST, "drainOnDelete": True})
    await world.settled(1)
    (node,) = await world.nodes()
    await world.run_pod("web", node.metadata.name, labels={"app": "web"})
    await world.until(lambda: _running(world, 1))
    await world.workload.create(
        _budget({"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}}), resource=BUDGETS
    )
    await world.client.delete(DevMachinePool, "p", NS)
    await world.until(lambda: _says(world, "default/web"))
    await asyncio.sleep(60)
    assert len(await world.names()) == 1
    await world.workload.delete(BUDGETS, "b", NS)

    async def gone() -> bool:
        return not (await world.client.list(DevMachinePool, NS) or await world.nodes())

    await world.until(gone)


@virtually
async def test_a_drain_ends_at_its_timeout(world: World) -> None:
    await world.pool(replicas=2)
    await world.settled(2)
    for node in await world.nodes():
        await world.run_pod(f"on-{node.metadata.name}", node.metadata.name, labels={"app": "web"})
    await world.workload.create(
        _budget({"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}}), resource=BUDGETS
    )
    await world.set(replicas=1, template={"spec": {"deletion": {"nodeDrainTimeoutSeconds": 90}}})
    began = world.clock.now()
    await world.settled(1)
    assert 89 <= (world.clock.now() - began).total_seconds() <= 120  # its beginning is noted to the second


@virtually
async def test_a_pool_with_another_backend_says_that_nothing_is_made(world: World) -> None:
    await world.pool()
    await world.settled(3)
    backend = {"docker": {}, "inMemory": None}
    await world.client.patch(DevMachinePool, "p", NS, patch={"spec": {"backend": backend}})
    await world.until(lambda: _says(world, "InvalidConfiguration"))
    assert "spec.backend.inMemory" in await world.why()
    assert len(await world.names()) == 3
