"""The administration paths, for tests in another process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute.aio import ComputeManagementClient

from capipool.testing.azure import Arm
from tests.server.azure.arm.bodies import GROUP, NAME, ids, make, profile, rows, scale_set


@pytest.fixture
async def http(arm: Arm) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=arm.ssl_context())
    async with aiohttp.ClientSession(arm.url, connector=connector) as session:
        yield session


async def ask(http: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Any:
    """The answer's body, or its status where it has none."""
    async with http.request(method, f"/_capipool/{path}", json=body) as answer:
        return await answer.json() if answer.content_type == "application/json" else answer.status


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "fail", "action": "virtualMachineScaleSets/write", "code": "AllocationFailed"}, "AllocationFailed"),
        ({"kind": "refuse", "action": "*/write", "code": "SkuNotAvailable", "status": 409}, "SkuNotAvailable"),
        ({"kind": "cancel", "action": "virtualMachineScaleSets/write"}, "OperationPreempted"),
        ({"kind": "failBoot", "code": "OSProvisioningTimedOut", "times": 1}, "OSProvisioningTimedOut"),
        ({"kind": "throttle", "times": 20, "retryAfter": 0.01}, "TooManyRequests"),
    ],
)
async def test_faults_are_ordered_and_strike(
    arm: Arm, compute: ComputeManagementClient, http: aiohttp.ClientSession, fault: dict[str, Any], code: str
) -> None:
    assert await ask(http, "POST", "faults", fault) == 204
    with pytest.raises(HttpResponseError) as failure:
        await make(compute, scale_set(1))
    assert failure.value.error is not None
    assert failure.value.error.code == code
    assert await ask(http, "DELETE", "faults") == 204
    assert (await make(compute, scale_set(1))).provisioning_state == "Succeeded"


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"kind": "nothing"},
        {"kind": "fail"},
        {"kind": "cancel"},
        {"kind": "throttle", "times": "many"},
        {"kind": "throttle", "code": "x"},
    ],
)
async def test_a_fault_that_makes_no_sense_says_why(http: aiohttp.ClientSession, fault: dict[str, Any]) -> None:
    answer = await ask(http, "POST", "faults", fault)
    assert answer["error"]["code"] == "BadRequest"


async def test_a_body_is_json_whatever_its_type_says(arm: Arm, http: aiohttp.ClientSession) -> None:
    given, headers = b'{"nodeImage": "newer"}', {"Content-Type": "application/x-www-form-urlencoded"}
    async with http.post("/_capipool/images", data=given, headers=headers) as answer:
        assert answer.status == 204
    assert arm.state.aks.node_image == "newer"


async def test_operations_are_held_and_released(compute: ComputeManagementClient, http: aiohttp.ClientSession) -> None:
    await ask(http, "POST", "hold", {"action": "virtualMachineScaleSets/*"})
    poller = await compute.virtual_machine_scale_sets.begin_create_or_update(GROUP, NAME, scale_set(1))
    assert (await rows(compute))[0].provisioning_state == "Creating"
    await ask(http, "POST", "release", {})
    assert (await poller.result()).provisioning_state == "Succeeded"


async def test_the_log_is_read_and_cleared(compute: ComputeManagementClient, http: aiohttp.ClientSession) -> None:
    await make(compute, scale_set(1))
    [first, *_] = (await ask(http, "GET", "requests"))["value"]
    assert (first["method"], first["mutating"], first["status"]) == ("PUT", True, 201)
    assert await ask(http, "DELETE", "requests") == 204
    assert (await ask(http, "GET", "requests"))["value"] == []


async def test_settings_are_changed(arm: Arm, compute: ComputeManagementClient, http: aiohttp.ClientSession) -> None:
    changed = await ask(
        http, "PATCH", "settings", {"timing": {"boot": 3600, "polls": 0}, "pageSize": 1, "groupCase": "upper"}
    )
    assert (changed["timing"]["boot"], changed["pageSize"], changed["groupCase"]) == (3600, 1, "upper")
    await compute.virtual_machine_scale_sets.begin_create_or_update(GROUP, NAME, scale_set(2))
    found = await rows(compute)
    assert [row.provisioning_state for row in found] == ["Creating", "Creating"]
    assert "/resourceGroups/RG/" in found[0].id
    assert (await ask(http, "GET", "settings")) == changed


@pytest.mark.parametrize(
    "change", [{"timing": {"boot": -1}}, {"timing": {"lunch": 1}}, {"pageSize": "x"}, {"groupCase": "x"}, {"a": 1}]
)
async def test_settings_that_make_no_sense_change_nothing(http: aiohttp.ClientSession, change: dict[str, Any]) -> None:
    before = await ask(http, "GET", "settings")
    assert (await ask(http, "PATCH", "settings", change))["error"]["code"] == "BadRequest"
    assert await ask(http, "GET", "settings") == before


async def test_machines_are_struck(arm: Arm, compute: ComputeManagementClient, http: aiohttp.ClientSession) -> None:
    spot = profile(priority="Spot", evictionPolicy="Delete")
    made = await make(compute, scale_set(3, virtualMachineProfile=spot))
    for instance, deed in (("0", "evict"), ("1", "fail"), ("2", "sicken")):
        given = {"id": f"{made.id}/virtualMachines/{instance}", "do": deed}
        assert await ask(http, "POST", "machines", given) == 204
    assert await ids(compute) == ["1", "2"]
    assert (await rows(compute))[0].provisioning_state == "Failed"
    assert arm.machine(NAME, "2").health == "Unhealthy"
    missing = {"id": f"{made.id}/virtualMachines/9", "do": "fail"}
    assert (await ask(http, "POST", "machines", missing))["error"]["code"] == "ResourceNotFound"


async def test_images_are_published(arm: Arm, http: aiohttp.ClientSession) -> None:
    market = {"publisher": "me", "offer": "mine", "sku": "s", "version": "1.0.0"}
    for body in (market, {"gallery": "g", "image": "i", "version": "2.0.0"}, {"nodeImage": "newer"}):
        assert await ask(http, "POST", "images", body) == 204
    assert arm.state.images.market("me", "mine", "s") == ["1.0.0"]
    assert arm.state.images.gallery("g", "i") == ["2.0.0"]
    assert arm.state.aks.node_image == "newer"
    assert (await ask(http, "POST", "images", {}))["error"]["code"] == "BadRequest"
