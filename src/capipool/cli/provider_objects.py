"""What `describe` says of an object that belongs to a provider, whichever one: facts in, a line out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.cli import reasons
from capipool.cli.tree import Branch
from capipool.machinery.objects import Raw


def branch(role: str, ref: Any, obj: Raw | None) -> Branch | None:
    """The line of what a reference names (None where there is no reference); one that does not exist is said."""
    if not isinstance(ref, Mapping):
        return None
    title = f"{ref.get('kind')}/{ref.get('name')}"
    if obj is None:
        return Branch(title, ("missing",), why=f"the {role} object does not exist", tone="bad")
    ready = _ready(obj)
    reason = "" if ready and not obj["metadata"].get("deletionTimestamp") else why(obj)
    return Branch(title, ("ready" if ready else "not ready",), why=reason, tone="good" if ready else "waiting")


def why(obj: Raw) -> str:
    """A provider's conditions are its own, so: `Ready` or `Available` if it says why, else the first that is False."""
    found = reasons.conditions(obj)
    named = reasons.first(found, (("Paused", "True"), ("Deleting", "True"), ("Ready", "False"), ("Available", "False")))
    false = [kind for kind, c in found.items() if c.get("status") == "False" and kind not in ("Paused", "Deleting")]
    return named or reasons.first(found, tuple((kind, "False") for kind in false))


def _ready(obj: Raw) -> bool:
    status = obj.get("status", {})
    initialization = status.get("initialization") or {}
    return bool(initialization.get("provisioned") or initialization.get("dataSecretCreated") or status.get("ready"))
