"""How a machine's image is named. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated

import msgspec

from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Limits

Named = Annotated[str, Limits(min_length=1)]


class ImagePlan(Model):
    """The plan under which a third party sells an image."""

    offer: Named
    publisher: Named
    sku: Named


class MarketplaceImage(Model):
    """An image of the marketplace. Version `latest` is the newest."""

    offer: Named
    publisher: Named
    sku: Named
    version: Named
    third_party_image: Annotated[bool, Limits(default=False)] = False


class ComputeGalleryImage(Model):
    """An image of a compute gallery: a community gallery, or with a subscription and a resource group, one's own."""

    gallery: Named
    name: Named
    version: Named
    plan: ImagePlan | None = None
    resource_group: str = ""
    subscription_id: str = ""


class SharedGalleryImage(Model):
    """The older way to name an image of one's own gallery."""

    gallery: Named
    name: Named
    resource_group: Named
    subscription_id: Named
    version: Named
    offer: str = ""
    publisher: str = ""
    sku: str = ""


class Image(Model):
    """One way, of four, to name an image."""

    compute_gallery: ComputeGalleryImage | None = None
    id: str = msgspec.field(default="", name="id")
    marketplace: MarketplaceImage | None = None
    shared_gallery: SharedGalleryImage | None = None
