"""The line of a deployment says where its rollout stands and what stands in its way."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.cli import machines, tree
from capipool.cli.machines import MachineFacts, OwnerFacts


def condition(kind: str, status: str, message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": f"{kind}Reason", "message": message}


def owner(*conditions: dict[str, Any], phase: str = "Running", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "w"},
        "spec": {"clusterName": "c", "replicas": 2, "template": {"spec": {"version": "v1.35.0"}}, **spec},
        "status": {"phase": phase, "readyReplicas": 2, "conditions": list(conditions)},
    }


def machine(name: str, *conditions: dict[str, Any], phase: str = "Running") -> dict[str, Any]:
    status = {"phase": phase, "conditions": list(conditions)} | ({"nodeRef": {"name": "n"}} if not conditions else {})
    return {"metadata": {"name": name}, "spec": {"version": "v1.34.0"}, "status": status}


ROLLING = condition(
    "RollingOut", "True", "Rolling out 2 not up-to-date replicas\n* Version v1.34.0, v1.35.0 required\n* more"
)
OLD = condition("UpToDate", "False", "* Version v1.34.0, v1.35.0 required")
NEW = condition("UpToDate", "True")
BROKEN = condition("BootstrapConfigReady", "False", "* DataSecretAvailable: spec.files[0]: secret x does not exist")
DRAINING = condition("Deleting", "True", "Drain not completed yet:\n* Pod a/b: PodDisruptionBudget c is in the way")


def test_a_deployment_lists_its_machines_and_what_holds_them_up() -> None:
    facts = OwnerFacts(
        "MachineDeployment",
        owner(ROLLING, phase="ScalingUp"),
        [machine("w-1"), machine("w-2", NEW, BROKEN, phase="Pending")],
    )
    why = "BootstrapConfigReady: DataSecretAvailable: spec.files[0]: secret x does not exist"
    assert [line.text for line in tree.lay_out(machines.owner(facts))] == [
        "MachineDeployment/w  ScalingUp  2/2 ready  v1.35.0"
        f"  (RollingOut: Rolling out 2 not up-to-date replicas; Machine w-2: {why})",
        "├─ w-1               Running    Node/n     v1.34.0",
        f"└─ w-2               Pending               v1.34.0  ({why})",
    ]


@pytest.mark.parametrize(
    ("deployment", "found", "why"),
    [
        pytest.param(owner(), [], "", id="all is well"),
        pytest.param(
            owner(ROLLING),
            [machine("old", OLD), machine("new", NEW)],
            "RollingOut: Rolling out 2 not up-to-date replicas; Version v1.34.0, v1.35.0 required; more",
            id="nothing stands in its way",
        ),
        pytest.param(
            owner(ROLLING),
            [machine("old", OLD, DRAINING), machine("new", NEW, BROKEN)],
            "RollingOut: Rolling out 2 not up-to-date replicas; Machine new: "
            "BootstrapConfigReady: DataSecretAvailable: spec.files[0]: secret x does not exist",
            id="a new machine that does not come comes first",
        ),
        pytest.param(
            owner(ROLLING),
            [machine("a", OLD, DRAINING), machine("b", OLD, DRAINING), machine("new", NEW)],
            "RollingOut: Rolling out 2 not up-to-date replicas; Machine a (and 1 more): "
            "Deleting: Drain not completed yet: Pod a/b: PodDisruptionBudget c is in the way",
            id="an old one that does not go",
        ),
        pytest.param(
            owner(ROLLING, condition("ScalingUp", "False", "Scaling up would be blocked because T t does not exist")),
            [machine("old", OLD)],
            "RollingOut: Rolling out 2 not up-to-date replicas; Scaling up would be blocked because T t does not exist",
            id="a template that does not exist",
        ),
        pytest.param(
            owner(ROLLING, rollout={"strategy": {"type": "OnDelete"}}),
            [machine("old", OLD)],
            "RollingOut: Rolling out 2 not up-to-date replicas; each is replaced when somebody deletes it (OnDelete)",
            id="nobody but a person replaces",
        ),
        pytest.param(
            owner(condition("ScalingUp", "True", "Scaling up from 0 to 2 replicas waits for:\n* T t does not exist")),
            [],
            "ScalingUp: Scaling up from 0 to 2 replicas waits for: T t does not exist",
            id="nothing to make a machine from",
        ),
        pytest.param(
            owner(condition("MachinesReady", "False", "* Machine a: * Deleting: Drain not completed yet")),
            [machine("a", DRAINING)],
            "MachinesReady: Machine a: Deleting: Drain not completed yet: Pod a/b: PodDisruptionBudget c is in the way",
            id="a machine says it better by itself",
        ),
        pytest.param(
            owner(condition("Paused", "True", "spec.paused is set"), ROLLING),
            [],
            "Paused: spec.paused is set",
            id="paused",
        ),
    ],
)
def test_the_one_reason(deployment: dict[str, Any], found: list[dict[str, Any]], why: str) -> None:
    assert machines.owner_why(deployment, found) == why


def test_a_deployment_whose_cluster_does_not_exist_says_so() -> None:
    unseen = owner() | {"status": {}}
    lines = tree.lay_out(machines.owner(OwnerFacts("MachineDeployment", unseen, no_cluster=True)))
    assert [line.text for line in lines] == [
        "MachineDeployment/w  Pending  0/2 ready  v1.35.0  (Cluster c does not exist)"
    ]


def test_a_set_has_no_phase_to_show() -> None:
    lines = tree.lay_out(machines.owner(OwnerFacts("MachineSet", owner(phase=""), [machine("w-1")])))
    assert [line.text.split() for line in lines] == [
        ["MachineSet/w", "2/2", "ready", "v1.35.0"],
        ["└─", "w-1", "Running", "Node/n", "v1.34.0"],
    ]


def test_a_machine_shows_what_it_was_given() -> None:
    given = machine("m", BROKEN, phase="Pending")
    given["spec"] |= {
        "bootstrap": {"configRef": {"kind": "KubeadmConfig", "name": "m"}},
        "infrastructureRef": {"kind": "DevMachine", "name": "m"},
    }
    config = {"metadata": {"name": "m"}, "status": {"conditions": [condition("Ready", "False", "no secret x")]}}
    lines = tree.lay_out(machines.machine(MachineFacts(given, bootstrap=config)))
    assert [line.text.split()[:3] for line in lines] == [
        ["Machine/m", "Pending", "v1.34.0"],
        ["├─", "KubeadmConfig/m", "not"],
        ["└─", "DevMachine/m", "missing"],
    ]
    assert lines[1].text.endswith("(Ready: no secret x)")
