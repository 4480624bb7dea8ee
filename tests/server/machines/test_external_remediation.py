"""External remediation: a health check asks somebody else's controller, which the test plays, for each machine."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.api.core import Machine
from capipool.machinery import errors, objects
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.resource import Resource
from tests.server.core_world import DEFINITIONS, definition
from tests.server.machines.test_health_checks import lose, names
from tests.server.machines_world import API, World, in_a_world

TEMPLATES = Resource("heal.example.org", "v1", "AcmeRemediationTemplate", "acmeremediationtemplates")
REQUESTS = Resource("heal.example.org", "v1", "AcmeRemediation", "acmeremediations")
REFERENCE = {"apiVersion": TEMPLATES.api_version, "kind": TEMPLATES.kind, "name": "reboot"}


async def install(world: World, *kinds: Resource) -> None:
    for kind in kinds:
        await world.client.create(objects.from_raw(Unstructured, definition(kind)), resource=DEFINITIONS)


async def create_template(world: World) -> None:
    meta = {"labels": {"tier": "gold"}, "annotations": {"about": "reboots"}}
    inner = {"metadata": meta, "spec": {"strategy": "Reboot", "retries": 2}}
    await world.create(TEMPLATES.api_version, TEMPLATES.kind, "reboot", {"template": inner})


async def start(world: World, replicas: int = 3, **remediation: Any) -> list[str]:
    """Machines, and a check that has them remediated by requests. Returns their names."""
    await world.create_deployment(replicas=replicas)
    checks = {"unhealthyNodeConditions": [{"type": "Ready", "status": "Unknown", "timeoutSeconds": 60}]}
    selector = {"matchLabels": {"cluster.x-k8s.io/deployment-name": "md"}}
    spec: Raw = {"clusterName": "c", "selector": selector, "checks": checks}
    spec["remediation"] = {"templateRef": REFERENCE, **remediation}
    await world.create(API, "MachineHealthCheck", "mhc", spec)
    await world.settle(10)
    return await names(world)


async def requests(world: World) -> list[Unstructured]:
    return await world.client.list(REQUESTS, "default")


async def told(world: World, name: str) -> Condition | None:
    machine = await world.client.get(Machine, name, "default")
    return next((c for c in machine.status.conditions if c.type == "ExternallyRemediated"), None)


@in_a_world
async def test_a_request_is_cloned_from_the_template_for_an_unhealthy_machine_which_stays(world: World) -> None:
    await install(world, TEMPLATES, REQUESTS)
    await create_template(world)
    before = await start(world)
    await lose(world, before[0])
    await world.settle(90)
    (request,) = await requests(world)
    machine = await world.client.get(Machine, before[0], "default")
    meta = request.metadata
    assert (meta.name, request.spec) == (before[0], {"strategy": "Reboot", "retries": 2})
    assert meta.labels == {"tier": "gold", "cluster.x-k8s.io/cluster-name": "c"}
    assert meta.annotations == {
        "about": "reboots",
        "cluster.x-k8s.io/cloned-from-name": "reboot",
        "cluster.x-k8s.io/cloned-from-groupkind": "AcmeRemediationTemplate.heal.example.org",
    }
    (owner,) = meta.owner_references
    assert (owner.kind, owner.name, owner.uid, owner.controller) == ("Machine", before[0], machine.metadata.uid, None)
    condition = await told(world, before[0])
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", "WaitingForRemediation")
    assert not any(c.type == "OwnerRemediated" for c in machine.status.conditions)
    assert await names(world) == before


@in_a_world
async def test_the_request_goes_when_its_machine_is_well_again(world: World) -> None:
    await install(world, TEMPLATES, REQUESTS)
    await create_template(world)
    before = await start(world)
    await lose(world, before[0])
    await world.settle(90)
    assert len(await requests(world)) == 1
    await world.set_ready(before[0], "True")
    await world.settle(10)
    assert await requests(world) == []
    assert await told(world, before[0]) is None


@in_a_world
async def test_what_the_remediating_controller_says_on_the_machine_is_left_alone(world: World) -> None:
    await install(world, TEMPLATES, REQUESTS)
    await create_template(world)
    before = await start(world)
    await lose(world, before[0])
    await world.settle(90)
    machine = await world.client.get(Machine, before[0], "default")
    progress = {"type": "ExternallyRemediated", "status": "False", "reason": "Rebooting", "message": "try 1 of 2"}
    others = [objects.part_to_raw(c) for c in machine.status.conditions if c.type != "ExternallyRemediated"]
    stamped = progress | {"lastTransitionTime": "2026-01-01T00:00:00Z"}
    patch = {"status": {"conditions": [*others, stamped]}}
    await world.client.patch(Machine, before[0], "default", patch=patch, subresource="status")
    await lose(world, before[1])
    await world.settle(200)
    condition = await told(world, before[0])
    assert condition is not None
    assert (condition.reason, condition.message) == ("Rebooting", "try 1 of 2")


@in_a_world
async def test_a_request_that_its_controller_removed_is_made_anew_while_the_machine_is_unwell(world: World) -> None:
    await install(world, TEMPLATES, REQUESTS)
    await create_template(world)
    before = await start(world)
    await lose(world, before[0])
    await world.settle(90)
    (first,) = await requests(world)
    await world.client.delete(REQUESTS, before[0], "default")
    await world.settle(10)
    assert await requests(world) == []
    await world.settle(60)
    (second,) = await requests(world)
    assert second.metadata.uid != first.metadata.uid


@in_a_world
async def test_a_request_is_not_made_twice_and_goes_with_its_machine(world: World) -> None:
    await install(world, TEMPLATES, REQUESTS)
    await create_template(world)
    before = await start(world)
    await lose(world, before[0])
    await world.settle(300)
    (request,) = await requests(world)
    assert request.metadata.name == before[0]
    await world.client.delete(Machine, before[0], "default")
    await world.settle(60)
    assert await requests(world) == []


@in_a_world
async def test_a_template_that_does_not_exist_is_said_on_machine_and_check_and_found_when_it_comes(
    world: World,
) -> None:
    await install(world, TEMPLATES, REQUESTS)
    before = await start(world)
    await lose(world, before[0])
    await world.settle(90)
    condition = await told(world, before[0])
    assert condition is not None
    assert condition.reason == "RemediationTemplateNotFound"
    assert condition.message == (
        "Error retrieving remediation template AcmeRemediationTemplate reboot: "
        'acmeremediationtemplates.heal.example.org "reboot" not found'
    )
    old = {c.type: c for c in (await world.check()).status.deprecated.v1beta1.conditions}
    available = old["ExternalRemediationTemplateAvailable"]
    assert (available.status, available.reason) == ("False", "ExternalRemediationTemplateNotFound")
    assert await names(world) == before
    await create_template(world)
    await world.settle(10)
    assert [r.metadata.name for r in await requests(world)] == [before[0]]
    condition = await told(world, before[0])
    assert condition is not None
    assert condition.reason == "WaitingForRemediation"
    old = {c.type: c for c in (await world.check()).status.deprecated.v1beta1.conditions}
    assert old["ExternalRemediationTemplateAvailable"].status == "True"


@in_a_world
async def test_kinds_that_are_installed_late_are_found(world: World) -> None:
    before = await start(world)
    await lose(world, before[0])
    await world.settle(90)
    condition = await told(world, before[0])
    assert condition is not None
    assert condition.reason == "RemediationTemplateNotFound"
    assert "no kind AcmeRemediationTemplate is served in heal.example.org/v1" in condition.message
    await install(world, TEMPLATES)
    await create_template(world)
    await world.settle(60)
    condition = await told(world, before[0])
    assert condition is not None
    assert condition.reason == "RemediationRequestCreationFailed"
    assert condition.message.startswith("no kind AcmeRemediation is served in heal.example.org/v1")
    await install(world, REQUESTS)
    await world.settle(10)
    assert [r.metadata.name for r in await requests(world)] == [before[0]]


@in_a_world
async def test_a_request_that_the_server_refuses_is_said_on_the_machine_and_tried_again(world: World) -> None:
    strict = definition(REQUESTS)
    version = strict["spec"]["versions"][0]
    version["schema"]["openAPIV3Schema"]["properties"]["spec"] = {
        "type": "object",
        "properties": {"strategy": {"type": "string", "enum": ["PowerCycle"]}, "retries": {"type": "integer"}},
    }
    await install(world, TEMPLATES)
    await world.client.create(objects.from_raw(Unstructured, strict), resource=DEFINITIONS)
    await create_template(world)
    before = await start(world)
    await lose(world, before[0])
    await world.settle(90)
    assert await requests(world) == []
    condition = await told(world, before[0])
    assert condition is not None
    assert condition.reason == "RemediationRequestCreationFailed"
    assert "spec.strategy" in condition.message
    changed = {"spec": {"template": {"spec": {"strategy": "PowerCycle"}}}}
    await world.client.patch(TEMPLATES, "reboot", "default", patch=changed)
    await world.settle(400)
    assert [r.metadata.name for r in await requests(world)] == [before[0]]
    condition = await told(world, before[0])
    assert condition is not None
    assert condition.reason == "WaitingForRemediation"


@in_a_world
async def test_too_many_unhealthy_machines_are_not_asked_for(world: World) -> None:
    await install(world, TEMPLATES, REQUESTS)
    await create_template(world)
    before = await start(world, triggerIf={"unhealthyLessThanOrEqualTo": 1})
    await lose(world, *before[:2])
    await world.settle(120)
    assert await requests(world) == []
    assert await told(world, before[0]) is None


@in_a_world
async def test_a_machine_that_is_exempt_gets_no_request(world: World) -> None:
    await install(world, TEMPLATES, REQUESTS)
    await create_template(world)
    before = await start(world)
    meta = {"annotations": {"cluster.x-k8s.io/skip-remediation": ""}}
    await world.client.patch(Machine, before[0], "default", patch={"metadata": meta})
    await lose(world, *before[:2])
    await world.settle(120)
    assert [r.metadata.name for r in await requests(world)] == [before[1]]
    with pytest.raises(errors.NotFound):
        await world.client.get(REQUESTS, before[0], "default")
