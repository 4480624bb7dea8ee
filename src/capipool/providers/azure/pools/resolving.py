"""What a spec leaves open and Azure knows: the image's version, and what a size of machine can do. Looked up seldom."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

import msgspec

from capipool.machinery.objects import Raw
from capipool.providers.azure import images
from capipool.providers.azure.api.images import Image
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.calls import Caller, Calls
from capipool.providers.azure.pools import comparing, parts
from capipool.providers.azure.pools.model import Resolved
from capipool.providers.azure.pools.place import is_windows
from capipool.sdk import InvalidConfiguration, PermissionDenied
from capipool.sdk.errors import Missing

LEAST_CPUS, LEAST_GIB = 2, 2
"""What kubeadm needs of a machine."""

_CAPABILITIES = {
    *("vCPUs", "MemoryGB", "AcceleratedNetworkingEnabled", "EncryptionAtHostSupported", "EphemeralOSDiskSupported"),
}
"""What is remembered of a size: a region has a thousand, each with dozens of capabilities."""


@dataclass(frozen=True, slots=True)
class Size:
    """A size of machine in a region."""

    name: str
    capabilities: dict[str, str] = field(default_factory=dict)
    zones: frozenset[str] = frozenset()

    def can(self, capability: str) -> bool:
        """Whether it has a capability that is said with `True`."""
        return self.capabilities.get(capability, "").lower() == "true"


class Resolving:
    """Looks up images and sizes. What was found of a size is remembered: it does not change."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._sizes: dict[tuple[str, str], dict[str, Size]] = {}
        """By subscription and region, then by name in lower case."""

    async def resolve(self, pool: AzureMachinePool, caller: Caller, version: str, ssh_key: str) -> Resolved:
        """Decide what the spec leaves open. Raises InvalidConfiguration for what the size cannot do."""
        spec = pool.spec
        os_type = "Windows" if is_windows(pool) else "Linux"
        chosen = images.chosen(spec.template.image, version=version, os_type=os_type)
        image = await images.newest(self._calls, caller, chosen, location=spec.location)
        size = await self._size(caller, spec.location, spec.template.vm_size)
        if size is not None:
            check(pool, size)
        can = size is not None and size.can("AcceleratedNetworkingEnabled")
        return Resolved(image=images.reference(image), accelerated=can, ssh_key=ssh_key)

    async def _size(self, caller: Caller, location: str, name: str) -> Size | None:
        """The size; None where the caller may not ask. Raises InvalidConfiguration where the region has none."""
        key = (caller.subscription, comparing.location(location))
        known = self._sizes.get(key)
        if known is None or name.lower() not in known:
            try:
                listed = await self._calls.pages(caller, "resource_skus.list", filter=f"location eq '{key[1]}'")
            except (PermissionDenied, Missing):
                return None
            known = self._sizes[key] = {s.name.lower(): s for s in sizes(listed, key[1])}
        if name.lower() not in known:
            like = difflib.get_close_matches(name.lower(), known, n=1)
            said = f"there is no such size in {location}" + (f": is it {known[like[0]].name}?" if like else "")
            raise InvalidConfiguration("spec.template.vmSize", value=name, detail=said)
        return known[name.lower()]


def sizes(listed: list[Raw], location: str) -> list[Size]:
    """The sizes of virtual machines in a list of everything that can be had in a region. Pure."""
    found = []
    for row in listed:
        if row.get("resourceType") != "virtualMachines":
            continue
        there = [i for i in row.get("locationInfo") or () if comparing.location(str(i.get("location"))) == location]
        zones = frozenset(str(zone) for info in there for zone in info.get("zones") or ())
        said = ((str(c["name"]), str(c["value"])) for c in row.get("capabilities") or ())
        capabilities = {name: value for name, value in said if name in _CAPABILITIES}
        found.append(Size(str(row["name"]), capabilities, zones))
    return found


def check(pool: AzureMachinePool, size: Size) -> None:
    """Whether a size can do what the spec asks of it. Pure. Raises InvalidConfiguration."""
    template = pool.spec.template
    for name, least, unit in (("vCPUs", LEAST_CPUS, "CPUs"), ("MemoryGB", LEAST_GIB, "GiB of memory")):
        if float(size.capabilities.get(name, least)) < least:
            detail = f"has less than {least} {unit}, too little for a node"
            raise InvalidConfiguration("spec.template.vmSize", value=size.name, detail=detail)
    security = template.security_profile
    asked = (
        ("EncryptionAtHostSupported", security is not None and security.encryption_at_host, "encryption at host"),
        ("EphemeralOSDiskSupported", template.os_disk.diff_disk_settings is not None, "ephemeral disks"),
    )
    for capability, wanted, title in asked:
        if wanted and capability in size.capabilities and not size.can(capability):
            raise InvalidConfiguration("spec.template.vmSize", value=size.name, detail=f"cannot do {title}")
    for index, interface in enumerate(parts.interfaces(template)):
        known = "AcceleratedNetworkingEnabled" in size.capabilities
        if interface.accelerated_networking and known and not size.can("AcceleratedNetworkingEnabled"):
            field = f"spec.template.networkInterfaces[{index}].acceleratedNetworking"
            raise InvalidConfiguration(field, value=True, detail=f"the size {size.name} cannot do it")


def resolved_before(scale_set: Raw) -> Resolved:
    """What was decided for the model that a scale set has: of the same revision nothing is decided anew. Pure."""
    profile = (scale_set.get("properties") or {}).get("virtualMachineProfile") or {}
    interfaces = (profile.get("networkProfile") or {}).get("networkInterfaceConfigurations") or ()
    linux = (profile.get("osProfile") or {}).get("linuxConfiguration") or {}
    keys = (linux.get("ssh") or {}).get("publicKeys") or ()
    return Resolved(
        image=comparing.image_of(scale_set),
        accelerated=any((i.get("properties") or {}).get("enableAcceleratedNetworking") for i in interfaces),
        ssh_key=str(keys[0].get("keyData", "")) if keys else "",
    )


def as_image(reference: Raw) -> Image | None:
    """An `imageReference` in the words of the API, for a status; None for what has no words there. Pure."""
    if reference.get("publisher"):
        named = {key: reference.get(key, "") for key in ("publisher", "offer", "sku", "version")}
        return msgspec.convert({"marketplace": named}, Image)
    if community := str(reference.get("communityGalleryImageId", "")):
        found = dict(zip(*[iter(community.strip("/").split("/"))] * 2, strict=False))
        folded = {key.lower(): value for key, value in found.items()}
        if {"communitygalleries", "images", "versions"} <= folded.keys():
            gallery = {"gallery": folded["communitygalleries"], "name": folded["images"], "version": folded["versions"]}
            return msgspec.convert({"computeGallery": gallery}, Image)
        return None
    return Image(id=str(reference["id"])) if reference.get("id") else None
