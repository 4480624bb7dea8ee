"""What objects of instances are created, changed and let go: from facts to a plan, at the cost of what changed."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from capipool.api.core import Cluster, Machine, MachinePool
from capipool.machinery import objects
from capipool.machinery.clock import SystemClock
from capipool.machinery.objects import Raw
from capipool.sdk import Instance, InstanceState, Pool
from capipool.sdk.engine import Deletion
from capipool.sdk.machines import plan as planning
from capipool.sdk.machines.census import Census, Shown
from capipool.sdk.machines.plan import Facts, Memory, Plan
from capipool.testing.provider import FakeMachine, FakePool, FakeProvider

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NAME = "p" * 70
"""Too long for a label value."""


class Counting(FakeProvider):
    """Counts how often it is asked what an instance is."""

    asked = 0

    def machine(self, pool: Pool[FakePool], instance: Instance) -> Raw:
        self.asked += 1
        return super().machine(pool, instance)


def provider() -> Counting:
    made = Counting(SystemClock())
    made.machines = True
    return made


def pool(**meta: Any) -> Pool[FakePool]:
    about = {"name": NAME, "namespace": "ns", "uid": "u-pool", **meta}
    return Pool(
        objects.from_raw(FakePool, {"metadata": about, "spec": {}}),
        objects.from_raw(MachinePool, {"metadata": {"name": NAME, "namespace": "ns"}, "spec": _spec()}),
        objects.from_raw(Cluster, {"metadata": {"name": "c", "namespace": "ns"}, "spec": {}}),
    )


def _spec() -> Raw:
    reference = {"apiGroup": FakePool.RESOURCE.group, "kind": "FakePool", "name": NAME}
    template = {"clusterName": "c", "bootstrap": {"dataSecretName": "b"}, "infrastructureRef": reference}
    return {"clusterName": "c", "template": {"spec": template}}


def instance(id: str = "i-1", state: InstanceState = InstanceState.RUNNING) -> Instance:
    return Instance(id=id, provider_id=f"fake:///{id}", state=state)


def existing(of: Instance, **meta: Any) -> FakeMachine:
    """The object of an instance as the API server has it, with more in its metadata."""
    raw = planning.whole(provider(), pool(), of)
    raw["metadata"] |= {"uid": f"u-{of.id}", "resourceVersion": "1", **meta}
    return objects.from_raw(FakeMachine, raw)


def machine(name: str, **meta: Any) -> Machine:
    reference = {"apiGroup": FakeMachine.RESOURCE.group, "kind": "FakeMachine", "name": name}
    spec = {"clusterName": "c", "bootstrap": {"dataSecretName": ""}, "infrastructureRef": reference}
    about = {"name": name, "namespace": "ns", "uid": f"u-m-{name}", **meta}
    return objects.from_raw(Machine, {"metadata": about, "spec": spec})


def plan(*instances: Instance, memory: Memory | None = None, of: Pool[Any] | None = None, **census: Any) -> Plan:
    shown = {i.id: census.pop(i.id, Shown()) for i in instances}
    counted = Census(wanted=True, shown=shown, **census)
    facts = Facts(of or pool(), instances, {}, frozenset(), counted, NOW)
    return planning.decide(provider(), facts, memory or Memory())


def test_a_new_instance_gets_an_object_with_labels_owner_and_finalizer() -> None:
    made = plan(instance())
    (writing,) = made.writings
    assert made.kind == "FakeMachine"
    assert writing.body is not None
    assert writing.body["spec"] == {"providerID": "fake:///i-1"}
    meta = writing.body["metadata"]
    assert meta["labels"]["cluster.x-k8s.io/cluster-name"] == "c"
    assert meta["labels"]["cluster.x-k8s.io/pool-name"].startswith("hash_")
    assert meta["finalizers"] == ["fakemachine.capipool.io"]
    assert [(o["kind"], o["uid"], o.get("controller")) for o in meta["ownerReferences"]] == [
        ("FakePool", "u-pool", None)
    ]


def test_the_watch_label_of_a_pool_is_on_its_objects() -> None:
    (writing,) = plan(instance(), of=pool(labels={"cluster.x-k8s.io/watch-filter": "mine", "other": "x"})).writings
    assert writing.body is not None
    assert writing.body["metadata"]["labels"]["cluster.x-k8s.io/watch-filter"] == "mine"
    assert "other" not in writing.body["metadata"]["labels"]


def test_an_instance_on_its_way_out_gets_no_object() -> None:
    assert plan(instance(state=InstanceState.TERMINATING)).writings == ()


def test_an_instance_that_this_pass_terminates_gets_no_object() -> None:
    facts = Facts(
        pool(), (instance(),), {}, frozenset(), Census(wanted=True, shown={"i-1": Shown()}), NOW, frozenset({"i-1"})
    )
    assert planning.decide(provider(), facts, Memory()).writings == ()


def test_an_object_as_it_should_be_is_not_written() -> None:
    (writing,) = plan(instance(), **{"i-1": Shown(existing(instance()))}).writings
    assert writing.body is None


def test_of_an_object_only_what_differs_is_written_and_what_others_added_stays() -> None:
    there = existing(
        instance(),
        labels={"cluster.x-k8s.io/cluster-name": "other", "mine": "x"},
        finalizers=["someone/else"],
        ownerReferences=[{"apiVersion": "v1", "kind": "Machine", "name": "m", "uid": "u-m", "controller": True}],
    )
    (writing,) = plan(instance(), **{"i-1": Shown(there)}).writings
    assert writing.body is not None
    assert "spec" not in writing.body
    meta = writing.body["metadata"]
    assert set(meta["labels"]) == {"cluster.x-k8s.io/cluster-name", "cluster.x-k8s.io/pool-name"}
    assert meta["finalizers"] == ["someone/else", "fakemachine.capipool.io"]
    assert [o["kind"] for o in meta["ownerReferences"]] == ["Machine", "FakePool"]
    assert writing.guarded


def test_a_field_that_the_server_defaulted_is_no_difference() -> None:
    there = existing(instance())
    raw = objects.to_raw(there)
    raw["spec"]["defaulted"] = True
    assert (
        planning.difference(objects.from_raw(FakeMachine, raw), planning.whole(provider(), pool(), instance())) is None
    )


def test_an_object_that_is_being_deleted_keeps_its_spec() -> None:
    there = existing(instance(), finalizers=["x"], deletionTimestamp="2026-01-01T00:00:00Z")
    (writing,) = plan(instance(), **{"i-1": Shown(there)}).writings
    assert writing.body is None


def test_an_object_that_is_paused_is_left_alone() -> None:
    there = existing(instance(), annotations={"cluster.x-k8s.io/paused": ""}, finalizers=["x"])
    assert plan(instance(), **{"i-1": Shown(there)}).writings == ()
    assert plan(left=(Shown(there),)).gone == ()


def test_the_machine_of_an_instance_that_goes_unasked_is_deleted() -> None:
    gone = instance(state=InstanceState.TERMINATING)
    shown = Shown(existing(gone), machine("i-1"))
    assert [m.metadata.name for m in plan(gone, **{"i-1": shown}).machines] == ["i-1"]
    deleted = Shown(existing(gone), machine("i-1", deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["x"]))
    assert plan(gone, **{"i-1": deleted}).machines == ()


def test_objects_without_instances_go() -> None:
    left = Shown(existing(instance("i-9")), machine("i-9"))
    assert plan(instance(), left=(left,)).gone == (left,)


def test_where_no_machines_are_wanted_there_is_no_kind_and_what_is_there_is_released() -> None:
    shown = Shown(existing(instance()), machine("i-1"))
    facts = Facts(pool(), (instance(),), {}, frozenset(), Census(unwanted=(shown,)), NOW)
    made = planning.decide(provider(), facts, Memory())
    assert (made.kind, made.writings, made.released) == ("", (), (shown,))


DELETED = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x"]}
MARK = {"annotations": {"capipool.io/removing": "2026-01-01T00:00:00Z ScaleDown"}}


@pytest.mark.parametrize(
    ("obj", "of", "deletion", "drained"),
    [
        ({}, {}, Deletion.NONE, False),
        ({}, MARK, Deletion.NONE, False),
        ({}, DELETED, Deletion.ORDERED, False),
        ({}, DELETED | MARK, Deletion.PLANNED, False),
        (DELETED, DELETED, Deletion.ORDERED, True),
        (DELETED, DELETED | MARK, Deletion.PLANNED, True),
        (DELETED, None, Deletion.ORDERED, True),
    ],
)
def test_whose_idea_a_deletion_was_follows_from_the_mark(
    obj: Raw, of: Raw | None, deletion: Deletion, drained: bool
) -> None:
    shown = Shown(existing(instance(), **obj), machine("i-1", **of) if of is not None else None)
    assert (shown.deletion, shown.drained) == (deletion, drained)


def test_one_new_instance_of_two_thousand_costs_one_look() -> None:
    fake, count = provider(), 2000
    instances = tuple(instance(f"i-{n}") for n in range(count))
    shown = {i.id: Shown(existing(i)) for i in instances}
    about = pool()
    facts = Facts(about, instances, {}, frozenset(), Census(wanted=True, shown=shown), NOW)
    first = planning.decide(fake, facts, Memory())
    assert fake.asked == len(first.writings) == count
    memory = Memory(first.about, {w.instance.id: w.facts for w in first.writings})
    fake.asked = 0
    again = dataclasses.replace(facts, pool=pool(resourceVersion="77"))  # the pool's own status was written meanwhile
    assert planning.decide(fake, again, memory).writings == ()
    more = (*instances, instance("new"))
    grown = dataclasses.replace(facts, instances=more, census=Census(wanted=True, shown=shown | {"new": Shown()}))
    assert [w.instance.id for w in planning.decide(fake, grown, memory).writings] == ["new"]
    assert fake.asked == 1
