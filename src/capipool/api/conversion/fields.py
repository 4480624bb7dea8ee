"""Moving fields between the shapes of two versions: the small steps that every kind's conversion is made of.

All work on objects that the caller has made for itself, and change them; what they put in is shared with the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from capipool.api.conversion import durations
from capipool.machinery.errors import BadRequest
from capipool.machinery.objects import Raw

TIMEOUTS = ("nodeDrainTimeout", "nodeVolumeDetachTimeout", "nodeDeletionTimeout")
"""How v1beta1 calls what v1beta2 has under `deletion`, in seconds."""


def part(owner: Mapping[str, Any], name: str) -> Raw:
    """An object inside another, as a copy to work on; empty where there is none."""
    value = owner.get(name)
    return dict(value) if isinstance(value, Mapping) else {}


def parts(body: Mapping[str, Any], *, spec: Callable[[Any], Any], status: Callable[[Raw], Raw]) -> Raw:
    """An object with what functions make of its spec, where it has one, and of its status, which goes where empty."""
    made = dict(body)
    change(made, "spec", spec)
    place(made, "status", status(part(made, "status")))
    return made


def change(owner: Raw, name: str, function: Callable[[Any], Any]) -> None:
    """Replace a field by what a function makes of it; nothing happens where it is absent or null."""
    if owner.get(name) is not None:
        owner[name] = function(owner[name])


def move(source: Raw, name: str, target: Raw, new_name: str | None = None) -> None:
    """Take a field out of one object and into another; nothing happens where it is absent, null is dropped."""
    value = source.pop(name, None)
    if value is not None:
        target[new_name or name] = value


def place(owner: Raw, name: str, value: Any) -> None:
    """Set a field, or take it out where the value is empty: v1beta2 has no empty objects and lists."""
    if value in ({}, [], "", None):
        owner.pop(name, None)
    else:
        owner[name] = value


def drop_empty(owner: Raw, names: Iterable[str]) -> None:
    """Take out fields that say nothing."""
    for name in names:
        place(owner, name, owner.get(name))


def drop_zero(owner: Raw, names: Iterable[str]) -> None:
    """Take out numbers and flags that are zero in v1beta1, where nobody can tell zero from absent."""
    for name in names:
        if owner.get(name) in (0, False, None):
            owner.pop(name, None)


def seconds_up(owner: Raw, name: str) -> None:
    """Turn a Go duration into seconds. Raises BadRequest naming the field where it is none: Go could not read it."""
    value = owner.get(name)
    if value is None:
        return
    try:
        owner[name] = durations.to_seconds(value)
    except (TypeError, ValueError) as error:
        raise BadRequest(f"{name.removesuffix('Seconds')}: {error}") from error


def timeouts_up(owner: Raw) -> None:
    """`nodeDrainTimeout: 10s` becomes `deletion.nodeDrainTimeoutSeconds: 10`."""
    deletion = part(owner, "deletion")
    for name in TIMEOUTS:
        move(owner, name, deletion, f"{name}Seconds")
        seconds_up(deletion, f"{name}Seconds")
    place(owner, "deletion", deletion)


def timeouts_down(owner: Raw) -> Raw:
    """The other way. Returns what else `deletion` had."""
    deletion = part(owner, "deletion")
    owner.pop("deletion", None)
    for name in TIMEOUTS:
        move(deletion, f"{name}Seconds", owner, name)
        change(owner, name, durations.from_seconds)
    return deletion
