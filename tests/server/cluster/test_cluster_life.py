"""The life of a Cluster: its infrastructure and control plane come up, its workers are counted, all goes in order."""

from typing import Any

from capipool.api.core import Cluster, MachinePool
from capipool.machinery.resource import Resource
from tests.server.core_world import CLUSTERS, World, condition, ids, in_a_world

INFRA = {"apiGroup": CLUSTERS.group, "kind": CLUSTERS.kind, "name": "c"}


async def _create(world: World, **spec: Any) -> None:
    """A Cluster without an endpoint of its own."""
    await world.create("cluster.x-k8s.io/v1beta2", "Cluster", "c", {"clusterNetwork": {"serviceDomain": "x"}, **spec})


async def _provision(world: World, kind: Resource = CLUSTERS, **spec: Any) -> None:
    await world.create(kind.api_version, kind.kind, "c", {"controlPlaneEndpoint": {"host": "h", "port": 6443}, **spec})
    domains = [{"name": "b", "controlPlane": True}, {"name": "a"}]
    status = {"initialization": {"provisioned": True}, "failureDomains": domains}
    await world.client.patch(kind, "c", "default", patch={"status": status}, subresource="status")


@in_a_world
async def test_infrastructure_is_owned_and_its_endpoint_and_failure_domains_are_taken_over(world: World) -> None:
    await _create(world, infrastructureRef=INFRA)
    await world.settle()
    cluster = await world.cluster()
    assert cluster.status.phase == "Provisioning"
    assert condition(cluster, "InfrastructureReady")[:2] == ("False", "ObjectDoesNotExist")
    await _provision(world)
    await world.settle()
    cluster = await world.cluster()
    assert cluster.status.phase == "Provisioned"
    assert (cluster.spec.control_plane_endpoint.host, cluster.spec.control_plane_endpoint.port) == ("h", 6443)
    assert [d.name for d in cluster.status.failure_domains] == ["a", "b"]
    assert cluster.status.initialization.infrastructure_provisioned is True
    assert cluster.status.observed_generation == cluster.metadata.generation
    infra = await world.client.get(CLUSTERS, "c", "default")
    assert [(o.kind, o.controller) for o in infra.metadata.owner_references] == [("Cluster", True)]


@in_a_world
async def test_a_control_plane_that_somebody_brings_counts_once_its_api_server_answers(world: World) -> None:
    await world.create_cluster(kubeconfig=False)
    await world.settle(30)
    cluster = await world.cluster()
    assert cluster.status.initialization.control_plane_initialized is False
    message = condition(cluster, "ControlPlaneInitialized")[2]
    assert "the kubeconfig secret c-kubeconfig does not exist yet" in message
    await world.create_kubeconfig()
    await world.settle(0.5)
    cluster = await world.cluster()
    assert cluster.status.initialization.control_plane_initialized is True
    assert condition(cluster, "RemoteConnectionProbe")[:2] == ("True", "ProbeSucceeded")
    assert condition(cluster, "Available")[:2] == ("True", "Available")


@in_a_world
async def test_workers_are_summed_up_and_what_holds_them_up_is_named(world: World) -> None:
    await world.create_cluster()
    await world.provide("one", ids=ids("a", "b"))
    await world.join("a", "b")
    await world.create_pool("one", replicas=2)
    await world.create_pool("two", replicas=3)
    await world.settle(10)
    cluster = await world.cluster()
    workers = cluster.status.workers
    assert (workers.desired_replicas, workers.replicas, workers.ready_replicas) == (5, 2, 2)
    assert [(v.version, v.replicas) for v in workers.versions] == [("v1.34.0", 2)]
    status, _, message = condition(cluster, "WorkersAvailable")
    assert status == "False"
    assert message == "* MachinePool two: AcmePool two does not exist"
    assert condition(cluster, "ScalingUp")[0] == "True"


@in_a_world
async def test_a_deleted_cluster_takes_workers_first_and_infrastructure_last(world: World) -> None:
    await _create(world, infrastructureRef=INFRA)
    await _provision(world)
    await world.create_kubeconfig()
    await world.provide(ids=ids("a"), finalizers=("acme.example.org/pool",))
    await world.join("a")
    await world.create_pool(replicas=1)
    await world.settle(5)
    await world.client.delete(Cluster, "c", "default")
    await world.settle(5)
    cluster = await world.cluster()
    assert cluster.status.phase == "Deleting"
    told = condition(cluster, "Deleting")
    assert told == ("True", "WaitingForWorkersDeletion", "waiting for MachinePool workers to be deleted")
    assert not (await world.client.get(CLUSTERS, "c", "default")).deleting
    patch = {"metadata": {"finalizers": None}}
    pools = Resource("acme.example.org", "v3", "AcmePool", "acmepools")
    await world.client.patch(pools, "workers", "default", patch=patch)
    await world.settle(5)
    assert not await world.exists(MachinePool, "workers")
    assert not await world.exists(CLUSTERS, "c")
    assert not await world.exists(Cluster, "c")
    assert await world.node_names() == []


@in_a_world
async def test_a_cluster_at_rest_costs_nothing(world: World) -> None:
    await world.create_cluster()
    await world.settle(10)
    world.writes.take()
    await world.settle(600)
    assert world.writes.take() == []
