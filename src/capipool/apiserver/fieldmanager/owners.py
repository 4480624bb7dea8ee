"""Who owns what: `metadata.managedFields` through applies and updates.

Ownership is tracked lazily. An object that nobody ever applied has no managed fields, and updating it costs nothing
here. The first apply gives what was there to the manager `before-first-apply`; from then on every write is tracked.
Status and scale have entries of their own, as in Kubernetes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from capipool.apiserver.fieldmanager import paths, values
from capipool.apiserver.fieldmanager.paths import Fields
from capipool.machinery.clock import format_time
from capipool.machinery.errors import BadRequest, Conflict
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.machinery.schema import engine

BEFORE_FIRST_APPLY = "before-first-apply"
MAX_UPDATERS = 10
"""So many managers that updated are remembered by name; the oldest beyond are put together, as in Kubernetes."""
_ANCIENT = "ancient-changes"

_UNOWNED = frozenset(
    {("f:apiVersion",), ("f:kind",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields",
            "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName",
        )
    }
)  # fmt: skip
"""What nobody owns: identity, and what the server sets."""


class Manager(NamedTuple):
    """One entry's identity."""

    name: str
    operation: str
    subresource: str
    api_version: str

    def shown(self, time: str) -> str:
        """As a conflict names it."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        if self.operation == "Update":
            text += f" using {self.api_version}" + (f" at {time}" if time else "")
        return text


class Owned(NamedTuple):
    """What a manager owns, and since when it is so."""

    fields: Fields
    time: str


Owners = dict[Manager, Owned]


def is_tracked(obj: Mapping[str, Any] | None) -> bool:
    """Whether somebody ever applied the object."""
    return bool(obj and (obj.get("metadata") or {}).get("managedFields"))


def apply(
    live: Raw | None,
    applied: Raw,
    *,
    manager: str,
    force: bool,
    subresource: str,
    schema: Mapping[str, Any],
    now: dt.datetime,
    api_version: str,
    has_status: bool = True,
) -> Raw:
    """What an object becomes when a manager applies its intent; `live` itself where that changes nothing.

    Fields that the manager applied before and no longer does are removed, unless another owns them. Raises Conflict,
    with a cause for each field, where the intent changes what others own and is not forced; BadRequest where it carries
    managed fields. `schema` is the compiled one (`Structural.schema`).
    """
    if (applied.get("metadata") or {}).get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    intent = _only(applied, subresource, has_status)
    before: Raw = live if live is not None else {}
    owners = _read(before) if is_tracked(before) else _before_first_apply(before, schema, now, api_version, has_status)
    me = Manager(manager, "Apply", subresource, api_version)
    mine = _owned(values.leaves(intent, schema).fields)
    last = frozenset[paths.Path]().union(*(owned.fields for who, owned in owners.items() if _same(who, me)))
    others = {who: owned for who, owned in owners.items() if not _same(who, me)}
    merged = _without_abandoned(values.merge(before, intent, schema), last - mine, mine, others, schema)
    others = _after(others, before, merged, schema, force=force)
    since = next((o.time for who, o in owners.items() if who == me and o.fields == mine), format_time(now))
    result = _write(merged, others | ({me: Owned(mine, since)} if mine else {}))
    return live if live is not None and result == live else result


def track(
    old: Raw | None,
    new: Raw,
    *,
    manager: str,
    subresource: str,
    schema: Mapping[str, Any],
    now: dt.datetime,
    api_version: str,
) -> Raw:
    """The new object with its managed fields as an update or a patch by a manager leaves them.

    What changed belongs to the manager from now on and to nobody else; what is gone belongs to nobody. An object that
    is not tracked stays so. A client that sends an empty list of managed fields (`[]` or `[{}]`) ends the tracking.
    """
    given = (new.get("metadata") or {}).get("managedFields")
    if old is None or not is_tracked(old) or given in ([], [{}]):
        # Whoever creates an object with its managed fields restores it: they are kept.
        return new if given is None or (old is None and given not in ([], [{}])) else _write(new, {})
    changed, gone = _compare(*values.differing(old, new, schema))
    changed, gone = _owned(changed), _owned(gone)
    if not changed and not gone:
        return {**new, "metadata": {**new["metadata"], "managedFields": old["metadata"]["managedFields"]}}
    owners = {who: Owned(owned.fields - changed - gone, owned.time) for who, owned in _read(old).items()}
    if changed:
        me = Manager(manager, "Update", subresource, api_version)
        mine = owners.get(me, Owned(paths.NOTHING, "")).fields
        owners[me] = Owned(mine | changed, format_time(now))
    return _write(new, _bounded(owners))


def _same(who: Manager, me: Manager) -> bool:
    """Whether two entries are one applier's, in whatever version."""
    return who[:3] == me[:3]


def _only(applied: Raw, subresource: str, has_status: bool) -> Raw:
    """What of an intent counts: status through its subresource, everything else through the object, no nulls."""
    applied = engine.without_nulls(applied)
    if subresource == "status":
        return {k: v for k, v in applied.items() if k in ("apiVersion", "kind", "status")}
    return {k: v for k, v in applied.items() if k != "status"} if has_status else applied


def _owned(fields: Fields) -> Fields:
    return frozenset(p for p in fields if p not in _UNOWNED and p[:2] not in _UNOWNED and p != ("f:metadata",))


def _before_first_apply(
    live: Raw, schema: Mapping[str, Any], now: dt.datetime, version: str, has_status: bool
) -> Owners:
    fields = _owned(values.leaves(live, schema).fields)
    status = frozenset(p for p in fields if p[0] == "f:status") if has_status else paths.NOTHING
    owners = {}
    for subresource, owned in (("", fields - status), ("status", status)):
        if owned:
            who = Manager(BEFORE_FIRST_APPLY, "Update", subresource, live.get("apiVersion", version))
            owners[who] = Owned(owned, (live.get("metadata") or {}).get("creationTimestamp") or format_time(now))
    return owners


def _without_abandoned(merged: Raw, abandoned: Fields, mine: Fields, others: Owners, schema: Mapping[str, Any]) -> Raw:
    """Remove what the manager gave up, where nobody else owns it or something in it."""
    if not abandoned:
        return merged
    kept = paths.with_ancestors(mine.union(*(owned.fields for owned in others.values())))
    gone = frozenset(p for p in abandoned if p not in kept)
    return values.remove(merged, gone, schema) if gone else merged


def _compare(before: values.Leaves, after: values.Leaves) -> tuple[Fields, Fields]:
    """The paths that are new or have another value, and those that are gone."""
    old, new = before.values, after.values
    changed = frozenset(p for p, v in new.items() if p not in old or (old[p] is not v and not merge.same(old[p], v)))
    gone = frozenset(p for p in old if p not in new and p not in after.holders)
    return changed, gone


def _after(others: Owners, before: Raw, merged: Raw, schema: Mapping[str, Any], *, force: bool) -> Owners:
    """What the others own after an apply. Raises Conflict where it would take from them unforced."""
    changed, gone = _compare(*values.differing(before, merged, schema))
    lost = {who: owned.fields & changed for who, owned in others.items() if owned.fields & changed}
    if lost and not force:
        raise _conflict({who: (fields, others[who].time) for who, fields in lost.items()})
    left = {who: Owned(owned.fields - changed - gone, owned.time) for who, owned in others.items()}
    return {who: owned for who, owned in left.items() if owned.fields}


def _conflict(lost: Mapping[Manager, tuple[Fields, str]]) -> Conflict:
    causes, lines = [], []
    for who, (fields, time) in sorted(lost.items()):
        shown = sorted(paths.show(path) for path in fields)
        name = who.shown(time)
        causes += [{"reason": "FieldManagerConflict", "message": f"conflict with {name}", "field": f} for f in shown]
        if len(shown) == 1:
            lines.append(f"conflict with {name}: {shown[0]}")
        else:
            lines.append(f"conflicts with {name}:\n" + "\n".join(f"- {f}" for f in shown))
    number = f"{len(causes)} conflict" + ("s" if len(causes) > 1 else "")
    return Conflict(f"Apply failed with {number}: " + "\n".join(lines), details={"causes": causes})


# -- managedFields ----------------------------------------------------------------------------------------------------


def _read(obj: Mapping[str, Any]) -> Owners:
    owners: Owners = {}
    entries: Sequence[Mapping[str, Any]] = obj["metadata"]["managedFields"]
    for entry in entries:
        names = ("manager", "operation", "subresource", "apiVersion")
        who = Manager(*(str(entry.get(name) or "") for name in names))
        fields = paths.parse(entry.get("fieldsV1") or {})
        known = owners.get(who)
        owners[who] = Owned(fields | known.fields if known else fields, str(entry.get("time") or ""))
    return owners


def _write(obj: Raw, owners: Owners) -> Raw:
    meta = {k: v for k, v in (obj.get("metadata") or {}).items() if k != "managedFields"}
    entries = [_entry(who, owned) for who, owned in sorted(owners.items(), key=_order) if owned.fields]
    if entries:
        meta["managedFields"] = entries
    return {**obj, "metadata": meta}


def _order(entry: tuple[Manager, Owned]) -> tuple[str, str, Manager]:
    who, owned = entry
    return (who.operation, owned.time, who)


def _entry(who: Manager, owned: Owned) -> Raw:
    entry: Raw = {
        "manager": who.name,
        "operation": who.operation,
        "apiVersion": who.api_version,
        "time": owned.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": paths.to_v1(owned.fields),
    }
    return entry | ({"subresource": who.subresource} if who.subresource else {})


def _bounded(owners: Owners) -> Owners:
    """Put the oldest updaters together where there are too many of them."""
    updaters = [e for e in sorted(owners.items(), key=_order) if e[0].operation == "Update" and e[1].fields]
    excess = updaters[: max(0, len(updaters) - MAX_UPDATERS)]
    if not excess:
        return owners
    kept = {who: owned for who, owned in owners.items() if who not in dict(excess)}
    for who, owned in excess:
        ancient = Manager(_ANCIENT, "Update", who.subresource, who.api_version)
        before = kept.get(ancient, Owned(paths.NOTHING, owned.time))
        kept[ancient] = Owned(before.fields | owned.fields, owned.time)
    return kept
