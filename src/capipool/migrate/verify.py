"""Checking what was written against what should be there, object by object: by reading it again, not by remembering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import split_api_version
from capipool.migrate import marks, references
from capipool.migrate.naming import Renaming


def missing(wanted: Any, found: Any, path: str = "") -> Iterator[str]:
    """Where `found` does not have what is wanted. More than wanted is right: those are defaults."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key, value in wanted.items():
            yield from missing(value, found.get(key), f"{path}.{key}" if path else key)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (a, b) in enumerate(zip(wanted, found, strict=True)):
            yield from missing(a, b, f"{path}[{number}]")
    elif not merge.same(wanted, found) and wanted not in (None, {}, []):
        yield path


def differences(wanted: Raw, found: Raw) -> list[str]:
    """The fields of a new object that are not as they should be.

    Its status is not looked at: running controllers write there that they see it paused. That it was taken as it was is
    checked with the write itself.
    """
    names = ("labels", "annotations", "ownerReferences", "finalizers")
    metadata = {key: wanted["metadata"][key] for key in names if key in wanted["metadata"]}
    body = {key: value for key, value in wanted.items() if key != "status"}
    return list(missing({**body, "metadata": metadata}, found))


def leftovers(raw: Raw, renaming: Renaming) -> list[str]:
    """Where an object that stays still refers to the old groups."""
    before = {key: value for key, value in raw.items() if key != "metadata"}
    metadata = raw["metadata"]
    found = [r.path for r in references.find(before.get("spec") or {}) if renaming.moves(r.kind.group)]
    for owner in metadata.get("ownerReferences") or ():
        if renaming.moves(split_api_version(str(owner.get("apiVersion")))[0]):
            found.append(f"metadata.ownerReferences ({owner.get('name')})")
    for field in ("labels", "annotations"):
        kept = {key: value for key, value in (metadata.get(field) or {}).items() if key != marks.UNDO}
        found += [f"metadata.{field}[{key}]" for key in kept if renaming.key(key) != key]
    found += [f"metadata.finalizers[{name}]" for name in metadata.get("finalizers") or () if renaming.key(name) != name]
    return found
