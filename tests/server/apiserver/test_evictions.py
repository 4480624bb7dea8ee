"""Evictions: a pod goes when its budget can spare it, and not before."""

from __future__ import annotations

import asyncio

import pytest

from capipool.machinery import errors
from tests.server.apiserver import world as worlds
from tests.server.apiserver.world import BUDGETS, DEPLOYMENTS, PODS, REPLICASETS, Raw, World, owner, pod

LABELS = {"app": "web"}
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
UNREADY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}


async def run(world: World, name: str, *, status: Raw = READY, owners: list[Raw] | None = None) -> None:
    await world.create(PODS, pod(name, labels=LABELS, node="n", owners=owners))
    await world.patch(PODS, name, {"status": status}, subresource="status")


async def budget(world: World, name: str = "b", **spec: object) -> None:
    await world.create(BUDGETS, {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": LABELS}, **spec}})
    await world.settle()


async def evict(world: World, name: str, **options: object) -> Raw:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    return await world.create(PODS, body | ({"deleteOptions": options} if options else {}), name=name,
                              subresource="eviction")  # fmt: skip


async def test_a_pod_without_a_budget_is_evicted(world: World) -> None:
    await run(world, "a")
    assert (await evict(world, "a", gracePeriodSeconds=3))["status"] == "Success"
    assert (await world.get(PODS, "a"))["metadata"]["deletionGracePeriodSeconds"] == 3


async def test_a_budget_that_can_spare_none_says_so(world: World) -> None:
    await run(world, "a")
    await budget(world, minAvailable=1)
    with pytest.raises(errors.TooManyRequests, match="would violate the pod's disruption budget") as error:
        await evict(world, "a")
    cause = error.value.details["causes"][0]
    assert cause["reason"] == "DisruptionBudget"
    assert cause["message"] == "The disruption budget b needs 1 healthy pods and has 1 currently"
    assert "deletionTimestamp" not in (await world.get(PODS, "a"))["metadata"]


async def test_evictions_at_once_never_share_a_permission(world: World) -> None:
    for name in "abcd":
        await run(world, name)
    await budget(world, minAvailable=2)
    results = await asyncio.gather(*(evict(world, name) for name in "abcd"), return_exceptions=True)
    assert sum(isinstance(r, dict) for r in results) == 2
    assert sum(isinstance(r, errors.TooManyRequests) for r in results) == 2


async def test_a_share_is_of_what_the_controller_wants(world: World) -> None:
    template = {"metadata": {"labels": LABELS}, "spec": pod("p")["spec"]}
    spec = {"replicas": 4, "selector": {"matchLabels": LABELS}, "template": template}
    deployment = await world.create(DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": spec})
    above = [owner(deployment, controller=True)]
    replicas = await world.create(
        REPLICASETS, {"metadata": {"name": "r", "ownerReferences": above}, "spec": {**spec, "replicas": 1}}
    )
    for name in "abc":
        await run(world, name, owners=[owner(replicas, controller=True)])
    await budget(world, maxUnavailable="50%")
    status = (await world.get(BUDGETS, "b"))["status"]
    assert (status["expectedPods"], status["desiredHealthy"], status["currentHealthy"]) == (4, 2, 3)
    assert status["disruptionsAllowed"] == 1
    await evict(world, "a")
    with pytest.raises(errors.TooManyRequests):
        await evict(world, "b")
    await world.settle()
    assert (await world.get(BUDGETS, "b"))["status"]["disruptionsAllowed"] == 0


async def test_a_pod_that_is_not_healthy_may_go_while_the_others_suffice(world: World) -> None:
    await run(world, "a")
    await run(world, "sick", status=UNREADY)
    await budget(world, minAvailable=1)
    await evict(world, "sick")
    await run(world, "sick2", status=UNREADY)
    await world.patch(PODS, "a", {"status": UNREADY}, subresource="status")
    with pytest.raises(errors.TooManyRequests):
        await evict(world, "sick2")
    await world.patch(BUDGETS, "b", {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}})
    await evict(world, "sick2")


async def test_who_never_ran_or_has_ended_disrupts_nothing(world: World) -> None:
    await world.create(PODS, pod("pending", labels=LABELS))
    await run(world, "done", status={"phase": "Succeeded"})
    await budget(world, minAvailable=5)
    await evict(world, "pending")
    await evict(world, "done")
    assert await world.names(PODS) == []


async def test_two_budgets_for_a_pod_are_one_too_many(world: World) -> None:
    await run(world, "a")
    await budget(world, minAvailable=0)
    await budget(world, "c", minAvailable=0)
    with pytest.raises(errors.InternalError, match="more than one PodDisruptionBudget"):
        await evict(world, "a")


async def test_an_eviction_of_nobody_is_not_found(world: World) -> None:
    with pytest.raises(errors.NotFound):
        await evict(world, "a")


async def test_binding_gives_a_pod_its_node_once(world: World) -> None:
    await world.create(PODS, pod("a"))
    binding = {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n1"}}
    await world.create(PODS, binding, name="a", subresource="binding")
    assert (await world.get(PODS, "a"))["spec"]["nodeName"] == "n1"
    binding["target"]["name"] = "n2"
    with pytest.raises(errors.Conflict, match="already assigned"):
        await world.create(PODS, binding, name="a", subresource="binding")


async def test_a_budget_is_none_of_the_business_of_other_namespaces(world: World) -> None:
    await run(world, "a")
    await world.create(worlds.NAMESPACES, {"metadata": {"name": "n"}})
    spec = {"selector": {"matchLabels": LABELS}, "minAvailable": 1}
    await world.create(BUDGETS, {"metadata": {"name": "b"}, "spec": spec}, namespace="n")
    await evict(world, "a")
