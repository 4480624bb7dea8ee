"""Sizes and images, as clients look them up before they write."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.compute.aio import ComputeManagementClient

from capipool.testing.azure import Arm
from tests.server.azure.arm import bodies
from tests.server.azure.arm.bodies import make, profile, rows, scale_set

GALLERY = "ClusterAPI-f72ceb4f-5159-4c26-a0fe-2ea738f0d019"


async def skus(compute: ComputeManagementClient, location: str = "eastus") -> dict[str, Any]:
    return {s.name: s async for s in compute.resource_skus.list(filter=f"location eq '{location}'")}


async def test_sizes_have_zones_and_capabilities(compute: ComputeManagementClient) -> None:
    found = (await skus(compute))["Standard_D2s_v3"]
    assert (found.resource_type, found.locations) == ("virtualMachines", ["eastus"])
    assert found.location_info[0].zones == ["1", "2", "3"]
    capabilities = {c.name: c.value for c in found.capabilities}
    assert capabilities["vCPUs"] == "2"
    assert capabilities["MemoryGB"] == "8"
    assert {"AcceleratedNetworkingEnabled", "EphemeralOSDiskSupported", "CpuArchitectureType"} <= set(capabilities)
    assert found.restrictions == []


async def test_sizes_are_listed_by_location(arm: Arm, compute: ComputeManagementClient) -> None:
    everywhere = [s async for s in compute.resource_skus.list()]
    assert {s.locations[0] for s in everywhere} == {"eastus", "westeurope"}
    arm.faults.page_size = 2
    assert len(await skus(compute)) == len(everywhere) / 2


async def test_a_restricted_size_is_shown_and_refused(arm: Arm, compute: ComputeManagementClient) -> None:
    sku = arm.state.skus.find("Standard_D2s_v3", "eastus")
    assert sku is not None
    sku.restricted = True
    restriction = (await skus(compute))["Standard_D2s_v3"].restrictions[0]
    assert (restriction.type, restriction.reason_code) == ("Location", "NotAvailableForSubscription")
    with pytest.raises(ResourceExistsError) as failure:
        await make(compute, scale_set(1))
    assert failure.value.error is not None
    assert failure.value.error.code == "SkuNotAvailable"


async def test_a_restricted_zone_is_shown_and_refused(arm: Arm, compute: ComputeManagementClient) -> None:
    sku = arm.state.skus.find("Standard_D2s_v3", "eastus")
    assert sku is not None
    sku.restricted_zones = ("2",)
    restriction = (await skus(compute))["Standard_D2s_v3"].restrictions[0]
    assert (restriction.type, restriction.restriction_info.zones) == ("Zone", ["2"])
    with pytest.raises(ResourceExistsError):
        await make(compute, {**scale_set(1), "zones": ["1", "2"]})
    await make(compute, {**scale_set(1), "zones": ["1", "3"]})


async def test_marketplace_versions_are_listed(compute: ComputeManagementClient) -> None:
    where = ("eastus", "cncf-upstream", "capi", "ubuntu-2204-gen1")
    versions = [v.name for v in await compute.virtual_machine_images.list(*where)]
    assert versions == ["130.3.20240717", "131.0.20240815", "131.1.20240920"]
    newest = await compute.virtual_machine_images.list(*where, top=1, orderby="name desc")
    assert [v.name for v in newest] == ["131.1.20240920"]
    assert (await compute.virtual_machine_images.get(*where, "latest")).name == "131.1.20240920"


async def test_marketplace_names_are_listed(compute: ComputeManagementClient) -> None:
    images = compute.virtual_machine_images
    assert "cncf-upstream" in [p.name for p in await images.list_publishers("eastus")]
    assert [o.name for o in await images.list_offers("eastus", "cncf-upstream")] == ["capi"]
    assert [s.name for s in await images.list_skus("eastus", "cncf-upstream", "capi")] == ["ubuntu-2204-gen1"]


async def test_an_image_that_nobody_published_is_not_found(compute: ComputeManagementClient) -> None:
    with pytest.raises(ResourceNotFoundError):
        await compute.virtual_machine_images.list("eastus", "nobody", "capi", "x")
    with pytest.raises(HttpResponseError, match="location 'mars'"):
        await compute.virtual_machine_images.list("mars", "cncf-upstream", "capi", "ubuntu-2204-gen1")


async def test_community_versions_are_listed(compute: ComputeManagementClient) -> None:
    versions = compute.community_gallery_image_versions
    found = [v.name async for v in versions.list("eastus", GALLERY, "capi-ubun2-2404")]
    assert found[0] == "1.30.5"
    one = await versions.get("eastus", GALLERY, "capi-ubun2-2404", "1.31.0")
    assert one.unique_id == f"/CommunityGalleries/{GALLERY}/Images/capi-ubun2-2404/Versions/1.31.0"


async def test_versions_of_a_gallery_of_ones_own_are_listed(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.state.images.galleries["rg", "mine", "node"] = ["1.0.0", "1.1.0"]
    versions = compute.gallery_image_versions.list_by_gallery_image("rg", "mine", "node")
    assert [v.name async for v in versions] == ["1.0.0", "1.1.0"]


async def test_latest_is_resolved_when_a_machine_is_made(arm: Arm, compute: ComputeManagementClient) -> None:
    latest = profile({**bodies.MARKET, "version": "latest"})
    await make(compute, scale_set(1, virtualMachineProfile=latest))
    arm.state.images.market("cncf-upstream", "capi", "ubuntu-2204-gen1").append("132.0.20241212")
    await make(compute, scale_set(2, virtualMachineProfile=latest))
    found = [row.storage_profile.image_reference for row in await rows(compute)]
    assert [r.exact_version for r in found] == ["131.1.20240920", "132.0.20241212"]
    assert {r.version for r in found} == {"latest"}
