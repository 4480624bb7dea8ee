"""What the API server knows of one kind in one version, be it built in or defined by a CRD.

The registry holds definitions; storage, printing, discovery, OpenAPI and field management read them. A definition is
immutable and compiles its schema when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource
from capipool.machinery.schema import engine, metadata

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")

Prepare = Callable[[Raw, Raw | None], Raw]
Validate = Callable[[Raw, Raw | None], list[FieldError]]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a printed table."""

    name: str
    type: str = "string"
    """`string`, `integer`, `number`, `boolean` or `date` (shown as an age)."""
    json_path: str = ""
    """Where the value is, for a column of a CRD; empty for a computed one."""
    priority: int = 0
    """Above 0 it is shown only by `-o wide`."""
    description: str = ""
    format: str = ""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Where a kind with the `scale` subresource keeps what that speaks of, as JSON paths with a leading dot."""

    spec_replicas: str = ".spec.replicas"
    status_replicas: str = ".status.replicas"
    selector: str = ""


@dataclass(frozen=True, kw_only=True)
class Alias:
    """A kind that is stored as another: both show the same objects."""

    storage: Resource
    to_storage: Callable[[Raw], Raw]
    from_storage: Callable[[Raw], Raw]


@dataclass(frozen=True, kw_only=True, eq=False)
class Definition:
    """One kind in one version. Two definitions are the same only when they are the same object."""

    resource: Resource
    singular: str
    list_kind: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = VERBS
    subresources: frozenset[str] = frozenset()
    scale: Scale | None = None
    columns: tuple[Column, ...] = ()
    """Columns of a CRD. Built-in kinds have theirs in `printing`."""
    selectable_fields: Mapping[str, str] | None = None
    """What field selectors may name besides `metadata.name` and `metadata.namespace`: path -> value if absent."""
    make_schema: Callable[[], Mapping[str, Any]]
    """Gives the structural schema; called once, when the schema is first used."""
    builtin: bool = False
    deprecated: str = ""
    """The warning that a request for a deprecated version is answered with."""
    name_rule: metadata.NameRule = metadata.subdomain_name
    prepare: Prepare | None = None
    """What the server fills in before it checks: (object, old object) -> object. Never changes its arguments."""
    validate: Validate | None = None
    """Rules that no schema can say: (object, old object) -> errors. Called after the schema found nothing wrong."""
    alias: Alias | None = None

    @cached_property
    def schema(self) -> Mapping[str, Any]:
        """The structural schema as written."""
        return self.make_schema()

    @cached_property
    def structural(self) -> engine.Structural:
        """The schema at work."""
        return engine.compile(self.schema, drop_nulls=self.builtin)

    @property
    def has_status(self) -> bool:
        """Whether `status` is written through its subresource only, and `generation` counts spec changes."""
        return "status" in self.subresources

    @property
    def gvk(self) -> dict[str, str]:
        """Group, version and kind as documents about schemas write them."""
        return {"group": self.resource.group, "version": self.resource.version, "kind": self.resource.kind}

    def check(self, obj: Raw, old: Raw | None = None) -> list[FieldError]:
        """Everything wrong with an object that is to be stored: schema, then metadata and the kind's own rules."""
        errors = self.structural.validate(obj, old)
        if errors:
            return errors
        meta = obj.get("metadata") or {}
        if old is None or _differs(meta, old.get("metadata") or {}):
            errors = metadata.validate(meta, rule=self.name_rule)
        if self.validate is not None:
            errors += self.validate(obj, old)
        return errors


def _differs(meta: Raw, old: Raw) -> bool:
    """Whether an update touched what there are rules for: most touch the status alone."""
    return any(meta.get(name) != old.get(name) for name in metadata.RULED)
