"""Instances of scale sets, as Azure lists them, for the engine. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from capipool.machinery import clock
from capipool.machinery.objects import Raw
from capipool.providers.azure import ids
from capipool.providers.azure.pools.history import History
from capipool.sdk import Instance, InstanceState

_STATES = {
    "creating": InstanceState.PENDING,
    "deleting": InstanceState.TERMINATING,
    "deleted": InstanceState.TERMINATING,
    "failed": InstanceState.FAILED,
}
_EVICTED = ("deallocated", "deallocating")


def name_of(raw: Raw) -> str:
    """What people call it."""
    return str(raw.get("name") or ids.last(str(raw.get("id", ""))))


def id_of(raw: Raw, unique: str) -> str:
    """A name that no other instance ever has: numbers begin anew in each scale set, whose `unique` id this is."""
    return f"{name_of(raw)}@{unique[:8]}" if unique else name_of(raw)


def instance_id(raw: Raw) -> str:
    """How calls about several instances name it: the number within a Uniform scale set, the name in a Flexible one."""
    return str(raw.get("instanceId") or name_of(raw))


def created(raw: Raw) -> dt.datetime | None:
    """When it was created; None where Azure does not say."""
    text = str((raw.get("properties") or {}).get("timeCreated") or "")
    return parse_time(text) if text else None


def parse_time(text: str) -> dt.datetime | None:
    """A moment as Azure writes it; None for what is none."""
    try:
        return clock.parse_time(text)
    except ValueError:
        return None


def power(raw: Raw) -> str:
    """The power state in lower case; empty where it is not known."""
    found = (str(status.get("code", "")) for status in statuses(raw))
    return next((code.partition("/")[2].lower() for code in found if code.lower().startswith("powerstate/")), "")


def statuses(raw: Raw) -> list[Raw]:
    """What the instance view says."""
    view = (raw.get("properties") or {}).get("instanceView") or {}
    return list(view.get("statuses") or ())


def is_evicted(raw: Raw) -> bool:
    """Whether Azure took a spot machine back and kept its disks: it does not run again by itself."""
    spot = str((raw.get("properties") or {}).get("priority", "")).lower() in ("spot", "low")
    return spot and power(raw) in _EVICTED


def state(raw: Raw, *, spot: bool = False) -> InstanceState:
    """Where an instance is in its life. One that somebody stopped by hand is left to its node. `spot`: of the set."""
    said = str((raw.get("properties") or {}).get("provisioningState", "")).lower()
    known = _STATES.get(said, InstanceState.RUNNING)
    evicted = is_evicted(raw) or (spot and power(raw) in _EVICTED)
    return InstanceState.FAILED if known is InstanceState.RUNNING and evicted else known


def message(raw: Raw, *, spot: bool = False) -> str:
    """Why it failed, in Azure's words."""
    if is_evicted(raw) or (spot and power(raw) in _EVICTED):
        return "evicted: Azure took the spot machine back"
    for status in statuses(raw):
        code = str(status.get("code", ""))
        if code.lower().startswith("provisioningstate/failed"):
            said = str(status.get("message") or status.get("displayStatus") or "")
            return f"{code.rpartition('/')[2]}: {said}" if code.count("/") > 1 else said
    return ""


def is_protected(raw: Raw) -> bool:
    """Whether somebody protected it from scale-in, or from all that the scale set does."""
    policy = (raw.get("properties") or {}).get("protectionPolicy") or {}
    return bool(policy.get("protectFromScaleIn") or policy.get("protectFromScaleSetActions"))


def instance(
    raw: Raw,
    history: History,
    *,
    unique: str,
    flexible: bool,
    spot: bool,
    trusts_model: bool,
    going: Collection[str] = (),
) -> Instance:
    """An instance for the engine.

    `trusts_model`: whether Azure replaces by itself, and `latestModelApplied` tells what it has done. `going`: the ids
    of those that Azure took on to delete, whether it shows them so or not.
    """
    properties, id = raw.get("properties") or {}, id_of(raw, unique)
    when = created(raw)
    latest = trusts_model and bool(properties.get("latestModelApplied"))
    where = InstanceState.TERMINATING if id in going else state(raw, spot=spot)
    return Instance(
        id=id,
        provider_id=ids.instance_provider_id(str(raw["id"]), flexible=flexible),
        state=where,
        revision=history.current if latest else history.of(when),
        zone=next(iter(raw.get("zones") or ()), ""),
        created=when,
        name=name_of(raw),
        protected=is_protected(raw),
        message=message(raw, spot=spot) if where is InstanceState.FAILED else "",
    )
