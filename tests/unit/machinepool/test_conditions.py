"""What a pool's conditions say, and that each names what it waits for."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from capipool.core.machinepool.decide import decide
from capipool.core.machinepool.world import World
from capipool.machinery.conditions import Condition
from tests.cases import machinepools

NOW = machinepools.NOW
READY = {"ready": "True", "kubeletVersion": "v1.34.0"}
NODE_A = {"name": "a", "providerID": "p://a", **READY}
NODE_B = {"name": "b", "providerID": "p://b", **READY}


def world(
    *, replicas: int = 2, ids: tuple[str, ...] = ("p://a", "p://b"), nodes: list[Any] | None = None, **more: Any
) -> World:
    infra = {"spec": {"providerIDList": list(ids)}, "status": {"ready": True, "replicas": len(ids), **more}}
    spec = {"replicas": replicas, "template": {"spec": {"version": "v1.34.0"}}}
    found = [NODE_A, NODE_B] if nodes is None else nodes
    return machinepools.world({"machinePool": {"spec": spec}, "infraPool": infra, "workloadNodes": found})


def told(the_world: World, type_: str) -> Condition:
    pool = decide(the_world, NOW).pool
    return next(c for c in pool.status.conditions if c.type == type_)


def test_a_pool_with_everything_is_available_and_says_nothing_more() -> None:
    pool = decide(world(), NOW).pool
    said = {c.type: (c.status, c.message) for c in pool.status.conditions}
    assert said.pop("Available") == ("True", "")
    assert {m for _, m in said.values()} == {""}
    assert all(c.observed_generation == pool.metadata.generation for c in pool.status.conditions)


def test_instances_that_have_not_joined_are_named() -> None:
    waiting = world(nodes=[NODE_A])
    assert told(waiting, "MachinesReady").message == "* 1 instance has not joined as a node: p://b"
    available = told(waiting, "Available")
    assert (available.status, available.reason) == ("False", "NotAvailable")
    assert available.message.splitlines() == [
        "1 available replicas, at least 2 required",
        "* 1 instance has not joined as a node: p://b",
    ]


def test_an_instance_that_is_listed_twice_is_reported_and_counts_once() -> None:
    twice = world(ids=("p://a", "p://b", "p://b"), replicas=3)
    condition = told(twice, "MachinesReady")
    assert condition.status == "False"
    assert condition.message == "* Provider ID p://b is listed more than once: it counts once"
    status = decide(twice, NOW).pool.status
    assert (status.ready_replicas, [r.name for r in status.node_refs]) == (2, ["a", "b"])


def test_a_node_that_is_not_ready_says_why() -> None:
    broken = {**NODE_B, "ready": "False"}
    assert told(world(nodes=[NODE_A, broken]), "MachinesReady").message == "* Node b: Ready is False"


def test_an_older_kubelet_is_not_up_to_date() -> None:
    old = {**NODE_B, "kubeletVersion": "v1.33.1"}
    condition = told(world(nodes=[NODE_A, old]), "MachinesUpToDate")
    assert (condition.status, condition.message) == ("False", "* Node b: Version v1.33.1, v1.34.0 required")


def test_a_provider_that_counts_revisions_is_believed() -> None:
    condition = told(world(upToDateReplicas=1), "MachinesUpToDate")
    assert condition.status == "False"
    assert condition.message.startswith("1 of 2 instances are up to date")
    assert told(world(upToDateReplicas=2), "MachinesUpToDate").status == "True"


def test_scaling_up_says_from_where_to_where_and_what_the_provider_waits_for() -> None:
    why = {"type": "ScalingUp", "status": "True", "reason": "R", "message": "no capacity in zone a"}
    condition = told(world(replicas=5, conditions=[why]), "ScalingUp")
    assert condition.message.splitlines() == [
        "Scaling up from 2 to 5 replicas waits for:",
        "* TestInfrastructureConfig infra-config1: no capacity in zone a",
    ]


def test_scaling_down_passes_on_what_holds_a_drain_up() -> None:
    why = {"type": "ScalingDown", "status": "True", "reason": "R", "message": "Pod x: held by PodDisruptionBudget y"}
    condition = told(world(replicas=1, conditions=[why]), "ScalingDown")
    assert condition.status == "True"
    assert "held by PodDisruptionBudget y" in condition.message


def test_zero_replicas_is_a_normal_state() -> None:
    pool = decide(world(replicas=0, ids=(), nodes=[]), NOW).pool
    assert pool.status.phase == "Running"
    assert {c.type: c.status for c in pool.status.conditions}["Available"] == "True"
    assert told(world(replicas=0, ids=(), nodes=[]), "MachinesReady").reason == "NoReplicas"


@pytest.mark.parametrize("what", ["infra", "bootstrap"])
def test_an_object_that_went_after_it_was_ready_is_reported_as_deleted(what: str) -> None:
    ref = {"apiGroup": machinepools.BOOTSTRAP.group, "kind": machinepools.BOOTSTRAP.kind, "name": "b"}
    done = {"bootstrapDataSecretCreated": True, "infrastructureProvisioned": True}
    pool = {"spec": {"replicas": 1, "bootstrap": {"configRef": ref}}, "status": {"initialization": done}}
    given = {"machinePool": pool, "infraPool": None, "bootstrapConfig": None, "workloadNodes": []}
    type_ = "InfrastructureReady" if what == "infra" else "BootstrapConfigReady"
    condition = told(machinepools.world(given), type_)
    assert (condition.status, condition.reason) == ("False", "ObjectDeleted")


def test_a_failure_is_passed_on_and_goes_with_its_cause() -> None:
    failing = world(failureReason="Quota", failureMessage="too many instances")
    first = decide(failing, NOW).pool
    assert first.status.deprecated.v1beta1.failure_reason == "Quota"
    assert "too many instances" in first.status.deprecated.v1beta1.failure_message
    healed = msgspec.structs.replace(first)
    assert decide(_again(world(), healed), NOW).pool.status.deprecated.v1beta1.failure_reason == ""


def test_deciding_again_on_the_same_world_changes_nothing() -> None:
    first = decide(world(nodes=[NODE_A]), NOW)
    second = decide(_again(world(nodes=[NODE_A]), first.pool), NOW + dt.timedelta(hours=1))
    assert second.pool == first.pool
    assert second.events == ()


def _again(the_world: World, pool: Any) -> World:
    return World(
        pool=pool,
        cluster=the_world.cluster,
        infra=the_world.infra,
        bootstrap=the_world.bootstrap,
        nodes=the_world.nodes,
    )
