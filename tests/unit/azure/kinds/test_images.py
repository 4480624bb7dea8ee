"""Which image a machine starts from, as Azure is told it."""

from typing import Any

import pytest

from capipool.providers.azure import images
from capipool.providers.azure.api.images import (
    ComputeGalleryImage,
    Image,
    ImagePlan,
    MarketplaceImage,
    SharedGalleryImage,
)
from capipool.providers.azure.calls import Caller
from capipool.sdk.errors import InvalidConfiguration

OWN = ComputeGalleryImage(gallery="g", name="i", version="latest", subscription_id="s", resource_group="r")
OWN_PATH = "/subscriptions/s/resourceGroups/r/providers/Microsoft.Compute/galleries/g/images/i/versions/"
OFFER = MarketplaceImage(publisher="p", offer="o", sku="k", version="latest")


@pytest.mark.parametrize(
    ("version", "os_type", "server", "wanted"),
    [
        ("v1.31.1", "Linux", "", {"gallery": "capi-ubun2-2404", "version": "1.31.1"}),
        ("1.34", "Linux", "", {"gallery": "capi-ubun2-2404", "version": "1.34.0"}),
        ("v1.30.4", "Linux", "", {"gallery": "capi-ubun2-2404", "version": "1.30.4"}),
        ("v1.30.3", "Linux", "", {"market": "ubuntu-2204-gen1", "version": "130.3.20240717"}),
        ("v1.28.10", "Linux", "", {"market": "ubuntu-2204-gen1", "version": "128.10.20240517"}),
        ("v1.28.10", "Windows", "", {"market": "windows-2019-containerd-gen1", "version": "128.10.20240515"}),
        ("v1.31.1", "Windows", "", {"gallery": "capi-win-2022-containerd", "version": "1.31.1"}),
        ("v1.31.1", "Windows", "windows-2019", {"gallery": "capi-win-2019-containerd", "version": "1.31.1"}),
        ("v1.32.0-rc.1", "Linux", "", {"gallery": "capi-ubun2-2404", "version": "1.32.0-rc.1"}),
    ],
)
def test_the_default_image_goes_by_the_kubernetes_version(
    version: str, os_type: str, server: str, wanted: dict[str, str]
) -> None:
    image = images.default(version, os_type, windows_server=server)
    if "gallery" in wanted:
        assert image.compute_gallery is not None
        assert (image.compute_gallery.name, image.compute_gallery.version) == (wanted["gallery"], wanted["version"])
    else:
        assert image.marketplace is not None
        assert (image.marketplace.sku, image.marketplace.version) == (wanted["market"], wanted["version"])


@pytest.mark.parametrize("version", ["", "latest", "v1", "1.2.3.4"])
def test_without_a_version_there_is_no_default_image(version: str) -> None:
    with pytest.raises(InvalidConfiguration, match="name an image, or give the machine a version"):
        images.chosen(None, version=version)


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        (Image(id="/subscriptions/s/x"), {"id": "/subscriptions/s/x"}),
        (Image(marketplace=OFFER), {"publisher": "p", "offer": "o", "sku": "k", "version": "latest"}),
        (Image(compute_gallery=OWN), {"id": f"{OWN_PATH}latest"}),
        (
            Image(compute_gallery=ComputeGalleryImage(gallery="G", name="i", version="1.0.0")),
            {"communityGalleryImageId": "/CommunityGalleries/G/Images/i/Versions/1.0.0"},
        ),
        (
            Image(
                shared_gallery=SharedGalleryImage(
                    gallery="g", name="i", version="1", subscription_id="s", resource_group="r"
                )
            ),
            {"id": f"{OWN_PATH}1"},
        ),
    ],
)
def test_an_image_is_told_to_azure_in_its_own_words(image: Image, wanted: dict[str, str]) -> None:
    assert images.reference(image) == wanted


def test_an_image_that_names_nothing_is_refused() -> None:
    with pytest.raises(InvalidConfiguration, match="names none of"):
        images.reference(Image())


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        (Image(marketplace=OFFER), None),
        (
            Image(marketplace=MarketplaceImage(publisher="p", offer="o", sku="k", version="1", third_party_image=True)),
            {"publisher": "p", "product": "o", "name": "k"},
        ),
        (
            Image(
                compute_gallery=ComputeGalleryImage(
                    gallery="g", name="i", version="1", plan=ImagePlan(publisher="p", offer="o", sku="k")
                )
            ),
            {"publisher": "p", "product": "o", "name": "k"},
        ),
        (Image(id="x"), None),
    ],
)
def test_only_images_that_somebody_sells_have_a_plan(image: Image, wanted: dict[str, str] | None) -> None:
    assert images.plan(image) == wanted


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({"id": f"{OWN_PATH}1"}, {"id": f"{OWN_PATH}1".upper()}, True),
        ({"id": f"{OWN_PATH}1"}, {"id": f"{OWN_PATH}1", "exactVersion": "1"}, True),
        ({"id": f"{OWN_PATH}1"}, {"id": f"{OWN_PATH}2"}, False),
        (images.reference(Image(marketplace=OFFER)), images.reference(Image(marketplace=OFFER)), True),
        (
            {"communityGalleryImageId": "/CommunityGalleries/G"},
            {"communityGalleryImageId": "/communitygalleries/g"},
            True,
        ),
        ({"id": "x"}, {"publisher": "p"}, False),
    ],
)
def test_letter_case_makes_no_other_image(one: dict[str, str], other: dict[str, str], alike: bool) -> None:
    assert images.same(one, other) is alike


class Versions:
    """Answers as Azure does when it is asked for the versions of an image."""

    def __init__(self, *names: str, excluded: str = "") -> None:
        self.asked: list[tuple[str, str]] = []
        self._found = [
            {"name": name, "properties": {"publishingProfile": {"excludeFromLatest": name == excluded}}}
            for name in names
        ]

    async def get(self, caller: Caller, operation: str, *arguments: Any, **named: Any) -> Any:
        return await self.pages(caller, operation)

    async def pages(self, caller: Caller, operation: str, *arguments: Any, **named: Any) -> list[dict[str, Any]]:
        self.asked.append((caller.subscription, operation))
        return self._found


CALLER = Caller("cluster")


@pytest.mark.parametrize(
    ("image", "asked"),
    [
        (Image(marketplace=OFFER), ("cluster", "virtual_machine_images.list")),
        (Image(compute_gallery=OWN), ("s", "gallery_image_versions.list_by_gallery_image")),
        (
            Image(compute_gallery=ComputeGalleryImage(gallery="G", name="i", version="latest")),
            ("cluster", "community_gallery_image_versions.list"),
        ),
    ],
)
async def test_the_latest_version_is_the_highest_number(image: Image, asked: tuple[str, str]) -> None:
    answers = Versions("1.9.0", "1.10.0", "1.2.0")
    found = await images.newest(answers, CALLER, image, location="eastus")
    named = found.marketplace or found.compute_gallery
    assert named is not None
    assert named.version == "1.10.0"
    assert not images.is_latest(found)
    assert answers.asked == [asked]


async def test_a_version_that_is_not_to_be_the_latest_is_not() -> None:
    answers = Versions("1.0.0", "2.0.0", excluded="2.0.0")
    found = await images.newest(answers, CALLER, Image(compute_gallery=OWN), location="eastus")
    assert found.compute_gallery is not None
    assert found.compute_gallery.version == "1.0.0"


async def test_an_image_without_versions_is_no_image() -> None:
    with pytest.raises(InvalidConfiguration, match="there is no version of this image in eastus"):
        await images.newest(Versions(), CALLER, Image(marketplace=OFFER), location="eastus")


async def test_a_version_that_is_named_is_not_looked_up() -> None:
    answers, image = Versions(), Image(id="/subscriptions/s/x")
    assert await images.newest(answers, CALLER, image, location="eastus") is image
    assert answers.asked == []
