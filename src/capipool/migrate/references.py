"""References between objects, in specs and in owner references: found, and turned to the new group. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from capipool.machinery.objects import Raw
from capipool.machinery.resource import GroupKind, join_api_version, split_api_version
from capipool.migrate.naming import Renaming

Versions = Callable[[GroupKind, str], str]
"""The version under which a reference names a kind: given the kind by its new name, and the version it named before."""
NewUID = Callable[[str], str | None]
"""The UID of what an old UID became; None where it did not move, or did not yet."""


class Reference(NamedTuple):
    """An object that another one names."""

    kind: GroupKind
    namespace: str
    """Empty where the reference names none: then it is that of the object around it."""
    name: str
    path: str


def find(value: Any, path: str = "spec") -> Iterator[Reference]:
    """Every reference inside a value: an object with `kind`, `name`, and `apiVersion` or `apiGroup`."""
    if isinstance(value, Mapping):
        if (kind := _kind(value)) is not None:
            yield Reference(kind, str(value.get("namespace") or ""), str(value["name"]), path)
        for key, item in value.items():
            yield from find(item, f"{path}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from find(item, f"{path}[{number}]")


def renamed(value: Any, renaming: Renaming, versions: Versions, new_uid: NewUID) -> Any:
    """A value whose references name the new group, and versions that are served; the same value where they do so."""
    if isinstance(value, Mapping):
        changed = {key: renamed(item, renaming, versions, new_uid) for key, item in value.items()}
        kind = _kind(value)
        if kind is not None and _outdated(value, kind, renaming, versions):
            return _turned(changed, kind, renaming, versions, new_uid)
        return changed if any(changed[key] is not value[key] for key in value) else value
    if isinstance(value, list):
        items = [renamed(item, renaming, versions, new_uid) for item in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value


def owners(
    references: list[Mapping[str, Any]], renaming: Renaming, versions: Versions, new_uid: NewUID
) -> list[Mapping[str, Any]]:
    """Owner references with moved owners by their new group, version and UID."""
    return [_owner(reference, renaming, versions, new_uid) for reference in references]


def _owner(reference: Mapping[str, Any], renaming: Renaming, versions: Versions, new_uid: NewUID) -> Mapping[str, Any]:
    group, version = split_api_version(str(reference.get("apiVersion", "")))
    kind = GroupKind(renaming.group(group), str(reference.get("kind", "")))
    now = versions(kind, version)
    if kind.group == group and now == version:
        return reference
    uid = new_uid(str(reference.get("uid", ""))) or reference.get("uid", "")
    return {**reference, "apiVersion": join_api_version(kind.group, now), "uid": uid}


def _outdated(value: Mapping[str, Any], kind: GroupKind, renaming: Renaming, versions: Versions) -> bool:
    """Whether a reference names a group that moves, or a version that it should not name any more."""
    if renaming.moves(kind.group):
        return True
    before = split_api_version(str(value.get("apiVersion", "")))[1]
    return "apiVersion" in value and versions(kind, before) != before


def _turned(value: Raw, kind: GroupKind, renaming: Renaming, versions: Versions, new_uid: NewUID) -> Raw:
    new = GroupKind(renaming.group(kind.group), kind.kind)
    moved = renaming.moves(kind.group)
    turned = {key: item for key, item in value.items() if not moved or key not in ("uid", "resourceVersion")}
    if moved and "uid" in value and (uid := new_uid(str(value["uid"]))) is not None:
        turned["uid"] = uid
    if "apiVersion" in value:
        before = split_api_version(value["apiVersion"])[1]
        turned["apiVersion"] = join_api_version(new.group, versions(new, before))
    else:
        turned["apiGroup"] = new.group
    return turned


def _kind(value: Mapping[str, Any]) -> GroupKind | None:
    """The kind that a mapping refers to; None where it is no reference."""
    if not isinstance(value.get("kind"), str) or not isinstance(value.get("name"), str):
        return None
    if isinstance(value.get("apiVersion"), str):
        return GroupKind(split_api_version(value["apiVersion"])[0], value["kind"])
    if isinstance(value.get("apiGroup"), str):
        return GroupKind(value["apiGroup"], value["kind"])
    return None
