"""What was PUT against what GET answers: every field counts, spelling and what Azure adds do not."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.machinery.objects import Raw
from capipool.providers.azure.pools.comparing import differences

SUBNET = "/subscriptions/S/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/n/subnets/s"


def profile(**parts: Any) -> Raw:
    return {"properties": {"virtualMachineProfile": parts}}


def test_the_same_document_does_not_differ() -> None:
    body = profile(storageProfile={"osDisk": {"diskSizeGB": 30}})
    assert differences(body, body) == []


def test_what_azure_adds_is_no_difference() -> None:
    there = {"id": "/x", "properties": {"uniqueId": "u", "virtualMachineProfile": {"a": 1, "timeCreated": "t"}}}
    assert differences(profile(a=1), there) == []


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ({"location": "eastus"}, {"location": "East US"}),
        ({"sku": {"name": "Standard_D2s_v3"}}, {"sku": {"name": "standard_d2s_V3"}}),
        (profile(n={"subnet": {"id": SUBNET}}), profile(n={"subnet": {"id": SUBNET.upper()}})),
        (profile(s={"imageReference": {"offer": "Capi"}}), profile(s={"imageReference": {"offer": "capi"}})),
        (profile(s={"encryptionAtHost": False}), profile(s={})),
        ({"identity": {"type": "None"}}, {}),
        (
            {"identity": {"type": "UserAssigned", "userAssignedIdentities": {"/Subscriptions/A": {}}}},
            {"identity": {"type": "userAssigned", "userAssignedIdentities": {"/subscriptions/a": {"clientId": "c"}}}},
        ),
        (profile(e=[{"name": "a"}, {"name": "b"}]), profile(e=[{"name": "B"}, {"name": "A"}])),
        ({"zones": ["1"]}, {"zones": ["2", "1"]}),
        ({"properties": {"platformFaultDomainCount": 1}}, {"properties": {"platformFaultDomainCount": 5}}),
    ],
)
def test_another_spelling_of_the_same_is_no_difference(wanted: Raw, there: Raw) -> None:
    assert differences(wanted, there) == []


@pytest.mark.parametrize(
    ("wanted", "there", "path"),
    [
        ({"sku": {"name": "a"}}, {"sku": {"name": "b"}}, "sku.name"),
        ({"zones": ["1", "2"]}, {"zones": ["1"]}, "zones"),
        (profile(priority="Spot"), profile(), "properties.virtualMachineProfile.priority"),
        (profile(d=[1, 2]), profile(d=[1]), "properties.virtualMachineProfile.d"),
        ({"identity": {"type": "None"}}, {"identity": {"type": "SystemAssigned"}}, "identity.type"),
        (
            {"identity": {"type": "UserAssigned", "userAssignedIdentities": {"/a": {}}}},
            {"identity": {"type": "UserAssigned", "userAssignedIdentities": {"/a": {}, "/b": {}}}},
            "identity",
        ),
        (
            profile(e=[{"name": "a", "properties": {"v": "1"}}]),
            profile(e=[{"name": "a", "properties": {"v": "2"}}]),
            "properties.virtualMachineProfile.e[0].properties.v",
        ),
        (profile(key="AAAA"), profile(key="aaaa"), "properties.virtualMachineProfile.key"),
    ],
)
def test_any_field_may_differ_and_is_named(wanted: Raw, there: Raw, path: str) -> None:
    assert differences(wanted, there) == [path]
