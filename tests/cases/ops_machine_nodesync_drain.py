"""Operations of machine_nodesync_drain.yaml: a machine's node, and what is done before it goes."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from capipool.api.builtin import Node, Pod, Taint
from capipool.api.core import Cluster, Machine, MachineDrainRule
from capipool.api.shared import MachineTaint
from capipool.client.client import Client
from capipool.core.machine import decide, deletion, nodes
from capipool.core.machine.world import ControlPlane, InfraMachine, World
from capipool.core.references import Absent
from capipool.machinery import errors, objects
from capipool.machinery.calls import Call, Reply
from capipool.machinery.clock import format_time
from capipool.machinery.objects import Unstructured
from capipool.machinery.patch import merge
from capipool.machinery.resource import ObjectKey, Resource
from capipool.workload import drain, nodesync
from capipool.workload.drain import Blocker, DrainError, Verdict, step
from capipool.workload.drain import rules as drain_rules
from tests.cases import expect
from tests.cases.registry import Case, operation

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
INFRA = Resource("infrastructure.cluster.x-k8s.io", "v1beta2", "TestMachine", "testmachines")
_REFERENCE = {"apiGroup": INFRA.group, "kind": INFRA.kind, "name": "m"}
TAINTS = "cluster.x-k8s.io/taints-from-machine"


# --- worlds


def node(given: Mapping[str, Any], name: str = "n") -> Node:
    meta = {
        "name": given.get("name", name),
        "labels": dict(given.get("labels") or {}),
        "annotations": dict(given.get("annotations") or {}),
        "resourceVersion": "1",
    }
    spec = {"providerID": given.get("providerID", ""), "taints": list(given.get("taints") or ())}
    info = {"nodeInfo": given["nodeInfo"]} if "nodeInfo" in given else {}
    told = [{"type": t, "status": s} for t, s in (given.get("conditions") or {}).items()]
    return objects.from_raw(Node, {"metadata": meta, "spec": spec, "status": {"conditions": told, **info}})


def machine(given: Mapping[str, Any] | None = None, status: Mapping[str, Any] | None = None) -> Machine:
    told = dict(given or {})
    meta: dict[str, Any] = {"name": "m", "namespace": "default", "uid": "u", "finalizers": ["machine.cluster.x-k8s.io"]}
    meta["annotations"] = dict(told.get("annotations") or {})
    if told.get("deleting"):
        meta["deletionTimestamp"] = format_time(NOW)
    spec: dict[str, Any] = {"clusterName": "c", "bootstrap": {"dataSecretName": ""}, "infrastructureRef": _REFERENCE}
    spec |= {k: told[k] for k in ("providerID", "deletion", "taints") if k in told}
    shown = dict(status or {})
    if (name := told.get("status.nodeRef.name")) is not None:
        shown["nodeRef"] = {"name": name}
    return objects.from_raw(Machine, {"metadata": meta, "spec": spec, "status": shown})


def cluster(*, deleting: bool = False) -> Cluster:
    meta: dict[str, Any] = {"name": "c", "namespace": "default", "uid": "u-c"}
    if deleting:
        meta |= {"deletionTimestamp": format_time(NOW), "finalizers": ["x"]}
    return objects.from_raw(Cluster, {"metadata": meta, "spec": {}})


def infra(present: bool = True) -> InfraMachine | Absent:
    wanted = machine()
    if not present:
        return Absent(wanted.spec.infrastructure_ref, "not found", "TestMachine m does not exist")
    raw = {"apiVersion": INFRA.api_version, "kind": INFRA.kind, "metadata": {"name": "m", "namespace": "default"}}
    return InfraMachine(objects.from_raw(Unstructured, raw), INFRA)


def world(of: Machine, **more: Any) -> World:
    return World(**({"machine": of, "cluster": cluster(), "infra": infra(), "bootstrap": None} | more))


# --- the node of a machine


@operation("reconcile_node")
def reconcile_node(case: Case) -> None:
    given = case.given
    of = machine(given["machine"])
    found = [node(n) for n in given.get("nodes", ()) if n["providerID"] == of.spec.provider_id]
    seen = world(of, nodes=tuple(found), connected="node_read" not in given, unavailable="it fails")
    plan = decide.decide(seen, NOW)
    raw = objects.to_raw(plan.machine)
    if "error" in case.expect:
        failed = bool(plan.problems) or not seen.connected
        assert failed is (case.expect["error"] is not None), f"problems: {plan.problems}"
    told = {c.type: objects.part_to_raw(c) for c in plan.machine.status.deprecated.v1beta1.conditions}
    for wanted in case.expect.get("legacyConditions", ()):
        expect.fields(wanted, told[wanted["type"]])
    expect.fields({k: v for k, v in case.expect.items() if k.startswith("status.")}, raw)


@operation("get_node")
def get_node(case: Case) -> None:
    known = [node(n) for n in case.given["nodes"]]
    try:
        found = nodes.only(known, case.given["providerID"])
    except ValueError:
        assert case.expect.get("error"), "expected no error"
        return
    assert not case.expect.get("error"), "expected an error"
    expect.same(case.expect.get("node"), found.metadata.name if found is not None else None)


@operation("summarize_node_conditions")
def summarize(case: Case) -> None:
    expect.same(case.expect["status"], nodes.summarize(node(case.given))[0])


@operation("is_node_outdated")
def is_node_outdated(case: Case) -> None:
    given = case.given
    found = nodes.is_outdated(given["machineSetRevision"], given["machineDeploymentRevision"])
    expect.same(case.expect["result"], found)


@operation("patch_node")
def patch_node(case: Case) -> None:
    given = expect.expand(case.given)
    before = node(given["node"])
    wanted = nodesync.Wanted(
        identity={},
        labels=given.get("machineLabels") or {},
        annotations=given.get("machineAnnotations") or {},
        always_track=True,
    )
    revision = "machinedeployment.clusters.x-k8s.io/revision"
    of_set, of_deployment = (
        ((given.get(key) or {}).get("annotations") or {}).get(revision) for key in ("machineSet", "machineDeployment")
    )
    found = nodes.patch(before, wanted, outdated=nodes.is_outdated(of_set, of_deployment))
    after = patched(before, found)
    for key in ("labels", "annotations"):
        if key in case.expect:
            expect.fields(case.expect[key], getattr(after.metadata, key))
    if "labels" in case.expect:
        assert set(after.metadata.labels) == set(case.expect["labels"])
    there = {(t.key, t.effect) for t in after.spec.taints}
    assert {(t["key"], t["effect"]) for t in case.expect.get("taints_include", ())} <= there
    assert not {(t["key"], t["effect"]) for t in case.expect.get("taints_exclude", ())} & there


def patched(before: Node, found: nodesync.NodePatch | None) -> Node:
    raw = objects.to_raw(before)
    return objects.from_raw(Node, merge.apply(raw, found.patch) if found is not None else raw)


@operation("propagate_taints")
def propagate_taints(case: Case) -> None:
    given = case.given
    before = tuple(Taint(**t) for t in given["node.taints"])
    tracked = given["node.annotation"]
    wanted = [MachineTaint(**t) for t in given["machine.taints"]]
    after, memory = nodesync.propagate_taints(before, tracked, wanted, initialized=tracked is not None)
    expect.same(case.expect["node.taints"], [objects.part_to_raw(t) for t in after], "taints")
    expect.same(case.expect["node.annotations"][TAINTS], memory, "annotation")
    expect.same(case.expect["changed"], (after, memory) != (before, tracked), "changed")


# --- before it goes


@operation("is_node_drain_allowed")
def is_node_drain_allowed(case: Case) -> None:
    given = case.given
    status: dict[str, Any] = {"deletion": {}}
    if "drainStartedSecondsAgo" in given:
        status["deletion"]["nodeDrainStartTime"] = _ago(given["drainStartedSecondsAgo"])
    for key in given.get("status_deletion", ()):
        status["deletion"][key] = _ago(1)
    told = {"annotations": given.get("annotations")}
    if "nodeDrainTimeoutSeconds" in given:
        told["deletion"] = {"nodeDrainTimeoutSeconds": given["nodeDrainTimeoutSeconds"]}
    seen = world(machine(told, status), infra=infra(given.get("infraMachine") is not None))
    expect.same(case.expect["allowed"], deletion.is_drain_allowed(seen, NOW))


@operation("is_volume_detach_wait_allowed")
def is_volume_detach_wait_allowed(case: Case) -> None:
    given = case.given
    status: dict[str, Any] = {"deletion": {}}
    if "waitStartedSecondsAgo" in given:
        status["deletion"]["waitForNodeVolumeDetachStartTime"] = _ago(given["waitStartedSecondsAgo"])
    for key in given.get("status_deletion", ()):
        status["deletion"][key] = _ago(1)
    told = {"annotations": given.get("annotations")}
    if "nodeVolumeDetachTimeoutSeconds" in given:
        told["deletion"] = {"nodeVolumeDetachTimeoutSeconds": given["nodeVolumeDetachTimeoutSeconds"]}
    seen = world(machine(told, status), infra=infra(given.get("infraMachine") is not None))
    expect.same(case.expect["allowed"], deletion.is_volume_detach_wait_allowed(seen, NOW))


def _ago(seconds: int) -> str:
    return format_time(NOW - dt.timedelta(seconds=seconds))


@operation("is_delete_node_allowed")
def is_delete_node_allowed(case: Case) -> None:
    given = case.given
    told = str(given.get("controlPlane", ""))
    plane = ControlPlane("deleting" in told, "externally managed" in told, given.get("controlPlaneMachines", 0))
    seen = world(
        machine({"status.nodeRef.name": given.get("nodeRef"), "deleting": True}),
        cluster=cluster(deleting=bool(given.get("clusterDeleting"))),
        control_plane=plane,
        connected=False,
    )
    expect.same(case.expect["refusal"], deletion.delete_node_refusal(seen))


# --- drain


def pod(given: Mapping[str, Any]) -> Pod:
    meta: dict[str, Any] = {
        "name": given.get("name", "p"),
        "namespace": given.get("namespace", "default"),
        "labels": dict(given.get("labels") or {}),
        "annotations": dict(given.get("annotations") or {}),
    }
    if given.get("mirror") or given.get("static"):
        meta["annotations"]["kubernetes.io/config.mirror"] = "x"
    if (owner := given.get("controller")) is not None:
        meta["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": owner["kind"], "name": "o", "uid": "u", "controller": True}
        ]
    if "deletedSecondsAgo" in given:
        meta["deletionTimestamp"] = _ago(given["deletedSecondsAgo"])
    volumes = [{"name": "v", "emptyDir": {}}] if given.get("emptyDir") else []
    status = {"phase": given.get("phase", "")}
    return objects.from_raw(Pod, {"metadata": meta, "spec": {"volumes": volumes}, "status": status})


def rule(given: Mapping[str, Any], name: str = "r", **selection: Any) -> MachineDrainRule:
    told = {k: given[k] for k in ("behavior", "order") if k in given}
    raw = {"metadata": {"name": given.get("name", name), "namespace": "default"}, "spec": {"drain": told, **selection}}
    return objects.from_raw(MachineDrainRule, raw)


def classified(given: Mapping[str, Any], rules: Any = (), namespaces: Any = None) -> Verdict:
    return drain.classify(
        pod(given),
        now=NOW,
        rules=drain.rules_for(rules, {}, {}),
        namespaces=namespaces,
        daemon_set_exists=lambda _: bool(given.get("daemonSetExists", True)),
        skip_deleted_after_seconds=given.get("skipWaitForDeleteTimeoutSeconds", 0),
    )


@operation("classify_pod")
def classify_pod(case: Case) -> None:
    given = case.given["pod"]
    found = classified(given, [rule(given["rule"])] if "rule" in given else ())
    expect.same(case.expect["behavior"], found.behavior, "behavior")
    expect.same(case.expect["reason"], found.reason, "reason")
    if "order" in case.expect:
        expect.same(case.expect["order"], found.order, "order")
    if "warnings" in case.expect:
        expect.same(case.expect["warnings"], list(found.warnings), "warnings")


@operation("get_pods_for_eviction")
def get_pods_for_eviction(case: Case) -> None:
    given = case.given
    rules = [rule(given["rule"])] if "rule" in given else []
    verdict = classified(given["pod"], rules, {"default": {}})
    try:
        drain.plan([(pod(given["pod"]), verdict)])
    except DrainError as error:
        assert case.expect.get("error"), "expected no error"
        expect.mentions(case.expect.get("error_mentions", ()), str(error))
        return
    assert not case.expect.get("error"), "expected an error"


@operation("matching_drain_rules")
def matching_drain_rules(case: Case) -> None:
    given = case.given
    known = [rule({"behavior": "Drain"}, name) for name in given["rules_in_api_order"]]
    other = [{"selector": {"matchLabels": {"no": "match"}}}]
    known += [rule({"behavior": "Drain"}, name, machines=other) for name in given["not_matching"]]
    expect.same(case.expect["order"], [r.name for r in drain.rules_for(known, {"role": "worker"}, {})], "order")


@operation("rule_applies_to_machine")
def rule_applies_to_machine(case: Case) -> None:
    labels = {"matches": {"a": "b"}, "no match": {"a": "other"}}
    selection = [
        {k: {"matchLabels": labels[v]} for k, v in entry.items()} for entry in case.given.get("machines") or ()
    ]
    told = rule({"behavior": "Drain"}, **({"machines": selection} if selection else {}))
    expect.same(case.expect["result"], drain_rules.applies_to_machine(told, {"a": "b"}, {"a": "b"}))


class Evictions:
    """An API server that answers evictions as a case says."""

    initial_events = False

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = answers
        self.calls: list[Call] = []

    async def call(self, call: Call) -> Reply:
        self.calls.append(call)
        answer = self.answers.get(call.name, "")
        if answer == "NotFound":
            raise errors.NotFound("not found")
        if answer == "TooManyRequests":
            raise errors.TooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.")
        if answer:
            raise errors.InternalError(answer)
        return Reply(b'{"metadata": {}, "items": []}')

    def watch(self, call: Call) -> Any:
        raise errors.MethodNotAllowed("nothing is watched here")

    async def get_path(self, path: str) -> bytes:
        raise errors.NotFound(path)

    async def close(self) -> None:
        return None


@operation("evict_pods")
async def evict_pods(case: Case) -> None:
    given = case.given["pods"]
    judged = [
        (
            pod({"name": p["name"], **({"deletedSecondsAgo": 1} if p.get("deleting") else {})}),
            Verdict(p["behavior"], p.get("order") or 0),
        )
        for p in given
    ]
    planned = drain.plan(judged)
    client = Client(Evictions({p["name"]: p.get("evict", "") for p in given}))
    outcomes = await step.evict(client, planned.evict, None)
    result = await step.conclude(client, planned, outcomes, drain.DrainOptions(), NOW)
    by: dict[str, list[str]] = {}
    for blocker in result.waiting:
        by.setdefault(blocker.by, []).append(blocker.pod.name)
    shown = {
        "deletionTimestampSet": by.get("Deleting"),
        "failed": (by.get("Budget") or []) + (by.get("Failed") or []),
        "later": by.get("Order"),
        "waitCompletedNow": by.get("Completion"),
        "waitCompletedLater": by.get("OrderCompletion"),
        "drainCompleted": result.done,
    }
    for key, wanted in case.expect.items():
        expect.same(wanted, shown[key], key)


@operation("drain_condition_message")
def drain_condition_message(case: Case) -> None:
    given = case.given
    waiting = [Blocker(ObjectKey("d", f"a{i}"), "Deleting") for i in range(given.get("deletionTimestampSet", 0))]
    kinds = given.get("failure_kinds", 0)
    waiting += [Blocker(ObjectKey("d", f"b{i}"), "Failed", detail=f"reason {i}") for i in reversed(range(kinds))]
    waiting += [Blocker(ObjectKey("d", f"c{i}"), "Order") for i in range(given.get("evictLater", 0))]
    message = drain.condition_message(waiting, NOW)
    if "message" in case.expect:
        expect.same(case.expect["message"], message)
        return
    head, *lines = message.splitlines()
    assert "2026-01-01T00:00:00Z" in head
    assert case.expect["tail_of_first_line"] in lines[0]
    assert lines[0].count("d/a") == case.expect["pods_listed_per_line"]
    failures = [line for line in lines if "reason " in line]
    assert len(failures) == case.expect["failure_kinds_listed"]
    assert failures == sorted(failures, key=lambda line: line.rpartition("reason ")[2])
    last = lines[1 + len(failures)]
    expect.mentions(case.expect["last_failure_line_mentions"], last)


@operation("cordon_node")
async def cordon_node(case: Case) -> None:
    transport = Evictions({})
    spec = {"unschedulable": case.given["node.unschedulable"]}
    before = objects.from_raw(Node, {"metadata": {"name": "n"}, "spec": spec})
    await step.cordon(Client(transport), before)
    if before.spec.unschedulable:
        expect.same(case.expect.get("writes", 0), len(transport.calls), "writes")
    else:
        (call,) = transport.calls
        assert call.body == b'{"spec":{"unschedulable":true}}'
