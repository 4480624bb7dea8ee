"""A pool's deletion, stage by stage, from whatever is still there."""

import datetime as dt
from typing import Any

import pytest

from capipool.core.machinepool import deletion, nodes
from capipool.core.machinepool.deletion import DeletionStep
from capipool.core.machinepool.world import Nodes
from capipool.core.references import Absent
from capipool.runtime.reconcile import DONE, RequeueAfter
from tests.cases import machinepools

REF = {"apiGroup": machinepools.BOOTSTRAP.group, "kind": machinepools.BOOTSTRAP.kind, "name": "b"}
A = {"name": "a", "providerID": "p://a"}


def step(
    *, infra: Any = None, bootstrap: Any = None, nodes: Any = (), seconds: int | None = None, **more: Any
) -> DeletionStep:
    spec: dict[str, Any] = {"bootstrap": {"configRef": REF}, "providerIDList": ["p://a"]}
    if seconds is not None:
        spec["template"] = {"spec": {"deletion": {"nodeDeletionTimeoutSeconds": seconds}}}
    pool = {"deletionTimestamp": "now-60s", "spec": spec, "status": {"nodeRefs": ["gone-already"]}}
    found = list(nodes) if nodes is not None else None
    given = {"machinePool": pool, "infraPool": infra, "bootstrapConfig": bootstrap, "workloadNodes": found}
    return deletion.decide(machinepools.world(given, **more), machinepools.NOW)


def test_infrastructure_goes_first_then_bootstrap_data_then_nodes() -> None:
    first = step(infra={}, bootstrap={}, nodes=[A])
    assert [d.key.name for d in first.deletions] == ["infra-config1"]
    assert (first.reason, first.done) == ("WaitingForInfrastructureDeletion", False)
    second = step(bootstrap={}, nodes=[A])
    assert [d.key.name for d in second.deletions] == ["b"]
    third = step(nodes=[A])
    assert [d.name for d in third.node_deletions] == ["a"]
    assert third.done


def test_what_is_being_deleted_is_waited_for_and_its_finalizers_are_named() -> None:
    going = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["acme/x"]}}
    waiting = step(infra=going)
    assert waiting.deletions == ()
    assert waiting.message == "TestInfrastructureConfig infra-config1 is being deleted (it waits for acme/x)"


def test_an_object_that_cannot_be_read_may_exist_and_holds_the_deletion() -> None:
    ref = machinepools.pool().spec.template.spec.infrastructure_ref
    pool = machinepools.pool({"deletionTimestamp": "now"})
    for why, message, done in (("not readable", "no contract", False), ("kind not served", "no kind", True)):
        world = machinepools.world({"workloadNodes": []}, pool, infra=Absent(ref, why, message))
        assert deletion.decide(world, machinepools.NOW).done is done


@pytest.mark.parametrize(("seconds", "left"), [(None, None), (10, None), (100, 40), (0, "for ever")])
def test_a_workload_api_that_is_away_holds_nodes_for_as_long_as_their_timeout(seconds: Any, left: Any) -> None:
    waiting = step(nodes=None, seconds=seconds)
    assert waiting.done is (left is None)
    if left == "for ever":
        assert waiting.result == DONE
    elif left is not None:
        assert waiting.result == RequeueAfter(dt.timedelta(seconds=left))


def test_a_cluster_that_is_gone_or_going_holds_nothing() -> None:
    assert step(nodes=None, seconds=0, cluster=None).done
    assert step(nodes=None, seconds=0).done is False


def test_a_node_of_the_same_name_but_another_uid_stays() -> None:
    pool = machinepools.pool({"status": {"nodeRefs": [{"name": "a", "uid": "mine"}]}})
    other = machinepools.node({"name": "a", "uid": "theirs", "providerID": "p://z"})
    assert nodes.of_deleted_pool(pool, Nodes(by_name={"a": other})) == ()
    assert nodes.retired(pool, (), Nodes(by_name={"a": other})) == ()
    assert nodes.retired(pool, (), Nodes(by_name={"a": other}, marked=(other,))) == (other,)
