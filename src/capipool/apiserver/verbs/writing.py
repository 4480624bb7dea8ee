"""The way of every write: take in, convert, prepare, admit, check, store. Other verbs come through here.

Nothing in this module awaits: what it reads is what it writes upon. `settle` is where callers wait for durability.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from capipool.apiserver.builtin.definition import Definition
from capipool.apiserver.context import Context, Outcome, Target
from capipool.apiserver.fieldmanager import owners
from capipool.apiserver.options import WriteOptions
from capipool.apiserver.registry import NAMESPACES, Served
from capipool.apiserver.store import entry as entries
from capipool.apiserver.store.entry import Entry
from capipool.apiserver.verbs import metadata
from capipool.machinery import codec, names
from capipool.machinery.admission import Admit, Operation
from capipool.machinery.calls import Reply
from capipool.machinery.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    MethodNotAllowed,
    NotFound,
    forbidden,
    invalid,
)
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge

_UNCOUNTED_GROUPS = frozenset({"", "coordination.k8s.io", "events.k8s.io", "rbac.authorization.k8s.io"})
_STATUS_AT_BIRTH = frozenset({"nodes", "events"})
"""Built-in kinds that are created with their status: a kubelet registers its node whole."""
_METADATA_WITH_STATUS = frozenset({"nodes", "pods", "namespaces", "persistentvolumes", "persistentvolumeclaims"})
"""Built-in kinds whose status subresource lets labels and annotations through, as upstream's do."""
_ATTEMPTS = 8
"""How often a generated name that is taken is drawn again."""

_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


async def settle(context: Context, target: Target, outcome: Outcome) -> Reply:
    """Wait until a write is durable, and answer with the object as the request sees it."""
    if outcome.durable is not None:
        await outcome.durable
    body = context.conversion.view(target.served, outcome.entry)
    return Reply(body, 201 if outcome.created else 200, outcome.warnings)


# -- creation


def place(context: Context, target: Target, raw: Raw, options: WriteOptions) -> Outcome:
    """Create an object that is typed and addressed."""
    served = target.served
    raw, warnings = take_in(served, raw, options)
    raw = _born(context, target, raw)
    name = raw["metadata"]["name"]
    _refuse_where_nothing_is_created(context, target, name)
    _judge_as_requested(served, raw)
    raw = _to_storage(context, served, raw)
    if served.storage.has_status and served.storage.resource.plural not in _STATUS_AT_BIRTH:
        raw.pop("status", None)  # `raw` is ours since `_born`
    raw, more = _admit(context, target, raw, None, options, "")
    if target.collection.latest(target.namespace, name) is not None:
        raise AlreadyExists.of(served.group_resource, name)
    outcome = write(context, target, raw, None, dry_run=options.dry_run)
    return outcome._replace(warnings=warnings + more, created=True)


def _born(context: Context, target: Target, raw: Raw) -> Raw:
    meta = metadata.of(raw)
    name = meta.get("name") or ""
    base = meta.get("generateName") or ""
    if not name and base:
        for _ in range(_ATTEMPTS):
            name = names.generate(base, context.rng)
            if target.collection.latest(target.namespace, name) is None:
                break
    counted = counts_generations(target.served.storage)
    return metadata.born(
        raw if "metadata" in raw else {**raw, "metadata": {}},
        name=name,
        uid=context.uid(),
        now=context.now(),
        counted=counted,
    )


def counts_generations(definition: Definition) -> bool:
    """Whether objects of a kind carry `metadata.generation`."""
    return not definition.builtin or definition.resource.group not in _UNCOUNTED_GROUPS


def _refuse_where_nothing_is_created(context: Context, target: Target, name: str) -> None:
    served = target.served
    registry = context.registry(target.space)
    if served.storage.resource.group_resource in registry.terminating:
        raise MethodNotAllowed("create not allowed while custom resource definition is terminating")
    if not served.definition.resource.namespaced:
        return
    if not target.namespace:
        raise BadRequest("an empty namespace may not be set during creation")
    namespace = context.store.collection(target.space, *NAMESPACES).latest("", target.namespace)
    if namespace is None:
        raise NotFound.of(NAMESPACES, target.namespace)
    if namespace.deleting:
        error = Forbidden.of(
            served.group_resource,
            name,
            f"unable to create new content in namespace {target.namespace} because it is being terminated",
        )
        error.details["causes"] = [
            {
                "reason": "NamespaceTerminating",
                "message": f"namespace {target.namespace} is being terminated",
                "field": "metadata.namespace",
            }
        ]
        raise error


# -- change


def existing(target: Target) -> Entry:
    """The object as the next write finds it. Raises NotFound."""
    found = target.collection.latest(target.namespace, target.name)
    if found is None:
        raise NotFound.of(target.served.group_resource, target.name)
    return found


def change(
    context: Context,
    target: Target,
    entry: Entry,
    make: Callable[[Raw], Raw],
    options: WriteOptions,
    *,
    subresource: str = "",
    replaces: bool = False,
    applies: bool = False,
) -> Outcome:
    """Update an object: `make` gives the new one from the old, both in the request's version.

    `replaces`: whether the new one was made without the old, so that it must say which state it means to replace.
    `applies`: whether `make` settled who owns what, which is then written even where nothing else changes.
    """
    served = target.served
    stored = entry.decode()
    old = context.conversion.at_storage(served, stored)
    shown = context.conversion.from_storage(served, stored)
    made = make(shown)
    if made is shown:
        return Outcome(entry, context.store.barrier(target.collection, entry))
    new = metadata.addressed(
        metadata.typed(made, served.definition.resource), namespace=target.namespace, name=target.name
    )
    _check_preconditions(served, entry, new, replaces=replaces)
    new, warnings = take_in(served, new, options)
    new = metadata.kept(new, shown)
    _judge_as_requested(served, _merged(served.definition, new, shown, subresource), shown)
    new = _to_storage(context, served, new)
    new = _merged(served.storage, new, old, subresource)
    new, more = _admit(context, target, new, old, options, subresource)
    if applies:
        new = metadata.stamped(new, managedFields=made["metadata"].get("managedFields"))
    if entry.deleting:
        _refuse_new_finalizers(served, target.name, new, old)
    if _same(new, old) and not (applies and _owners_differ(new, old)) and not _ends_tracking(new, old):
        return Outcome(entry, context.store.barrier(target.collection, entry), warnings + more)
    if not applies:
        new = _tracked(context, target, new, old, options, subresource)
    return _store_change(context, target, entry, new, old, options)._replace(warnings=warnings + more)


def _store_change(
    context: Context,
    target: Target,
    entry: Entry,
    new: Raw,
    old: Raw,
    options: WriteOptions,
) -> Outcome:
    definition = target.served.storage
    if counts_generations(definition) and metadata.spec_changed(new, old, has_status=definition.has_status):
        new = metadata.stamped(new, generation=old["metadata"].get("generation", 0) + 1)
    if entry.deleting and not holds(new):
        return erase(context, target, entry, new, dry_run=options.dry_run)
    return write(context, target, new, entry, dry_run=options.dry_run)


def _check_preconditions(served: Served, entry: Entry, new: Raw, *, replaces: bool) -> None:
    meta = new["metadata"]
    version, uid = meta.get("resourceVersion") or "", meta.get("uid") or ""
    if uid and uid != entry.uid:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {entry.uid}"
        raise Conflict.of(served.group_resource, entry.name, why)
    if not version or version == "0":
        if replaces and not served.definition.builtin:
            errors = [invalid("metadata.resourceVersion", 0, "must be specified for an update")]
            raise Invalid.of(served.storage.resource.group_kind, entry.name, errors)
    elif version != str(entry.revision):
        raise Conflict.of(served.group_resource, entry.name, _MODIFIED)


def _merged(definition: Definition, new: Raw, old: Raw, subresource: str) -> Raw:
    """What of an update counts: status through its subresource, everything else through the object."""
    if not definition.has_status:
        return new
    if subresource == "status":
        meta = old["metadata"]
        if definition.builtin and definition.resource.plural in _METADATA_WITH_STATUS:
            meta = new["metadata"]
        result = {**old, "metadata": meta}
        source = new
    else:
        result, source = dict(new), old
        if definition.resource.group_resource == NAMESPACES and subresource != "finalize":
            result["spec"] = old.get("spec") or {}  # else an update could let a namespace go before its content
    if "status" in source:
        result["status"] = source["status"]
    else:
        result.pop("status", None)
    return result


def _refuse_new_finalizers(served: Served, name: str, new: Raw, old: Raw) -> None:
    before = old["metadata"].get("finalizers") or ()
    added = [f for f in new["metadata"].get("finalizers") or () if f not in before]
    if added:
        detail = f"no new finalizers can be added if the object is being deleted, found new finalizers {added}"
        errors = [forbidden("metadata.finalizers", detail)]
        raise Invalid.of(served.storage.resource.group_kind, name, errors)


def _same(new: Raw, old: Raw) -> bool:
    """Equal as JSON (in Python `True == 1`), who manages what left aside."""
    new, old = metadata.stamped(new, managedFields=None), metadata.stamped(old, managedFields=None)
    return new == old and merge.diff(old, new) is None


def _owners_differ(new: Raw, old: Raw) -> bool:
    return bool(new["metadata"].get("managedFields") != old["metadata"].get("managedFields"))


def _ends_tracking(new: Raw, old: Raw) -> bool:
    return owners.is_tracked(old) and new["metadata"].get("managedFields") in ([], [{}])


def _tracked(context: Context, target: Target, new: Raw, old: Raw, options: WriteOptions, subresource: str) -> Raw:
    if not owners.is_tracked(old):
        # Nobody ever applied it, so there is nothing to end either.
        return new if new["metadata"].get("managedFields") else metadata.stamped(new, managedFields=None)
    definition = target.served.storage
    return owners.track(
        old,
        new,
        manager=options.field_manager or "unknown",
        subresource=subresource,
        schema=definition.structural.schema,
        now=context.clock.now(),
        api_version=definition.resource.api_version,
    )


# -- what creation and change share


def take_in(served: Served, raw: Raw, options: WriteOptions) -> tuple[Raw, tuple[str, ...]]:
    """Prune and default in the request's version. Raises BadRequest on unknown fields where validation is strict."""
    definition = served.definition
    pruned, unknown = definition.structural.prune(raw)
    warnings: tuple[str, ...] = (definition.deprecated,) if definition.deprecated else ()
    if unknown and options.field_validation != "Ignore":
        found = [f'unknown field "{path}"' for path in unknown]
        if options.field_validation == "Strict":
            kind, version = definition.resource.kind, definition.resource.version
            raise BadRequest(
                f'{kind} in version "{version}" cannot be handled as a {kind}: '
                f"strict decoding error: {', '.join(found)}"
            )
        warnings += tuple(found)
    return definition.structural.default(pruned), warnings


def _admit(
    context: Context, target: Target, raw: Raw, old: Raw | None, options: WriteOptions, subresource: str
) -> tuple[Raw, tuple[str, ...]]:
    """Fill in, check against the schema, and ask the rules. Raises Invalid or Forbidden."""
    served = target.served
    definition = served.storage
    rules = () if subresource == "status" else context.admission.rules(served)
    try:
        if definition.prepare is not None:
            raw = definition.prepare(raw, old)
        if rules:
            raw = context.admission.default(served, _ask(target, raw, old, options, subresource))
        if rules or not served.stored_as_is:
            raw = definition.structural.default(raw)
    except Exception as error:
        _blame(definition, raw, error)
    errors = definition.check(raw, old)
    name = raw["metadata"].get("name", "")
    if errors:
        raise Invalid.of(definition.resource.group_kind, name, errors)
    strategy = context.strategies.get(definition.resource.group_resource)
    if strategy is not None:
        raw = strategy(target.space, raw, old)
    if not rules:
        return raw, ()
    return raw, context.admission.validate(served, _ask(target, raw, old, options, subresource), name)


def _judge_as_requested(served: Served, raw: Raw, old: Raw | None = None) -> None:
    """Check an object against the schema of the version that the request speaks, where that is not the stored one.

    Its own limits hold for it, and errors name its own fields. What is missing may still be filled in: admission's
    defaults come later here, and the stored version is checked after them. Raises Invalid.
    """
    definition = served.definition
    if served.stored_as_is or definition.alias is not None:
        return
    found = definition.structural.validate(raw, old)
    if errors := [e for e in found if e.type != "FieldValueRequired"]:
        raise Invalid.of(definition.resource.group_kind, str(raw["metadata"].get("name", "")), errors)


def _to_storage(context: Context, served: Served, raw: Raw) -> Raw:
    try:
        return context.conversion.to_storage(served, raw)
    except Exception as error:
        _blame(served.definition, raw, error)


def _blame(definition: Definition, raw: Raw, error: Exception) -> NoReturn:
    """Say what is wrong with an object on which something stumbled that ran before the schema was checked.

    Defaults, conversions and rules may rely on types: an object of other types is to blame itself. An object that fits
    its schema is not, and the error is what it is.
    """
    if not isinstance(error, ApiError) and (wrong := definition.structural.validate(raw)):
        raise Invalid.of(definition.resource.group_kind, str(raw["metadata"].get("name", "")), wrong) from error
    raise error


def _ask(target: Target, raw: Raw, old: Raw | None, options: WriteOptions, subresource: str) -> Admit:
    operation: Operation = "CREATE" if old is None else "UPDATE"
    return Admit(
        operation=operation,
        resource=target.served.storage.resource,
        object=raw,
        old=old,
        subresource=subresource,
        user=target.user,
        dry_run=options.dry_run,
    )


def write(context: Context, target: Target, raw: Raw, old: Entry | None, *, dry_run: bool = False) -> Outcome:
    """Queue a checked object, in storage version, in the place of `old`."""
    entry = _entry(context, raw, old, dry_run=dry_run)
    return Outcome(entry, None if dry_run else context.store.put(target.collection, entry))


def erase(context: Context, target: Target, old: Entry, raw: Raw, *, dry_run: bool = False) -> Outcome:
    """Queue the deletion of an object; `raw` is its last state."""
    entry = _entry(context, raw, old, dry_run=dry_run)
    return Outcome(entry, None if dry_run else context.store.delete(target.collection, entry), deleted=True)


def _entry(context: Context, raw: Raw, old: Entry | None, *, dry_run: bool) -> Entry:
    """The object as it is stored. A dry run shows the old revision, or none, since nothing is written."""
    if not dry_run:
        return at_next_revision(context, raw, old)
    raw = metadata.stamped(raw, resourceVersion=None if old is None else str(old.revision))
    return entries.from_raw(raw, codec.encode_json(raw), id=0, revision=0)


def at_next_revision(context: Context, raw: Raw, old: Entry | None) -> Entry:
    """An object as the store takes it next: its bytes carry the revision of the write."""
    revision = context.store.next_revision()
    raw = {**raw, "metadata": {**raw["metadata"], "resourceVersion": str(revision)}}
    return entries.from_raw(raw, codec.encode_json(raw), id=revision if old is None else old.id, revision=revision)


def holds(raw: Raw) -> bool:
    """Whether anything keeps an object that is being deleted: finalizers, or the time it has to end by itself."""
    meta = raw["metadata"]
    if meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"):
        return True
    return raw["kind"] == "Namespace" and raw["apiVersion"] == "v1" and bool((raw.get("spec") or {}).get("finalizers"))
