"""The operations of `machinepool_noderefs.yaml`: which nodes a pool has, what they carry, whose an event is."""

from typing import Any

from capipool.api import indexes
from capipool.core.machinepool import nodes, watches
from capipool.core.machinepool.decide import decide
from capipool.core.machinepool.world import Nodes
from capipool.machinery import clock, objects
from capipool.machinery.patch import merge
from capipool.runtime.store import Store
from capipool.workload import nodes as nodes_of
from tests.cases import expect, machinepools
from tests.cases.registry import Case, operation


@operation("get_node_references")
def get_node_references(case: Case) -> None:
    given = case.given
    spec = {"template": {"spec": {"minReadySeconds": given["minReadySeconds"]}}}
    pool = machinepools.pool({"spec": spec})
    listed = given["providerIDList"]
    step = nodes.decide(pool, listed, _nodes(given), machinepools.NOW)
    if case.expect.get("error") == "no_matching_nodes":
        assert not step.nodes
        assert step.missing == tuple(listed)
        return
    actual = {"references": [n.metadata.name for n in step.nodes], "ready": step.ready, "available": step.available}
    expect.fields({k: v for k, v in case.expect.items() if k != "error"}, actual)


@operation("is_node_available")
def is_node_available(case: Case) -> None:
    node = machinepools.node(case.given["node"])
    now = clock.parse_time(case.given["now"])
    expect.same(case.expect["available"], nodes_of.is_available(node, case.given["minReadySeconds"], now))


@operation("build_node_map")
def build_node_map(case: Case) -> None:
    found = [machinepools.node(g) for g in case.given["workloadNodes"]]
    actual = {i: n.metadata.name for n in found for i in nodes_of.provider_ids(n)}
    assert actual == case.expect["map"], actual


@operation("patch_nodes")
def patch_nodes(case: Case) -> None:
    pool = machinepools.pool(case.given["machinePool"])
    found = {n["name"]: machinepools.node(n) for n in case.given["workloadNodes"]}
    referred = [found[name] for name in case.given["nodeRefs"] if name in found]
    patches = nodes.patches(pool, referred)
    if "writes" in case.expect:
        assert len(patches) == case.expect["writes"]
        return
    for name, wanted in case.expect.items():
        if name == "error":
            continue
        after: Any = objects.to_raw(found[name])
        for patch in patches:
            if patch.name == name:
                after = merge.apply(after, patch.patch)
        assert after["metadata"].get("annotations", {}) == wanted["annotations"], after
        expect.same(wanted["taints"], after.get("spec", {}).get("taints", []))


@operation("reconcile_node_refs")
def reconcile_node_refs(case: Case) -> None:
    given = expect.expand(case.given)
    told = given["machinePool"]
    if told.pop("deletionTimestamp", None):
        told.setdefault("metadata", {})["deletionTimestamp"] = "now"
    told.setdefault("status", {}).setdefault("initialization", {})["infrastructureProvisioned"] = True
    listed = told.get("spec", {}).get("providerIDList", [])
    infra = {"spec": {"providerIDList": listed}, "status": {"ready": True}}
    connected = None if "nodeMap" in given else _nodes(given)
    plan = decide(machinepools.world({"machinePool": told, "infraPool": infra}, nodes=connected), machinepools.NOW)
    _check(dict(case.expect), plan)


def _check(expected: dict[str, Any], plan: Any) -> None:
    if "status.nodeRefs.names" in expected:
        expect.same(expected.pop("status.nodeRefs.names"), [r.name for r in plan.pool.status.node_refs])
    if "node_writes" in expected:
        identity = sum(1 for p in plan.nodes if set(p.patch) - {"metadata"})
        expect.same(expected.pop("node_writes"), identity + len(plan.node_deletions))
    if "events" in expected:
        expect.same(expected.pop("events"), [e.reason for e in plan.events])
    if expected.get("error") == "any":
        assert plan.pool.status.node_refs == ()
        told = next(c for c in plan.pool.status.conditions if c.type == "MachinesReady")
        assert (told.status, told.reason) == ("Unknown", "ConnectionDown")
        return
    machinepools.check(expected, plan)


@operation("delete_retired_nodes")
def delete_retired_nodes(case: Case) -> None:
    given = case.given
    uids = {n["name"]: n.get("uid", f"uid-{n['name']}") for n in given["workloadNodes"]}
    refs = [{"name": name, "uid": uids.get(name, "")} for name in given["nodeRefs"]]
    pool = machinepools.pool({"status": {"nodeRefs": refs}})
    found = nodes.retired(pool, given["providerIDList"], _nodes(given))
    expect.same(case.expect["deleted"], [n.metadata.name for n in found])


@operation("map_node_to_pool")
def map_node_to_pool(case: Case) -> None:
    pools: Any = Store("MachinePool")
    watches.add_indexes(pools)
    for given in case.given["pools"]:
        meta = {"name": given["name"], "namespace": given.get("namespace", "default")}
        cluster = given.get("labels", {}).get("cluster.x-k8s.io/cluster-name", machinepools.CLUSTER)
        spec = {"clusterName": cluster, "providerIDList": given.get("providerIDList", [])}
        told = {"metadata": meta, "spec": spec, "status": {"nodeRefs": given.get("nodeRefs", [])}}
        pools.put(machinepools.pool(told))
    found = watches.pools_of_node(pools, machinepools.node(case.given["node"]))
    shown = {p.metadata.name if p.metadata.namespace == "default" else str(p.key) for p in found}
    assert shown == set(case.expect["requests"]), shown


@operation("index_by_node_name")
def index_by_node_name(case: Case) -> None:
    assert case.expect.get("indexField", watches.BY_NODE_NAME) == watches.BY_NODE_NAME
    expect.same(case.expect["keys"], list(watches.node_names(machinepools.pool(case.given["machinePool"]))))


@operation("index_by_provider_id")
def index_by_provider_id(case: Case) -> None:
    assert case.expect.get("indexField", indexes.PROVIDER_ID_LIST) == indexes.PROVIDER_ID_LIST
    expect.same(case.expect["keys"], list(indexes.pool_provider_ids(machinepools.pool(case.given["machinePool"]))))


def _nodes(given: Any) -> Nodes:
    found = machinepools.nodes(given["workloadNodes"])
    assert found is not None
    return found
