"""What labels, annotations and owner references of Cluster API objects say. Pure, on plain mappings."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from capipool.api.constants import GROUP, Annotation, Label
from capipool.machinery.names import is_label_value
from capipool.machinery.objects import Object, ObjectMeta

_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193


def format_value(name: str) -> str:
    """A name as a label value: itself where it can be one, else a hash that is the same everywhere.

    Upstream's form, which its controllers and tools look for: `hash_` + base64 of 32-bit FNV-1a + `_z`.
    """
    if is_label_value(name):
        return name
    digest = _FNV_OFFSET
    for byte in name.encode():
        digest = (digest ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    text = base64.urlsafe_b64encode(digest.to_bytes(4)).decode().rstrip("=")
    return f"hash_{text}_z"


def value_matches(name: str, value: str) -> bool:
    """Whether a label value stands for a name."""
    return value == format_value(name)


def has_watch_label(labels: Mapping[str, str], value: str) -> bool:
    """Whether an object is labelled for the managers with this watch filter."""
    return labels.get(Label.WATCH) == value


def is_watched(labels: Mapping[str, str], watch_filter: str) -> bool:
    """Whether a manager with this watch filter looks after an object; one without a filter looks after all."""
    return not watch_filter or has_watch_label(labels, watch_filter)


def selects(watch_filter: str, obj: Object) -> bool:
    """Whether a manager with this watch filter looks after an object."""
    return is_watched(obj.metadata.labels, watch_filter)


def is_truthy(annotations: Mapping[str, str], key: str) -> bool:
    """Whether an annotation is there and does not say `false`."""
    return annotations.get(key, "false") != "false"


def replicas_managed_externally(annotations: Mapping[str, str]) -> bool:
    """Whether somebody else (an autoscaler of the cloud, say) owns the number of replicas: ours then follows theirs."""
    return is_truthy(annotations, Annotation.REPLICAS_MANAGED_BY)


def is_externally_managed(annotations: Mapping[str, str]) -> bool:
    """Whether an infrastructure object belongs to no controller of Cluster API."""
    return Annotation.MANAGED_BY in annotations


def is_paused(metadata: ObjectMeta, cluster_paused: bool | None) -> bool:
    """Whether an object is to be left alone: its cluster is paused, or it says so itself, with whatever value."""
    return bool(cluster_paused) or Annotation.PAUSED in metadata.annotations


def is_machine_pool_owned(metadata: ObjectMeta) -> bool:
    """Whether an object belongs to a MachinePool, by its label or by an owner."""
    return Label.MACHINE_POOL_NAME in metadata.labels or any(
        owner.kind == "MachinePool" and owner.group_kind.group == GROUP for owner in metadata.owner_references
    )


def add_annotations(current: Mapping[str, str] | None, wanted: Mapping[str, str]) -> tuple[dict[str, str], bool]:
    """Lay annotations over those that are there; the second says whether that changes anything."""
    before = dict(current or {})
    after = {**before, **wanted}
    return after, after != before
