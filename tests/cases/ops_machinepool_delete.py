"""The operations of `machinepool_delete.yaml`: a pool on its way out."""

from typing import Any

from capipool.core.machinepool import deletion
from capipool.core.machinepool.decide import decide
from tests.cases import expect, machinepools
from tests.cases.registry import Case, operation

FINALIZER = "machinepool.cluster.x-k8s.io"


@operation("delete_external")
def delete_external(case: Case) -> None:
    ref = {"apiGroup": machinepools.BOOTSTRAP.group, "kind": machinepools.BOOTSTRAP.kind, "name": "bootstrap-config1"}
    pool = {"deletionTimestamp": "now", "finalizers": [FINALIZER], "spec": {"bootstrap": {"configRef": ref}}}
    given = {
        "machinePool": pool,
        "bootstrapConfig": {} if case.given["bootstrapExists"] else None,
        "infraPool": {} if case.given["infraExists"] else None,
        "workloadNodes": [],
    }
    plan = decide(machinepools.world(given), machinepools.NOW)
    asked = {"bootstrap" if d.resource == machinepools.BOOTSTRAP else "infra" for d in plan.deletions}
    assert asked == set(case.expect["delete_requested_for"]), asked
    assert (FINALIZER not in plan.pool.metadata.finalizers) is case.expect["all_gone"]


@operation("reconcile")
def reconcile(case: Case) -> None:
    given = expect.expand(case.given)
    given["machinePool"] = expect.expand(given["machinePool"])
    given["machinePool"].setdefault("finalizers", [FINALIZER])
    if seconds := given["machinePool"].get("spec", {}).pop("template.spec.deletion.nodeDeletionTimeoutSeconds", None):
        given["machinePool"]["spec"]["template"] = {"spec": {"deletion": {"nodeDeletionTimeoutSeconds": seconds}}}
    fails = given.get("node_delete_fails", False)
    infra = given.get("infraPool")
    if infra is not None:
        infra.pop("exists", None)
        given["infraPool"] = expect.expand(infra)
    _check(case.expect, decide(machinepools.world({"workloadNodes": [], **given}), machinepools.NOW), fails)


def _check(expected: dict[str, Any], plan: Any, node_delete_fails: bool) -> None:
    stuck = node_delete_fails and plan.node_deletions and not all(d.forgive for d in plan.node_deletions)
    gone = FINALIZER not in plan.pool.metadata.finalizers and not stuck
    for key, value in expected.items():
        if key == "finalizers":
            expect.same(value, list(plan.pool.metadata.finalizers))
        elif key == "pool_exists":
            assert gone is not value
        elif key == "nodes_deleted":
            expect.same(value, [d.name for d in plan.node_deletions])
        elif key == "error":
            assert bool(stuck) is (value == "any")
        elif key == "requeueAfter":
            assert not hasattr(plan.result, "delay")
        elif key == "status.initialization":
            assert plan.pool.status.initialization == machinepools.pool().status.initialization
        else:
            machinepools.check({key: value}, plan)


@operation("node_delete_timeout_passed")
def node_delete_timeout_passed(case: Case) -> None:
    told = case.given["machinePool"]
    seconds = told["nodeDeletionTimeoutSeconds"]
    spec = {"template": {"spec": {"deletion": {"nodeDeletionTimeoutSeconds": seconds}}}} if seconds is not None else {}
    given = {"spec": spec} | ({"deletionTimestamp": told["deletionTimestamp"]} if told["deletionTimestamp"] else {})
    passed = deletion.timeout_passed(machinepools.pool(given), machinepools.NOW)
    expect.same(case.expect["passed"], passed)
