"""Operations of machineset_deletion_order.yaml: which machines go first."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from capipool.api.core import Machine
from capipool.core.machineset import order
from capipool.machinery import objects
from capipool.machinery.clock import format_time
from tests.cases import expect
from tests.cases.registry import Case, operation

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_REFERENCE = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TestMachine", "name": "m"}


def machine(given: Mapping[str, Any]) -> Machine:
    metadata: dict[str, Any] = {"name": given["name"], "namespace": "default", "annotations": {}}
    if "ageDays" in given:
        metadata["creationTimestamp"] = format_time(NOW - dt.timedelta(days=given["ageDays"]))
    if given.get("deleting"):
        metadata["deletionTimestamp"] = format_time(NOW)
    if given.get("deleteAnnotation"):
        metadata["annotations"]["cluster.x-k8s.io/delete-machine"] = ""
    if given.get("updating"):
        metadata["annotations"]["in-place-updates.internal.cluster.x-k8s.io/update-in-progress"] = ""
    shown = {"nodeHealthy": "NodeHealthy", "healthCheck": "HealthCheckSucceeded"}
    conditions = [
        {"type": type_, "status": given[key], "reason": "Case", "lastTransitionTime": format_time(NOW)}
        for key, type_ in shown.items()
        if key in given
    ]
    status: dict[str, Any] = {"conditions": conditions}
    if given.get("nodeRef", True):
        status["nodeRef"] = {"name": f"node-{given['name']}"}
    spec = {"clusterName": "c", "bootstrap": {"dataSecretName": ""}, "infrastructureRef": _REFERENCE}
    return objects.from_raw(Machine, {"metadata": metadata, "spec": spec, "status": status})


@operation("pick_machines_to_delete")
def pick(case: Case) -> None:
    given = case.given
    picked = order.pick(map(machine, given["machines"]), given["deleteCount"], given["order"])
    expect.same(case.expect["picked"], [m.metadata.name for m in picked], "picked")


@operation("resolve_order")
def resolve(case: Case) -> None:
    try:
        resolved = order.resolve(case.given["order"])
    except ValueError:
        assert case.expect.get("error"), "expected no error"
        return
    assert not case.expect.get("error"), "expected an error"
    expect.same(case.expect["order"], resolved, "order")


@operation("is_machine_healthy")
def healthy(case: Case) -> None:
    expect.same(case.expect["result"], order.is_healthy(machine(case.given["machine"])))
