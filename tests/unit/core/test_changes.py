"""Which changes are looked at again, by all kinds of core alike: a heartbeat by nobody, a lost owner by its owner."""

from typing import Any

import pytest

from capipool.api import indexes
from capipool.api.builtin import CustomResourceDefinition
from capipool.api.core import Cluster, Machine, MachineDeployment, MachinePool
from capipool.core import changes, references
from capipool.machinery import objects
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import ObjectKey
from capipool.runtime.store import Store

GROUP = "infra.example.org"
TEMPLATE = {"apiGroup": GROUP, "kind": "AcmeMachineTemplate", "name": "t"}
MACHINE = {"clusterName": "c", "bootstrap": {"dataSecretName": "s"}, "infrastructureRef": {**TEMPLATE, "kind": "Acme"}}


def made(kind: type[Any], name: str, spec: Any, **meta: Any) -> Any:
    head = {"apiVersion": kind.RESOURCE.api_version, "kind": kind.RESOURCE.kind}
    metadata = {"name": name, "namespace": "ns", "uid": f"u-{name}", **meta}
    return objects.from_raw(kind, {**head, "metadata": metadata, "spec": spec})


def machine(name: str = "m", **meta: Any) -> Machine:
    found: Machine = made(Machine, name, MACHINE, **meta)
    return found


def cluster(spec: Any = None, **meta: Any) -> Cluster:
    found: Cluster = made(Cluster, "c", spec or {}, **meta)
    return found


def acme(*, status: Any = None, **meta: Any) -> Unstructured:
    metadata = {"name": "t", "namespace": "ns", "uid": "u", **meta}
    raw = {"apiVersion": f"{GROUP}/v1", "kind": "Acme", "metadata": metadata, "status": status or {}}
    return objects.from_raw(Unstructured, raw)


def definition(kind: str = "Acme", **spec: Any) -> CustomResourceDefinition:
    names = {"kind": kind, "plural": f"{kind.lower()}s"}
    raw = {
        "metadata": {"name": f"{kind.lower()}s.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, **spec},
    }
    return objects.from_raw(CustomResourceDefinition, raw)


def holding(*found: Any) -> Any:
    """The part of a cache that is searched here."""
    store: Store[Any] = Store("things")
    store.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
    references.add_indexes(store)  # type: ignore[arg-type]
    for obj in found:
        store.put(obj)
    return store


TAKEN = {
    "ownerReferences": [
        {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine", "name": "m", "uid": "u-m", "controller": True}
    ],
    "labels": {"cluster.x-k8s.io/cluster-name": "c"},
}


def test_what_came_or_went_is_relevant_and_what_only_looks_new_is_not() -> None:
    before, after = machine(), machine(labels={"a": "b"})
    assert changes.relevant(None, after, changes.of_body) is after
    assert changes.relevant(before, None, changes.of_body) is before
    assert changes.relevant(before, after, changes.of_body) is after
    assert changes.relevant(before, machine(resourceVersion="7"), changes.of_body) is None


@pytest.mark.parametrize(
    ("old", "new", "concerned"),
    [
        (None, cluster(), ["m"]),
        (cluster(), None, ["m"]),
        (cluster(), cluster({"paused": True}), ["m"]),
        (cluster(), cluster(deletionTimestamp="2026-01-01T00:00:00Z"), ["m"]),
        (cluster(), cluster(labels={"a": "b"}), []),
        (cluster({"paused": False}), cluster(), []),
    ],
)
def test_a_cluster_concerns_its_own_where_it_came_went_or_was_paused(old: Any, new: Any, concerned: list[str]) -> None:
    other = made(Machine, "other", {**MACHINE, "clusterName": "d"})
    found = changes.cluster_changed(holding(machine(), other), old, new)
    assert [key.name for key in found] == concerned


@pytest.mark.parametrize(
    ("old", "new", "concerned"),
    [
        (None, acme(), True),
        (acme(), None, True),
        (acme(**TAKEN), acme(status={"ready": True}, **TAKEN), True),
        (acme(**TAKEN), acme(**TAKEN, annotations={"a": "b"}), False),
        (acme(**TAKEN), acme(), True),
        (acme(**TAKEN), acme(**{**TAKEN, "labels": {}}), True),
    ],
)
def test_a_providers_object_concerns_whoever_refers_to_it(old: Any, new: Any, concerned: bool) -> None:
    elsewhere = machine(namespace="elsewhere")
    found = changes.provider_changed(holding(machine(), elsewhere), old, new)
    assert found == ([ObjectKey("ns", "m")] if concerned else [])


def test_a_cluster_is_its_own_name_on_what_it_refers_to() -> None:
    mine = cluster({"infrastructureRef": {"apiGroup": GROUP, "kind": "Acme", "name": "t"}})
    owner = {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "name": "c", "uid": "u-c", "controller": True}
    taken = acme(ownerReferences=[owner], labels={"cluster.x-k8s.io/cluster-name": "c"})
    store: Any = Store("Cluster")
    references.add_indexes(store)
    store.put(mine)
    assert changes.provider_changed(store, taken, taken) == []
    assert changes.provider_changed(store, taken, acme(ownerReferences=[owner])) == [mine.key]


def test_a_kind_concerns_what_refers_to_it_and_to_its_templates() -> None:
    template = {"spec": {**MACHINE, "infrastructureRef": TEMPLATE}}
    deployment = made(MachineDeployment, "d", {"clusterName": "c", "selector": {}, "template": template})
    store = holding(machine(), deployment)
    assert [key.name for key in changes.definition_changed(store, None, definition("Acme"))] == ["m"]
    assert [key.name for key in changes.definition_changed(store, definition("AcmeMachineTemplate"), None)] == ["d"]
    assert [key.name for key in changes.definition_changed(store, None, definition("AcmeMachine"))] == ["d"]


def test_a_kind_that_changes_nothing_of_its_versions_concerns_nobody() -> None:
    old, new = definition(), definition()
    served = definition(versions=[{"name": "v2", "served": True, "storage": True}])
    assert changes.definition_changed(holding(machine()), old, new) == []
    assert [key.name for key in changes.definition_changed(holding(machine()), old, served)] == ["m"]


def test_references_are_those_of_the_machines_that_an_object_has_made() -> None:
    config = {"apiGroup": "boot.example.org", "kind": "BootConfig", "name": "b"}
    template = {"spec": {**MACHINE, "bootstrap": {"configRef": config}}}
    pool: MachinePool = made(MachinePool, "p", {"clusterName": "c", "template": template})
    assert [str(r.group_kind) for r in references.of(pool)] == [f"Acme.{GROUP}", "BootConfig.boot.example.org"]
    assert [r.name for r in references.of(machine())] == ["t"]
    assert references.of(cluster()) == []
