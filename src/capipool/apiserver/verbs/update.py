"""`update` and `patch`, of an object and of its status."""

from __future__ import annotations

from collections.abc import Callable

from capipool.apiserver import options
from capipool.apiserver.context import Context, Outcome, Target
from capipool.apiserver.fieldmanager import owners
from capipool.apiserver.options import WriteOptions
from capipool.apiserver.verbs import metadata, writing
from capipool.machinery import calls
from capipool.machinery.calls import Call, Reply
from capipool.machinery.errors import BadRequest, UnsupportedMediaType
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge, strategic

PATCH_TYPES = (calls.JSON_PATCH, calls.MERGE_PATCH, calls.STRATEGIC_MERGE_PATCH, calls.APPLY_PATCH)


async def update(context: Context, target: Target, call: Call) -> Reply:
    """Replace an object. Raises Conflict where it is not the state that the caller read."""
    wanted = options.write_options(call)
    raw = metadata.typed(options.decode_body(call.body, call.content_type), target.served.definition.resource)
    raw = metadata.addressed(raw, namespace=target.namespace, name=target.name)
    entry = writing.existing(target)
    outcome = writing.change(context, target, entry, lambda _: raw, wanted, subresource=call.subresource, replaces=True)
    return await writing.settle(context, target, outcome)


async def patch(context: Context, target: Target, call: Call) -> Reply:
    """Change an object by any of the four kinds of patch; apply also creates it."""
    wanted = options.write_options(call)
    if call.content_type.startswith("application/apply-patch"):
        return await writing.settle(context, target, _apply(context, target, call, wanted))
    make = patcher(target, call)
    outcome = writing.change(context, target, writing.existing(target), make, wanted, subresource=call.subresource)
    return await writing.settle(context, target, outcome)


def patcher(target: Target, call: Call) -> Callable[[Raw], Raw]:
    """What a patch does, as a function. Raises BadRequest where it cannot be read, UnsupportedMediaType."""
    definition = target.served.definition
    if call.content_type.startswith(calls.MERGE_PATCH):
        document = options.decode_object(call.body)
        return lambda old: merge.apply(old, document)
    if call.content_type.startswith(calls.JSON_PATCH):
        from capipool.machinery.patch import json  # only now: its library is slow to import, and few patches are these

        operations = options.decode_any(call.body)
        return lambda old: _object(json.apply(old, operations))
    if call.content_type.startswith(calls.STRATEGIC_MERGE_PATCH) and definition.builtin:
        document = options.decode_object(call.body)
        return lambda old: strategic.apply(old, document, definition.structural.schema)
    supported = [t for t in PATCH_TYPES if definition.builtin or t != calls.STRATEGIC_MERGE_PATCH]
    raise UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: " + ", ".join(supported)
    )


def _object(value: object) -> Raw:
    if not isinstance(value, dict):
        raise BadRequest("the patch does not leave an object")
    return value


def _apply(context: Context, target: Target, call: Call, wanted: WriteOptions) -> Outcome:
    """Server-side apply."""
    if not wanted.field_manager:
        raise BadRequest(
            "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value: is required for apply patch"
        )
    definition = target.served.definition
    intent = metadata.typed(options.decode_body(call.body, "application/yaml"), definition.resource)
    intent = metadata.addressed(intent, namespace=target.namespace, name=target.name)

    def make(live: Raw | None) -> Raw:
        return owners.apply(
            live,
            intent,
            manager=wanted.field_manager,
            force=wanted.force,
            subresource=call.subresource,
            schema=definition.structural.schema,
            now=context.clock.now(),
            api_version=definition.resource.api_version,
            has_status=definition.has_status,
        )

    entry = target.collection.latest(target.namespace, target.name)
    if entry is None and not call.subresource:
        return writing.place(context, target, make(None), wanted)
    return writing.change(
        context, target, writing.existing(target), make, wanted, subresource=call.subresource, applies=True
    )
