"""The operations of `machinepool_phases.yaml`: phase, bootstrap and infrastructure steps."""

from typing import Any

from capipool.core.machinepool import status
from capipool.core.machinepool.decide import decide
from capipool.core.machinepool.world import Plan
from capipool.core.writes import ObjectPatch
from capipool.machinery import objects
from tests.cases import expect, machinepools
from tests.cases.registry import Case, operation


@operation("compute_phase")
def compute_phase(case: Case) -> None:
    expect.fields(case.expect, {"status": {"phase": status.phase(machinepools.pool(case.given["machinePool"]))}})


@operation("read_typed_phase")
def read_typed_phase(case: Case) -> None:
    expect.same(case.expect["typedPhase"], status.typed_phase(case.given["status.phase"]))


@operation("reconcile_bootstrap")
def reconcile_bootstrap(case: Case) -> None:
    plan = decide(machinepools.world({"infraPool": {}} | dict(case.given)), machinepools.NOW)
    machinepools.check(case.expect, plan)


@operation("reconcile_infrastructure")
def reconcile_infrastructure(case: Case) -> None:
    """The infrastructure step sees a workload cluster in which no instance has joined yet."""
    given = expect.expand(case.given)
    deletion = given["machinePool"].pop("infraDeletionTimestamp", None)
    if deletion:
        given["infraPool"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    plan = decide(machinepools.world({"workloadNodes": [], **given}), machinepools.NOW)
    expected = dict(case.expect)
    expected.pop("requeueAfter", None)  # of this step alone; nodes that are to come are another step's concern
    machinepools.check(expected, plan)


@operation("reconcile")
def reconcile(case: Case) -> None:
    given: dict[str, Any] = dict(case.given)
    if "bootstrapConfig" in given and "machinePool" in given:
        given["machinePool"] = _referring(
            given["machinePool"], given["bootstrapConfig"].get("name", "bootstrap-config1")
        )
    plan = decide(machinepools.world(given), machinepools.NOW)
    expected = dict(case.expect)
    for which in ("bootstrapConfig", "infraPool"):
        if which in expected:
            _owned(expected.pop(which), given.get(which, {}), plan)
    machinepools.check(expected, plan)


@operation("point configRef.name at bootstrap-config2, then reconcile")
def switch_bootstrap(case: Case) -> None:
    """A running pool of one ready node is pointed at another bootstrap object."""
    new = case.given["newBootstrapConfig"]
    running = {
        "spec": {"replicas": 1, "bootstrap": {"dataSecretName": case.given["machinePool"]["dataSecretName"]}},
        "status": {
            "phase": "Running",
            "initialization": {"bootstrapDataSecretCreated": True, "infrastructureProvisioned": True},
        },
    }
    ready = {"name": "n1", "providerID": "test://id-1", "ready": "True"}
    given = {
        "machinePool": _referring(running, new["name"]),
        "bootstrapConfig": new,
        "infraPool": case.given["infraPool"],
        "workloadNodes": [ready],
    }
    machinepools.check(case.expect, decide(machinepools.world(given), machinepools.NOW))


def _referring(pool: dict[str, Any], bootstrap: str) -> dict[str, Any]:
    """The pool with a reference to a bootstrap object, and all else as it was."""
    raw = objects.part_to_raw(machinepools.pool(pool))
    ref = {"apiGroup": machinepools.BOOTSTRAP.group, "kind": machinepools.BOOTSTRAP.kind, "name": bootstrap}
    data = raw["spec"]["template"]["spec"].setdefault("bootstrap", {})
    data["configRef"] = ref
    if not expect.expand(pool).get("spec", {}).get("bootstrap"):
        data.pop("dataSecretName", None)
    return raw


def _owned(expected: dict[str, Any], given: dict[str, Any], plan: Plan) -> None:
    """A provider's object, after its patch, has the expected owner and label."""
    name = given["name"]
    patch = next(p for p in plan.objects if isinstance(p, ObjectPatch) and p.key.name == name)
    owners = patch.patch["metadata"]["ownerReferences"]
    expect.same(expected["labels"], patch.patch["metadata"]["labels"])
    expect.same(expected["ownerReferences.count"], len(owners))
    if "ownerReferences[0]" in expected:
        expect.same(expected["ownerReferences[0]"], owners[0])
