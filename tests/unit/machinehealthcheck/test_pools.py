"""Instances of pools without Machines: who is a target, how they are judged, and what is said on their nodes."""

import datetime as dt
from typing import Any

import pytest

from capipool.api.builtin import Node
from capipool.api.core import Cluster, Machine, MachineHealthCheck, MachinePool
from capipool.core.machinehealthcheck import decide, pools
from capipool.core.machinehealthcheck.pools import Instance
from capipool.core.machinehealthcheck.world import External, Plan, World
from capipool.machinery import objects
from capipool.machinery.clock import format_time

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ASKED = "cluster.x-k8s.io/remediate-machine"
SKIP = "cluster.x-k8s.io/skip-remediation"
POOL_NAME = "cluster.x-k8s.io/pool-name"
OURS = "MachineHealthCheck/default/mhc"


def check(selector: dict[str, str] | None = None, limit: int | str = "100%") -> MachineHealthCheck:
    conditions = [{"type": "Ready", "status": "Unknown", "timeoutSeconds": 60}]
    spec = {
        "clusterName": "c",
        "selector": {"matchLabels": selector or {"healed": "yes"}},
        "checks": {"unhealthyNodeConditions": conditions},
        "remediation": {"triggerIf": {"unhealthyLessThanOrEqualTo": limit}},
    }
    meta = {"name": "mhc", "namespace": "default", "uid": "u-mhc"}
    return objects.from_raw(MachineHealthCheck, {"metadata": meta, "spec": spec})


def pool(ids: tuple[str, ...] = ("a",), *, replicas: int | None = None, cluster: str = "c", **meta: Any) -> MachinePool:
    reference = {"apiGroup": "acme.example.org", "kind": "AcmePool", "name": "p"}
    template = {
        "metadata": {"labels": {"healed": "yes"}},
        "spec": {"clusterName": cluster, "bootstrap": {"dataSecretName": ""}, "infrastructureRef": reference},
    }
    spec = {"clusterName": cluster, "template": template, "providerIDList": list(ids)}
    spec["replicas"] = len(ids) if replicas is None else replicas
    metadata = {"name": "p", "namespace": "default", "uid": "u-p", **meta}
    return objects.from_raw(MachinePool, {"metadata": metadata, "spec": spec})


def node(name: str = "a", ready: str = "True", *, seconds: int = 100, **annotations: str) -> Node:
    told = {"type": "Ready", "status": ready, "lastTransitionTime": format_time(NOW - dt.timedelta(seconds=seconds))}
    meta = {"name": name, "uid": f"u-{name}", "annotations": annotations}
    return objects.from_raw(Node, {"metadata": meta, "spec": {"providerID": name}, "status": {"conditions": [told]}})


def cluster(initialized: str = "True") -> Cluster:
    told = {"InfrastructureReady": "True", "ControlPlaneInitialized": initialized}
    since = format_time(NOW - dt.timedelta(hours=1))
    found = [{"type": t, "status": s, "reason": "R", "lastTransitionTime": since} for t, s in told.items()]
    meta = {"name": "c", "namespace": "default", "uid": "u-c"}
    return objects.from_raw(Cluster, {"metadata": meta, "spec": {}, "status": {"conditions": found}})


def machine(**labels: str) -> Machine:
    reference = {"apiGroup": "acme.example.org", "kind": "AcmeMachine", "name": "m"}
    spec = {"clusterName": "c", "bootstrap": {"dataSecretName": ""}, "infrastructureRef": reference}
    return objects.from_raw(
        Machine, {"metadata": {"name": "m", "namespace": "default", "labels": labels}, "spec": spec}
    )


def targets(pool: MachinePool, *nodes: Node, machines: tuple[Machine, ...] = (), **selector: str) -> list[str]:
    by_id = {n.spec.provider_id: (n,) for n in nodes}
    found = pools.targets(check(selector), [pool], machines, lambda id: by_id.get(id, ()))
    return [f"{i.provider_id or '-'}:{i.node.metadata.name if i.node else '-'}" for i in found]


def plan(*nodes: Node | None, limit: int | str = "100%", external: External | None = None, ready: str = "True") -> Plan:
    instances = tuple(Instance(pool(), n.metadata.name if n else "", n) for n in nodes)
    world = World(check=check(limit=limit), cluster=cluster(ready), instances=instances, external=external)
    return decide.decide(world, NOW)


def said(made: Plan) -> dict[str, str | None]:
    return {mark.node.metadata.name: mark.value for mark in made.nodes}


def test_every_listed_instance_is_a_target_with_its_node_if_it_has_one() -> None:
    assert targets(pool(("a", "b")), node("a")) == ["a:a", "b:-"]


def test_an_instance_that_is_wanted_and_not_listed_counts() -> None:
    assert targets(pool(("a",), replicas=3), node("a")) == ["a:a", "-:-", "-:-"]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"healed": "yes"}, ["a:a"]),
        ({POOL_NAME: "p"}, ["a:a"]),
        ({"cluster.x-k8s.io/cluster-name": "c", "healed": "yes"}, ["a:a"]),
        ({"healed": "no"}, []),
    ],
)
def test_the_selector_is_held_against_the_labels_that_machines_would_carry(
    selector: dict[str, str], expected: list[str]
) -> None:
    assert targets(pool(), node("a"), **selector) == expected


def test_what_is_exempt_of_another_cluster_going_or_has_machines_is_no_target() -> None:
    assert targets(pool(annotations={SKIP: ""}), node("a")) == []
    assert targets(pool(("a", "b")), node("a", **{SKIP: ""}), node("b")) == ["b:b"]
    assert targets(pool(cluster="other"), node("a")) == []
    assert targets(pool(deletionTimestamp=format_time(NOW), finalizers=["x"]), node("a")) == []
    assert targets(pool(), node("a"), machines=(machine(**{POOL_NAME: "p"}),)) == []
    assert targets(pool(), node("a"), machines=(machine(**{POOL_NAME: "q"}),)) == ["a:a"]


def test_a_node_that_is_lost_for_too_long_is_marked_and_its_pool_told() -> None:
    made = plan(node("a", "Unknown"), node("b"))
    assert said(made) == {"a": OURS}
    assert [(s.about and s.about.metadata.name, s.reason) for s in made.events] == [("p", "InstanceMarkedUnhealthy")]
    status = made.check.status
    assert (status.expected_machines, status.current_healthy, status.targets) == (2, 1, ("a", "b"))


def test_a_node_that_is_marked_is_not_marked_again() -> None:
    made = plan(node("a", "Unknown", **{ASKED: OURS}))
    assert (made.nodes, made.events) == ((), ())


def test_a_node_that_is_lost_for_a_moment_is_looked_at_again() -> None:
    made = plan(node("a", "Unknown", seconds=20))
    assert made.nodes == ()
    assert made.result == decide.RequeueAfter(dt.timedelta(seconds=41))


def test_beyond_the_limit_nobody_is_marked() -> None:
    lost = [node(name, "Unknown") for name in "ab"]
    assert said(plan(*lost, node("c"), limit=1)) == {}
    assert said(plan(*lost, node("c"), limit=2)) == {"a": OURS, "b": OURS}


def test_an_instance_without_a_node_counts_against_the_limit_and_is_left_alone() -> None:
    assert said(plan(node("a", "Unknown"), None, limit=1)) == {}
    assert said(plan(None)) == {}


def test_what_was_asked_is_taken_back_from_a_node_that_is_well_again() -> None:
    assert said(plan(node("a", **{ASKED: OURS}))) == {"a": None}


def test_what_somebody_else_asked_stays_and_makes_the_instance_unhealthy() -> None:
    made = plan(node("a", **{ASKED: ""}))
    assert made.nodes == ()
    assert made.check.status.current_healthy == 0


def test_nobody_is_judged_before_the_control_plane_is_there() -> None:
    assert said(plan(node("a", "Unknown"), ready="False")) == {}


def test_instances_are_not_marked_where_somebody_elses_controller_remediates() -> None:
    assert said(plan(node("a", "Unknown"), external=External(None))) == {}
