"""Operations of worker_webhooks.yaml: what admission does with MachineDeployments, MachineSets and Machines."""

from collections.abc import Mapping
from typing import Any

from capipool.api.admission import machine, machinedeployment, machineset
from capipool.machinery.admission import Rules
from tests.cases import admission, expect
from tests.cases.registry import Case, operation

KINDS = {"MachineDeployment": machinedeployment.rules, "MachineSet": machineset.rules, "Machine": machine.rules}
_REFERENCE = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TestMachine", "name": "m"}


def rules(case: Case) -> Rules:
    return KINDS[case.when.rpartition(" ")[2]](case.given.get("featureGates") or {})


def worker(case: Case, prefix: str = "") -> dict[str, Any]:
    """A valid object of the case's kind, with what the case says of it. `prefix`: the paths that are meant."""
    given = {k.removeprefix(prefix): v for k, v in case.given.items() if k.startswith(prefix) and k != "featureGates"}
    given = {k: v for k, v in given.items() if prefix or not k.startswith("old.")}
    cluster = given.pop("clusterName", "test-cluster")
    raw: dict[str, Any] = {"metadata": {"name": given.pop("name", "worker"), "namespace": "default"}}
    for name in ("annotations", "labels"):
        if name in given and (name == "annotations" or "selector" not in given):
            raw["metadata"][name] = given.pop(name)
    machine_spec: dict[str, Any] = {
        "clusterName": cluster,
        "bootstrap": {"dataSecretName": "data"},
        "infrastructureRef": _REFERENCE,
    }
    if "version" in given:
        machine_spec["version"] = given.pop("version")
    if "taintKey" in given:
        taint = {"key": given.pop("taintKey"), "effect": "NoSchedule", "propagation": "Always"}
        machine_spec["taints"] = [taint]
    raw["spec"] = machine_spec if case.when.endswith(" Machine") else replicated(cluster, machine_spec, given)
    return merged(raw, expect.expand(given))


def replicated(cluster: str, machine_spec: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    selector = given.pop("selector", None)
    rolling = {key: given.pop(key) for key in ("maxSurge", "maxUnavailable") if key in given}
    if "remediation.maxInFlight" in given:
        given["spec.remediation.maxInFlight"] = given.pop("remediation.maxInFlight")
    spec: dict[str, Any] = {"clusterName": cluster, "template": {"spec": machine_spec}, "selector": {}}
    if selector is not None:
        spec["selector"] = {"matchLabels": selector}
        spec["template"]["metadata"] = {"labels": given.pop("labels", {})}
    if rolling:
        spec["rollout"] = {"strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}
    return spec


def merged(raw: Any, more: Mapping[str, Any]) -> Any:
    result = dict(raw)
    for key, value in more.items():
        before = result.get(key)
        result[key] = merged(before, value) if isinstance(value, Mapping) and isinstance(before, dict) else value
    return result


@operation("admission_default MachineDeployment", "admission_default MachineSet", "admission_default Machine")
def default(case: Case) -> None:
    chosen = rules(case)
    expect.fields(case.expect, admission.defaulted(chosen, admission.admit(chosen, "CREATE", worker(case), None)))


@operation("admission_validate MachineDeployment", "admission_validate MachineSet", "admission_validate Machine")
def validate(case: Case) -> None:
    chosen = rules(case)
    has_old = any(key.startswith("old.") for key in case.given)
    old = worker(case, "old.") if has_old else None
    admission.judged(chosen, admission.admit(chosen, "UPDATE" if has_old else "CREATE", worker(case), old), case.expect)
