"""MachineHealthChecks against an API server: who is replaced, and how many at most."""

from typing import Any

from capipool.api.builtin import Event, Node
from capipool.api.core import Machine, MachineHealthCheck
from capipool.machinery import objects
from capipool.machinery.objects import Raw
from tests.server.core_world import MACHINES, POOLS
from tests.server.machines_world import API, World, in_a_world


async def start(world: World, replicas: int, **remediation: Any) -> None:
    limit = remediation.pop("of_deployment", None)
    await world.create_deployment(replicas=replicas, **({"remediation": limit} if limit else {}))
    checks = {"unhealthyNodeConditions": [{"type": "Ready", "status": "Unknown", "timeoutSeconds": 60}]}
    selector = {"matchLabels": {"cluster.x-k8s.io/deployment-name": "md"}}
    spec: Raw = {"clusterName": "c", "selector": selector, "checks": checks}
    spec |= {"remediation": remediation} if remediation else {}
    await world.create(API, "MachineHealthCheck", "mhc", spec)
    await world.settle(10)


async def lose(world: World, *names: str) -> None:
    """The kubelets of these nodes stop reporting."""
    since = world.clock.now().replace(microsecond=0).isoformat().replace("+00:00", "Z")
    for name in names:
        told = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "lastTransitionTime": since}
        patch = {"status": {"conditions": [told]}}
        await world.workload.patch(Node, name, patch=patch, subresource="status")


async def names(world: World) -> list[str]:
    return sorted(m.metadata.name for m in await world.client.list(Machine, "default"))


@in_a_world
async def test_a_machine_whose_node_is_lost_is_replaced(world: World) -> None:
    await start(world, 3)
    check = await world.check()
    assert (check.status.expected_machines, check.status.current_healthy) == (3, 3)
    before = await names(world)
    await lose(world, before[0])
    await world.settle(30)
    assert await names(world) == before
    await world.settle(60)
    after = await names(world)
    assert len(after) == 3
    assert before[0] not in after
    assert before[1:] == [n for n in after if n in before]


@in_a_world
async def test_with_too_many_unhealthy_none_is_replaced(world: World) -> None:
    await start(world, 3, triggerIf={"unhealthyLessThanOrEqualTo": "40%"})
    before = await names(world)
    await lose(world, *before[:2])
    await world.settle(200)
    assert await names(world) == before
    check = await world.check()
    told = next(c for c in check.status.conditions if c.type == "RemediationAllowed")
    assert (told.status, told.reason) == ("False", "TooManyUnhealthy")
    machine = await world.client.get(Machine, before[0], "default")
    healthy = next(c for c in machine.status.conditions if c.type == "HealthCheckSucceeded")
    assert healthy.status == "False"
    assert not any(c.type == "OwnerRemediated" for c in machine.status.conditions)


@in_a_world
async def test_a_limit_is_told_of_by_an_event_only_where_somebody_is_unhealthy(world: World) -> None:
    """New machines are not known to be healthy, and stand in the way of remediation as the others do."""

    async def told() -> list[str]:
        return [e.message for e in await world.client.list(Event, "default") if e.reason == "RemediationRestricted"]

    await start(world, 3, triggerIf={"unhealthyLessThanOrEqualTo": "40%"})
    assert await told() == []
    await lose(world, *(await names(world))[:2])
    await world.settle(120)
    assert await told() == ["Too many machines are unhealthy: 2 are known to be, and none is replaced"]


@in_a_world
async def test_no_more_are_replaced_at_once_than_the_deployment_allows(world: World) -> None:
    await start(world, 4, of_deployment={"maxInFlight": 1})
    before = await names(world)
    for name in before:
        meta = {"annotations": {"pre-terminate.delete.hook.machine.cluster.x-k8s.io/x": ""}}
        await world.client.patch(Machine, name, "default", patch={"metadata": meta})
    await lose(world, *before[:2])
    await world.settle(90)
    machines = await world.machines()
    assert sum(m.deleting for m in machines) == 1
    waiting = [
        c.reason for m in machines for c in m.status.conditions if c.type == "OwnerRemediated" and not m.deleting
    ]
    assert waiting == ["RemediationDeferred"]


@in_a_world
async def test_a_machine_whose_node_does_not_come_in_time_is_replaced(world: World) -> None:
    await start(world, 1)
    checks = {"checks": {"nodeStartupTimeoutSeconds": 120}}
    await world.client.patch(MachineHealthCheck, "mhc", "default", patch={"spec": checks})
    world.broken.add("v1.34.0")
    await world.patch_deployment({"replicas": 2})
    await world.settle(60)
    before = await names(world)
    world.broken.clear()
    await world.settle(30)
    assert await names(world) == before
    await world.settle(60)
    after = await names(world)
    assert len(after) == 2
    assert len(set(before) & set(after)) == 1
    assert len(await world.nodes()) == 2


@in_a_world
async def test_a_machine_that_is_well_again_before_its_time_is_left_alone(world: World) -> None:
    await start(world, 2)
    before = await names(world)
    await lose(world, before[0])
    await world.settle(30)
    await world.set_ready(before[0], "True")
    await world.settle(200)
    assert await names(world) == before


@in_a_world
async def test_the_annotation_has_a_machine_replaced_at_once(world: World) -> None:
    await start(world, 2)
    before = await names(world)
    meta = {"annotations": {"cluster.x-k8s.io/remediate-machine": ""}}
    await world.client.patch(Machine, before[0], "default", patch={"metadata": meta})
    await world.settle(30)
    assert before[0] not in await names(world)
    assert len(await names(world)) == 2


@in_a_world
async def test_a_machine_of_a_pool_is_deleted_so_that_its_provider_replaces_the_instance(world: World) -> None:
    await world.provide(ids=["acme://a", "acme://b"])
    kind = {"status": {"infrastructureMachineKind": MACHINES.kind}}
    await world.client.patch(POOLS, "workers", "default", patch=kind, subresource="status")
    labels = {"cluster.x-k8s.io/cluster-name": "c", "cluster.x-k8s.io/pool-name": "workers"}
    provisioned = {"status": {"initialization": {"provisioned": True}}}
    for name in ("a", "b"):
        spec = {"providerID": f"acme://{name}"}
        await world.create(MACHINES.api_version, MACHINES.kind, name, spec, labels=labels, finalizers=["acme/hold"])
        await world.client.patch(MACHINES, name, "default", patch=provisioned, subresource="status")
    await world.join("a", "b")
    await world.create_pool(replicas=2)
    selector = {"matchLabels": {"cluster.x-k8s.io/pool-name": "workers"}}
    checks = {"unhealthyNodeConditions": [{"type": "Ready", "status": "Unknown", "timeoutSeconds": 60}]}
    await world.create(API, "MachineHealthCheck", "mhc", {"clusterName": "c", "selector": selector, "checks": checks})
    await world.settle(10)
    await lose(world, "a")
    await world.settle(90)
    assert not await world.exists(MACHINES, "a")
    assert await world.exists(MACHINES, "b")
    assert await names(world) == ["b"]


async def say(world: World, name: str, type_: str) -> None:
    """Somebody puts a condition on a machine."""
    machine = await world.client.get(Machine, name, "default")
    since = world.clock.now().replace(microsecond=0).isoformat().replace("+00:00", "Z")
    told = {"type": type_, "status": "True", "reason": "Seen", "message": "", "lastTransitionTime": since}
    conditions = [*(objects.part_to_raw(c) for c in machine.status.conditions), told]
    await world.client.patch(
        Machine, name, "default", patch={"status": {"conditions": conditions}}, subresource="status"
    )


@in_a_world
async def test_a_condition_of_the_machine_itself_has_it_replaced_once_it_held_for_long_enough(world: World) -> None:
    await start(world, 3)
    broken = [{"type": "example.org/DiskBroken", "status": "True", "timeoutSeconds": 60}]
    patch = {"spec": {"checks": {"unhealthyMachineConditions": broken}}}
    await world.client.patch(MachineHealthCheck, "mhc", "default", patch=patch)
    before = await names(world)
    await say(world, before[0], "example.org/DiskBroken")
    await world.settle(50)
    assert await names(world) == before
    await world.settle(30)
    after = await names(world)
    assert (len(after), before[0] in after) == (3, False)


@in_a_world
async def test_with_a_range_too_few_are_as_much_a_reason_to_wait_as_too_many(world: World) -> None:
    await start(world, 4, triggerIf={"unhealthyInRange": "[2-3]"})
    before = await names(world)
    await lose(world, before[0])
    await world.settle(120)
    assert await names(world) == before
    told = next(c for c in (await world.check()).status.conditions if c.type == "RemediationAllowed")
    assert "not within [2-3]" in told.message
    await lose(world, before[1])
    await world.settle(30)
    # Whose health is not decided yet counts as not healthy: that makes two, and the first one may be replaced.
    assert [n for n in await names(world) if n in before] == before[1:]


@in_a_world
async def test_a_machine_that_is_exempt_is_neither_counted_nor_replaced(world: World) -> None:
    await start(world, 3)
    before = await names(world)
    meta = {"annotations": {"cluster.x-k8s.io/skip-remediation": ""}}
    await world.client.patch(Machine, before[0], "default", patch={"metadata": meta})
    await lose(world, before[0])
    await world.settle(200)
    assert await names(world) == before
    check = await world.check()
    assert (check.status.expected_machines, check.status.current_healthy) == (2, 2)
    machine = await world.client.get(Machine, before[0], "default")
    assert not any(c.type == "OwnerRemediated" for c in machine.status.conditions)
