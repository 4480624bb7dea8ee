"""Defaults and rules of what machines are made of, for pools and single machines alike. Pure.

`made` is the part of the spec that has the disks and the network interfaces: the template of a pool, the spec of a
machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from capipool.api.admission.checks import part
from capipool.machinery import errors
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.providers.azure.admission import disks, keys
from capipool.providers.azure.admission.judging import EMPTY

_IMAGES = ("id", "marketplace", "computeGallery", "sharedGallery")


def defaults(made: Raw, old: Mapping[str, Any], *, caching: bool) -> Raw:
    """What upstream fills in. A key that was generated once stays: another would replace every machine."""
    if not made.get("sshPublicKey"):
        made["sshPublicKey"] = old.get("sshPublicKey") or keys.throw_away()
    diagnostics = part(made, "diagnostics")
    if not diagnostics.get("boot"):
        made["diagnostics"] = {**diagnostics, "boot": {"storageAccountType": "Managed"}}
    if isinstance(made.get("dataDisks"), list):
        made["dataDisks"] = disks.default_data(made["dataDisks"], old.get("dataDisks") or (), caching=caching)
    return _default_interfaces(made)


def _default_interfaces(made: Raw) -> Raw:
    """Move the deprecated fields into the first network interface, and count the addresses of each."""
    deprecated = {k: made.get(k) for k in ("subnetName", "acceleratedNetworking") if made.get(k) not in EMPTY}
    interfaces: Any = made.get("networkInterfaces") or ()
    first = interfaces[0] if interfaces and isinstance(interfaces[0], dict) else {}
    if interfaces and any(first.get(name) != value for name, value in deprecated.items()):
        return made  # both are given, and differ: refused
    if not interfaces:
        interfaces = [deprecated]
    for name in ("subnetName", "acceleratedNetworking"):
        made.pop(name, None)
    made["networkInterfaces"] = [
        {**each, "privateIPConfigs": each.get("privateIPConfigs") or 1} if isinstance(each, dict) else each
        for each in interfaces
    ]
    return made


def check(made: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Everything that Azure would refuse later."""
    yield from _image(made.get("image"), f"{path}.image")
    yield from disks.check_os(part(made, "osDisk"), f"{path}.osDisk")
    yield from disks.check_data(made.get("dataDisks") or (), f"{path}.dataDisks")
    yield from keys.check(made.get("sshPublicKey") or keys.throw_away(), f"{path}.sshPublicKey")
    yield from _interfaces(made, path)
    yield from _diagnostics(part(made, "diagnostics", "boot"), f"{path}.diagnostics.boot")
    yield from _spot(made, path)
    yield from _confidential(made, f"{path}.securityProfile")
    yield from _extensions(made.get("vmExtensions") or (), f"{path}.vmExtensions")


def _image(image: Mapping[str, Any] | None, path: str) -> Iterator[FieldError]:
    if image is None:
        return
    chosen = [name for name in _IMAGES if image.get(name)]
    if len(chosen) != 1:
        yield errors.invalid(path, sorted(chosen), f"must name exactly one of {', '.join(_IMAGES)}")
    gallery = part(image, "computeGallery")
    if bool(gallery.get("subscriptionID")) != bool(gallery.get("resourceGroup")):
        missing = "resourceGroup" if gallery.get("subscriptionID") else "subscriptionID"
        said = "a gallery of one's own has both subscriptionID and resourceGroup, a community gallery neither"
        yield errors.required(f"{path}.computeGallery.{missing}", said)


def _interfaces(made: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    interfaces = made.get("networkInterfaces") or ()
    for name in ("subnetName", "acceleratedNetworking"):
        if interfaces and made.get(name) not in EMPTY:
            yield errors.forbidden(f"{path}.{name}", f"is deprecated, and differs from networkInterfaces[0].{name}")
    for index, interface in enumerate(interfaces):
        if (count := interface.get("privateIPConfigs", 1)) < 1:
            yield errors.invalid(f"{path}.networkInterfaces[{index}].privateIPConfigs", count, "must be at least 1")


def _diagnostics(boot: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    kind, uri = boot.get("storageAccountType"), part(boot, "userManaged").get("storageAccountURI")
    if kind == "UserManaged" and not uri:
        yield errors.required(f"{path}.userManaged.storageAccountURI", "storageAccountType UserManaged needs it")
    elif kind in ("Managed", "Disabled") and uri:
        yield errors.forbidden(f"{path}.userManaged", f"not with storageAccountType {kind}")


def _spot(made: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    spot = made.get("spotVMOptions")
    if spot is None:
        return
    ephemeral = bool(part(made, "osDisk").get("diffDiskSettings"))
    if ephemeral and spot.get("evictionPolicy") == "Deallocate":
        said = "must be Delete with an ephemeral disk, which does not outlive its machine"
        yield errors.invalid(f"{path}.spotVMOptions.evictionPolicy", "Deallocate", said)


def _confidential(made: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """A disk that is encrypted with a machine's state needs a confidential machine."""
    encryption = part(made, "osDisk", "managedDisk", "securityProfile").get("securityEncryptionType")
    if not encryption:
        return
    profile, uefi = part(made, "securityProfile"), part(made, "securityProfile", "uefiSettings")
    needed = f"with securityEncryptionType {encryption}"
    if profile.get("securityType") != "ConfidentialVM":
        yield errors.invalid(f"{path}.securityType", profile.get("securityType"), f"must be ConfidentialVM {needed}")
    if not uefi.get("vTpmEnabled"):
        yield errors.invalid(f"{path}.uefiSettings.vTpmEnabled", uefi.get("vTpmEnabled"), f"must be true {needed}")
    if encryption != "DiskWithVMGuestState":
        return
    if not uefi.get("secureBootEnabled"):
        shown = uefi.get("secureBootEnabled")
        yield errors.invalid(f"{path}.uefiSettings.secureBootEnabled", shown, f"must be true {needed}")
    if profile.get("encryptionAtHost"):
        yield errors.forbidden(f"{path}.encryptionAtHost", f"not {needed}")


def _extensions(extensions: Sequence[Mapping[str, Any]], path: str) -> Iterator[FieldError]:
    names: set[str] = set()
    for index, extension in enumerate(extensions):
        if extension["name"] in names:
            yield errors.invalid(f"{path}[{index}].name", extension["name"], "another extension has this name")
        names.add(extension["name"])


def warnings(made: Mapping[str, Any], path: str) -> Iterator[str]:
    """What is accepted and better said otherwise."""
    if part(made, "image").get("sharedGallery"):
        yield f"{path}.image.sharedGallery: is deprecated; computeGallery says the same"
