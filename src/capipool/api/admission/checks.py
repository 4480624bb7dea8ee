"""Checks that several kinds share. Each yields the field errors it finds; paths are those of v1beta2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from capipool.api.conversion.lossless import OLD_DATA_ANNOTATION
from capipool.machinery import codec, errors, names
from capipool.machinery.admission import ALLOWED, Admit, Verdict
from capipool.machinery.errors import FieldError

_NUMBER = r"(0|[1-9]\d*)"
_WORD = rf"({_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_WORD}(\.{_WORD})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?")


def part(value: Any, *path: str) -> Mapping[str, Any]:
    """The object at a path; empty where there is none, or something else stands there."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def with_v(version: Any) -> Any:
    """A Kubernetes version with its leading `v`, which people leave out; anything else is left as it is."""
    return f"v{version}" if isinstance(version, str) and version and not version.startswith("v") else version


def version(path: str, value: str | None) -> Iterator[FieldError]:
    """A Kubernetes version: `v` and a semantic version. Absent and empty are fine."""
    if not value:
        return
    if not value.startswith("v"):
        yield errors.invalid(path, value, "must start with v")
    if _SEMVER.fullmatch(value.removeprefix("v")) is None:
        yield errors.invalid(path, value, "must be a semantic version, as in v1.31.0")


def template_metadata(path: str, metadata: Mapping[str, Any]) -> Iterator[FieldError]:
    """Labels and annotations that objects made from a template will get."""
    for key, value in part(metadata, "labels").items():
        if not names.is_qualified_name(key):
            yield errors.invalid(f"{path}.labels", key, "is not a label key")
        if not names.is_label_value(value):
            yield errors.invalid(
                f"{path}.labels", value, "a label value has at most 63 letters, digits, '-', '_' and '.'"
            )
    for key in part(metadata, "annotations"):
        if not names.is_qualified_name(key.lower()):
            yield errors.invalid(f"{path}.annotations", key, "is not an annotation key")


def bootstrap_given(path: str, bootstrap: Mapping[str, Any]) -> Iterator[FieldError]:
    """Bootstrap data must come from somewhere; a name that is empty counts as given, as upstream has it."""
    if not bootstrap.get("configRef") and bootstrap.get("dataSecretName") is None:
        yield errors.required(path, "either configRef or dataSecretName must be set")


def unchanged(path: str, before: Any, after: Any) -> Iterator[FieldError]:
    """A field that may not change once the object is there."""
    if before != after:
        yield errors.forbidden(path, "field is immutable")


def same_cluster(admit: Admit) -> Iterator[FieldError]:
    """An object stays with the cluster that it was made for."""
    if admit.operation == "UPDATE":
        before, after = (part(obj, "spec").get("clusterName") for obj in (admit.old, admit.object))
        yield from unchanged("spec.clusterName", before, after)


def own_namespace(admit: Admit) -> Iterator[FieldError]:
    """References of an object written in v1beta1, which may name a namespace: it must be the object's own.

    v1beta2 has no such field, so it is read from what the conversion kept.
    """
    metadata = part(admit.object, "metadata")
    text = part(metadata, "annotations").get(OLD_DATA_ANNOTATION)
    if not isinstance(text, str):
        return
    try:
        saved = codec.decode_json_object(text)
    except errors.BadRequest:
        return
    namespace = metadata.get("namespace", "")
    for path, found in _references(saved.get("spec"), "spec"):
        there = found.get("namespace")
        if there and there != namespace:
            yield errors.invalid(f"{path}.namespace", there, f"must be {namespace}, the namespace of the object itself")


def _references(value: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        if {"apiVersion", "kind", "name"} <= value.keys():
            yield path, value
        for key, item in value.items():
            yield from _references(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references(item, f"{path}[{index}]")


def unused(raw: Mapping[str, Any] | None, fields: Mapping[str, str]) -> tuple[str, ...]:
    """A warning for each field that is set and that nothing acts on. `fields`: its path, and what to do instead."""
    found = []
    for path, instead in fields.items():
        *parents, last = path.split(".")
        if part(raw, *parents).get(last) not in (None, "", {}, []):
            found.append(f"{path}: capipool does not act on this field; {instead}")
    return tuple(found)


def verdict(admit: Admit, found: Iterable[FieldError]) -> Verdict:
    """Refuse an object for the errors found, which are looked for only here: what goes is allowed whatever it is."""
    if admit.operation == "DELETE" or is_going(admit):
        return ALLOWED
    return Verdict(errors=tuple(found))


def is_going(admit: Admit) -> bool:
    """Whether an update leaves the spec of an object alone that is being deleted: taking finalizers off, mostly.

    Such an update is never refused, or an object made under older rules could not go.
    """
    if admit.operation != "UPDATE" or admit.object is None or admit.old is None:
        return False
    deleting = part(admit.object, "metadata").get("deletionTimestamp") is not None
    return deleting and admit.object.get("spec") == admit.old.get("spec")
