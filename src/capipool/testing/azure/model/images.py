"""Images that can be looked up: the marketplace's and those of community galleries, with the versions of each."""

from __future__ import annotations

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.failures import ArmError

_MARKETPLACE = {
    ("cncf-upstream", "capi", "ubuntu-2204-gen1"): ["130.3.20240717", "131.0.20240815", "131.1.20240920"],
    ("canonical", "ubuntu-24_04-lts", "server"): ["24.04.202404230", "24.04.202409120"],
}
CAPI_GALLERY = "ClusterAPI-f72ceb4f-5159-4c26-a0fe-2ea738f0d019"
"""The community gallery that upstream publishes node images in."""
_COMMUNITY = {
    (CAPI_GALLERY, "capi-ubun2-2404"): ["1.30.5", "1.31.0", "1.31.1", "1.32.0", "1.33.1", "1.34.0"],
    (CAPI_GALLERY, "capi-win-2022-containerd"): ["1.31.0", "1.31.1"],
}


class Images:
    """What is published, the same in every location. Tests add to the two tables."""

    def __init__(self) -> None:
        self.marketplace: dict[tuple[str, str, str], list[str]] = {k: list(v) for k, v in _MARKETPLACE.items()}
        """Versions by publisher, offer and sku, the oldest first."""
        self.community: dict[tuple[str, str], list[str]] = {k: list(v) for k, v in _COMMUNITY.items()}
        """Versions by public gallery name and image name, the oldest first."""
        self.galleries: dict[tuple[str, str, str], list[str]] = {}
        """Versions in galleries of the subscription, by resource group, gallery and image name, the oldest first."""

    def market(self, publisher: str, offer: str, sku: str) -> list[str]:
        """The versions of a marketplace image. Raises ArmError where there is none."""
        for key, versions in self.marketplace.items():
            if tuple(part.lower() for part in key) == (publisher.lower(), offer.lower(), sku.lower()):
                return versions
        raise ArmError("NotFound", f"Artifact: VMImage was not found: {publisher} {offer} {sku}.", status=404)

    def gallery(self, gallery: str, image: str) -> list[str]:
        """The versions of a community image. Raises ArmError where there is none."""
        for key, versions in self.community.items():
            if (key[0].lower(), key[1].lower()) == (gallery.lower(), image.lower()):
                return versions
        raise ArmError("GalleryImageNotFound", f"The gallery image '{image}' of '{gallery}' is not found.", status=404)

    def own(self, group: str, gallery: str, image: str) -> list[str]:
        """The versions of an image in a gallery of the subscription. Raises ArmError where there is none."""
        for key, versions in self.galleries.items():
            if tuple(part.lower() for part in key) == (group.lower(), gallery.lower(), image.lower()):
                return versions
        raise ArmError("ResourceNotFound", f"There is no image '{image}' in gallery '{gallery}'.", status=404)

    def resolved(self, reference: Raw) -> Raw:
        """An image reference as machines have it: `latest` of a known marketplace image gets its exact version."""
        if not {"publisher", "offer", "sku"} <= set(reference):
            return dict(reference)
        version = str(reference.get("version", "latest"))
        try:
            versions = self.market(reference["publisher"], reference["offer"], reference["sku"])
        except ArmError:
            return dict(reference)  # an image that no test has published: taken as it is
        exact = versions[-1] if version == "latest" else version
        return {**reference, "exactVersion": exact}
