"""IDs as Azure's cloud provider writes them on nodes: only the resource group is put into lower case."""

from __future__ import annotations

import pytest

from capipool.providers.azure import ids

SET = "/subscriptions/S/resourceGroups/My-RG/providers/Microsoft.Compute/virtualMachineScaleSets/Pool"


def test_only_the_resource_group_is_lowered() -> None:
    assert ids.provider_id(SET) == f"azure://{SET.replace('My-RG', 'my-rg')}"


def test_an_instance_of_a_uniform_set_is_under_its_set() -> None:
    found = ids.instance_provider_id(f"{SET}/virtualMachines/0", flexible=False)
    assert found == f"azure://{SET.replace('My-RG', 'my-rg')}/virtualMachines/0"


@pytest.mark.parametrize(
    "listed",
    [
        f"{SET}/virtualMachines/Pool_1a2b3c4d",
        "/subscriptions/S/resourceGroups/MY-RG/providers/Microsoft.Compute/virtualMachines/Pool_1a2b3c4d",
    ],
)
def test_an_instance_of_a_flexible_set_is_a_machine_of_its_own(listed: str) -> None:
    wanted = "azure:///subscriptions/S/resourceGroups/my-rg/providers/Microsoft.Compute/virtualMachines/Pool_1a2b3c4d"
    assert ids.instance_provider_id(listed, flexible=True) == wanted


def test_ids_in_any_letter_case_name_the_same_thing() -> None:
    assert ids.same(f"azure://{SET.upper()}/", SET)
    assert not ids.same(SET, f"{SET}2")


@pytest.mark.parametrize("text", [SET, f"azure://{SET}", f"azure://{SET.lower()}/virtualMachines/3"])
def test_a_scale_set_is_read_from_any_of_its_ids(text: str) -> None:
    found = ids.ScaleSetID.parse(text)
    assert found is not None
    assert ids.same(str(found), SET)


@pytest.mark.parametrize("text", ["", "aws:///a/b", "/subscriptions/S/resourceGroups/g", SET.replace("ScaleSets", "s")])
def test_other_texts_are_none(text: str) -> None:
    assert ids.ScaleSetID.parse(text) is None
