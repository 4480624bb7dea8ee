"""Worlds around one MachinePool, built from what cases give, and what cases expect of a plan for it."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from capipool.api.builtin import Node
from capipool.api.core import Cluster, ContractVersionedObjectReference, Machine, MachinePool
from capipool.api.v1beta2.machine import NodeInfo
from capipool.core.bootstrap import BootstrapObject, bootstrap_object
from capipool.core.machinepool import facts
from capipool.core.machinepool.world import InfraObject, Nodes, Plan, World
from capipool.core.references import Absent, Served
from capipool.machinery import objects
from capipool.machinery.clock import format_time
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.resource import Resource
from capipool.runtime.reconcile import RequeueAfter
from tests.cases import expect

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CLUSTER = "test-cluster"
INFRA = Resource("infrastructure.cluster.x-k8s.io", "v1beta2", "TestInfrastructureConfig", "testinfrastructureconfigs")
BOOTSTRAP = Resource("bootstrap.cluster.x-k8s.io", "v1beta2", "TestBootstrapConfig", "testbootstrapconfigs")


def pool(given: Mapping[str, Any] | None = None) -> MachinePool:
    """A MachinePool from what a case says of one; what it leaves out is filled in so that it is a valid object."""
    raw = _deep(given or {})
    meta = raw.setdefault("metadata", {})
    for key in ("name", "uid", "labels", "annotations", "finalizers", "generation", "deletionTimestamp", "namespace"):
        if key in raw:
            meta[key] = raw.pop(key)
    meta.setdefault("name", "machinepool-test")
    meta.setdefault("namespace", "default")
    meta.setdefault("uid", "u-pool")
    meta.setdefault("resourceVersion", "1")
    if (deleted := meta.get("deletionTimestamp")) is not None:
        meta["deletionTimestamp"] = _moment(deleted)
    spec = raw.setdefault("spec", {})
    cluster = spec.setdefault("clusterName", raw.pop("clusterName", CLUSTER))
    template = spec.setdefault("template", {}).setdefault("spec", {})
    template.setdefault("clusterName", cluster)
    template.setdefault("bootstrap", {"dataSecretName": "data"})
    if (data := spec.pop("bootstrap", None)) is not None:
        template["bootstrap"] = data
    template.setdefault("infrastructureRef", _reference(INFRA, "infra-config1"))
    status = raw.setdefault("status", {})
    status["nodeRefs"] = [_node_ref(r) for r in status.get("nodeRefs", ())]
    return objects.from_raw(MachinePool, {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "MachinePool", **raw})


def cluster(**spec: Any) -> Cluster:
    """The pool's Cluster."""
    raw = {"metadata": {"name": CLUSTER, "namespace": "default", "uid": "u-cluster"}, "spec": spec}
    return objects.from_raw(Cluster, {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", **raw})


def node(given: Mapping[str, Any]) -> Node:
    """A Node from the shorthand of the cases: name, providerID, uid, ready, readySince, kubeletVersion, taints."""
    status: Raw = {"nodeInfo": {"kubeletVersion": given.get("kubeletVersion", "")}}
    if (ready := given.get("ready", "absent")) != "absent":
        condition = {"type": "Ready", "status": ready}
        if "readySince" in given:
            condition["lastTransitionTime"] = given["readySince"]
        status["conditions"] = [condition]
    name = given.get("name", "node")
    meta = {"name": name, "uid": given.get("uid", f"uid-{name}"), "resourceVersion": "1"}
    meta["annotations"] = dict(given.get("annotations", {}))
    meta["labels"] = dict(given.get("labels", {}))
    taints = [{"effect": "", **t} for t in given.get("taints", ())]
    spec = {"providerID": given.get("providerID", ""), "taints": taints}
    return objects.from_raw(
        Node, {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": spec, "status": status}
    )


def nodes(given: list[Mapping[str, Any]] | None) -> Nodes | None:
    """The nodes of a connected workload cluster; None where the case has no workload cluster."""
    if given is None:
        return None
    found = [node(g) for g in given]
    by_id: dict[str, list[Node]] = {}
    for n in found:
        if n.spec.provider_id:
            by_id.setdefault(n.spec.provider_id, []).append(n)
    return Nodes(by_id, {n.metadata.name: n for n in found})


def unstructured(given: Mapping[str, Any], resource: Resource, name: str) -> Unstructured:
    """A provider's object; `legacyReadyCondition` stands for the one in its v1beta1 conditions."""
    raw = _deep(given)
    legacy = raw.pop("legacyReadyCondition", None)
    if legacy:
        told = {"type": "Ready", "lastTransitionTime": format_time(NOW), **legacy}
        raw.setdefault("status", {})["deprecated"] = {"v1beta1": {"conditions": [told]}}
    meta = {"name": name, "namespace": "default", "uid": f"u-{name}", "resourceVersion": "1", **raw.pop("metadata", {})}
    if "name" in raw:
        meta["name"] = raw.pop("name")
    defaults = {"apiVersion": resource.api_version, "kind": resource.kind}
    return objects.from_raw(Unstructured, {**defaults, **raw, "metadata": meta})


def infra(given: Mapping[str, Any] | None, reference: ContractVersionedObjectReference) -> InfraObject | Absent:
    """The infrastructure object of a case, or that there is none."""
    if given is None:
        return Absent(reference, "not found", f"{reference.kind} {reference.name} does not exist")
    return facts.infra_object(unstructured(given, INFRA, "infra-config1"), Served(INFRA, "v1beta2"))


def bootstrap(
    given: Mapping[str, Any] | None, reference: ContractVersionedObjectReference | None
) -> BootstrapObject | Absent | None:
    """The bootstrap object that a pool refers to: there, missing (also: in another namespace), or not referred to."""
    if reference is None:
        return None
    obj = unstructured(given, BOOTSTRAP, reference.name) if given is not None else None
    if obj is None or obj.metadata.namespace != "default":
        return Absent(reference, "not found", f"{reference.kind} {reference.name} does not exist")
    return bootstrap_object(obj, Served(BOOTSTRAP, "v1beta2"))


def world(given: Mapping[str, Any], the_pool: MachinePool | None = None, **changes: Any) -> World:
    """The world of a case; without `workloadNodes` its workload cluster is not connected."""
    the_pool = the_pool or pool(given.get("machinePool"))
    spec = the_pool.spec.template.spec
    found: dict[str, Any] = {
        "pool": the_pool,
        "cluster": cluster(),
        "infra": infra(given.get("infraPool"), spec.infrastructure_ref),
        "bootstrap": bootstrap(given.get("bootstrapConfig"), spec.bootstrap.config_ref),
        "nodes": nodes(given.get("workloadNodes")),
        "nodes_unavailable": "no workload cluster in this case",
    }
    return World(**(found | changes))


def machine(given: Mapping[str, Any], number: int = 0) -> Machine:
    """A Machine from the shorthand of the cases."""
    name = given.get("name", f"m-{number}")
    meta: Raw = {"name": name, "namespace": "default", "uid": f"u-{name}", "resourceVersion": "1"}
    meta |= {key: given[key] for key in ("labels", "ownerReferences", "creationTimestamp") if key in given}
    if given.get("deletionTimestamp"):
        meta["deletionTimestamp"] = format_time(NOW)
    if given.get("controllerRef"):
        ref = {"apiVersion": "cluster.x-k8s.io/v1beta2", "name": "x", "controller": True, **given["controllerRef"]}
        meta["ownerReferences"] = [ref]
    reference = _reference(INFRA, given.get("infrastructureRef.name", name))
    spec = {"clusterName": CLUSTER, "bootstrap": {}, "infrastructureRef": reference}
    if "spec.version" in given:
        spec["version"] = given["spec.version"]
    told = given.get("conditions", {})
    status: Raw = {"conditions": [{"type": t, "status": s, "reason": "R"} for t, s in told.items()]}
    if "nodeInfo.kubeletVersion" in given:
        blank = [f.encode_name for f in msgspec.structs.fields(NodeInfo) if f.required]
        status["nodeInfo"] = dict.fromkeys(blank, "") | {"kubeletVersion": given["nodeInfo.kubeletVersion"]}
    raw = {
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "Machine",
        "metadata": meta,
        "spec": spec,
        "status": status,
    }
    return objects.from_raw(Machine, raw)


def check(expected: Mapping[str, Any], plan: Plan, errors: str = "") -> None:
    """Hold a plan against what a case expects: of the pool by field path, of nodes, conditions and the result."""
    actual = objects.to_raw(plan.pool)
    for key, value in expected.items():
        if key == "error":
            _check_error(value, plan, errors)
        elif key == "requeueAfter":
            delay = plan.result.delay.total_seconds() if isinstance(plan.result, RequeueAfter) else 0
            expect.same(value, int(delay), key)
        elif key == "legacyConditions":
            legacy_conditions(value, plan.pool)
        elif key.startswith("node_") and value in ("kept", "deleted"):
            gone = key.removeprefix("node_") in {d.name for d in plan.node_deletions}
            expect.same(value == "deleted", gone, key)
        elif key.endswith("_is_true"):
            expect.same(value, expect.lookup(actual, key.removesuffix("_is_true")) is True, key)
        else:
            found = expect.lookup(actual, key)
            expect.same(value, [] if value == [] and found is expect.ABSENT else found, key)


def legacy_conditions(expected: list[Mapping[str, Any]], the_pool: MachinePool) -> None:
    """Each expected condition is there, and says what is expected of it."""
    found = {c.type: objects.part_to_raw(c) for c in the_pool.status.deprecated.v1beta1.conditions}
    for condition in expected:
        expect.same(condition, found.get(condition["type"]), condition["type"])


def _check_error(value: Any, plan: Plan, errors: str) -> None:
    told = errors or " ".join(p.message for p in plan.problems)
    if value is None:
        assert not told, f"expected no error, got {told!r}"
    else:
        assert told, "expected an error"
        if value == "not_found":
            expect.mentions("does not exist", told)


def _reference(resource: Resource, name: str) -> Raw:
    return {"apiGroup": resource.group, "kind": resource.kind, "name": name}


def _node_ref(given: Any) -> Raw:
    if isinstance(given, str):
        return {"apiVersion": "v1", "kind": "Node", "name": given}
    return {"apiVersion": "v1", "kind": "Node", **given}


def _moment(text: str) -> str:
    """`set`, `now` and `now-60s` as a time of the wire."""
    if text.startswith("now-"):
        return format_time(NOW - dt.timedelta(seconds=int(text[4:-1])))
    return format_time(NOW)


def _deep(value: Mapping[str, Any]) -> Raw:
    copied: Raw = msgspec.json.decode(msgspec.json.encode(expect.expand(value)))
    return copied
