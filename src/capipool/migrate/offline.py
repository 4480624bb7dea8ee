"""Files instead of a cluster: converted whole, in the order in which they came. Pure.

For clusters so old that they do not start any more, and for manifests in Git.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from capipool.machinery.objects import Raw
from capipool.machinery.resource import GroupKind, split_api_version
from capipool.migrate.conversion.chain import steps_of
from capipool.migrate.conversion.steps import VERSIONS
from capipool.migrate.definitions import DEFINITION
from capipool.migrate.observe import Scene, ref_of
from capipool.migrate.plan import Ref

_CLUSTER_API = "cluster.x-k8s.io"


@dataclass(frozen=True, slots=True)
class Result:
    """One object of the output."""

    ref: Ref
    object: Raw
    dropped: tuple[str, ...] = ()


def convert(scene: Scene, raws: Iterable[Raw]) -> list[Result]:
    """Objects of the old groups and of versions we know become new ones; the others follow in their references.

    CustomResourceDefinitions of the old groups are left out. Raises CannotConvert, NameTaken, BadRequest.
    """
    results: list[Result] = []
    for raw in raws:
        group, version = split_api_version(str(raw["apiVersion"]))
        kind = GroupKind(group, str(raw["kind"]))
        if kind == DEFINITION.group_kind:
            if not scene.renaming.moves(raw["spec"]["group"]):
                results.append(Result(ref_of(raw, kind), raw))
        elif scene.renaming.moves(group) or (steps_of(kind) and version in VERSIONS[:2]):
            results += _converted(scene, raw, kind)
        else:
            results.append(Result(ref_of(raw, kind), scene.pointed(raw, lambda uid: None)))
    return results


def _converted(scene: Scene, raw: Raw, kind: GroupKind) -> list[Result]:
    new = GroupKind(scene.renaming.group(kind.group), kind.kind)
    found = scene.definitions.get(new)
    converted = scene.chain.convert(raw, (found.writable if found is not None else None) or _newest(new))
    results = [Result(ref_of(converted.object, new), converted.object, converted.dropped)]
    if converted.secret is not None:
        results.append(Result(ref_of(converted.secret, GroupKind("", "Secret")), converted.secret))
    return results


def _newest(kind: GroupKind) -> str:
    """The version of a kind whose definition nobody gave: providers of the old groups ended with v1beta1."""
    return "v1beta2" if kind.group == _CLUSTER_API else "v1beta1"
