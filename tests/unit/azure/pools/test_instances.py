"""Instances as Azure lists them: their states, eviction, protection, and what they are called."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from capipool.machinery.objects import Raw
from capipool.providers.azure.pools import instances
from capipool.providers.azure.pools.history import History
from capipool.providers.azure.pools.seen import Seen
from capipool.sdk import InstanceState

SET = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.Compute/virtualMachineScaleSets/mp"


def row(state: str = "Succeeded", *, power: str = "", **properties: Any) -> Raw:
    view = {"instanceView": {"statuses": [{"code": f"PowerState/{power}"}]}} if power else {}
    return {
        "id": f"{SET}/virtualMachines/0",
        "name": "mp_0",
        "instanceId": "0",
        "zones": ["2"],
        "properties": {"provisioningState": state, "timeCreated": "2026-01-01T12:00:00.1234567+00:00"}
        | view
        | properties,
    }


def seen(*rows: Raw, native: bool = False, tags: dict[str, str] | None = None, going: tuple[str, ...] = ()) -> Seen:
    raw = {"id": SET, "tags": tags or {}, "properties": {"uniqueId": "12345678-abcd"}, "sku": {"capacity": len(rows)}}
    return Seen(raw, rows, native=native, going=frozenset(going))


@pytest.mark.parametrize(
    ("state", "power", "spot", "wanted"),
    [
        ("Creating", "", False, InstanceState.PENDING),
        ("Succeeded", "running", False, InstanceState.RUNNING),
        ("Updating", "running", False, InstanceState.RUNNING),
        ("Failed", "running", False, InstanceState.FAILED),
        ("Deleting", "running", False, InstanceState.TERMINATING),
        ("Succeeded", "deallocated", False, InstanceState.RUNNING),
        ("Succeeded", "deallocated", True, InstanceState.FAILED),
        ("Succeeded", "deallocating", True, InstanceState.FAILED),
        ("Deleting", "deallocated", True, InstanceState.TERMINATING),
    ],
)
def test_states_are_read_with_the_power_of_spot_machines(
    state: str, power: str, spot: bool, wanted: InstanceState
) -> None:
    assert instances.state(row(state, power=power), spot=spot) is wanted


def test_an_instance_says_its_zone_its_moment_and_a_name_that_is_used_once() -> None:
    (found,) = seen(row()).instances(flexible=False)
    assert found.id == "mp_0@12345678"
    assert (found.name, found.zone) == ("mp_0", "2")
    assert found.created == dt.datetime(2026, 1, 1, 12, 0, 0, 123456, dt.UTC)
    assert found.provider_id == f"azure://{SET.replace('RG', 'rg')}/virtualMachines/0"


def test_calls_name_an_instance_by_its_number() -> None:
    assert seen(row()).numbers(["mp_0@12345678", "other"]) == ["0"]


def test_one_that_azure_took_on_to_delete_is_going_whether_it_shows_or_not() -> None:
    (found,) = seen(row(), going=("mp_0@12345678",)).instances(flexible=False)
    assert found.state is InstanceState.TERMINATING


@pytest.mark.parametrize("policy", [{"protectFromScaleIn": True}, {"protectFromScaleSetActions": True}])
def test_protection_is_seen(policy: Raw) -> None:
    assert instances.is_protected(row(protectionPolicy=policy))
    assert not instances.is_protected(row())


def test_a_failure_says_its_code_and_its_reason() -> None:
    status = {"code": "ProvisioningState/failed/OSProvisioningTimedOut", "message": "too slow"}
    assert instances.message(row("Failed", instanceView={"statuses": [status]})) == "OSProvisioningTimedOut: too slow"
    assert "evicted" in instances.message(row(power="deallocated"), spot=True)


def test_the_latest_model_is_trusted_only_where_azure_rolls() -> None:
    tags = History("r1").followed_by("r2", [dt.datetime(2026, 1, 2, tzinfo=dt.UTC)]).tags()
    for native, wanted in ((False, "r1"), (True, "r2")):
        (found,) = seen(row(latestModelApplied=True), native=native, tags=tags).instances(flexible=False)
        assert found.revision == wanted
