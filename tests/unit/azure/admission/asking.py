"""Asks the rules of Azure's kinds, as the API server does: defaults first, then the verdict."""

from __future__ import annotations

from typing import Any

from capipool.machinery.admission import Admit, Operation, Verdict
from capipool.machinery.objects import Raw
from capipool.machinery.schema import engine
from capipool.providers.azure import admission, kinds

RULES = {rules.resource.kind: rules for rules in admission.rules()}
SCHEMAS = {
    crd["spec"]["names"]["kind"]: engine.compile(
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], drop_nulls=True
    )
    for crd in kinds.crds()
}


def ask(kind: str, obj: Raw, *, old: Raw | None = None, dry_run: bool = False) -> tuple[Raw, Verdict]:
    """The object with its defaults, those of the schema and those of the rules, and what is said to it."""
    operation: Operation = "CREATE" if old is None else "UPDATE"
    rules, made = RULES[kind], SCHEMAS[kind].default(obj)
    about: dict[str, Any] = {"operation": operation, "resource": rules.resource, "old": old, "dry_run": dry_run}
    if rules.default is not None:
        made = SCHEMAS[kind].default(rules.default(Admit(object=made, **about)))
    assert rules.validate is not None
    return made, rules.validate(Admit(object=made, **about))


def paths(verdict: Verdict) -> list[str]:
    """The fields that are refused."""
    return [error.path for error in verdict.errors]


def merged(base: Raw, changes: Raw) -> Raw:
    """A copy with some fields changed, below as well; None takes one out."""
    made = dict(base)
    for key, value in changes.items():
        if value is None:
            made.pop(key, None)
        elif isinstance(value, dict) and isinstance(made.get(key), dict):
            made[key] = merged(made[key], value)
        else:
            made[key] = value
    return made
