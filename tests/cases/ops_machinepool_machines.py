"""The operations of `machinepool_machines.yaml`: one Machine for each infrastructure machine."""

from collections.abc import Mapping
from typing import Any

from capipool.api.admission import machine as machine_admission
from capipool.api.constants import Label
from capipool.api.core import Machine
from capipool.core.machine import decide as machine_decide
from capipool.core.machinepool import facts, machines, watches
from capipool.core.machinepool.decide import decide
from capipool.core.machinepool.world import InfraMachine, World
from capipool.core.references import Served
from capipool.machinery import objects
from capipool.machinery.resource import Resource
from capipool.runtime.store import Store
from tests.cases import admission, expect, machinepools
from tests.cases.registry import Case, operation

INFRA_MACHINE = Resource(machinepools.INFRA.group, "v1beta2", "GenericInfrastructureMachine", "genericmachines")


def _infra_machine(given: Any) -> InfraMachine:
    told = {"name": given} if isinstance(given, str) else dict(given)
    meta = {"name": told.get("name"), "labels": told.get("labels", {})}
    raw = {
        "apiVersion": told.get("apiVersion", INFRA_MACHINE.api_version),
        "kind": told.get("kind", INFRA_MACHINE.kind),
    }
    return facts.infra_machine_object(machinepools.unstructured(raw | {"metadata": meta}, INFRA_MACHINE, ""))


def _world(given: Mapping[str, Any]) -> World:
    told = expect.expand(given.get("infraPool", {}))
    told.setdefault("status", {}).setdefault("infrastructureMachineKind", "GenericInfrastructureMachine")
    pool = given.get("machinePool", "mp")
    wanted = given.get("infraMachines", [])
    wanted = [f"im-{i}" for i in range(wanted)] if isinstance(wanted, int) else wanted
    return machinepools.world(
        {"machinePool": {"name": pool} if isinstance(pool, str) else pool, "infraPool": told},
        infra_machines=tuple(_infra_machine(m) for m in wanted),
        machines=tuple(machinepools.machine(m, i) for i, m in enumerate(given.get("machines", ()))),
    )


@operation("reconcile_machines", "reconcile")
def reconcile_machines(case: Case) -> None:
    world = _world(case.given)
    plan = decide(world, machinepools.NOW)
    applied = {m["spec"]["infrastructureRef"]["name"]: m["metadata"]["name"] for m in plan.machines}
    known = {m.spec.infrastructure_ref.name: m.metadata.name for m in world.machines}
    after = known | applied
    for key, value in case.expect.items():
        if key == "machines.count":
            expect.same(value, len(after))
        elif key == "machines.names":
            assert sorted(after.values()) == sorted(value), after
        elif key == "every_infrastructureRef_resolves":
            assert set(after) == {m.object.metadata.name for m in world.infra_machines or ()}
        elif key == "server_side_apply.fieldManager":
            expect.same(value, machines.FIELD_MANAGER)
        elif key == "created":
            assert set(value) <= set(after)  # that a failure stops none of the others: tests/server/machinepool
        elif key != "error":
            raise AssertionError(f"unknown expectation {key}")


@operation("compute_desired_machine")
def compute_desired_machine(case: Case) -> None:
    told = expect.expand(case.given["machinePool"])
    template = expect.expand(case.given.get("template", {}))
    metadata = {k: template[k] for k in ("labels", "annotations") if k in template}
    spec = told.setdefault("spec", {})
    spec["template"] = {"metadata": metadata} if metadata else {}
    spec["template"]["spec"] = template.get("spec", {})
    pool = machinepools.pool(told)
    actual = machines.desired(_infra_machine(case.given["infraMachine"]), machines.in_common(pool))
    actual["machinePool"] = {"spec": {"template": {"metadata": {"labels_after": pool.spec.template.metadata.labels}}}}
    actual["spec"].setdefault("version", "")
    expect.fields(case.expect, actual)


@operation("list_infra_machines")
def list_infra_machines(case: Case) -> None:
    told = case.given["machinePool"]
    pool = machinepools.pool({"name": told["name"], "namespace": told["namespace"], "clusterName": told["clusterName"]})
    served = Served(machinepools.INFRA, "v1beta2")
    infra = facts.infra_object(machinepools.unstructured(case.given["infraPool"], machinepools.INFRA, "i"), served)
    actual = {
        "apiVersion": infra.object.api_version,
        "kind": f"{infra.object.status.get('infrastructureMachineKind', infra.machine_kind)}List",
        "namespace": pool.metadata.namespace,
        "matchLabels": machines.infra_machine_labels(pool),
    }
    expect.fields(case.expect, actual)


@operation("is_machine_excluded")
def is_machine_excluded(case: Case) -> None:
    machine = machinepools.machine({"controllerRef": case.given["machine.controllerRef"]})
    expect.same(case.expect["excluded"], machines.is_excluded(machine, case.given["machinePool.uid"]))


@operation("set_machines_up_to_date")
def set_machines_up_to_date(case: Case) -> None:
    machine = machinepools.machine(case.given["machine"])
    told = objects.part_to_raw(machines.up_to_date(machinepools.pool(), machine, None))
    expected = dict(case.expect["condition"])
    if expected.pop("message_nonempty", False):
        assert told["message"]
    expect.fields(expected, told)


@operation("map_infra_machine_to_pool")
def map_infra_machine_to_pool(case: Case) -> None:
    pools: Any = Store("MachinePool")
    watches.add_indexes(pools)
    for given in case.given["machinePools"]:
        cluster = given["labels"][Label.CLUSTER_NAME]
        pools.put(machinepools.pool({"name": given["name"], "namespace": given["namespace"], "clusterName": cluster}))
    told = case.given["infraMachine"]
    obj = machinepools.unstructured({"metadata": {**told, "name": "im"}}, INFRA_MACHINE, "im")
    expect.same(case.expect["requests"], [str(key) for key in watches.infra_machine_changed(pools, None, obj)])


@operation("has_machine_pool_machines")
def has_machine_pool_machines(case: Case) -> None:
    if case.given.get("infraPool", {}) is None:
        world = machinepools.world({"infraPool": None})
        expect.same(case.expect["result"], world.has_machines)
        assert decide(world, machinepools.NOW).problems
        return
    world = machinepools.world({"infraPool": expect.expand(case.given)["infraPool"]})
    expect.same(case.expect["result"], world.has_machines)


@operation("admission_validate_machine")
def admission_validate_machine(case: Case) -> None:
    told = case.given["machine"]
    meta = {"name": "m", "namespace": "default"} | {k: told[k] for k in ("labels", "ownerReferences") if k in told}
    for owner in meta.get("ownerReferences", ()):
        owner.setdefault("apiVersion", "cluster.x-k8s.io/v1beta2")
        owner.setdefault("uid", "u-owner")
    reference = {"apiGroup": INFRA_MACHINE.group, "kind": INFRA_MACHINE.kind, "name": "im"}
    raw = {"metadata": meta, "spec": {"clusterName": "c", "infrastructureRef": reference, **told["spec"]}}
    rules = machine_admission.rules({})
    admission.judged(rules, admission.admit(rules, "CREATE", raw, None), case.expect)


@operation("should_adopt_standalone")
def should_adopt_standalone(case: Case) -> None:
    told = case.given["machine"]
    meta = {"name": "m", "namespace": "default"} | {k: told[k] for k in ("labels", "ownerReferences") if k in told}
    reference = {"apiGroup": INFRA_MACHINE.group, "kind": INFRA_MACHINE.kind, "name": "im"}
    spec = {"clusterName": "c", "bootstrap": {"dataSecretName": ""}, "infrastructureRef": reference}
    machine = objects.from_raw(Machine, {"metadata": meta, "spec": spec})
    expect.same(case.expect["adopt"], machine_decide.is_stand_alone(machine), "adopt")
