"""Subresources of pods: `eviction`, which disruption budgets may forbid for now, and `binding`."""

from __future__ import annotations

from capipool.apiserver import budgets, options
from capipool.apiserver.context import Context, Target
from capipool.apiserver.options import WriteOptions
from capipool.apiserver.store.entry import Entry
from capipool.apiserver.verbs import delete, metadata, writing
from capipool.machinery import codec
from capipool.machinery.calls import Call, Reply
from capipool.machinery.errors import BadRequest, Conflict, InternalError, TooManyRequests
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource

_EVICTION = Resource("policy", "v1", "Eviction", "evictions")
_BINDING = Resource("", "v1", "Binding", "bindings")
_DONE = codec.encode_json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})


async def evict(context: Context, target: Target, call: Call) -> Reply:
    """Delete a pod unless its budget forbids it now. Raises TooManyRequests with the budget's numbers as cause."""
    raw = options.decode_body(call.body, call.content_type)
    if raw.get("apiVersion") == "policy/v1beta1":
        raw = {**raw, "apiVersion": _EVICTION.api_version}
    raw = metadata.addressed(metadata.typed(raw, _EVICTION), namespace=target.namespace, name=target.name)
    entry = writing.existing(target)
    wanted = options.delete_options(
        Call(
            verb="delete",
            resource=call.resource,
            query=call.query,
            body=codec.encode_json(raw.get("deleteOptions") or {}),
        )
    )
    if _is_counted(entry):
        _refuse_if_budgets_forbid(context, target, entry)
    outcome = delete.remove(context, target, entry, wanted)
    if outcome.durable is not None:
        await outcome.durable
    return Reply(_DONE, 201)


def _is_counted(entry: Entry) -> bool:
    """Whether evicting a pod can disrupt anything: not one that ended, is ending, or never began."""
    if entry.deleting:
        return False
    return ((entry.decode().get("status") or {}).get("phase") or "") not in ("Succeeded", "Failed", "Pending")


def _refuse_if_budgets_forbid(context: Context, target: Target, entry: Entry) -> None:
    found = budgets.of_pod(context, target.space, entry)
    if not found:
        return
    if len(found) > 1:
        raise InternalError(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    budget = found[0].decode()
    state = budgets.assess(context, target.space, budget)
    if state.allowed > 0:
        return
    if not budgets.is_ready(entry.decode()):
        policy = budget["spec"].get("unhealthyPodEvictionPolicy") or "IfHealthyBudget"
        if policy == "AlwaysAllow" or (state.healthy >= state.desired and state.desired > 0):
            return
    message = (
        f"The disruption budget {found[0].name} needs {state.desired} healthy pods and has {state.healthy} currently"
    )
    raise TooManyRequests(
        "Cannot evict pod as it would violate the pod's disruption budget.",
        details={"causes": [{"reason": "DisruptionBudget", "message": message}]},
    )


async def bind(context: Context, target: Target, call: Call) -> Reply:
    """Give a pod its node. Raises Conflict where it has one."""
    raw = metadata.typed(options.decode_body(call.body, call.content_type), _BINDING)
    node = (raw.get("target") or {}).get("name")
    if not isinstance(node, str) or not node:
        raise BadRequest("target.name of a Binding must name a node")

    def make(pod: Raw) -> Raw:
        spec = pod.get("spec") or {}
        if (there := spec.get("nodeName")) and there != node:
            why = f"pod {target.name} is already assigned to node {there!r}"
            raise Conflict.of(target.served.group_resource, target.name, why)
        return {**pod, "spec": {**spec, "nodeName": node}}

    outcome = writing.change(context, target, writing.existing(target), make, WriteOptions())
    if outcome.durable is not None:
        await outcome.durable
    return Reply(_DONE, 201)
