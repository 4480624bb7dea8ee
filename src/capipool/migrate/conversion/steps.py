"""One step between two versions of a kind, and what makes it lossless.

A plain step may drop what the newer version has no place for. Whatever that is, is found by going back: the merge patch
from the object that comes back to the object there was is exactly what got lost. It rides along in an annotation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from capipool.machinery import codec
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.migrate.marks import PREFIX

Body = Callable[[Mapping[str, Any]], Raw]
"""Converts what is beside apiVersion, kind and metadata. Tolerates absent parts; never changes its input."""

META = ("apiVersion", "kind", "metadata")
VERSIONS = ("v1alpha3", "v1alpha4", "v1beta1", "v1beta2")


@dataclass(frozen=True, slots=True)
class Step:
    """From one version to the next, and back."""

    older: str
    newer: str
    up: Body
    down: Body


def identity(body: Mapping[str, Any]) -> Raw:
    """Nothing changed between the versions."""
    return dict(body)


def data_annotation(version: str) -> str:
    """Where the fields are kept that only an old version knows."""
    return f"{PREFIX}/{version}-data"


def up(step: Step, raw: Raw) -> tuple[Raw, list[str]]:
    """The object one version newer, and the paths of fields that have no place there."""
    body = body_of(raw)
    converted = step.up(body)
    lost = merge.diff(step.down(converted), body)
    annotation = data_annotation(step.older)
    text = codec.encode_json(lost).decode() if lost is not None else None
    return assemble(raw, step.newer, converted, annotation, text), list(paths(lost or {}))


def down(step: Step, raw: Raw) -> Raw:
    """The object one version older, with what was kept for it."""
    annotation = data_annotation(step.older)
    text = ((raw.get("metadata") or {}).get("annotations") or {}).get(annotation)
    converted = step.down(body_of(raw))
    if text is not None:
        converted = merge.apply(converted, codec.decode_json_object(text))
    return assemble(raw, step.older, converted, annotation, None)


def body_of(raw: Mapping[str, Any]) -> Raw:
    """An object without what every object has."""
    return {key: value for key, value in raw.items() if key not in META}


def assemble(raw: Raw, version: str, body: Raw, annotation: str, text: str | None) -> Raw:
    """An object in another version, with an annotation set, or taken away where `text` is None."""
    metadata = dict(raw.get("metadata") or {})
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != annotation}
    if text is not None:
        annotations[annotation] = text
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    group = str(raw["apiVersion"]).rpartition("/")[0]
    return {"apiVersion": f"{group}/{version}", "kind": raw["kind"], "metadata": metadata, **body}


def paths(patch: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The fields that a merge patch sets or removes."""
    for key, value in patch.items():
        path = f"{prefix}.{key}" if prefix else key
        if isinstance(value, Mapping) and value and len(path.split(".")) < _DEPTH:
            yield from paths(value, path)
        else:
            yield path


_DEPTH = 4
"""How deep a report names fields: `spec.template.metadata.name` is told, what lies below is not."""
