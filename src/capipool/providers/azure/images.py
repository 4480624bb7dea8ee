"""Which image a machine starts from: the one named, or upstream's for a Kubernetes version. Pure but for `newest`.

Used by pools and by single machines. Knows nothing of either: it turns an `Image` of the API into what Azure wants.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Protocol

import msgspec

from capipool.machinery.objects import Raw
from capipool.providers.azure.api.images import ComputeGalleryImage, Image, MarketplaceImage
from capipool.providers.azure.calls import Caller
from capipool.providers.azure.offers import OLD_LINUX, OLD_WINDOWS
from capipool.sdk.errors import InvalidConfiguration

GALLERY = "ClusterAPI-f72ceb4f-5159-4c26-a0fe-2ea738f0d019"
"""Cluster API's public community gallery."""
LATEST = "latest"
LINUX, WINDOWS = "Linux", "Windows"
_LINUX_IMAGE = "capi-ubun2-2404"
_WINDOWS_IMAGE = "capi-win-{year}-containerd"
_WINDOWS_YEAR = "2022"
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?((?:[-+][0-9A-Za-z.+-]*)?)")
_WINDOWS_SERVER = re.compile(r"windows-(\d{4})")


def default(version: str, os_type: str = LINUX, *, windows_server: str = "") -> Image:
    """Upstream's image for a Kubernetes version. `windows_server` is like `windows-2019`, for another than the usual.

    Versions that upstream once had in the marketplace stay there: moving them would roll machines for nothing.
    Raises InvalidConfiguration.
    """
    number = _number(version)
    if os_type == WINDOWS:
        old, offer, sku = OLD_WINDOWS, "capi-windows", "windows-2019-containerd-gen1"
        name = _WINDOWS_IMAGE.format(year=_year(windows_server))
    else:
        old, offer, sku, name = OLD_LINUX, "capi", "ubuntu-2204-gen1", _LINUX_IMAGE
    if number in old:
        return Image(marketplace=MarketplaceImage(publisher="cncf-upstream", offer=offer, sku=sku, version=old[number]))
    return Image(compute_gallery=ComputeGalleryImage(gallery=GALLERY, name=name, version=number))


def chosen(image: Image | None, *, version: str, os_type: str = LINUX, windows_server: str = "") -> Image:
    """The image that a spec names, else the default for the Kubernetes version. Raises InvalidConfiguration."""
    return image if image is not None else default(version, os_type, windows_server=windows_server)


def reference(image: Image) -> Raw:
    """The `imageReference` of ARM. Raises InvalidConfiguration for an image that names nothing."""
    if image.id:
        return {"id": image.id}
    if (offered := image.marketplace) is not None:
        return {
            "publisher": offered.publisher,
            "offer": offered.offer,
            "sku": offered.sku,
            "version": offered.version,
        }
    if (shared := image.shared_gallery) is not None:
        own = _own_gallery(shared.subscription_id, shared.resource_group, shared.gallery)
        return {"id": f"{own}/images/{shared.name}/versions/{shared.version}"}
    if (listed := image.compute_gallery) is not None:
        path = f"/Images/{listed.name}/Versions/{listed.version}"
        if listed.subscription_id and listed.resource_group:
            own = _own_gallery(listed.subscription_id, listed.resource_group, listed.gallery)
            return {"id": f"{own}/images/{listed.name}/versions/{listed.version}"}
        return {"communityGalleryImageId": f"/CommunityGalleries/{listed.gallery}{path}"}
    raise InvalidConfiguration("image", detail="names none of id, marketplace, computeGallery and sharedGallery")


def plan(image: Image) -> Raw | None:
    """The plan under which a third party sells the image; None for all others."""
    if (offered := image.marketplace) is not None and offered.third_party_image:
        return {"publisher": offered.publisher, "product": offered.offer, "name": offered.sku}
    if (listed := image.compute_gallery) is not None and listed.plan is not None:
        return {"publisher": listed.plan.publisher, "product": listed.plan.offer, "name": listed.plan.sku}
    shared = image.shared_gallery
    if shared is not None and shared.publisher and shared.offer and shared.sku:
        return {"publisher": shared.publisher, "product": shared.offer, "name": shared.sku}
    return None


def same(one: Raw, other: Raw) -> bool:
    """Whether two image references name the same image. Letter case says nothing; what Azure adds is left aside."""
    return _identity(one) == _identity(other)


def is_latest(image: Image) -> bool:
    """Whether the image is the newest of several, which another day is another one."""
    named = image.marketplace or image.compute_gallery or image.shared_gallery
    return named is not None and named.version.lower() == LATEST


class Lists(Protocol):
    """What is needed of `calls.Calls`."""

    async def get(self, caller: Caller, operation: str, *arguments: Any, **named: Any) -> Any:
        """One call that answers with one document."""

    async def pages(self, caller: Caller, operation: str, *arguments: Any, **named: Any) -> list[Raw]:
        """A call that answers with a list."""


async def newest(calls: Lists, caller: Caller, image: Image, *, location: str) -> Image:
    """The image with `latest` made a version.

    Raises ProviderError: what the call raises, and InvalidConfiguration where there is no version.
    """
    if not is_latest(image):
        return image
    found = await _versions(calls, caller, image, location)
    if not found:
        raise InvalidConfiguration("image", detail=f"there is no version of this image in {location}")
    return _at(image, max(found, key=_sortable))


async def _versions(calls: Lists, caller: Caller, image: Image, location: str) -> list[str]:
    if (offered := image.marketplace) is not None:
        about = (location, offered.publisher, offered.offer, offered.sku)
        return [str(version["name"]) for version in await calls.get(caller, "virtual_machine_images.list", *about)]
    named = image.compute_gallery or image.shared_gallery
    assert named is not None
    if named.subscription_id and named.resource_group:
        there = replace(caller, subscription=named.subscription_id)
        listed = await calls.pages(
            there, "gallery_image_versions.list_by_gallery_image", named.resource_group, named.gallery, named.name
        )
    else:
        listed = await calls.pages(caller, "community_gallery_image_versions.list", location, named.gallery, named.name)
    return [str(version["name"]) for version in listed if not _is_excluded(version)]


def _is_excluded(version: Raw) -> bool:
    """A gallery can keep a version from being the latest."""
    properties = version.get("properties") or {}
    published = properties.get("publishingProfile") or {}
    return bool(properties.get("excludeFromLatest") or published.get("excludeFromLatest"))


def _at(image: Image, version: str) -> Image:
    for name in ("marketplace", "compute_gallery", "shared_gallery"):
        if (part := getattr(image, name)) is not None:
            return msgspec.structs.replace(image, **{name: msgspec.structs.replace(part, version=version)})
    return image


def _sortable(version: str) -> tuple[int, ...]:
    """Versions are numbers between dots; 10 is newer than 9."""
    return tuple(int(digits) for digits in re.findall(r"\d+", version))


def _identity(reference: Raw) -> tuple[str, ...]:
    for key in ("id", "communityGalleryImageId", "sharedGalleryImageId"):
        if reference.get(key):
            return (str(reference[key]).strip("/").lower(),)
    return tuple(str(reference.get(key, "")).lower() for key in ("publisher", "offer", "sku", "version"))


def _own_gallery(subscription: str, group: str, gallery: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/galleries/{gallery}"


def _number(version: str) -> str:
    found = _VERSION.fullmatch(version)
    if found is None:
        said = "name an image, or give the machine a version like v1.31.0: the default image goes by it"
        raise InvalidConfiguration("spec.version", value=version, detail=said)
    major, minor, patch, more = found.groups()
    return f"{major}.{minor}.{patch or 0}{more}"


def _year(windows_server: str) -> str:
    if not windows_server:
        return _WINDOWS_YEAR
    found = _WINDOWS_SERVER.fullmatch(windows_server)
    if found is None:
        raise InvalidConfiguration("windowsServerVersion", value=windows_server, detail="must be like windows-2022")
    return found[1]
