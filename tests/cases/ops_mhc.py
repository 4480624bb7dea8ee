"""Operations of mhc.yaml: whom a health check is for, who is unhealthy, and how many may be."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from capipool.api.admission import machinehealthcheck
from capipool.api.builtin import Node
from capipool.api.core import Cluster, Machine, MachineHealthCheck
from capipool.core.machinehealthcheck import decide, health, limits
from capipool.core.machinehealthcheck.world import World
from capipool.machinery import objects
from capipool.machinery.clock import format_time
from tests.cases import admission, expect
from tests.cases.registry import Case, operation

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CLUSTER_LABEL = "cluster.x-k8s.io/cluster-name"
_REFERENCE = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TestMachine", "name": "m"}


def ago(seconds: int) -> str:
    return format_time(NOW - dt.timedelta(seconds=seconds))


def condition(given: Mapping[str, Any]) -> dict[str, Any]:
    since = ago(given.get("forSeconds", 3600))
    return {
        "type": given["type"],
        "status": given["status"],
        "reason": given.get("reason", "Case"),
        "message": "",
        "lastTransitionTime": since,
    }


def machine(given: Mapping[str, Any], cluster: str = "c") -> Machine:
    labels = {**(given.get("labels") or {}), CLUSTER_LABEL: given.get("cluster", cluster)}
    if given.get("controlPlaneMachine"):
        labels["cluster.x-k8s.io/control-plane"] = ""
    conditions = []
    if "machineInfraReadySecondsAgo" in given:
        since = given["machineInfraReadySecondsAgo"]
        conditions.append(condition({"type": "InfrastructureReady", "status": "True", "forSeconds": since}))
    if "machineCondition" in given:
        conditions.append(condition(given["machineCondition"]))
    status: dict[str, Any] = {"conditions": conditions}
    if given.get("nodeRef"):
        status["nodeRef"] = {"name": given["nodeRef"]}
    metadata = {
        "name": given.get("name", given.get("machine")),
        "namespace": "default",
        "uid": f"u-{given.get('name', given.get('machine'))}",
        "labels": labels,
        "annotations": given.get("annotations") or {},
        "creationTimestamp": ago(given.get("machineAgeSeconds", 99999)),
    }
    spec = {"clusterName": cluster, "bootstrap": {"dataSecretName": ""}, "infrastructureRef": _REFERENCE}
    return objects.from_raw(Machine, {"metadata": metadata, "spec": spec, "status": status})


def check(given: Mapping[str, Any], selector: Mapping[str, str] | None = None) -> MachineHealthCheck:
    wanted = [{"type": "Ready", "status": status, "timeoutSeconds": 300} for status in ("Unknown", "False")]
    of_machine = [{**c, "type": "EtcdPodHealthy"} for c in wanted]
    checks = {
        "nodeStartupTimeoutSeconds": given.get("nodeStartupTimeoutSeconds", 600),
        "unhealthyNodeConditions": given.get("unhealthyConditions", wanted),
        "unhealthyMachineConditions": given.get("unhealthyConditions", of_machine),
    }
    spec: dict[str, Any] = {"clusterName": given.get("cluster", "c"), "checks": checks}
    spec["selector"] = {"matchLabels": dict(selector or {"all": "of-them"})}
    spec["remediation"] = {"triggerIf": trigger(given)}
    metadata = {"name": "mhc", "namespace": "default", "uid": "u-mhc", "labels": {}}
    return objects.from_raw(MachineHealthCheck, {"metadata": metadata, "spec": spec})


def trigger(given: Mapping[str, Any]) -> dict[str, Any]:
    names = ("unhealthyInRange", "unhealthyLessThanOrEqualTo")
    return {name: given[name] for name in names if given.get(name) is not None}


def cluster(given: Mapping[str, Any], name: str = "c") -> Cluster:
    initialized = "True" if given.get("clusterControlPlaneInitialized", True) else "False"
    conditions = [
        condition({"type": "InfrastructureReady", "status": "True"}),
        condition({"type": "ControlPlaneInitialized", "status": initialized}),
    ]
    metadata = {"name": name, "namespace": "default", "uid": "u-cluster"}
    return objects.from_raw(Cluster, {"metadata": metadata, "spec": {}, "status": {"conditions": conditions}})


def node(given: Mapping[str, Any]) -> Node | None:
    if given.get("node", "") is None:
        return None
    shown = [{"type": "Ready", "status": "True", "forSeconds": 3600}] if given.get("nodeReady") else []
    shown += [given["nodeCondition"]] if "nodeCondition" in given else []
    return objects.from_raw(Node, {"metadata": {"name": "node"}, "status": {"conditions": list(map(condition, shown))}})


@operation("get_targets")
def get_targets(case: Case) -> None:
    given = case.given
    name = given["machines"][0]["cluster"]
    nodes = {n: objects.from_raw(Node, {"metadata": {"name": n}}) for n in given["nodes"]}
    wanted = check({"cluster": name}, given["selector"])
    found = health.targets(wanted, [machine(m, name) for m in given["machines"]], nodes.get)
    actual = [
        {
            "machine": t.machine.metadata.name,
            "node": t.node.metadata.name if t.node else None,
            "nodeMissing": t.node_missing,
        }
        for t in found
    ]
    expect.same(case.expect["targets"], actual, "targets")


@operation("health_check")
def health_check(case: Case) -> None:
    given = case.given
    judged = {
        t["machine"]: health.judge(health.Target(machine(t), node(t)), check(given), cluster(given), NOW)
        for t in given["targets"]
    }
    by_verdict = {v: [n for n, h in judged.items() if h.verdict == v] for v in ("Healthy", "Unhealthy")}
    expect.same(case.expect["healthy"], by_verdict["Healthy"], "healthy")
    expect.same(case.expect["needsRemediation"], by_verdict["Unhealthy"], "needsRemediation")
    waits = [int(h.next_check.total_seconds()) for h in judged.values() if h.next_check is not None]
    expect.same(case.expect["nextCheckSeconds"], waits, "nextCheckSeconds")
    for wanted in case.expect.get("conditions", ()):
        for h in judged.values():
            told = decide.legacy_succeeded(h, NOW) if wanted.get("legacy") else decide.succeeded(h)
            fields = {k: v for k, v in wanted.items() if k not in ("legacy", "message_mentions")}
            expect.fields(fields, objects.part_to_raw(told))
            expect.mentions(wanted.get("message_mentions", ()), told.message)


@operation("is_remediation_allowed")
def is_remediation_allowed(case: Case) -> None:
    given = case.given
    wanted = check(given).spec.remediation.trigger_if
    try:
        found = limits.allowance(wanted, expected=given["expectedMachines"], healthy=given["currentHealthy"])
    except ValueError:
        assert case.expect.get("error"), "expected no error"
        return
    assert not case.expect.get("error"), "expected an error"
    expect.same(case.expect["allowed"], found.allowed, "allowed")
    if "remediationsAllowed" in case.expect:
        expect.same(case.expect["remediationsAllowed"], found.remaining, "remediationsAllowed")


@operation("max_unhealthy")
def max_unhealthy(case: Case) -> None:
    given = case.given
    try:
        found = limits.max_unhealthy(given["unhealthyLessThanOrEqualTo"], given["expectedMachines"])
    except ValueError:
        assert case.expect.get("error"), "expected no error"
        return
    assert not case.expect.get("error"), "expected an error"
    expect.same(case.expect["result"], found)


@operation("reconcile")
def reconcile(case: Case) -> None:
    given = case.given
    name = given.get("cluster", "c")
    counts = given.get("machines") or {}
    targets = [_target(f"well-{i}", "True") for i in range(counts.get("healthy", 0))]
    targets += [_target(f"unwell-{i}", "Unknown") for i in range(counts.get("unhealthy", 0))]
    world = World(check=check(given), cluster=cluster(given, name), targets=tuple(targets))
    plan = decide.decide(world, NOW)
    raw = objects.to_raw(plan.check)
    if "status" in case.expect:
        expect.fields(case.expect["status"], raw["status"])
    for wanted in case.expect.get("conditions", ()):
        found = next(c for c in raw["status"]["conditions"] if c["type"] == wanted["type"])
        expect.fields(wanted, found)
    if "labels" in case.expect:
        expect.fields(case.expect["labels"], raw["metadata"]["labels"])
        expect.same(case.expect["ownerReferences"], raw["metadata"]["ownerReferences"], "ownerReferences")
    told = [{c.type: c.status for c in m.conditions} for m in plan.machines]
    if "machines_marked_unhealthy" in case.expect:
        unhealthy = [t for t in told if t.get("HealthCheckSucceeded") == "False"]
        expect.same(case.expect["machines_marked_unhealthy"], len(unhealthy))
        marked = [t for t in told if t.get("OwnerRemediated") == "False"]
        expect.same(case.expect["machines_marked_for_remediation"], len(marked))


def _target(name: str, ready: str) -> health.Target:
    told = {"nodeCondition": {"type": "Ready", "status": ready, "forSeconds": 400}}
    return health.Target(machine({"name": name, "nodeRef": name}), node(told))


@operation("admission_default")
def admission_default(case: Case) -> None:
    rules = machinehealthcheck.rules()
    request = admission.admit(rules, "CREATE", case.given["mhc"], None)
    raw = admission.defaulted(rules, request)
    wanted = {("metadata.labels" if k == "labels" else k): v for k, v in case.expect.items()}
    expect.fields(wanted, raw)


@operation("admission_validate")
def admission_validate(case: Case) -> None:
    rules = machinehealthcheck.rules()
    given = dict(case.given)
    if "unhealthyLessThanOrEqualTo" in given:
        given["spec.remediation.triggerIf.unhealthyLessThanOrEqualTo"] = given.pop("unhealthyLessThanOrEqualTo")
    given.setdefault("spec.clusterName", "c")
    if "spec.selector" not in given and "spec.selector.matchLabels" not in given:
        given["spec.selector.matchLabels"] = {"a": "b"}
    given.setdefault("metadata", {"name": "mhc", "namespace": "default"})
    old = {k.removeprefix("old."): v for k, v in given.items() if k.startswith("old.")}
    new = {k: v for k, v in given.items() if not k.startswith("old.")}
    request = admission.admit(rules, "UPDATE" if old else "CREATE", new, {**new, **old} if old else None)
    admission.judged(rules, request, case.expect)
