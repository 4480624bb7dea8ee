"""What a node's conditions mean, and which changes of a node matter."""

import datetime as dt

import pytest

from capipool.api.builtin import Node
from capipool.machinery import objects
from capipool.workload import nodes

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def node(ready: str | None = "True", since: dt.datetime | None = T0, **more: object) -> Node:
    told = [] if ready is None else [{"type": "Ready", "status": ready}]
    if told and since is not None:
        told[0]["lastTransitionTime"] = since.isoformat()
    meta = {"name": "n", "uid": "u", **(more.pop("metadata", {}) or {})}  # type: ignore[dict-item]
    return objects.from_raw(Node, {"metadata": meta, "spec": more, "status": {"conditions": told}})


@pytest.mark.parametrize(("ready", "expected"), [("True", True), ("False", False), ("Unknown", False), (None, False)])
def test_a_node_is_ready_when_its_kubelet_says_so(ready: str | None, expected: bool) -> None:
    assert nodes.is_ready(node(ready)) is expected


@pytest.mark.parametrize(
    ("seconds", "least", "expected"), [(0, 0, True), (10, 10, False), (11, 10, True), (9, 10, False)]
)
def test_a_node_is_available_after_more_than_the_minimum(seconds: int, least: int, expected: bool) -> None:
    assert nodes.is_available(node(), least, T0 + dt.timedelta(seconds=seconds)) is expected


def test_a_node_that_does_not_say_since_when_is_never_available_where_that_matters() -> None:
    assert nodes.is_available(node(since=None), 0, T0)
    assert not nodes.is_available(node(since=None), 1, T0 + dt.timedelta(days=1))
    assert nodes.available_at(node("False"), 0) is None


def test_the_node_that_joined_last_is_the_newest() -> None:
    old = node(metadata={"name": "z", "creationTimestamp": "2026-01-01T00:00:00Z"})
    new = node(metadata={"name": "a", "creationTimestamp": "2026-01-01T00:00:01Z"})
    assert nodes.newest([new, old]) is new
    assert nodes.newest([node(metadata={"name": "b"}), old]) is old


def test_neither_metadata_nor_a_heartbeat_changes_the_state_of_a_node() -> None:
    before = node(metadata={"resourceVersion": "1"})
    assert not nodes.state_changed(before, node(metadata={"resourceVersion": "2", "labels": {"a": "b"}}))
    assert nodes.state_changed(None, before)
    assert nodes.state_changed(before, None)
    assert nodes.state_changed(before, node("False"))
    assert nodes.state_changed(before, node(providerID="x"))
    assert nodes.state_changed(before, node(unschedulable=True))
    assert nodes.state_changed(before, node(metadata={"uid": "other"}))
