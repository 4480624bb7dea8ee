"""Which unhealthy machines a set replaces, and how many at a time."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.api.core import Machine, MachineDeployment, MachineSet
from capipool.core.machineset import remediation
from capipool.core.machineset.world import World
from capipool.machinery import objects

REFERENCE = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "M", "name": "m"}
SPEC: dict[str, Any] = {"clusterName": "c", "bootstrap": {"dataSecretName": ""}, "infrastructureRef": REFERENCE}
REVISION = "machinedeployment.clusters.x-k8s.io/revision"


def machine(
    name: str, *, marked: bool = True, deleting: bool = False, created: str = "2026-01-01T00:00:00Z"
) -> Machine:
    told = {"type": "OwnerRemediated", "status": "False", "reason": "WaitingForRemediation", "message": ""}
    meta: dict[str, Any] = {"name": name, "namespace": "d", "creationTimestamp": created}
    if deleting:
        meta["deletionTimestamp"] = "2026-01-02T00:00:00Z"
    status = {"conditions": [told] if marked else []}
    return objects.from_raw(Machine, {"metadata": meta, "spec": SPEC, "status": status})


def world(*machines: Machine, limit: int | str | None = None, revisions: tuple[str, str] = ("1", "1")) -> World:
    def spec(replicas: int) -> dict[str, Any]:
        return {"clusterName": "c", "replicas": replicas, "selector": {}, "template": {"spec": SPEC}}

    own = {"metadata": {"name": "s", "annotations": {REVISION: revisions[0]}}, "spec": spec(4)}
    of = {"metadata": {"name": "d", "annotations": {REVISION: revisions[1]}}, "spec": spec(4)}
    if limit is not None:
        of["spec"] = {**spec(4), "remediation": {"maxInFlight": limit}}
    return World(objects.from_raw(MachineSet, own), None, objects.from_raw(MachineDeployment, of), machines=machines)


def test_all_marked_machines_go_where_there_is_no_limit() -> None:
    healing = remediation.decide(world(machine("a"), machine("b"), machine("c", marked=False)), ())
    assert [m.metadata.name for m in healing.delete] == ["a", "b"]


@pytest.mark.parametrize(("limit", "gone"), [(1, ["old"]), ("50%", ["old", "young"]), (0, []), ("10%", ["old"])])
def test_the_oldest_go_first_and_no_more_than_the_limit(limit: int | str, gone: list[str]) -> None:
    young, old = machine("young", created="2026-01-03T00:00:00Z"), machine("old")
    healing = remediation.decide(world(young, old, limit=limit), ())
    assert [m.metadata.name for m in healing.delete] == gone


def test_those_under_way_count_towards_the_limit_and_the_others_say_what_they_wait_for() -> None:
    healing = remediation.decide(world(machine("a", deleting=True), machine("b"), limit=1), ())
    assert healing.delete == ()
    assert [(m.machine.metadata.name, m.conditions[0].reason) for m in healing.marks] == [("b", "RemediationDeferred")]


def test_machines_of_an_older_revision_are_left_to_the_rollout() -> None:
    healing = remediation.decide(world(machine("a"), revisions=("1", "2")), ())
    assert healing.delete == ()
    assert healing.marks[0].conditions[0].reason == "CannotBeRemediated"


def test_nothing_is_replaced_while_nothing_could_be_made() -> None:
    healing = remediation.decide(world(machine("a")), ("the control plane is upgrading",))
    assert healing.delete == ()
    assert healing.marks[0].conditions[0].message == "the control plane is upgrading"
