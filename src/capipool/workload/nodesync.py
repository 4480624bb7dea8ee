"""What an owner (a pool or a machine) keeps in step on its nodes: labels, annotations and taints. Pure.

The owner says what it wants (`Wanted`), `patch` says what to change on a node as it is. Only what an owner put there is
ever taken away again: it is remembered on the node itself, in the annotations that upstream uses for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from re import Pattern

from capipool.api.builtin import Node, Taint
from capipool.api.constants import Annotation, Label, TaintKey, TaintPropagation
from capipool.api.shared import MachineTaint
from capipool.machinery.objects import Raw

UNINITIALIZED = (TaintKey.UNINITIALIZED, "NoSchedule")

_LABEL_DOMAINS = (Label.NODE_RESTRICTION_DOMAIN, Label.MANAGED_NODE_DOMAIN)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a node should carry. `labels` and `annotations` are already cut to the managed domains."""

    identity: Mapping[str, str]
    """Annotations that say whose node it is; never removed."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[MachineTaint, ...] = ()
    remove_taints: frozenset[tuple[str, str]] = frozenset({UNINITIALIZED})
    """(key, effect) of taints that must go, whoever set them."""
    always_track: bool = False
    """Write the remembering annotations even while they are empty, as upstream does on the nodes of Machines."""


@dataclass(frozen=True, slots=True)
class NodePatch:
    """A merge patch for a node. A list is replaced whole, so one with taints holds for the version read only."""

    name: str
    patch: Raw
    resource_version: str = ""


def managed_labels(labels: Mapping[str, str], also: Sequence[Pattern[str]] = ()) -> dict[str, str]:
    """The labels that are meant for nodes: node roles, the two managed domains with subdomains, what `also` finds."""
    return {k: v for k, v in labels.items() if _is_node_label(k) or any(p.search(k) for p in also)}


def managed_annotations(annotations: Mapping[str, str], also: Sequence[Pattern[str]] = ()) -> dict[str, str]:
    """The annotations that are meant for nodes: the managed domain with subdomains, and what `also` finds."""
    domain = Annotation.MANAGED_NODE_DOMAIN
    return {k: v for k, v in annotations.items() if _in_domain(k, domain) or any(p.search(k) for p in also)}


def patch(node: Node, wanted: Wanted) -> NodePatch | None:
    """What to change on a node; None where it is in step."""
    metadata: Raw = {}
    annotations = _annotations(node, wanted)
    labels = _tracked(node, node.metadata.labels, wanted.labels, Annotation.LABELS_FROM_MACHINE, wanted, annotations)
    _put(metadata, "labels", _changes(node.metadata.labels, labels))
    taints, tracking = _taints(node, wanted)
    if tracking is not None:
        annotations[Annotation.TAINTS_FROM_MACHINE] = tracking
    _put(metadata, "annotations", _changes(node.metadata.annotations, annotations))
    body: Raw = {"metadata": metadata} if metadata else {}
    version = ""
    if taints != node.spec.taints:
        body["spec"] = {"taints": [_taint_raw(t) for t in taints] or None}
        version = node.metadata.resource_version
    return NodePatch(node.metadata.name, body, version) if body else None


def propagate_taints(
    before: tuple[Taint, ...], tracked: str | None, wanted: Iterable[MachineTaint], *, initialized: bool
) -> tuple[tuple[Taint, ...], str]:
    """The taints a node should have, and which of them to remember as the owner's.

    `tracked` is what was remembered (`key:effect`, comma-separated). `Always` taints are kept in step;
    `OnInitialization` ones are set on a node that was not initialised before, and then left to whoever changes them.
    """
    remembered = set(filter(None, (tracked or "").split(",")))
    result = {f"{t.key}:{t.effect}": t for t in before}
    always: list[str] = []
    once: set[str] = set()
    for taint in wanted:
        identity = f"{taint.key}:{taint.effect}"
        if taint.propagation == TaintPropagation.ALWAYS:
            always.append(identity)
            _set_taint(result, identity, taint)
            continue
        once.add(identity)
        if not initialized and identity not in result:
            _set_taint(result, identity, taint)
    for identity in remembered - set(always) - once:
        result.pop(identity, None)
    return tuple(result.values()), ",".join(sorted(always))


def _set_taint(result: dict[str, Taint], identity: str, taint: MachineTaint) -> None:
    there = result.get(identity)
    if there is None or there.value != taint.value:
        result[identity] = Taint(key=taint.key, effect=taint.effect, value=taint.value)


def _taints(node: Node, wanted: Wanted) -> tuple[tuple[Taint, ...], str | None]:
    """The node's taints as they should be, and the remembering annotation where it should be written."""
    tracked = node.metadata.annotations.get(Annotation.TAINTS_FROM_MACHINE)
    kept = tuple(t for t in node.spec.taints if (t.key, t.effect) not in wanted.remove_taints)
    if not wanted.taints and not tracked:
        return kept, ("" if wanted.always_track or tracked is not None else None)
    known = tracked is not None or _was_initialized(node)
    taints, tracking = propagate_taints(kept, tracked, wanted.taints, initialized=known)
    return taints, tracking


def _was_initialized(node: Node) -> bool:
    """Whether an owner has been here before: it left its name, and took the taint away that nodes join with."""
    uninitialized = any((t.key, t.effect) == UNINITIALIZED for t in node.spec.taints)
    return Annotation.OWNER_KIND in node.metadata.annotations and not uninitialized


def _annotations(node: Node, wanted: Wanted) -> dict[str, str | None]:
    own: dict[str, str | None] = dict(wanted.identity)
    remembered = _tracked(
        node, node.metadata.annotations, wanted.annotations, Annotation.ANNOTATIONS_FROM_MACHINE, wanted, own
    )
    return own | remembered


def _tracked(
    node: Node,
    there: Mapping[str, str],
    wanted: Mapping[str, str],
    memory: str,
    policy: Wanted,
    annotations: dict[str, str | None],
) -> dict[str, str | None]:
    """Entries to set, those that were set before and are not wanted any more as None; notes the memory of it."""
    before = node.metadata.annotations.get(memory)
    remembered = set(filter(None, (before or "").split(",")))
    gone: dict[str, str | None] = {key: None for key in remembered - set(wanted) if key in there}
    if wanted or policy.always_track or before is not None:
        annotations[memory] = ",".join(sorted(wanted))
    return gone | dict(wanted)


def _changes(before: Mapping[str, str], wanted: Mapping[str, str | None]) -> dict[str, str | None]:
    return {key: value for key, value in wanted.items() if before.get(key) != value}


def _put(raw: Raw, key: str, value: Mapping[str, str | None]) -> None:
    if value:
        raw[key] = dict(value)


def _taint_raw(taint: Taint) -> Raw:
    raw: Raw = {"key": taint.key, "effect": taint.effect}
    if taint.value:
        raw["value"] = taint.value
    if taint.time_added is not None:
        raw["timeAdded"] = taint.time_added.strftime("%Y-%m-%dT%H:%M:%SZ")
    return raw


def _is_node_label(key: str) -> bool:
    prefix = key.partition("/")[0]
    return prefix == Label.NODE_ROLE_PREFIX or any(_in_domain(key, domain) for domain in _LABEL_DOMAINS)


def _in_domain(key: str, domain: str) -> bool:
    prefix = key.partition("/")[0]
    return prefix == domain or prefix.endswith(f".{domain}")
