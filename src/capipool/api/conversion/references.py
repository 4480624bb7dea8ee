"""References to provider objects: v1beta1 names a version and a namespace, v1beta2 leaves both out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from capipool.machinery.errors import InternalError
from capipool.machinery.objects import Raw
from capipool.machinery.resource import GroupKind, join_api_version, split_api_version

if TYPE_CHECKING:
    from capipool.api.conversion.lossless import Context

Versions = Callable[[GroupKind], str | None]
"""Which version of a kind the cluster serves for our contract; None where it has no such kind."""


def unknown(kind: GroupKind) -> InternalError:
    """The error for a reference that v1beta1 cannot show."""
    return InternalError(f"cannot show a reference to {kind} in v1beta1: no CustomResourceDefinition says its version")


def up(reference: Mapping[str, Any]) -> Raw:
    """To v1beta2: the group, the kind and the name."""
    group, _ = split_api_version(str(reference.get("apiVersion", "")))
    return {"apiGroup": group, "kind": reference.get("kind", ""), "name": reference.get("name", "")}


def down(reference: Mapping[str, Any], context: Context) -> Raw:
    """To v1beta1: with the version that the cluster has, and the namespace of the object around it."""
    kind = GroupKind(str(reference.get("apiGroup", "")), str(reference.get("kind", "")))
    made = {
        "apiVersion": join_api_version(kind.group, context.version_of(kind)),
        "kind": kind.kind,
        "name": reference.get("name", ""),
    }
    return {**made, "namespace": context.namespace} if context.namespace else made


def template_up(reference: Mapping[str, Any]) -> Raw:
    """To v1beta2, for a reference that names its version there too."""
    return {key: reference[key] for key in ("apiVersion", "kind", "name") if key in reference}


def template_down(reference: Mapping[str, Any], context: Context) -> Raw:
    """To v1beta1, for a reference that names its version in v1beta2 too."""
    return {**reference, "namespace": context.namespace} if context.namespace else dict(reference)
