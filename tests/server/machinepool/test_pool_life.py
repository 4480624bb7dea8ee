"""The life of a pool of a foreign provider, through a real API server: it comes up, scales, and goes."""

from capipool.api.builtin import Node
from capipool.api.core import Cluster, MachinePool
from tests.server.core_world import POOLS, World, condition, ids, in_a_world


@in_a_world
async def test_a_pool_reaches_running_and_its_objects_belong_to_it(world: World) -> None:
    await world.create_cluster()
    await world.create_pool(replicas=2)
    await world.settle()
    waiting = await world.pool()
    assert waiting.status.phase == "Provisioning"
    status, _, message = condition(waiting, "ScalingUp")
    assert status == "True"
    assert "AcmePool workers does not exist" in message
    await world.provide(ids=ids("a", "b"))
    await world.join("a", "b")
    await world.settle()
    pool = await world.pool()
    assert pool.status.phase == "Running"
    assert [r.name for r in pool.status.node_refs] == ["a", "b"]
    assert (pool.status.ready_replicas, pool.status.available_replicas, pool.status.up_to_date_replicas) == (2, 2, 2)
    assert pool.spec.provider_id_list == ("acme://a", "acme://b")
    assert [o.kind for o in pool.metadata.owner_references] == ["Cluster"]
    assert pool.metadata.finalizers == ("machinepool.cluster.x-k8s.io",)
    assert pool.status.observed_generation == pool.metadata.generation
    told = {c.type: c.status for c in pool.status.conditions}
    assert told == {
        "Available": "True",
        "BootstrapConfigReady": "True",
        "InfrastructureReady": "True",
        "MachinesReady": "True",
        "MachinesUpToDate": "True",
        "ScalingUp": "False",
        "ScalingDown": "False",
        "Remediating": "False",
        "Deleting": "False",
        "Paused": "False",
    }
    infra = await world.client.get(POOLS, "workers", "default")
    owner = infra.metadata.owner_references[0]
    assert (owner.kind, owner.name, owner.controller) == ("MachinePool", "workers", True)
    assert infra.metadata.labels == {"cluster.x-k8s.io/cluster-name": "c"}


@in_a_world
async def test_nodes_carry_what_the_template_says_and_lose_the_first_taint(world: World) -> None:
    labels = {"node-role.kubernetes.io/worker": "", "other": "x"}
    taints = [{"key": "gpu", "value": "yes", "effect": "NoSchedule", "propagation": "Always"}]
    await world.create_cluster()
    await world.provide(ids=ids("a"))
    await world.join("a")
    await world.create_pool(replicas=1, metadata={"labels": labels}, taints=taints)
    await world.settle()
    node = await world.workload.get(Node, "a")
    assert node.metadata.labels == {"node-role.kubernetes.io/worker": ""}
    assert node.metadata.annotations["cluster.x-k8s.io/owner-name"] == "workers"
    assert [(t.key, t.value) for t in node.spec.taints] == [("gpu", "yes")]
    patch = {"spec": {"template": {"metadata": None, "spec": {"taints": None}}}}
    await world.client.patch(MachinePool, "workers", "default", patch=patch)
    await world.settle()
    node = await world.workload.get(Node, "a")
    assert (node.metadata.labels, node.spec.taints) == ({}, ())


@in_a_world
async def test_a_taint_for_the_beginning_may_be_taken_off_and_one_for_always_comes_back(world: World) -> None:
    always = {"key": "gpu", "effect": "NoSchedule", "propagation": "Always"}
    first = {"key": "boot", "effect": "NoSchedule", "propagation": "OnInitialization"}
    await world.create_cluster()
    await world.provide(ids=ids("a"))
    await world.join("a")
    await world.create_pool(replicas=1, taints=[always, first])
    await world.settle()
    assert {t.key for t in (await world.workload.get(Node, "a")).spec.taints} == {"gpu", "boot"}
    await world.workload.patch(Node, "a", patch={"spec": {"taints": None}})
    await world.settle()
    assert {t.key for t in (await world.workload.get(Node, "a")).spec.taints} == {"gpu"}


@in_a_world
async def test_a_pool_scales_to_zero_and_its_nodes_go_with_their_instances(world: World) -> None:
    await world.create_cluster()
    await world.provide(ids=ids("a", "b"))
    await world.join("a", "b")
    await world.create_pool(replicas=2)
    await world.settle()
    await world.client.patch(MachinePool, "workers", "default", patch={"spec": {"replicas": 0}})
    await world.settle()
    assert (await world.pool()).status.phase == "ScalingDown"
    await world.provide(ids=ids("b"))
    await world.settle()
    assert await world.node_names() == ["b"]
    await world.provide(ids=())
    await world.settle()
    pool = await world.pool()
    assert await world.node_names() == []
    assert (pool.status.phase, pool.status.node_refs, pool.spec.provider_id_list) == ("Running", (), ())


@in_a_world
async def test_a_deleted_pool_waits_for_its_infrastructure_and_takes_all_its_nodes_along(world: World) -> None:
    await world.create_cluster()
    await world.provide(ids=ids("a", "b"), finalizers=("acme.example.org/pool",))
    await world.join("a", "b")
    await world.create_pool(replicas=2)
    await world.settle()
    await world.client.delete(MachinePool, "workers", "default")
    await world.settle()
    pool = await world.pool()
    assert pool.status.phase == "Deleting"
    status, reason, message = condition(pool, "Deleting")
    assert (status, reason) == ("True", "WaitingForInfrastructureDeletion")
    assert "AcmePool workers" in message
    assert "acme.example.org/pool" in message
    assert await world.node_names() == ["a", "b"]
    await world.client.patch(POOLS, "workers", "default", patch={"metadata": {"finalizers": None}})
    await world.settle()
    assert not await world.exists(MachinePool, "workers")
    assert await world.node_names() == []


@in_a_world
async def test_a_node_that_was_reimaged_is_referred_to_anew(world: World) -> None:
    await world.create_cluster()
    await world.provide(ids=ids("a"))
    await world.join("a")
    await world.create_pool(replicas=1)
    await world.settle()
    before = (await world.pool()).status.node_refs[0].uid
    await world.workload.delete(Node, "a")
    await world.join("a")
    await world.settle()
    assert (await world.pool()).status.node_refs[0].uid not in ("", before)


@in_a_world
async def test_two_nodes_of_one_instance_are_reported_and_count_once(world: World) -> None:
    await world.create_cluster()
    await world.provide(ids=ids("a"))
    await world.join("a")
    await world.settle(2)
    await world.join("a-again", provider_id="acme://a")
    await world.create_pool(replicas=1)
    await world.settle()
    pool = await world.pool()
    assert [r.name for r in pool.status.node_refs] == ["a-again"]
    assert pool.status.ready_replicas == 1
    assert "Nodes a, a-again all claim provider ID acme://a" in condition(pool, "MachinesReady")[2]


@in_a_world
async def test_a_paused_cluster_leaves_its_pools_alone(world: World) -> None:
    await world.create_cluster(paused=True)
    await world.provide(ids=ids("a"))
    await world.join("a")
    await world.create_pool(replicas=1)
    await world.settle()
    pool = await world.pool()
    assert condition(pool, "Paused")[:2] == ("True", "Paused")
    assert (pool.metadata.finalizers, pool.status.node_refs) == ((), ())
    await world.client.patch(Cluster, "c", "default", patch={"spec": {"paused": None}})
    await world.settle()
    assert (await world.pool()).status.phase == "Running"
