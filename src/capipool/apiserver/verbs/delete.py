"""`delete` and `deletecollection`: at once, after a grace period, or when the last finalizer is gone."""

from __future__ import annotations

import datetime as dt

from capipool.apiserver import options
from capipool.apiserver.context import Context, Outcome, Target
from capipool.apiserver.options import DeleteOptions
from capipool.apiserver.registry import NAMESPACES
from capipool.apiserver.store.entry import Entry
from capipool.apiserver.verbs import metadata, reading, writing
from capipool.machinery import codec
from capipool.machinery.admission import Admit
from capipool.machinery.calls import Call, Reply
from capipool.machinery.clock import format_time
from capipool.machinery.errors import Conflict, Forbidden
from capipool.machinery.objects import Raw
from capipool.machinery.resource import GroupResource

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_PODS = GroupResource("", "pods")
_DEFAULT_GRACE_SECONDS = 30
_IMMORTAL = frozenset({"default", "kube-system", "kube-public"})


async def delete(context: Context, target: Target, call: Call) -> Reply:
    """Delete one object, or begin to. Raises NotFound, Conflict where a precondition does not hold."""
    outcome = remove(context, target, writing.existing(target), options.delete_options(call))
    if not outcome.deleted or target.served.storage.resource.group_resource in (_PODS, NAMESPACES):
        return await writing.settle(context, target, outcome)
    if outcome.durable is not None:
        await outcome.durable
    return Reply(_success(target, outcome.entry), 200, outcome.warnings)


def _success(target: Target, entry: Entry) -> bytes:
    group, plural = target.served.group_resource
    details = {"name": entry.name, "group": group, "kind": plural, "uid": entry.uid}
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return codec.encode_json({**status, "details": {k: v for k, v in details.items() if v}})


async def delete_collection(context: Context, target: Target, call: Call) -> Reply:
    """Delete every object that the selectors select; answers with the list of what they were."""
    wanted = options.delete_options(call)
    listed = await reading.list_(context, target, call)
    selection = reading.selection(target, call)
    outcomes = [
        remove(context, target, latest, wanted)
        for entry in reading.page(context, target, call, selection).entries
        if (latest := target.collection.latest(entry.namespace, entry.name)) is not None
    ]
    for outcome in outcomes:
        if outcome.durable is not None:
            await outcome.durable
    return listed


def remove(context: Context, target: Target, entry: Entry, wanted: DeleteOptions) -> Outcome:
    """Decide about one deletion: gone, or marked for others to finish. Deleting again changes nothing."""
    served = target.served
    _check_preconditions(target, entry, wanted)
    stored = context.conversion.at_storage(served, entry.decode())
    _refuse_immortal(target, entry)
    warnings = _ask(context, target, entry, stored, wanted)
    marked = _marked(context, target, stored, wanted)
    if not writing.holds(marked):
        return writing.erase(context, target, entry, marked, dry_run=wanted.dry_run)._replace(warnings=warnings)
    if marked == stored:
        return Outcome(entry, context.store.barrier(target.collection, entry), warnings)
    if not entry.deleting and (generation := stored["metadata"].get("generation")):
        marked = metadata.stamped(marked, generation=generation + 1)
    return writing.write(context, target, marked, entry, dry_run=wanted.dry_run)._replace(warnings=warnings)


def _check_preconditions(target: Target, entry: Entry, wanted: DeleteOptions) -> None:
    why = ""
    if wanted.uid and wanted.uid != entry.uid:
        why = f"Precondition failed: UID in precondition: {wanted.uid}, UID in object meta: {entry.uid}"
    elif wanted.resource_version and wanted.resource_version != str(entry.revision):
        why = (
            f"Precondition failed: ResourceVersion in precondition: {wanted.resource_version}, "
            f"ResourceVersion in object meta: {entry.revision}"
        )
    if why:
        raise Conflict.of(target.served.group_resource, entry.name, why)


def _refuse_immortal(target: Target, entry: Entry) -> None:
    if target.served.group_resource == NAMESPACES and entry.name in _IMMORTAL:
        raise Forbidden.of(NAMESPACES, entry.name, "this namespace may not be deleted")


def _ask(context: Context, target: Target, entry: Entry, stored: Raw, wanted: DeleteOptions) -> tuple[str, ...]:
    if entry.deleting or not context.admission.rules(target.served):
        return ()
    admit = Admit(
        operation="DELETE",
        resource=target.served.storage.resource,
        old=stored,
        user=target.user,
        dry_run=wanted.dry_run,
    )
    return context.admission.validate(target.served, admit, entry.name)


def _marked(context: Context, target: Target, stored: Raw, wanted: DeleteOptions) -> Raw:
    """The object as this deletion leaves it, if it stays."""
    meta = stored["metadata"]
    finalizers = _finalizers(meta.get("finalizers") or [], wanted)
    grace = _grace_seconds(target, stored, wanted)
    now = context.clock.now()
    if "deletionTimestamp" not in meta:
        deletion: dict[str, object] = {
            "deletionTimestamp": format_time(now + dt.timedelta(seconds=grace)),
            "deletionGracePeriodSeconds": grace,
        }
    elif grace < (meta.get("deletionGracePeriodSeconds") or 0):
        deletion = {
            "deletionTimestamp": format_time(now + dt.timedelta(seconds=grace)),
            "deletionGracePeriodSeconds": grace,
        }
    else:
        deletion = {}
    marked = metadata.stamped(stored, finalizers=finalizers or None, **deletion)
    if target.served.group_resource == NAMESPACES:
        marked["status"] = {**(marked.get("status") or {}), "phase": "Terminating"}
    return marked


def _finalizers(before: list[str], wanted: DeleteOptions) -> list[str]:
    """A propagation policy is kept as the finalizer of whoever carries it out; none said means none changed."""
    if wanted.propagation is None:
        return before
    others = [f for f in before if f not in (ORPHAN, FOREGROUND)]
    match wanted.propagation:
        case "Orphan":
            return [*others, ORPHAN]
        case "Foreground":
            return [*others, FOREGROUND]
        case "Background":
            return others


def _grace_seconds(target: Target, stored: Raw, wanted: DeleteOptions) -> int:
    """How long a pod has to end by itself. Only one that a kubelet runs has any time at all."""
    if target.served.group_resource != _PODS:
        return 0
    spec, status = stored.get("spec") or {}, stored.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    if wanted.grace_period_seconds is not None:
        return wanted.grace_period_seconds
    seconds = spec.get("terminationGracePeriodSeconds")
    return int(seconds) if seconds is not None else _DEFAULT_GRACE_SECONDS
