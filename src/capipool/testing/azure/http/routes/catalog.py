"""What can be bought: sizes with their zones and restrictions, and images with their versions."""

from __future__ import annotations

import re

from capipool.machinery.objects import Raw
from capipool.testing.azure.http.answers import Answer, Call, Route, page
from capipool.testing.azure.model.failures import ArmError, invalid
from capipool.testing.azure.model.skus import normal

_COMPUTE = "/subscriptions/{subscription}/providers/Microsoft.Compute"
_PUBLISHERS = f"{_COMPUTE}/locations/{{location}}/publishers"
_OFFERS = f"{_PUBLISHERS}/{{publisher}}/artifacttypes/vmimage/offers"
_SKUS = f"{_OFFERS}/{{offer}}/skus"
_VERSIONS = f"{_SKUS}/{{sku}}/versions"
_COMMUNITY = f"{_COMPUTE}/locations/{{location}}/communityGalleries/{{gallery}}/images/{{image}}"
_GALLERY = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute"
    "/galleries/{gallery}/images/{image}/versions"
)
_LOCATION = re.compile(r"\s*location\s+eq\s+'([^']*)'\s*", re.IGNORECASE)
_IMAGES = "locations/publishers/artifacttypes/offers/skus/versions/read"


def skus(call: Call) -> Answer:
    """Sizes of virtual machines, of one location or of all."""
    condition = call.query.get("$filter", "")
    rows = call.subscription.skus.all
    if condition:
        if (match := _LOCATION.fullmatch(condition)) is None:
            raise invalid(f"The filter '{condition}' is not understood.", "$filter")
        rows = [sku for sku in rows if normal(sku.location) == normal(match[1])]
    return page(call, [sku.shown() for sku in rows])


def _known(call: Call) -> None:
    locations = [normal(location) for location in call.subscription.skus.locations]
    if normal(call.params["location"]) not in locations:
        raise ArmError(
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '{call.params['location']}'. The supported locations "
            f"are '{', '.join(locations)}'.",
        )


def _named(call: Call, names: list[str]) -> Answer:
    """Image lists are plain arrays."""
    rows: list[Raw] = [
        {"id": f"{call.path}/{name}", "name": name, "location": call.params["location"]}
        for name in dict.fromkeys(names)
    ]
    return Answer(200, rows)


def publishers(call: Call) -> Answer:
    """Who publishes."""
    _known(call)
    return _named(call, [key[0] for key in call.subscription.images.marketplace])


def offers(call: Call) -> Answer:
    """What a publisher offers."""
    _known(call)
    publisher = call.params["publisher"].lower()
    return _named(call, [k[1] for k in call.subscription.images.marketplace if k[0].lower() == publisher])


def image_skus(call: Call) -> Answer:
    """The variants of an offer."""
    _known(call)
    wanted = (call.params["publisher"].lower(), call.params["offer"].lower())
    keys = call.subscription.images.marketplace
    return _named(call, [k[2] for k in keys if (k[0].lower(), k[1].lower()) == wanted])


def _versions(call: Call) -> list[str]:
    _known(call)
    return call.subscription.images.market(call.params["publisher"], call.params["offer"], call.params["sku"])


def versions(call: Call) -> Answer:
    """The versions, the oldest first, or as $orderby says, and no more than $top."""
    found = list(_versions(call))
    order = call.query.get("$orderby", "name asc").lower().split()
    if order[:1] != ["name"] or order[1:] not in ([], ["asc"], ["desc"]):
        raise invalid("Versions can be ordered by name, asc or desc.", "$orderby")
    if order[1:] == ["desc"]:
        found.reverse()
    top = call.query.get("$top")
    return _named(call, found[: int(top)] if top and top.isdigit() else found)


def version(call: Call) -> Answer:
    """One version, or `latest`."""
    found, wanted = _versions(call), call.params["version"]
    if wanted.lower() == "latest":
        wanted = found[-1]
    if wanted not in found:
        raise ArmError("NotFound", f"Artifact: VMImage was not found: version {wanted}.", status=404)
    body: Raw = {
        "id": f"{call.path.rsplit('/', 1)[0]}/{wanted}",
        "name": wanted,
        "location": call.params["location"],
        "properties": {"osDiskImage": {"operatingSystem": "Linux"}, "dataDiskImages": [], "hyperVGeneration": "V1"},
    }
    return Answer(200, body)


def _community(call: Call, wanted: str) -> Raw:
    gallery, image = call.params["gallery"], call.params["image"]
    unique = f"/CommunityGalleries/{gallery}/Images/{image}/Versions/{wanted}"
    return {
        "name": wanted,
        "location": call.params["location"],
        "type": "Microsoft.Compute/Locations/CommunityGalleries/Images/Versions",
        "identifier": {"uniqueId": unique},
        "properties": {
            "publishedDate": "2025-01-01T00:00:00+00:00",
            "endOfLifeDate": "2035-01-01T00:00:00+00:00",
            "excludeFromLatest": False,
        },
    }


def community_versions(call: Call) -> Answer:
    """The versions of a community image."""
    _known(call)
    found = call.subscription.images.gallery(call.params["gallery"], call.params["image"])
    return page(call, [_community(call, name) for name in found])


def community_version(call: Call) -> Answer:
    """One version of a community image."""
    _known(call)
    found = call.subscription.images.gallery(call.params["gallery"], call.params["image"])
    if call.params["version"] not in found:
        raise ArmError("NotFound", f"The image version '{call.params['version']}' is not found.", status=404)
    return Answer(200, _community(call, call.params["version"]))


def gallery_versions(call: Call) -> Answer:
    """The versions of an image in a gallery of the subscription's own."""
    group = call.subscription.group(call.params["group"])
    gallery, image = call.params["gallery"], call.params["image"]
    found = call.subscription.images.own(group.name, gallery, image)
    rows = [
        {
            "id": f"{call.path}/{name}",
            "name": name,
            "location": group.location,
            "type": "Microsoft.Compute/galleries/images/versions",
            "properties": {"provisioningState": "Succeeded", "publishingProfile": {"excludeFromLatest": False}},
        }
        for name in found
    ]
    return page(call, rows)


ROUTES = (
    Route("GET", f"{_COMPUTE}/skus", "skus/read", skus),
    Route("GET", _PUBLISHERS, _IMAGES, publishers),
    Route("GET", _OFFERS, _IMAGES, offers),
    Route("GET", _SKUS, _IMAGES, image_skus),
    Route("GET", _VERSIONS, _IMAGES, versions),
    Route("GET", f"{_VERSIONS}/{{version}}", _IMAGES, version),
    Route("GET", f"{_COMMUNITY}/versions", "locations/communityGalleries/images/versions/read", community_versions),
    Route(
        "GET",
        f"{_COMMUNITY}/versions/{{version}}",
        "locations/communityGalleries/images/versions/read",
        community_version,
    ),
    Route("GET", _GALLERY, "galleries/images/versions/read", gallery_versions),
)
