"""Whose an object is: the finalizer, label and owners of what is reconciled, and what controls it."""

from typing import Any

import pytest

from capipool.api.core import Machine, MachineSet
from capipool.core import ownership
from capipool.machinery import objects
from tests.cases import machinepools

SET = {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "MachineSet", "name": "s", "uid": "u-s"}
OTHER = {"apiVersion": "other.example.org/v1", "kind": "MachineSet", "name": "s", "uid": "u-o"}


def owned_by(*owners: dict[str, Any]) -> Machine:
    return machinepools.machine({"name": "m", "ownerReferences": list(owners)})


def test_what_is_reconciled_has_a_finalizer_a_label_and_its_cluster_as_an_owner() -> None:
    meta = ownership.joined(owned_by(), machinepools.cluster(), "f")
    assert meta.finalizers == ("f",)
    assert meta.labels == {"cluster.x-k8s.io/cluster-name": machinepools.CLUSTER}
    assert [(o.kind, o.uid, o.controller) for o in meta.owner_references] == [("Cluster", "u-cluster", None)]


def test_joining_again_changes_nothing() -> None:
    once = objects.replace(owned_by(), metadata=ownership.joined(owned_by(), machinepools.cluster(), "f"))
    assert ownership.joined(once, machinepools.cluster(), "f") == once.metadata


def test_what_something_else_owns_gets_no_cluster_as_an_owner() -> None:
    machine = owned_by({**SET, "controller": True})
    meta = ownership.joined(machine, machinepools.cluster(), "f", owned=False)
    assert meta.owner_references == machine.metadata.owner_references
    assert meta.finalizers == ("f",)


def test_what_is_going_gets_no_new_finalizer() -> None:
    going = machinepools.machine({"name": "m", "deletionTimestamp": True})
    assert ownership.joined(going, machinepools.cluster(), "f").finalizers == ()


def test_only_the_finalizer_asked_for_goes() -> None:
    pool = machinepools.pool({"finalizers": ["a", "f", "b"]})
    assert ownership.without_finalizer(pool.metadata, "f").finalizers == ("a", "b")


@pytest.mark.parametrize(
    ("owners", "anything", "a_set"),
    [
        ((), None, None),
        ((SET,), None, None),
        (({**SET, "controller": True},), "u-s", "u-s"),
        ((SET, {**OTHER, "controller": True}), "u-o", None),
        (({**OTHER, "controller": False}, {**SET, "controller": True}), "u-s", "u-s"),
    ],
)
def test_the_controller_is_the_owner_that_says_so(
    owners: tuple[dict[str, Any], ...], anything: str | None, a_set: str | None
) -> None:
    machine, kind = owned_by(*owners), MachineSet.RESOURCE.group_kind
    found = (ownership.controller_of(machine), ownership.controller_of(machine, kind))
    assert tuple(o.uid if o is not None else None for o in found) == (anything, a_set)


def test_a_namesake_of_another_uid_does_not_control() -> None:
    machine = owned_by({**SET, "uid": "u-1", "controller": True})
    one, another = (machinepools.pool({"name": "s", "uid": uid}) for uid in ("u-1", "u-2"))
    assert ownership.controls(one, machine.metadata)
    assert not ownership.controls(another, machine.metadata)
