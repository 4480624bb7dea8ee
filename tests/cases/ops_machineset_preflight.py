"""Operations of machineset_preflight.yaml: what must hold before machines are made."""

from typing import Any

from capipool.api.core import MachineSet
from capipool.core.machineset import preflight
from capipool.machinery import objects
from tests.cases import expect
from tests.cases.registry import Case, operation

STEP = "topology.internal.cluster.x-k8s.io/upgrade-step"
_REFERENCE = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TestMachineTemplate", "name": "m"}


def machine_set(given: dict[str, Any]) -> MachineSet:
    machine: dict[str, Any] = {"clusterName": "c", "bootstrap": {}, "infrastructureRef": _REFERENCE}
    machine["version"] = given.get("version", "")
    if "bootstrapTemplate" in given:
        machine["bootstrap"] = {"configRef": {"name": "b", **given["bootstrapTemplate"]}}
    metadata = {"name": "ms", "namespace": "ns1", "annotations": given.get("annotations") or {}}
    spec = {"clusterName": "c", "selector": {}, "template": {"spec": machine}}
    return objects.from_raw(MachineSet, {"metadata": metadata, "spec": spec})


@operation("run_preflight_checks")
def run(case: Case) -> None:
    plane, cluster = case.given.get("controlPlane"), case.given.get("cluster") or {}
    control_plane = None
    if plane is not None:
        control_plane = preflight.ControlPlane(
            "GenericControlPlane ns1/cp1", plane.get("version", ""), plane.get("status.version", "")
        )
    topology = None
    if "topology.version" in cluster or "topology" in cluster:
        topology = preflight.Topology((cluster.get("annotations") or {}).get(STEP, ""))
    try:
        failed = preflight.run(machine_set(case.given["machineSet"]), control_plane, topology)
    except ValueError:
        assert case.expect.get("error"), "expected no error"
        return
    assert not case.expect.get("error"), "expected an error"
    expect.same(case.expect["failed"], [f.check for f in failed], "failed")
    expect.mentions(case.expect.get("message_mentions", ()), "; ".join(f.message for f in failed))
