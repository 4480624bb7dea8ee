"""`create`."""

from __future__ import annotations

from capipool.apiserver import options
from capipool.apiserver.context import Context, Target
from capipool.apiserver.verbs import metadata, writing
from capipool.machinery.calls import Call, Reply


async def create(context: Context, target: Target, call: Call) -> Reply:
    """Store a new object. Raises AlreadyExists, Invalid, BadRequest, NotFound for a namespace that is not there."""
    wanted = options.write_options(call)
    raw = metadata.typed(options.decode_body(call.body, call.content_type), target.served.definition.resource)
    raw = metadata.addressed(raw, namespace=target.namespace, name="")
    return await writing.settle(context, target, writing.place(context, target, raw, wanted))
