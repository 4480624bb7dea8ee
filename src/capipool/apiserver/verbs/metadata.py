"""What the server does with `metadata`: identity at birth, what survives updates, what clients may not touch. Pure."""

from __future__ import annotations

from typing import Any

from capipool.machinery.errors import BadRequest
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource

_GIVEN_AT_BIRTH = ("uid", "creationTimestamp", "generation", "selfLink", "deletionTimestamp", "resourceVersion")
_NOTHING: tuple[Any, ...] = (None, {}, [])
_KEPT = (
    "name", "generateName", "namespace", "uid", "creationTimestamp", "generation", "deletionTimestamp",
    "deletionGracePeriodSeconds", "selfLink",
)  # fmt: skip


def of(raw: Raw) -> dict[str, Any]:
    """The metadata of a decoded object, empty where there is none. Raises BadRequest where it is something else."""
    meta = raw.get("metadata")
    if meta is None:
        return {}
    if not isinstance(meta, dict):
        raise BadRequest(f"metadata must be an object, not {type(meta).__name__}")
    for field in ("name", "generateName", "namespace", "uid", "resourceVersion"):
        value = meta.get(field)
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"metadata.{field} must be a string, not {type(value).__name__}")
    return meta


def typed(raw: Raw, resource: Resource) -> Raw:
    """The object with `apiVersion` and `kind` first. Raises BadRequest where it says that it is another kind."""
    if (kind := raw.get("kind") or resource.kind) != resource.kind:
        raise BadRequest(f"the kind in the data ({kind}) does not match the expected kind ({resource.kind})")
    if (version := raw.get("apiVersion") or resource.api_version) != resource.api_version:
        raise BadRequest(
            f"the API version in the data ({version}) does not match the expected API version ({resource.api_version})"
        )
    if next(iter(raw), "") == "apiVersion" and raw["apiVersion"] and raw.get("kind"):
        return raw
    return {"apiVersion": version, "kind": kind, **{k: v for k, v in raw.items() if k not in ("apiVersion", "kind")}}


def addressed(raw: Raw, *, namespace: str, name: str) -> Raw:
    """The object with the namespace and the name of its path. Raises BadRequest where it has others."""
    meta = of(raw)
    if (given := meta.get("namespace") or "") and given != namespace:
        raise BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request"
            if namespace
            else "namespace should not be set on a cluster-scoped object"
        )
    if name and (given := meta.get("name") or name) != name:
        raise BadRequest(f"the name of the object ({given}) does not match the name on the URL ({name})")
    where = {"namespace": namespace} if namespace else {}
    who = {"name": name} if name else {}
    if meta.get("namespace", "") == namespace and (not name or meta.get("name") == name):
        return raw
    return {**raw, "metadata": {**meta, **who, **where}}


def born(raw: Raw, *, name: str, uid: str, now: str, counted: bool) -> Raw:
    """A new object with its identity. `counted`: whether it has a generation."""
    meta = {k: v for k, v in raw["metadata"].items() if k not in _GIVEN_AT_BIRTH and v not in _NOTHING}
    meta.pop("deletionGracePeriodSeconds", None)
    meta["name"] = name
    meta["uid"] = uid
    meta["creationTimestamp"] = now
    if counted:
        meta["generation"] = 1
    return {**raw, "metadata": meta}


def _says_something(field: str, value: Any) -> bool:
    """Whether a field is worth keeping: an empty one means nothing, but for managed fields, where it means to end."""
    return value is not None and (field == "managedFields" or value not in _NOTHING)


def kept(new: Raw, old: Raw) -> Raw:
    """An update's object with the identity of the old one, whatever it says itself."""
    before, meta = old["metadata"], new.get("metadata") or {}
    result = {k: v for k, v in meta.items() if k not in _KEPT and _says_something(k, v)}
    result |= {k: before[k] for k in _KEPT if k in before}
    result["resourceVersion"] = before["resourceVersion"]
    return {**new, "metadata": result}


def spec_changed(new: Raw, old: Raw, *, has_status: bool) -> bool:
    """Whether what `generation` counts is different: everything but metadata, and status where it stands apart."""
    uncounted = ("metadata", "status") if has_status else ("metadata",)
    return {k: v for k, v in new.items() if k not in uncounted} != {k: v for k, v in old.items() if k not in uncounted}


def stamped(raw: Raw, **fields: Any) -> Raw:
    """The object with metadata fields set; None removes one."""
    meta = {**raw["metadata"], **fields}
    return {**raw, "metadata": {k: v for k, v in meta.items() if v is not None}}
