"""What is decided about a Cluster from what there is: progress that stays, ownership, deletion in order."""

import datetime as dt
from typing import Any

import pytest

from capipool.api.core import Cluster, Machine, MachinePool
from capipool.api.v1beta2.cluster import APIEndpoint
from capipool.core.cluster import observe
from capipool.core.cluster.decide import decide
from capipool.core.cluster.world import ControlPlane, InfraCluster, World
from capipool.core.references import Absent, Served
from capipool.machinery import objects
from capipool.machinery.conditions import Condition
from capipool.machinery.resource import Resource
from tests.cases import machinepools

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
INFRA = Resource("infra.example.org", "v1", "AcmeCluster", "acmeclusters")
MASTERS = Resource("masters.example.org", "v1", "AcmeControlPlane", "acmecontrolplanes")


def cluster(**changes: Any) -> Cluster:
    meta = {"name": "c", "namespace": "default", "uid": "u", "generation": 3, **changes.pop("metadata", {})}
    raw = {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": meta, "spec": {}, **changes}
    return objects.from_raw(Cluster, raw)


def infra(*, contract: str = "v1beta2", **raw: Any) -> InfraCluster:
    return observe.infra_object(machinepools.unstructured(raw, INFRA, "c"), Served(INFRA, contract))


def masters(**raw: Any) -> ControlPlane:
    return observe.control_plane_object(machinepools.unstructured(raw, MASTERS, "c"), Served(MASTERS, "v1beta2"))


def pool(name: str = "p", **changes: Any) -> MachinePool:
    return machinepools.pool({"name": name, **changes})


def told(made: Cluster, type_: str) -> Condition:
    return next(c for c in made.status.conditions if c.type == type_)


PROVISIONED = {"status": {"initialization": {"provisioned": True}}}


def test_a_cluster_gets_its_finalizer_and_takes_its_objects() -> None:
    plan = decide(World(cluster=cluster(), infra=infra(), control_plane=masters()), NOW)
    assert plan.cluster.metadata.finalizers == ("cluster.cluster.x-k8s.io",)
    assert [p.resource.kind for p in plan.objects] == ["AcmeCluster", "AcmeControlPlane"]
    assert {p.patch["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"] for p in plan.objects} == {"c"}


def test_an_object_of_another_cluster_is_left_alone_and_named() -> None:
    owner = {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "name": "x", "uid": "ux", "controller": True}
    plan = decide(World(cluster=cluster(), infra=infra(metadata={"ownerReferences": [owner]})), NOW)
    assert plan.objects == ()
    assert [p.message for p in plan.problems] == ["AcmeCluster c is controlled by Cluster x already"]


def test_what_happened_once_is_not_taken_back() -> None:
    done = {"initialization": {"infrastructureProvisioned": True, "controlPlaneInitialized": True}}
    made = decide(World(cluster=cluster(status=done), infra=infra(), control_plane=masters()), NOW).cluster
    assert made.status.initialization.infrastructure_provisioned is True
    assert made.status.initialization.control_plane_initialized is True


def test_the_endpoint_is_taken_from_whichever_provider_knows_first_and_never_moves() -> None:
    known = {"controlPlaneEndpoint": {"host": "b", "port": 1}}
    world = World(cluster=cluster(), infra=infra(), control_plane=masters(spec=known))
    assert decide(world, NOW).cluster.spec.control_plane_endpoint == APIEndpoint(host="b", port=1)
    moved = World(cluster=cluster(spec=known), infra=infra(spec={"controlPlaneEndpoint": {"host": "z", "port": 9}}))
    assert decide(moved, NOW).cluster.spec.control_plane_endpoint.host == "b"


@pytest.mark.parametrize(
    ("world", "phase"),
    [
        (World(cluster=cluster()), "Pending"),
        (
            World(cluster=cluster(spec={"infrastructureRef": {"apiGroup": "a", "kind": "K", "name": "n"}})),
            "Provisioning",
        ),
        (World(cluster=cluster(), connected=True), "Provisioned"),
        (World(cluster=cluster(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), infra=infra()), "Deleting"),
    ],
)
def test_the_phase_follows_from_spec_and_progress(world: World, phase: str) -> None:
    assert decide(world, NOW).cluster.status.phase == phase


def test_a_cluster_waits_for_what_it_refers_to_and_says_so() -> None:
    ref = machinepools.pool().spec.template.spec.infrastructure_ref
    missing = Absent(ref, "not found", "AcmeCluster c does not exist")
    made = decide(World(cluster=cluster(), infra=missing, unavailable="no kubeconfig yet"), NOW).cluster
    assert told(made, "InfrastructureReady").message == "AcmeCluster c does not exist"
    assert told(made, "Available").message.splitlines() == [
        "* RemoteConnectionProbe: The workload cluster is not connected: no kubeconfig yet",
        "* InfrastructureReady: AcmeCluster c does not exist",
        "* ControlPlaneAvailable: the workload cluster is not connected: no kubeconfig yet",
    ]
    legacy = {c.type: (c.status, c.reason) for c in made.status.deprecated.v1beta1.conditions}
    assert legacy["InfrastructureReady"] == ("False", "IncorrectExternalRef")


def test_workers_go_before_the_control_plane_and_that_before_infrastructure() -> None:
    going = cluster(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["cluster.cluster.x-k8s.io"]})
    master = machinepools.machine({"name": "m", "labels": {"cluster.x-k8s.io/control-plane": ""}})
    everything: dict[str, Any] = {
        "pools": (pool(),),
        "control_plane": masters(),
        "machines": (master,),
        "infra": infra(),
    }
    gone: list[str] = []
    while everything:
        plan = decide(World(cluster=going, **everything), NOW)
        assert plan.cluster.metadata.finalizers
        gone.append(plan.deletions[0].resource.kind)
        everything.pop(next(iter(everything)))
    assert gone == ["MachinePool", "AcmeControlPlane", "Machine", "AcmeCluster"]
    assert decide(World(cluster=going), NOW).cluster.metadata.finalizers == ()


def test_only_machines_that_belong_to_nothing_else_are_the_clusters_own() -> None:
    owner = {
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "MachineSet",
        "name": "s",
        "uid": "us",
        "controller": True,
    }
    single = machinepools.machine({"name": "a"})
    owned = machinepools.machine({"name": "b", "ownerReferences": [owner]})
    of_pool = machinepools.machine({"name": "d", "labels": {"cluster.x-k8s.io/pool-name": "p"}})
    found: list[Machine] = [m for m in (single, owned, of_pool) if observe.stands_alone(m)]
    assert found == [single]


def test_deciding_again_on_the_same_world_changes_nothing() -> None:
    world = World(cluster=cluster(), infra=infra(**PROVISIONED), pools=(pool(),), connected=True)
    first = decide(world, NOW).cluster
    again = World(cluster=first, infra=infra(**PROVISIONED), pools=(pool(),), connected=True)
    assert decide(again, NOW + dt.timedelta(hours=2)).cluster == first


def test_a_paused_cluster_says_so_and_does_nothing_else() -> None:
    plan = decide(World(cluster=cluster(spec={"paused": True}), infra=infra()), NOW)
    assert (plan.objects, plan.cluster.metadata.finalizers) == ((), ())
    assert [(c.type, c.status) for c in plan.cluster.status.conditions] == [("Paused", "True")]
