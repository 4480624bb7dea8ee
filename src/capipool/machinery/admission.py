"""Admission and conversion as functions: the embedded server calls them in process, webhooks call them on Kubernetes.

A kind's rules are pure. They see decoded JSON in the version they are registered for, and never change their input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from capipool.machinery.calls import User
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource

Operation = Literal["CREATE", "UPDATE", "DELETE"]


class Admit(msgspec.Struct, frozen=True, kw_only=True):
    """A write that asks to be let in. `object` is None for a deletion, `old` is None for a creation."""

    operation: Operation
    resource: Resource
    object: Raw | None = None
    old: Raw | None = None
    subresource: str = ""
    user: User = User("system:anonymous")
    dry_run: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: let in where there are no errors and no refusal; warnings are shown either way."""

    errors: tuple[FieldError, ...] = ()
    """What is wrong, field by field: answered with 422."""
    refusal: str = ""
    """Why the write as a whole is refused, for what is no field's fault (a feature gate): answered with 403."""
    warnings: tuple[str, ...] = ()


ALLOWED = Verdict()


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What admission does for one kind, in the version named by `resource`."""

    resource: Resource
    default: Callable[[Admit], Raw] | None = None
    """Return the object with its defaults; called on create and update, before the schema is checked."""
    validate: Callable[[Admit], Verdict] | None = None
    """Judge the object; called on create, update and delete, after defaults, never for the status subresource."""


class Converter(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind's versions become each other. `convert(raw, version)` returns the object in that version.

    Metadata other than annotations must stay as it is. The result of converting to the same version is the input.
    """

    group: str
    kind: str
    convert: Callable[[Mapping[str, Any], str], Raw]
