"""Which changes make the controller of a provider's cluster or machine look."""

from typing import Any

import msgspec
import pytest

from capipool.api.core import Cluster, Machine
from capipool.machinery import objects
from capipool.machinery.resource import ObjectKey
from capipool.providers.dev.api.cluster import DevCluster
from capipool.providers.dev.api.machine import DevMachine
from capipool.sdk import news

KEY = [ObjectKey("ns", "a")]


def made(kind: Any, *, meta: dict[str, Any] | None = None, **parts: Any) -> Any:
    whole = {"metadata": {"name": "a", "namespace": "ns", "uid": "u", **(meta or {})}, "spec": {"backend": {}}, **parts}
    head = {"apiVersion": kind.RESOURCE.api_version, "kind": kind.RESOURCE.kind}
    return objects.decode(kind, msgspec.json.encode({**head, **whole}))


def reference(kind: Any) -> dict[str, Any]:
    return {"apiGroup": kind.RESOURCE.group, "kind": kind.RESOURCE.kind, "name": "a"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"status": {"failureDomains": [{"name": "z"}]}}, []),
        ({"meta": {"finalizers": ["f"]}}, []),
        ({"meta": {"labels": {"a": "b"}}}, KEY),
        ({"meta": {"annotations": {"a": "b"}}}, KEY),
        ({"meta": {"uid": "another"}}, KEY),
        ({"meta": {"deletionTimestamp": "2030-01-01T00:00:00Z"}}, KEY),
        ({"spec": {"backend": {}, "controlPlaneEndpoint": {"host": "h", "port": 1}}}, KEY),
    ],
)
def test_an_object_is_news_when_somebody_wants_something_else(change: dict[str, Any], told: list[ObjectKey]) -> None:
    assert news.of_object(made(DevCluster), made(DevCluster, **change)) == told


def test_an_object_that_comes_is_news_and_one_that_is_gone_is_not() -> None:
    assert news.of_object(None, made(DevCluster)) == KEY
    assert news.of_object(made(DevCluster), None) == []


def test_finalizers_are_news_to_who_waits_for_others() -> None:
    old, new = made(DevMachine, meta={"finalizers": ["f", "g"]}), made(DevMachine, meta={"finalizers": ["f"]})
    assert news.of_object(old, new, finalizers=True) == KEY
    assert news.of_object(old, new) == []


def cluster(**spec: Any) -> Cluster:
    named = {"infrastructureRef": reference(DevCluster), "controlPlaneRef": reference(DevMachine)}
    found: Cluster = made(Cluster, spec={**named, **spec})
    return found


@pytest.mark.parametrize(
    ("new", "infrastructure", "control_plane"),
    [
        (cluster(), [], []),
        (cluster(paused=True), KEY, KEY),
        (cluster(controlPlaneEndpoint={"host": "h", "port": 1}), KEY, []),
        (cluster(infrastructureRef=reference(Machine)), [], KEY),
        (None, [], []),
    ],
)
def test_a_cluster_is_news_to_the_objects_that_it_names(
    new: Cluster | None, infrastructure: list[ObjectKey], control_plane: list[ObjectKey]
) -> None:
    assert news.infrastructure_of(DevCluster)(cluster(), new) == infrastructure
    assert news.control_plane_of(DevMachine)(cluster(), new) == control_plane


def test_a_cluster_that_comes_is_news_to_its_own_kinds_alone() -> None:
    assert news.infrastructure_of(DevCluster)(None, cluster()) == KEY
    assert news.infrastructure_of(DevMachine)(None, cluster()) == []
    assert news.control_plane_of(DevCluster)(None, cluster()) == []


def test_a_machine_is_news_when_its_spec_changes() -> None:
    named = {"clusterName": "c", "infrastructureRef": reference(DevMachine)}
    old = made(Machine, spec={**named, "bootstrap": {}})
    new = made(Machine, spec={**named, "bootstrap": {"dataSecretName": "s"}})
    changed = news.machine_of(DevMachine)
    assert (changed(None, old), changed(old, old), changed(old, new), changed(new, None)) == (KEY, [], KEY, [])
    assert news.machine_of(DevCluster)(old, new) == []
