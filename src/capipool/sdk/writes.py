"""What a provider's controller writes to an object of its own: no more than what differs.

Used by controllers of cluster and control plane kinds; pools are written by the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from capipool.client.client import Client
from capipool.machinery import objects
from capipool.machinery.objects import Object, Raw
from capipool.machinery.patch import merge

_NONE: Mapping[str, Any] = {}


async def bring(
    client: Client,
    obj: Object,
    *,
    spec: Mapping[str, Any] = _NONE,
    annotations: Mapping[str, Any] = _NONE,
    status: Mapping[str, Any] = _NONE,
) -> None:
    """Bring what is wanted onto an object, its status last. Keys that are not named stay; None takes one out.

    Safe to repeat, and writes nothing where all is so. Raises ApiError.
    """
    before, meta = objects.to_raw(obj), obj.metadata
    patch: Raw = {}
    if (changed := _changed(before.get("spec"), spec)) is not None:
        patch["spec"] = changed
    if (changed := _changed(before["metadata"].get("annotations"), annotations)) is not None:
        patch["metadata"] = {"annotations": changed}
    if patch:
        await client.patch(type(obj), meta.name, meta.namespace, patch=patch)
    if (changed := _changed(before.get("status"), status)) is not None:
        await client.patch(type(obj), meta.name, meta.namespace, patch={"status": changed}, subresource="status")


async def set_finalizers(client: Client, obj: Object, finalizers: Iterable[str]) -> None:
    """Replace the list, if the object is as it was read. Raises ApiError: Conflict where it is not."""
    meta = obj.metadata
    patch = {"metadata": {"finalizers": list(finalizers)}}
    await client.patch(type(obj), meta.name, meta.namespace, patch=patch, resource_version=meta.resource_version)


async def remove_finalizer(client: Client, obj: Object, finalizer: str) -> None:
    """Take one off, where it is on. Raises ApiError."""
    if finalizer in obj.metadata.finalizers:
        await set_finalizers(client, obj, [f for f in obj.metadata.finalizers if f != finalizer])


def _changed(before: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> Raw | None:
    old = before or {}
    return merge.diff(old, {**old, **wanted})
