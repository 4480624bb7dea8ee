"""The `scale` subresource: any kind's replicas as an `autoscaling/v1` Scale."""

from __future__ import annotations

from typing import Any

from capipool.apiserver import options
from capipool.apiserver.builtin.definition import Scale
from capipool.apiserver.context import Context, Target
from capipool.apiserver.verbs import metadata, writing
from capipool.machinery import calls, codec, selectors
from capipool.machinery.calls import Call, Reply
from capipool.machinery.errors import BadRequest, Invalid, NotFound, UnsupportedMediaType, invalid
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import GroupKind, Resource

SCALE = Resource("autoscaling", "v1", "Scale", "scales")
_SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


async def get(context: Context, target: Target, call: Call) -> Reply:
    """The scale of an object."""
    entry = target.collection.get(target.namespace, target.name)
    if entry is None:
        raise NotFound.of(target.served.group_resource, target.name)
    raw = context.conversion.from_storage(target.served, entry.decode())
    return Reply(codec.encode_json(shown(target, raw)))


async def write(context: Context, target: Target, call: Call) -> Reply:
    """Set the replicas, by a Scale (`update`) or a patch of one (`patch`)."""
    wanted = options.write_options(call)

    def make(raw: Raw) -> Raw:
        scale = _changed(call, shown(target, raw))
        replicas = _replicas(scale, target.name)
        version = metadata.of(scale).get("resourceVersion") or raw["metadata"]["resourceVersion"]
        return _with(metadata.stamped(raw, resourceVersion=version), _paths(target).spec_replicas, replicas)

    outcome = writing.change(context, target, writing.existing(target), make, wanted, subresource="scale")
    if outcome.durable is not None:
        await outcome.durable
    raw = context.conversion.from_storage(target.served, outcome.entry.decode())
    return Reply(codec.encode_json(shown(target, raw)), 200, outcome.warnings)


def shown(target: Target, raw: Raw) -> Raw:
    """The Scale of an object in the request's version."""
    paths = _paths(target)
    replicas = _at(raw, paths.spec_replicas)
    status: Raw = {"replicas": _at(raw, paths.status_replicas) or 0}
    if selector := _selector(target, raw, paths):
        status["selector"] = selector
    meta = {k: raw["metadata"][k] for k in _SHOWN if k in raw["metadata"]}
    spec = {} if replicas is None else {"replicas": replicas}
    return {"kind": SCALE.kind, "apiVersion": SCALE.api_version, "metadata": meta, "spec": spec, "status": status}


def _paths(target: Target) -> Scale:
    scale = target.served.definition.scale
    if scale is None:
        raise NotFound("the server could not find the requested resource")
    return scale


def _selector(target: Target, raw: Raw, paths: Scale) -> str:
    if not target.served.definition.builtin:
        return str(_at(raw, paths.selector) or "") if paths.selector else ""
    found = selectors.from_object((raw.get("spec") or {}).get("selector"))
    return str(found) if found is not None else ""


def _changed(call: Call, scale: Raw) -> Raw:
    if call.verb == "update":
        return metadata.typed(options.decode_body(call.body, call.content_type), SCALE)
    if call.content_type in (calls.MERGE_PATCH, calls.STRATEGIC_MERGE_PATCH):
        return merge.apply(scale, options.decode_object(call.body))
    if call.content_type == calls.JSON_PATCH:
        from capipool.machinery.patch import json  # see verbs.update

        patched = json.apply(scale, options.decode_any(call.body))
        if isinstance(patched, dict):
            return patched
        raise BadRequest("the patch does not leave an object")
    raise UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join((calls.JSON_PATCH, calls.MERGE_PATCH))
    )


def _replicas(scale: Raw, name: str) -> int:
    spec = scale.get("spec")
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else None
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        raise BadRequest("spec.replicas of a Scale must be an integer")
    if replicas < 0:
        errors = [invalid("spec.replicas", replicas, "must be greater than or equal to 0")]
        raise Invalid.of(GroupKind(SCALE.group, SCALE.kind), name, errors)
    return replicas


def _at(raw: Raw, path: str) -> Any:
    value: Any = raw
    for part in path.strip(".").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _with(raw: Raw, path: str, value: Any) -> Raw:
    first, _, rest = path.strip(".").partition(".")
    return {**raw, first: _with(raw.get(first) or {}, rest, value) if rest else value}
