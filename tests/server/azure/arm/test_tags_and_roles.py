"""Tags and role assignments, at the scope of what they are about."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.authorization.aio import AuthorizationManagementClient
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient

from capipool.testing.azure import Arm
from tests.server.azure.arm.bodies import GROUP, NAME, make, rows, scale_set

GUID = "00000000-aaaa-bbbb-cccc-000000000001"
OTHER = "00000000-aaaa-bbbb-cccc-000000000002"
CONTRIBUTOR = "/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"


@pytest.fixture
async def resources(arm: Arm) -> AsyncIterator[ResourceManagementClient]:
    options = arm.client_options(keep=True)
    async with ResourceManagementClient(arm.credential(), arm.subscription, polling_interval=0.01, **options) as client:
        yield client


@pytest.fixture
async def authorization(arm: Arm) -> AsyncIterator[AuthorizationManagementClient]:
    async with AuthorizationManagementClient(
        arm.credential(), arm.subscription, **arm.client_options(keep=True)
    ) as client:
        yield client


@pytest.mark.parametrize(
    ("operation", "given", "left"),
    [
        ("Merge", {"a": "2", "c": "3"}, {"Name": "mp", "a": "2", "c": "3"}),
        ("Merge", {"NAME": "other"}, {"Name": "other", "a": "1"}),
        ("Delete", {"a": "1"}, {"Name": "mp"}),
        ("Delete", {"a": ""}, {"Name": "mp"}),
        ("Delete", {"a": "another value", "none": "x"}, {"Name": "mp", "a": "1"}),
        ("Replace", {"b": "2"}, {"b": "2"}),
    ],
)
async def test_tags_are_changed_without_a_write_of_the_resource(
    arm: Arm,
    compute: ComputeManagementClient,
    resources: ResourceManagementClient,
    operation: str,
    given: dict[str, str],
    left: dict[str, str],
) -> None:
    made = await make(compute, {**scale_set(1), "tags": {"Name": "mp", "a": "1"}})
    patch = {"operation": operation, "properties": {"tags": given}}
    poller = await resources.tags.begin_update_at_scope(made.id, patch)
    assert (await poller.result()).properties.tags == left
    assert (await resources.tags.get_at_scope(made.id)).properties.tags == left
    assert (await compute.virtual_machine_scale_sets.get(GROUP, NAME)).tags == left
    assert arm.scale_set(NAME).model == 1


async def test_all_tags_are_set_and_removed(
    compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    made = await make(compute, scale_set(0))
    await (await resources.tags.begin_create_or_update_at_scope(made.id, {"properties": {"tags": {"b": "2"}}})).result()
    assert (await compute.virtual_machine_scale_sets.get(GROUP, NAME)).tags == {"b": "2"}
    await (await resources.tags.begin_delete_at_scope(made.id)).result()
    assert (await compute.virtual_machine_scale_sets.get(GROUP, NAME)).tags == {}


async def test_tags_that_no_resource_can_have_are_refused(
    compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    made = await make(compute, scale_set(0))
    for given in ({"a/b": "1"}, {"n": "v" * 257}, {f"n{i}": "" for i in range(51)}):
        with pytest.raises(HttpResponseError) as failure:
            await resources.tags.begin_update_at_scope(made.id, {"operation": "Merge", "properties": {"tags": given}})
        assert failure.value.status_code == 400
    with pytest.raises(ResourceNotFoundError):
        await resources.tags.get_at_scope(f"{made.id}-none")


async def test_groups_are_made_tagged_and_deleted_with_what_they_hold(
    arm: Arm, compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    await resources.resource_groups.create_or_update("new", {"location": "eastus", "tags": {"a": "b"}})
    assert await resources.resource_groups.check_existence("new")
    assert not await resources.resource_groups.check_existence("none")
    assert [g.name async for g in resources.resource_groups.list()] == ["rg", "new"]
    poller = await compute.virtual_machine_scale_sets.begin_create_or_update("new", NAME, scale_set(2))
    made = await poller.result()
    group_id = made.id.split("/providers/")[0]
    assert (await resources.tags.get_at_scope(group_id)).properties.tags == {"a": "b"}
    await (await resources.resource_groups.begin_delete("new")).result()
    assert not arm.state.scale_sets
    with pytest.raises(ResourceNotFoundError):
        await resources.resource_groups.get("new")


async def test_nothing_is_written_into_a_group_that_goes(
    arm: Arm, compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    await make(compute, scale_set(1))
    arm.faults.hold("resourceGroups/delete")
    poller = await resources.resource_groups.begin_delete(GROUP)
    with pytest.raises(ResourceExistsError) as failure:
        await make(compute, scale_set(2))
    assert failure.value.error is not None
    assert failure.value.error.code == "ResourceGroupBeingDeleted"
    arm.release()
    await poller.result()
    assert not arm.state.groups


async def test_a_managed_identity_gets_a_role(
    compute: ComputeManagementClient, authorization: AuthorizationManagementClient
) -> None:
    made = await make(compute, {**scale_set(0), "identity": {"type": "SystemAssigned"}})
    principal = made.identity.principal_id
    body = {"properties": {"principalId": principal, "roleDefinitionId": CONTRIBUTOR}}
    assignments = authorization.role_assignments
    given = await assignments.create(made.id, GUID, body)
    assert (given.principal_id, given.scope, given.principal_type) == (principal, made.id, "ServicePrincipal")
    assert (await assignments.create(made.id, GUID, body)).id == given.id
    assert (await assignments.get(made.id, GUID)).role_definition_id == CONTRIBUTOR
    wanted = f"principalId eq '{principal}'"
    assert [a.name async for a in assignments.list_for_scope(made.id, filter=wanted)] == [GUID]
    assert [a.name async for a in assignments.list_for_subscription(filter=wanted)] == [GUID]
    assert [a async for a in assignments.list_for_scope(made.id, filter="principalId eq 'nobody'")] == []
    await assignments.delete(made.id, GUID)
    await assignments.delete(made.id, GUID)
    with pytest.raises(ResourceNotFoundError):
        await assignments.get(made.id, GUID)


async def test_an_assignment_outlives_its_identity(
    compute: ComputeManagementClient, authorization: AuthorizationManagementClient, arm: Arm
) -> None:
    made = await make(compute, {**scale_set(0), "identity": {"type": "SystemAssigned"}})
    body = {"properties": {"principalId": made.identity.principal_id, "roleDefinitionId": CONTRIBUTOR}}
    scope = f"/subscriptions/{arm.subscription}"
    await authorization.role_assignments.create(scope, GUID, body)
    await (await compute.virtual_machine_scale_sets.begin_delete(GROUP, NAME)).result()
    assert (await authorization.role_assignments.get(scope, GUID)).name == GUID


async def test_assignments_that_clash_are_refused(arm: Arm, authorization: AuthorizationManagementClient) -> None:
    assignments, scope = authorization.role_assignments, f"/subscriptions/{arm.subscription}"
    arm.state.principals |= {"p", "q"}

    async def give(name: str, principal: str, **more: str) -> None:
        properties = {"principalId": principal, "roleDefinitionId": CONTRIBUTOR, **more}
        await assignments.create(scope, name, {"properties": properties})

    await give(GUID, "p")
    with pytest.raises(ResourceExistsError, match="already exists"):
        await give(OTHER, "p")
    with pytest.raises(ResourceExistsError, match="not allowed to be updated"):
        await give(GUID, "q")
    with pytest.raises(HttpResponseError, match="must be a GUID"):
        await give("name", "q")
    with pytest.raises(HttpResponseError, match="does not exist in the directory"):
        await give(OTHER, "stranger")
    await give(OTHER, "stranger", principalType="ServicePrincipal")


async def test_what_holds_at_a_scope_includes_what_holds_above(
    arm: Arm, authorization: AuthorizationManagementClient
) -> None:
    arm.state.principals.add("p")
    subscription = f"/subscriptions/{arm.subscription}"
    body = {"properties": {"principalId": "p", "roleDefinitionId": CONTRIBUTOR}}
    assignments = authorization.role_assignments
    await assignments.create(subscription, GUID, body)
    await assignments.create(f"{subscription}/resourceGroups/{GROUP}", OTHER, body)
    assert len([a async for a in assignments.list_for_resource_group(GROUP)]) == 2
    assert len([a async for a in assignments.list_for_subscription(filter="atScope()")]) == 1


async def test_resources_are_found_by_tag_and_type(
    arm: Arm, compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    await make(compute, {**scale_set(0), "tags": {"owner": "me"}}, "a")
    await make(compute, {**scale_set(1, mode="Flexible"), "tags": {"owner": "you"}}, "b")
    arm.faults.page_size = 1
    mine = resources.resources.list(filter="tagName eq 'Owner' and tagValue eq 'me'")
    assert [r.name async for r in mine] == ["a"]
    kind = "resourceType eq 'Microsoft.Compute/virtualMachineScaleSets'"
    sets = resources.resources.list_by_resource_group(GROUP, filter=kind)
    assert [r.name async for r in sets] == ["a", "b"]
    assert len([r async for r in resources.resources.list_by_resource_group(GROUP)]) == 3
    with pytest.raises(HttpResponseError, match="not understood"):
        _ = [r async for r in resources.resources.list(filter="color eq 'red'")]


async def test_tags_of_a_set_reach_its_new_machines(compute: ComputeManagementClient) -> None:
    await make(compute, {**scale_set(1), "tags": {"a": "1"}})
    assert (await rows(compute))[0].tags == {"a": "1"}
