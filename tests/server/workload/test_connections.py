"""Connections to workload clusters: opened when they can be, lost and found again, and closed with their Cluster."""

from capipool.api.builtin import Node, Secret
from capipool.api.core import Cluster
from capipool.machinery.resource import ObjectKey
from capipool.testing.faults import FaultyTransport
from capipool.workload.connections import WorkloadCluster
from tests.server.core_world import World, in_a_world

KEY = ObjectKey("default", "c")


@in_a_world
async def test_a_cluster_is_connected_once_its_kubeconfig_is_there(world: World) -> None:
    told: list[bool] = []
    world.connections.subscribe(lambda key, connected: told.append(connected is not None))
    await world.create_cluster(kubeconfig=False)
    await world.settle(20)
    assert world.connections.get(KEY) is None
    assert world.connections.unavailable_reason(KEY) == "the kubeconfig secret c-kubeconfig does not exist yet"
    await world.create_kubeconfig()
    await world.settle(0.1)
    connected = world.connections.get(KEY)
    assert isinstance(connected, WorkloadCluster)
    assert world.connections.unavailable_reason(KEY) == ""
    assert told == [False, True]


@in_a_world
async def test_nodes_are_found_by_provider_id_and_by_name(world: World) -> None:
    await world.create_cluster()
    await world.join("a", "b")
    await world.settle()
    connected = world.connections.get(KEY)
    assert connected is not None
    assert [n.metadata.name for n in connected.nodes.by_provider_id("acme://b")] == ["b"]
    assert connected.nodes.by_provider_id("") == ()
    assert connected.nodes.get("a") is not None
    await world.workload.delete(Node, "b")
    await world.settle(0.1)
    assert list(connected.nodes.by_provider_id("acme://b")) == []


@in_a_world
async def test_a_changed_kubeconfig_is_opened_anew(world: World) -> None:
    await world.create_cluster()
    await world.settle()
    before = world.connections.get(KEY)
    patch = {"data": {"value": "b3RoZXI="}}
    await world.client.patch(Secret, "c-kubeconfig", "default", patch=patch)
    await world.settle(1)
    after = world.connections.get(KEY)
    assert after is not None
    assert after is not before


@in_a_world
async def test_a_connection_ends_with_its_cluster(world: World) -> None:
    await world.create_cluster()
    await world.settle()
    assert world.connections.get(KEY) is not None
    await world.client.delete(Cluster, "c", "default")
    await world.settle(5)
    assert world.connections.get(KEY) is None
    assert not world.connections.is_known(KEY)


@in_a_world
async def test_one_slow_answer_is_no_outage_but_three_are(world: World) -> None:
    failing = _Probed(world.workload_transport)
    world.workload_transport = failing
    await world.create_cluster()
    await world.settle()
    before = world.connections.get(KEY)
    failing.away = True
    await world.settle(16)
    assert world.connections.get(KEY) is before
    await world.settle(60)
    assert world.connections.get(KEY) is None
    assert world.connections.unavailable_reason(KEY) == "its API server cannot be reached (ConnectionError)"
    failing.away = False
    await world.settle(15)
    assert world.connections.get(KEY) is before


class _Probed(FaultyTransport):
    """A transport whose probes fail while it is away."""

    away = False

    async def get_path(self, path: str) -> bytes:
        if self.away:
            raise ConnectionError("nobody there")
        return await super().get_path(path)
