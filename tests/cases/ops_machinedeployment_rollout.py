"""Operations of machinedeployment_rollout.yaml: how far a rollout goes, and a whole rollout as a simulation."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from capipool.api.core import MachineDeployment, MachineSet, MachineTemplateSpec
from capipool.core import templates
from capipool.core.machinedeployment import revisions, rollout, status
from capipool.core.machinedeployment import sets as machinesets
from capipool.core.machinedeployment.rollout import Rollout, SetSize
from capipool.machinery import objects
from tests.cases import expect
from tests.cases.registry import Case, operation

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MOVE = "in-place-updates.internal.cluster.x-k8s.io"
_REFERENCE = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "TestMachineTemplate", "name": "infra1"}


def size(given: Mapping[str, Any], name: str = "new") -> SetSize:
    return SetSize(
        given.get("name", name), given["spec"], given.get("status", 0), given.get("available", 0), given["spec"]
    )


def planned(given: Mapping[str, Any]) -> Rollout:
    strategy = {**(given.get("strategy") or {}), **given}
    surge, unavailable = 0, 0
    if strategy.get("type") != "OnDelete":
        surge = strategy.get("maxSurge", 0)
        unavailable = strategy.get("maxUnavailable", 0)
    old = tuple(size(s) for s in given.get("oldMachineSets", ()))
    return Rollout(given.get("replicas", 0), size(given["newMachineSet"]), old, surge, unavailable)


@operation("plan_new_machineset", "new_machineset_replicas")
def plan_new(case: Case) -> None:
    world = planned(case.given)
    replicas = rollout.new_replicas(world, surge=world.surge)
    expect.same(case.expect.get("newMachineSet.replicas", case.expect.get("result")), after_new(case, world, replicas))


def after_new(case: Case, world: Rollout, replicas: int) -> int:
    """`new_machineset_replicas` asks for the size that there is room for, whatever the deployment wants."""
    if case.when == "new_machineset_replicas":
        return max(world.new.spec, replicas)
    return rollout.plan_new(world, surge=world.surge).get(world.new.name, world.new.spec)


@operation("resolve_fenceposts")
def fenceposts(case: Case) -> None:
    given = case.given
    try:
        surge, unavailable = rollout.resolve_fenceposts(given["maxSurge"], given["maxUnavailable"], given["replicas"])
    except ValueError:
        assert case.expect.get("error"), "expected no error"
        return
    assert not case.expect.get("error"), "expected an error"
    expect.same([case.expect["surge"], case.expect["unavailable"]], [surge, unavailable])


@operation("max_unavailable")
def max_unavailable(case: Case) -> None:
    given = case.given
    found = rollout.max_unavailable(given["maxSurge"], given["maxUnavailable"], given["replicas"])
    expect.same(case.expect["result"], found)


@operation("plan_old_machinesets")
def plan_old(case: Case) -> None:
    expect.same(case.expect["scaleIntents"], dict(rollout.plan_old(planned(case.given), case.given["scaleIntents"])))


@operation("plan_old_machinesets_ondelete")
def plan_old_on_delete(case: Case) -> None:
    found = rollout.plan_old_on_delete(planned(case.given), case.given["scaleIntents"])
    expect.same(case.expect["scaleIntents"], dict(found))


@operation("break_deadlock")
def break_deadlock(case: Case) -> None:
    found = rollout.break_deadlock(planned(case.given), case.given["scaleIntents"])
    expect.same(case.expect["scaleIntents"], dict(found))


@operation("acknowledge_moves")
def acknowledge(case: Case) -> None:
    known = case.given["newMachineSet"].get(f"previous_{MOVE}/acknowledged-move") or ""
    pending = [m["name"] for m in case.given["machines"] if m[f"{MOVE}/pending-acknowledge-move"]]
    replicas, names = rollout.acknowledge_moves(size(case.given["newMachineSet"]), known.split(","), pending)
    actual = {"newMachineSet.replicas": replicas, f"{MOVE}/acknowledged-move": ",".join(names) or None}
    for key, wanted in case.expect.items():
        expect.same(wanted, actual[key], key)


@operation("deployment_complete")
def complete(case: Case) -> None:
    given = case.given
    seen = given["status"].get("observedGeneration", given.get("generation", 1))
    raw = {
        "metadata": {"name": "md", "generation": given.get("generation", 1)},
        "spec": deployment_spec(given["replicas"]),
        "status": {**given["status"], "observedGeneration": seen},
    }
    expect.same(case.expect["result"], status.is_complete(objects.from_raw(MachineDeployment, raw)))


def deployment_spec(replicas: int, **strategy: Any) -> dict[str, Any]:
    machine = {"clusterName": "c", "bootstrap": {"dataSecretName": "d"}, "infrastructureRef": _REFERENCE}
    rolling = {"maxSurge": strategy.pop("maxSurge", 1), "maxUnavailable": strategy.pop("maxUnavailable", 0)}
    kind = strategy.pop("type", "RollingUpdate")
    chosen = {"type": kind} if kind == "OnDelete" else {"type": kind, "rollingUpdate": rolling}
    return {
        "clusterName": "c",
        "replicas": replicas,
        "selector": {"matchLabels": {"foo": "bar"}},
        "template": {"metadata": {"labels": {"foo": "bar"}}, "spec": machine},
        "rollout": {"strategy": chosen},
    }


def deployment(replicas: int, annotations: Mapping[str, str] | None = None, **strategy: Any) -> MachineDeployment:
    metadata = {"name": "md", "namespace": "default", "uid": "u-md", "annotations": dict(annotations or {})}
    return objects.from_raw(MachineDeployment, {"metadata": metadata, "spec": deployment_spec(replicas, **strategy)})


def machine_set(given: Mapping[str, Any]) -> MachineSet:
    wanted = deployment_spec(0)
    replicas = given.get("spec", given.get("status.replicas", 0))
    labels = {"machine-template-hash": "x"}
    metadata = {
        "name": given.get("name", "ms"),
        "namespace": "default",
        "uid": "u-ms",
        "labels": labels,
        "annotations": given.get("annotations") or {},
    }
    legacy = {"readyReplicas": given.get("legacyReady", 0), "availableReplicas": given.get("legacyAvailable", 0)}
    shown = {
        "replicas": given.get("status.replicas", replicas),
        "availableReplicas": given.get("available", 0),
        "deprecated": {"v1beta1": legacy},
    }
    spec = {key: wanted[key] for key in ("clusterName", "selector", "template")} | {"replicas": replicas}
    return objects.from_raw(MachineSet, {"metadata": metadata, "spec": spec, "status": shown})


@operation("is_saturated")
def saturated(case: Case) -> None:
    given = case.given
    found = revisions.is_saturated(deployment(given["replicas"]), machine_set(given["machineSet"]))
    expect.same(case.expect["result"], found)


@operation("compute_revision")
def revision(case: Case) -> None:
    own = case.given["newMachineSet.annotations"]
    found = revisions.revision_annotations(own, case.given["oldRevisions"])
    expect.same(case.expect["annotations"], found)
    expect.same(case.expect["revision"], found["machinedeployment.clusters.x-k8s.io/revision"])


@operation("compute_desired_new_machineset")
def desired_new(case: Case) -> None:
    wanted = machinesets.desired_new(deployment(1), None, (), name="md-abcde", suffix="abcde")
    expect.fields({"annotations": case.expect["annotations"]}, wanted["metadata"])


@operation("compute_desired_old_machineset")
def desired_old(case: Case) -> None:
    md = deployment(1, type=case.given["strategy"])
    wanted = machinesets.desired_old(md, machine_set({"annotations": case.given["annotations"]}))
    expect.fields({"annotations": case.expect["annotations"]}, wanted["metadata"])


@operation("machineset_annotations")
def annotations(case: Case) -> None:
    given = case.given
    md = deployment(given["replicas"], given["annotations"], maxSurge=given["maxSurge"])
    assert revisions.set_annotations(md, given["maxSurge"]) == case.expect["annotations"]


@operation("legacy_status")
def legacy_status(case: Case) -> None:
    sets = [machine_set(s) for s in case.given["machineSets"]]
    md = deployment(case.given["replicas"])
    counted = status.count(md, sets[-1], tuple(sets[:-1]), NOW)
    expect.fields(case.expect, {"status": objects.part_to_raw(counted)})


@operation("sync_status")
def sync_status(case: Case) -> None:
    given = case.given
    new = None
    if given.get("newMachineSet", True) is not None:
        new = machine_set({"spec": given["replicas"], "legacyAvailable": given["legacyAvailable"]})
    counted = status.count(deployment(given.get("replicas", 1)), new, (), NOW)
    found = {c.type: objects.part_to_raw(c) for c in counted.deprecated.v1beta1.conditions}
    for wanted in case.expect["legacyConditions"]:
        expect.fields(wanted, found[wanted["type"]])


@operation("scale_machineset")
def scale(case: Case) -> None:
    md = deployment(case.given["deployment.replicas"])
    ms = objects.replace(
        machine_set({}), spec=objects.replace_part(machine_set({}).spec, replicas=case.given["machineSet.replicas"])
    )
    try:
        machinesets.world(md, machinesets.size(ms, ()), ())
    except ValueError:
        assert case.expect.get("error"), "expected no error"
        return
    assert not case.expect.get("error"), "expected an error"


@operation("template_up_to_date")
def template_up_to_date(case: Case) -> None:
    current = template(case.given["current"])
    changed = template({**case.given["current"], **case.given["desiredChanges"]})
    expect.same(case.expect["upToDate"], templates.is_up_to_date(current, changed))


def template(given: Mapping[str, Any]) -> MachineTemplateSpec:
    given = dict(given)
    metadata = {"annotations": given.pop("metadata.annotations", {}), "labels": given.pop("metadata.labels", {})}
    if given.get("taints") == "changed":
        given["taints"] = [{"key": "a", "effect": "NoSchedule", "propagation": "Always"}]
    bootstrap = given.pop("bootstrap", None)
    spec = {"clusterName": "c", **expect.expand(given)}
    spec["infrastructureRef"] = {**_REFERENCE, **spec.get("infrastructureRef", {})}
    config = {"apiGroup": "bootstrap.cluster.x-k8s.io", "kind": "TestConfigTemplate"}
    config |= spec.get("bootstrap", {}).get("configRef", {})
    spec["bootstrap"] = bootstrap or {"configRef": config}
    raw = {"spec": deployment_spec(1) | {"template": {"metadata": metadata, "spec": spec}}}
    return objects.from_raw(MachineDeployment, raw).spec.template


# --- a rollout from its beginning to its end


@dataclass
class Simulated:
    """A MachineSet and its machines by number; those `pending` were moved here, those `updating` are being updated."""

    name: str
    spec: int
    machines: list[int] = field(default_factory=list)
    pending: set[int] = field(default_factory=set)
    acknowledged: set[int] = field(default_factory=set)
    updating: set[int] = field(default_factory=set)

    def size(self) -> SetSize:
        well = len(self.machines) - len(self.updating | self.pending)
        return SetSize(self.name, self.spec, len(self.machines), well, well)


@dataclass
class Simulation:
    """A deployment whose controllers run one after the other. Machines are available the moment they are made."""

    replicas: int
    sets: list[Simulated]
    surge: int
    unavailable: int
    in_place: bool
    on_delete: bool
    moving: tuple[str, ...] = ()
    made: int = 0
    passes: list[dict[str, int]] = field(default_factory=list)

    @property
    def new(self) -> Simulated:
        return self.sets[-1]

    def plan(self) -> None:
        """One pass of the deployment."""
        self._acknowledge()
        candidates = frozenset(s.name for s in self.sets[:-1]) if self.in_place else frozenset()
        world = Rollout(
            self.replicas,
            self.new.size(),
            tuple(s.size() for s in self.sets[:-1]),
            self.surge,
            self.unavailable,
            candidates,
            bool(self.new.updating),
        )
        intents = rollout.plan_on_delete(world) if self.on_delete else rollout.plan_rolling_update(world)
        self.moving = rollout.in_place_candidates(world)
        for s in self.sets:
            s.spec = intents.get(s.name, s.spec)
        self.passes.append({s.name: s.spec for s in self.sets})

    def _acknowledge(self) -> None:
        known = [f"m{n}" for n in self.new.acknowledged]
        pending = [f"m{n}" for n in self.new.pending]
        self.new.spec, names = rollout.acknowledge_moves(self.new.size(), known, pending)
        self.new.acknowledged = {int(name[1:]) for name in names}

    def settle(self) -> None:
        """Every set makes, moves or deletes machines until it has as many as it is to have."""
        for s in self.sets:
            if s is self.new:
                finished = set(s.updating)
                s.updating = (s.updating - finished) | (s.pending & s.acknowledged)
                s.pending -= s.acknowledged
            waiting = len(s.pending) if s is self.new else 0
            while len(s.machines) - waiting < s.spec:
                self.made += 1
                s.machines.append(self.made)
            while len(s.machines) - waiting > s.spec:
                gone = min(s.machines)
                s.machines.remove(gone)
                if s.name in self.moving:
                    self.new.machines.append(gone)
                    self.new.pending.add(gone)

    def delete_by_hand(self, at_most: int) -> bool:
        """What OnDelete waits for. False where no old machine is left."""
        old = sorted(n for s in self.sets[:-1] for n in s.machines)[:at_most]
        for s in self.sets[:-1]:
            s.machines = [n for n in s.machines if n not in old]
        return bool(old)

    @property
    def finished(self) -> bool:
        new = self.new
        rest = any(s.spec or s.machines for s in self.sets[:-1])
        return not rest and len(new.machines) == new.spec == self.replicas and not new.updating | new.pending


@operation("simulate_rollout")
def simulate(case: Case) -> None:
    world = simulation(case.given)
    for _ in range(60):
        world.plan()
        world.settle()
        if world.finished:
            break
        if world.on_delete:
            world.delete_by_hand(case.given["userDeletesAtMost"])
    world.plan()
    assert world.finished, f"the rollout does not end: {world.passes[-5:]}"
    expect.same(case.expect["newMachineSet"], world.new.name)
    expect.same(case.expect["final"], {s.name: s.spec for s in world.sets})
    expect.same(case.expect["finalMachines"], [f"m{n}" for n in sorted(world.new.machines)])
    if "specReplicasAfterEachDeploymentPass" in case.expect:
        expect.same(case.expect["specReplicasAfterEachDeploymentPass"], world.passes, "passes")


def simulation(given: Mapping[str, Any]) -> Simulation:
    sizes = dict(given["initialSpecReplicas"])
    if (len(sizes) == 1 or given.get("templateChangedMidRollout")) and all(sizes.values()):
        sizes[f"ms{len(sizes) + 1}"] = 0
    world = Simulation(
        replicas=given["replicas"],
        sets=[Simulated(name, count) for name, count in sizes.items()],
        surge=given.get("maxSurge", 0),
        unavailable=given.get("maxUnavailable", 0),
        in_place=given["inPlaceUpdatePossible"],
        on_delete=given["strategy"] == "OnDelete",
    )
    world.made = first_machine(given)
    for s in world.sets:
        s.machines = list(range(world.made + 1, world.made + s.spec + 1))
        world.made += s.spec
    return world


def first_machine(given: Mapping[str, Any]) -> int:
    """Machines that were replaced before the case begins, and took numbers: as many as the newer sets have already."""
    sizes = list(given["initialSpecReplicas"].values())
    return 0 if given["inPlaceUpdatePossible"] else sum(sizes[1:])
