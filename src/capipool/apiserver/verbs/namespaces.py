"""`namespaces/finalize`: what keeps a namespace that is going away."""

from __future__ import annotations

from capipool.apiserver import options
from capipool.apiserver.context import Context, Target
from capipool.apiserver.verbs import metadata, writing
from capipool.machinery.calls import Call, Reply
from capipool.machinery.errors import Invalid
from capipool.machinery.objects import Raw


async def finalize(context: Context, target: Target, call: Call) -> Reply:
    """Replace `spec.finalizers`; without any, a namespace that is being deleted is gone."""
    wanted = options.write_options(call)
    raw = metadata.typed(options.decode_body(call.body, call.content_type), target.served.definition.resource)
    raw = metadata.addressed(raw, namespace="", name=target.name)
    if errors := target.served.definition.structural.validate(raw):
        raise Invalid.of(target.served.definition.resource.group_kind, target.name, errors)

    def make(old: Raw) -> Raw:
        finalizers = (raw.get("spec") or {}).get("finalizers") or []
        version = metadata.of(raw).get("resourceVersion") or old["metadata"]["resourceVersion"]
        return {
            **metadata.stamped(old, resourceVersion=version),
            "spec": {**(old.get("spec") or {}), "finalizers": finalizers},
        }

    outcome = writing.change(context, target, writing.existing(target), make, wanted, subresource="finalize")
    return await writing.settle(context, target, outcome)
