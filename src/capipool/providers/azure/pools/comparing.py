"""What of a scale set is not as it should be: what was PUT, against what GET answers. Pure.

More of Azure's own may be there, letter case of IDs and names means nothing, and `false` and absent are the same.
What Azure never shows (custom data, passwords, protected settings) is told by the tags instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.azure import ids

FIXED = ("properties.orchestrationMode", "properties.singlePlacementGroup", "properties.platformFaultDomainCount")
"""Decided when the scale set is made, and never changed: told, not asked for again."""
_CASELESS = ("imageReference", "sku", "identity", "plan")
_NOTHING: tuple[Any, ...] = (None, False, "", [], {})


def differences(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """The paths of what differs, in order."""
    return [path for path in _differing(wanted, there, "") if path not in FIXED]


def _differing(wanted: Any, there: Any, path: str) -> Iterator[str]:
    if isinstance(wanted, Mapping):
        known = {_key(key): value for key, value in there.items()} if isinstance(there, Mapping) else {}
        for key, value in wanted.items():
            yield from _differing(value, known.get(_key(key)), f"{path}.{key}" if path else key)
        if path == "identity" and not _same_identities(wanted, known):
            yield path
    elif path == "zones":
        if not set(wanted) <= set(there or ()):  # Azure adds zones to a scale set, and takes none away
            yield path
    elif isinstance(wanted, list):
        yield from _differing_lists(wanted, there if isinstance(there, list) else [], path)
    elif not _same(wanted, there, path):
        yield path


def _differing_lists(wanted: list[Any], there: list[Any], path: str) -> Iterator[str]:
    if len(wanted) != len(there):
        yield path
        return
    if all(isinstance(item, Mapping) and "name" in item for item in (*wanted, *there)):
        named = {str(item["name"]).lower(): item for item in there}
        pairs = [(item, named.get(str(item["name"]).lower(), {})) for item in wanted]
    elif all(isinstance(item, str) for item in (*wanted, *there)):
        pairs = list(zip(sorted(wanted), sorted(there), strict=True))
    else:
        pairs = list(zip(wanted, there, strict=True))
    for index, (one, other) in enumerate(pairs):
        yield from _differing(one, other, f"{path}[{index}]")


def _same_identities(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> bool:
    """Whether no identity is there that should not be."""
    those = {ids.fold(id) for id in wanted.get("userAssignedIdentities") or {}}
    return {ids.fold(id) for id in there.get("userAssignedIdentities") or {}} <= those


def _key(key: str) -> str:
    return ids.fold(key) if key.startswith("/") else key


def _same(wanted: Any, there: Any, path: str) -> bool:
    if (wanted in _NOTHING or (path, wanted) == ("identity.type", "None")) and there in _NOTHING:
        return True
    if isinstance(wanted, str) and isinstance(there, str):
        if path == "location":
            return location(wanted) == location(there)
        if wanted.startswith("/") or any(f".{name}." in f".{path}." for name in _CASELESS):
            return ids.same(wanted, there)
        caseless = path.endswith(("Type", "Option", "caching", ".name"))
        return wanted.lower() == there.lower() if caseless else wanted == there
    return bool(wanted == there)


def location(name: str) -> str:
    """The name of a region as its programs write it: `East US` is `eastus`."""
    return name.replace(" ", "").lower()


def image_of(scale_set: Raw) -> Raw:
    """The image that a scale set launches from now, without what Azure adds."""
    profile = (scale_set.get("properties") or {}).get("virtualMachineProfile") or {}
    found: Raw = dict((profile.get("storageProfile") or {}).get("imageReference") or {})
    found.pop("exactVersion", None)
    return found
