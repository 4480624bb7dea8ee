"""What holds for every request: tokens, versions, groups, throttling, pages, lost answers, letter case, the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.identity.aio import ClientAssertionCredential, ClientSecretCredential
from azure.mgmt.compute.aio import ComputeManagementClient

from capipool.testing import azure
from capipool.testing.azure import Arm
from tests.server.azure.arm.bodies import GROUP, NAME, ids, make, scale_set


@pytest.fixture
async def http(arm: Arm) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=arm.ssl_context())
    async with aiohttp.ClientSession(arm.url, connector=connector) as session:
        yield session


async def ask(http: aiohttp.ClientSession, method: str, path: str, **given: Any) -> tuple[int, str]:
    """The status and the code of a plain request."""
    headers = given.pop("headers", {"Authorization": "Bearer t"})
    async with http.request(method, path, headers=headers, **given) as answer:
        body = await answer.json() if answer.content_type == "application/json" else {}
        return answer.status, body.get("error", {}).get("code", "")


def path(arm: Arm, group: str = GROUP, rest: str = "") -> str:
    base = f"/subscriptions/{arm.subscription}/resourceGroups/{group}/providers/Microsoft.Compute"
    return f"{base}/virtualMachineScaleSets{rest}"


async def test_a_request_without_a_token_is_refused(arm: Arm, http: aiohttp.ClientSession) -> None:
    url = f"{path(arm)}?api-version=1"
    assert await ask(http, "GET", url, headers={}) == (401, "AuthenticationFailed")
    assert await ask(http, "GET", url, headers={"Authorization": "Basic abc"}) == (401, "AuthenticationFailed")


async def test_a_request_without_an_api_version_is_refused(arm: Arm, http: aiohttp.ClientSession) -> None:
    assert await ask(http, "GET", path(arm)) == (400, "MissingApiVersionParameter")


async def test_what_is_missing_is_told_apart(arm: Arm, http: aiohttp.ClientSession) -> None:
    version = "?api-version=1"
    assert await ask(http, "GET", f"{path(arm, rest='/none')}{version}") == (404, "ResourceNotFound")
    assert await ask(http, "GET", f"{path(arm, 'none', '/mp')}{version}") == (404, "ResourceGroupNotFound")
    assert await ask(http, "GET", f"{path(arm, rest='/mp/nothing')}{version}") == (404, "ResourceNotFound")
    assert await ask(http, "PATCH", f"{path(arm)}{version}") == (405, "MethodNotAllowed")
    other = f"/subscriptions/other/resourceGroups{version}"
    assert await ask(http, "GET", other) == (404, "SubscriptionNotFound")


async def test_a_body_that_is_no_json_object_is_refused(arm: Arm, http: aiohttp.ClientSession) -> None:
    url = f"{path(arm, rest='/mp')}?api-version=1"
    assert await ask(http, "PUT", url, data=b"{") == (400, "InvalidRequestContent")
    assert await ask(http, "PUT", url, json=[]) == (400, "InvalidRequestContent")


async def test_letters_of_paths_match_in_either_case(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    found = await compute.virtual_machine_scale_sets.get(GROUP.upper(), NAME.upper())
    assert f"/resourceGroups/{GROUP}/" in str(found.id)


async def test_group_names_come_back_in_other_letters_when_asked(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.faults.group_case = str.upper
    made = await make(compute, scale_set(1))
    assert f"/resourceGroups/{GROUP.upper()}/" in made.id
    assert made.name == NAME


async def test_throttled_requests_are_repeated_by_the_library(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    arm.log.clear()
    arm.faults.throttle("virtualMachineScaleSets/read", times=2, retry_after=0.01)
    await compute.virtual_machine_scale_sets.get(GROUP, NAME)
    assert [request.status for request in arm.log.all] == [429, 429, 200]


async def test_throttling_that_lasts_is_seen(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.faults.throttle(times=100, retry_after=0.01)
    with pytest.raises(HttpResponseError) as failure:
        await compute.virtual_machine_scale_sets.get(GROUP, NAME)
    assert failure.value.status_code == 429


async def test_a_lost_answer_comes_after_the_effect(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.faults.lose_answer("virtualMachineScaleSets/write", times=2)  # the library repeats it once
    with pytest.raises((ServiceRequestError, HttpResponseError, aiohttp.ClientError)):
        await compute.virtual_machine_scale_sets.begin_create_or_update(GROUP, NAME, scale_set(2), retry_total=0)
    assert await ids(compute) == ["0", "1"]
    assert arm.log.all[0].status == 0


async def test_a_lost_request_has_no_effect(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.faults.lose_request("virtualMachineScaleSets/write", times=2)
    with pytest.raises((ServiceRequestError, HttpResponseError, aiohttp.ClientError)):
        await compute.virtual_machine_scale_sets.begin_create_or_update(GROUP, NAME, scale_set(2), retry_total=0)
    assert not arm.state.scale_sets


async def test_the_log_tells_reads_from_writes(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    assert [(r.method, r.action, r.status) for r in arm.log.mutating] == [("PUT", "virtualMachineScaleSets/write", 201)]
    arm.log.clear()
    await ids(compute)
    await compute.virtual_machine_scale_sets.get(GROUP, NAME)
    assert not arm.log.mutating
    assert len(arm.log.all) == 2


async def test_pages_carry_the_query_along(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(5))
    arm.faults.page_size = 2
    found = [row async for row in compute.virtual_machine_scale_set_vms.list(GROUP, NAME, expand="instanceView")]
    assert len(found) == 5
    assert all(row.instance_view is not None for row in found)


@pytest.mark.parametrize("kind", ["secret", "assertion"])
async def test_azure_identity_gets_its_token_here(arm: Arm, kind: str) -> None:
    given: dict[str, Any] = {
        "authority": arm.url,
        "disable_instance_discovery": True,
        "connection_verify": str(arm.ca_file),
    }
    if kind == "secret":
        credential: Any = ClientSecretCredential(arm.tenant, "client", "secret", **given)
    else:
        credential = ClientAssertionCredential(arm.tenant, "client", lambda: "signed", **given)
    async with (
        credential,
        ComputeManagementClient(credential, arm.subscription, **arm.client_options()) as compute,
    ):
        assert [s async for s in compute.virtual_machine_scale_sets.list(GROUP)] == []
    assert arm.log.all[0].action == "token"
    assert not arm.log.mutating


async def test_a_wrong_secret_gets_no_token() -> None:
    async with azure.serve(principals={"client": "right"}) as arm:
        credential = ClientSecretCredential(
            arm.tenant,
            "client",
            "wrong",
            authority=arm.url,
            disable_instance_discovery=True,
            connection_verify=str(arm.ca_file),
        )
        async with credential:
            with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
                await credential.get_token("https://management.azure.com/.default")


async def test_a_group_that_is_not_there_is_named(compute: ComputeManagementClient) -> None:
    with pytest.raises(ResourceNotFoundError, match="Resource group 'none' could not be found"):
        await compute.virtual_machine_scale_sets.get("none", NAME)
