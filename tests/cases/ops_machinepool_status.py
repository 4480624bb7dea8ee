"""The operations of `machinepool_status.yaml`: counters, versions, finalizer, owner, pause."""

from typing import Any

from capipool.api.constants import Finalizer
from capipool.core import ownership
from capipool.core.machinepool import versions
from capipool.core.machinepool.decide import decide
from capipool.core.machinepool.versions import Counted
from capipool.machinery import objects
from tests.cases import expect, machinepools
from tests.cases.registry import Case, operation


@operation("set_replicas")
def set_replicas(case: Case) -> None:
    given = dict(case.given)
    told = dict(given.get("machinePool") or {})
    kind = {"infrastructureMachineKind": "TestMachine"} if given["hasMachines"] else {}
    wanted = [{"name": n, "uid": f"uid-{n}"} for n in told.get("status", {}).get("nodeRefs", [])]
    listed = [f"id-{n['name']}" for n in wanted]
    found = [{**n, "providerID": f"id-{n['name']}"} for n in given.get("workloadNodes", [])]
    world = machinepools.world(
        {
            "machinePool": {**told, "status": {**told.get("status", {}), "nodeRefs": wanted}},
            "infraPool": {"spec": {"providerIDList": listed}, "status": {"ready": True, **kind}},
            "workloadNodes": found,
        },
        machines=tuple(machinepools.machine(m, i) for i, m in enumerate(given.get("machines", ()))),
    )
    actual = objects.to_raw(decide(world, machinepools.NOW).pool)
    expect.fields(case.expect, actual)


@operation("update_status")
def update_status(case: Case) -> None:
    given = {"machinePool": case.given["machinePool"], "infraPool": None, "workloadNodes": []}
    plan = decide(machinepools.world(given), machinepools.NOW)
    expect.fields({k: v for k, v in case.expect.items() if k != "error"}, objects.to_raw(plan.pool))


@operation("aggregate_versions")
def aggregate_versions(case: Case) -> None:
    found = versions.aggregate(Counted(v["version"], v["replicas"]) for v in case.given["versions"])
    actual = [{"version": v.version, "replicas": v.replicas} for v in found]
    expect.same(case.expect["versions"], actual or None)


@operation("versions_from_machines")
def versions_from_machines(case: Case) -> None:
    machines = [machinepools.machine(m, i) for i, m in enumerate(case.given["machines"]) if m is not None]
    actual = [{"version": v.version, "replicas": v.replicas} for v in versions.of_machines(machines)]
    expect.same(case.expect["versions"], actual)


@operation("ensure_finalizer")
def ensure_finalizer(case: Case) -> None:
    pool = machinepools.pool(case.given["machinePool"])
    wanted = ownership.joined(pool, machinepools.cluster(), Finalizer.MACHINE_POOL)
    expect.same(case.expect["finalizers"], list(wanted.finalizers))


@operation("reconcile")
def reconcile(case: Case) -> None:
    given = expect.expand(case.given)
    world = _world(given)
    plan = decide(world, machinepools.NOW)
    raw = objects.to_raw(plan.pool)
    work = [*plan.objects, *plan.deletions, *plan.nodes, *plan.node_deletions]
    for key, value in case.expect.items():
        if key == "finalizers":
            expect.same(value, raw["metadata"].get("finalizers", []))
        elif key == "labels":
            expect.same(value, raw["metadata"]["labels"])
        elif key == "stops_after_this_write":
            assert not value or not work, "the reconcile goes on"
        elif key == "work_done":
            assert bool(work) is value
        elif key == "message_mentions":
            expect.mentions(value, plan.pool.status.conditions[-1].message)
        elif key == "legacyConditions_all":
            found = plan.pool.status.deprecated.v1beta1.conditions
            assert [c.status for c in found] == [value] * len(found), found
        elif key == "types_include":
            assert set(value) <= {c.type for c in plan.pool.status.deprecated.v1beta1.conditions}
        elif key == "result":
            expect.same(0, getattr(plan.result, "delay", 0), key)
        elif key == "exists":
            assert value
        else:
            machinepools.check({key: value}, plan)


@operation("reconcile twice")
def reconcile_twice(case: Case) -> None:
    given = {"machinePool": {**case.given["machinePool"], "clusterName": case.given["cluster"]}, "infraPool": {}}
    world = machinepools.world(given)
    first = decide(world, machinepools.NOW)
    expect.same(case.expect["after_first"]["finalizers"], list(first.pool.metadata.finalizers))
    second = decide(machinepools.world(given, first.pool), machinepools.NOW)
    owners = [objects.part_to_raw(o) for o in second.pool.metadata.owner_references]
    expect.same(case.expect["after_second"]["ownerReferences"], owners)
    assert "controller" not in owners[0]


def _world(given: dict[str, Any]) -> Any:
    told = given.setdefault("machinePool", {})
    paused = given.get("cluster.spec.paused", (given.get("cluster") or {}).get("spec", {}).get("paused"))
    changes: dict[str, Any] = {"cluster": machinepools.cluster(paused=bool(paused))}
    if "cluster" in given and given["cluster"] is None:
        changes["cluster"] = None
    told = expect.expand(told)
    bootstrap = told.get("spec", {}).pop("bootstrap.dataSecretName", None)
    if bootstrap:
        told["spec"]["bootstrap"] = {"dataSecretName": bootstrap}
    deprecated = told.get("status", {}).pop("deprecated.v1beta1.readyReplicas", None)
    if deprecated is not None:
        told["status"]["deprecated"] = {"v1beta1": {"readyReplicas": deprecated}}
    if given.get("bootstrapConfig") is not None:
        ref = {"apiGroup": machinepools.BOOTSTRAP.group, "kind": machinepools.BOOTSTRAP.kind, "name": "b"}
        told["spec"].setdefault("bootstrap", {})["configRef"] = ref
    infra = given.get("infraPool", {"status": {"ready": True}})
    if infra is not None:
        infra = expect.expand(infra)
    return machinepools.world({**given, "machinePool": told, "infraPool": infra}, **changes)
