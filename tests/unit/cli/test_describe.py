"""A tree names the one reason why something waits."""

from __future__ import annotations

from typing import Any

from capipool.cli import describe, reasons, tree
from capipool.cli.describe import ClusterFacts, Node, PoolFacts


def condition(kind: str, status: str, message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": f"{kind}Reason", "message": message}


def pool(*conditions: dict[str, Any], phase: str = "Running", replicas: int = 2) -> dict[str, Any]:
    return {
        "metadata": {"name": "workers"},
        "spec": {
            "replicas": replicas,
            "template": {"spec": {"version": "v1.34.0", "infrastructureRef": {"kind": "DevMachinePool", "name": "w"}}},
        },
        "status": {"phase": phase, "readyReplicas": 2, "conditions": list(conditions)},
    }


def infrastructure(count: int, *conditions: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"name": "w"},
        "spec": {"providerIDList": [f"dev:///i-{n}" for n in range(count)]},
        "status": {"initialization": {"provisioned": True}, "conditions": list(conditions)},
    }


def nodes(count: int, ready: bool = True) -> list[Node]:
    return [Node(f"n-{n}", f"dev:///i-{n}", ready, "v1.34.0") for n in range(count)]


def text(facts: PoolFacts) -> list[str]:
    return [line.text for line in tree.lay_out(describe.pool(facts))]


def test_a_healthy_pool_shows_instances_and_nodes_and_no_reason() -> None:
    facts = PoolFacts(pool(), infrastructure=infrastructure(2), nodes=nodes(2))
    assert text(facts) == [
        "MachinePool/workers  Running  2/2 ready    v1.34.0",
        "└─ DevMachinePool/w  ready    2 instances",
        "   ├─ i-0            Ready    Node/n-0     v1.34.0",
        "   └─ i-1            Ready    Node/n-1     v1.34.0",
    ]


def test_an_instance_that_a_status_names_by_its_id_alone_is_shown_once() -> None:
    told = infrastructure(2)
    told["status"]["instances"] = [{"instanceID": "i-1", "version": "v1.34.0"}, {"instanceID": "i-2"}]
    lines = text(PoolFacts(pool(replicas=3), infrastructure=told, nodes=nodes(2)))
    assert [line.split()[1:3] for line in lines[2:]] == [["i-1", "Ready"], ["i-2", "no"], ["i-0", "Ready"]]


def test_an_instance_that_its_scale_set_only_numbers_is_shown_by_both() -> None:
    shown = infrastructure(0)
    group = "azure:///subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute"
    shown["spec"]["providerIDList"] = [
        f"{group}/virtualMachineScaleSets/workers/virtualMachines/0",
        f"{group}/virtualMachines/workers_1a2b3c4d",
        "7",
    ]
    lines = text(PoolFacts(pool(replicas=3), infrastructure=shown))
    assert [line.split()[1] for line in lines[2:]] == ["workers_0", "workers_1a2b3c4d", "7"]


def test_the_cause_is_shown_before_its_effects() -> None:
    obj = pool(
        condition("Available", "False", "1 of 2"),
        condition("InfrastructureReady", "False", "* zone a:\n  * is full"),
        phase="Provisioning",
    )
    assert describe.pool_why(obj) == "InfrastructureReady: zone a: is full"


def test_a_condition_without_a_message_shows_its_reason() -> None:
    assert describe.pool_why(pool(condition("Paused", "True"))) == "Paused: PausedReason"


def test_a_missing_instance_is_explained_by_the_provider_even_when_it_was_ready_before() -> None:
    full = condition("CapacityAvailable", "False", "no room in zone a")
    lines = text(PoolFacts(pool(replicas=3), infrastructure=infrastructure(2, full), nodes=nodes(2)))
    assert "(CapacityAvailable: no room in zone a)" in lines[1]


def test_an_object_that_does_not_exist_is_named() -> None:
    assert "missing" in text(PoolFacts(pool()))[1]


def test_a_large_pool_lists_all_that_are_unwell_and_counts_the_rest() -> None:
    healthy = nodes(30)
    healthy[25] = Node("n-25", "dev:///i-25", False)
    lines = text(PoolFacts(pool(), infrastructure=infrastructure(30), nodes=healthy))
    assert any("i-25" in line and "NotReady" in line for line in lines)
    assert "… and 19 more, all Ready" in lines[-1]


def test_a_cluster_whose_api_is_away_says_so() -> None:
    cluster = {"metadata": {"name": "c"}, "spec": {}, "status": {"phase": "Provisioned"}}
    branch = describe.cluster(ClusterFacts(cluster, unreachable="connection refused"))
    assert [line.text for line in tree.lay_out(branch)] == [
        "Cluster/c         Provisioned",
        "└─ Control plane  unreachable    (connection refused)",
    ]


NAMED = {"kind": "AWSManagedControlPlane", "name": "prod"}


def control_plane(found: dict[str, Any] | None, **status: Any) -> list[str]:
    cluster = {"metadata": {"name": "c"}, "spec": {"controlPlaneRef": NAMED}, "status": {"phase": "Pending", **status}}
    return [line.text for line in tree.lay_out(describe.cluster(ClusterFacts(cluster, control_plane=found)))][1:]


def test_a_control_plane_that_is_not_there_yet_says_why_in_its_own_words() -> None:
    why = condition("Ready", "False", "there is no EKS cluster prdo in us-east-1")
    plane = {"metadata": {"name": "prod"}, "status": {"ready": False, "conditions": [why]}}
    assert control_plane(plane) == [
        "└─ Control plane                   not initialized",
        "   └─ AWSManagedControlPlane/prod  not ready        (Ready: there is no EKS cluster prdo in us-east-1)",
    ]
    assert control_plane(None)[1].endswith("missing          (the control plane object does not exist)")
    assert len(control_plane(plane, initialization={"controlPlaneInitialized": True})) == 1


def test_a_long_reason_is_cut() -> None:
    assert len(describe.pool_why(pool(condition("Paused", "True", "x" * 1000)))) == reasons.LONGEST_REASON


def test_a_pool_whose_cluster_does_not_exist_says_so() -> None:
    orphan = pool(phase="Pending")
    orphan["spec"]["clusterName"] = "gone"
    assert text(PoolFacts(orphan, no_cluster=True))[0].endswith("(Cluster gone does not exist)")


def test_what_is_paused_with_its_cluster_does_not_repeat_it() -> None:
    paused = condition("Paused", "True", "Cluster spec.paused is set to true")
    cluster = {"metadata": {"name": "c"}, "spec": {}, "status": {"phase": "Provisioned", "conditions": [paused]}}
    own = pool(paused) | {"metadata": {"name": "other"}}
    facts = ClusterFacts(cluster, pools=[PoolFacts(pool(paused)), PoolFacts(own)])
    lines = [line.text for line in tree.lay_out(reasons.said_once(describe.cluster(facts)))]
    assert [line for line in lines if "Paused" in line] == lines[:1]
