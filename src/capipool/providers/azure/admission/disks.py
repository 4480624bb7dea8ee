"""Defaults and rules of the disks of machines, alone or in pools. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from capipool.api.admission.checks import part
from capipool.machinery import errors
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw

_OS_DISK_GB = (1, 2048)
_DATA_DISK_GB = (4, 32767)
_LAST_LUN = 63
_ULTRA = "UltraSSD_LRS"
_KINDS = (
    *("Standard_LRS", "Premium_LRS", "StandardSSD_LRS", _ULTRA),
    *("Premium_ZRS", "StandardSSD_ZRS", "PremiumV2_LRS"),
)
_ONLY_DATA = (_ULTRA, "PremiumV2_LRS")
"""Disks that no operating system can start from."""
_OS_TYPES = ("Linux", "Windows")


def default_data(disks: Sequence[Raw], old: Sequence[Raw], *, caching: bool) -> list[Raw]:
    """Give each disk a number of its own: the one it had, else the lowest that is free.

    With `caching`, what is cached, too: nothing of ultra disks, of others reads and writes.
    """
    before = {disk.get("nameSuffix"): disk.get("lun") for disk in old}
    given = [disk.get("lun") for disk in disks]
    luns = [before.get(d.get("nameSuffix")) if lun is None else lun for d, lun in zip(disks, given, strict=True)]
    free = iter(sorted(set(range(len(disks))) - {lun for lun in luns if lun is not None}))
    made = [{**disk, "lun": next(free) if lun is None else lun} for disk, lun in zip(disks, luns, strict=True)]
    return [_cached(disk) for disk in made] if caching else made


def check_os(disk: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """The disk with the operating system."""
    size, kind = disk.get("diskSizeGB"), disk.get("osType")
    if size is not None and not _OS_DISK_GB[0] <= size <= _OS_DISK_GB[1]:
        yield errors.invalid(f"{path}.diskSizeGB", size, "must be 1 to 2048")
    if kind not in _OS_TYPES:
        yield errors.not_supported(f"{path}.osType", kind, _OS_TYPES)
    managed = part(disk, "managedDisk")
    yield from _managed(disk, f"{path}.managedDisk")
    if managed.get("storageAccountType") in _ONLY_DATA:
        said = "is for data disks only: no system starts from it"
        yield errors.invalid(f"{path}.managedDisk.storageAccountType", managed["storageAccountType"], said)
    if disk.get("diffDiskSettings") and part(managed, "diskEncryptionSet").get("id"):
        yield errors.forbidden(
            f"{path}.managedDisk.diskEncryptionSet", "not with diffDiskSettings: the disk is the host's"
        )
    profile = part(managed, "securityProfile")
    if profile.get("diskEncryptionSet") and profile.get("securityEncryptionType") != "DiskWithVMGuestState":
        where = f"{path}.managedDisk.securityProfile.diskEncryptionSet"
        yield errors.forbidden(where, "only with securityEncryptionType DiskWithVMGuestState")


def check_data(disks: Sequence[Mapping[str, Any]], path: str) -> Iterator[FieldError]:
    """Further disks: sizes, names and numbers of their own."""
    names: set[str] = set()
    luns: set[int] = set()
    for index, disk in enumerate(disks):
        where, name, lun, size = f"{path}[{index}]", disk.get("nameSuffix", ""), disk.get("lun"), disk["diskSizeGB"]
        if not _DATA_DISK_GB[0] <= size <= _DATA_DISK_GB[1]:
            yield errors.invalid(f"{where}.diskSizeGB", size, "must be 4 to 32767")
        if not name:
            yield errors.required(f"{where}.nameSuffix", "the disk is named after the machine and this")
        elif name in names:
            yield errors.invalid(f"{where}.nameSuffix", name, "another disk has this name")
        yield from _lun(lun, luns, f"{where}.lun")
        names.add(name)
        luns |= {lun} if lun is not None else set()
        yield from _managed(disk, f"{where}.managedDisk")
        yield from _caching(disk, f"{where}.cachingType")


def _lun(lun: int | None, taken: set[int], path: str) -> Iterator[FieldError]:
    if lun is None:
        return
    if not 0 <= lun <= _LAST_LUN:
        yield errors.invalid(path, lun, f"must be 0 to {_LAST_LUN}")
    elif lun in taken:
        yield errors.invalid(path, lun, "another disk has this number")


def _managed(disk: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if disk.get("managedDisk") is None:
        return
    kind = part(disk, "managedDisk").get("storageAccountType", "")
    if not kind:
        yield errors.required(f"{path}.storageAccountType", f"one of {', '.join(_KINDS)}")
    elif kind not in _KINDS:
        yield errors.not_supported(f"{path}.storageAccountType", kind, _KINDS)


def _caching(disk: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    kind, caching = part(disk, "managedDisk").get("storageAccountType"), disk.get("cachingType")
    if kind in _ONLY_DATA and caching not in (None, "", "None"):
        yield errors.invalid(path, caching, f"must be None for disks of the type {kind}")


def _cached(disk: Raw) -> Raw:
    if disk.get("cachingType"):
        return disk
    return {
        **disk,
        "cachingType": "None" if part(disk, "managedDisk").get("storageAccountType") in _ONLY_DATA else "ReadWrite",
    }
