"""What to change so that each live instance has exactly one object, and no other instance one. Pure.

At rest nothing is computed but a comparison for each instance: what was planned from the very same facts is remembered
(`Memory`), so that a pool of thousands costs what changes in it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from capipool.api.builtin import Node
from capipool.api.constants import Annotation, Label
from capipool.api.core import Machine
from capipool.machinery import objects
from capipool.machinery.objects import Object, Raw
from capipool.machinery.patch import merge
from capipool.sdk import intents
from capipool.sdk.engine.picture import InstanceState
from capipool.sdk.machines.census import NOT_SHOWN, Census, Shown, identity
from capipool.sdk.provider import DescribesMachines, HoldsTerminations, Instance, InstanceView, Pool


@dataclass(slots=True)
class Memory:
    """From which facts it was found that nothing is to be changed, or was changed."""

    about: tuple[object, ...] = ()
    """Those of the pool."""
    instances: dict[str, tuple[object, ...]] = field(default_factory=dict)
    """Those of each instance, by its id."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One moment of a pool, as far as its objects depend on it."""

    pool: Pool[Any]
    instances: tuple[Instance, ...]
    nodes: Mapping[str, Node]
    """By instance id."""
    outdated: frozenset[str]
    census: Census
    now: dt.datetime
    ended: frozenset[str] = frozenset()
    """Instances that this very pass has terminated: none of them gets an object any more."""


@dataclass(frozen=True, slots=True)
class Writing:
    """What to write for one instance."""

    instance: Instance
    facts: tuple[object, ...]
    """To be remembered once it is written."""
    node: Node | None
    outdated: bool
    object: Any = None
    """As it is; None where it is to be created."""
    body: Raw | None = None
    """The whole object where there is none, else a merge patch of metadata and spec; None changes nothing."""
    guarded: bool = False
    """Whether the patch replaces lists that others write, too, and holds for the version that was read alone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about a pool's objects and Machines."""

    about: tuple[object, ...] = ()
    """For the memory."""
    kind: str = ""
    """What `status.infrastructureMachineKind` must say; empty is nothing at all."""
    writings: tuple[Writing, ...] = ()
    machines: tuple[Machine, ...] = ()
    """Machines to delete: their instances are gone, or going without having been asked."""
    gone: tuple[Shown, ...] = ()
    """Objects to let go, with their Machines: their instances are gone."""
    released: tuple[Shown, ...] = ()
    """Objects and Machines to be taken away from instances that stay."""


def decide(provider: DescribesMachines, facts: Facts, memory: Memory) -> Plan:
    """Plan one pass."""
    census = facts.census
    about = _about(facts.pool) if census.wanted else ()
    known = memory.instances if memory.about == about else {}
    return Plan(
        about=about,
        kind=provider.machine_kind.RESOURCE.kind if census.wanted else "",
        writings=tuple(_writings(provider, facts, known)) if census.wanted else (),
        machines=tuple(_interrupted(provider, facts)),
        gone=tuple(s for s in census.left if not _paused(s)),
        released=tuple(s for s in census.unwanted if not _paused(s)),
    )


def _writings(provider: DescribesMachines, facts: Facts, known: Mapping[str, tuple[object, ...]]) -> Iterable[Writing]:
    for instance in facts.instances:
        shown = facts.census.shown.get(instance.id)
        if shown is None or _paused(shown):
            continue
        going = instance.state is InstanceState.TERMINATING or instance.id in facts.ended
        if going and shown.object is None:
            continue
        node, outdated = facts.nodes.get(instance.id), instance.id in facts.outdated
        now = (instance, _version(shown.object), _version(node), outdated)
        if known.get(instance.id) != now:
            yield _writing(provider, facts.pool, Writing(instance, now, node, outdated, shown.object))


def _writing(provider: DescribesMachines, pool: Pool[Any], made: Writing) -> Writing:
    """With what differs. The object of an instance that goes keeps its spec; its status goes on telling."""
    obj = made.object
    if obj is None:
        return replace(made, body=whole(provider, pool, made.instance))
    if obj.deleting or made.instance.state is InstanceState.TERMINATING:
        return made
    patch = difference(obj, whole(provider, pool, made.instance))
    guarded = patch is not None and not {"finalizers", "ownerReferences"}.isdisjoint(patch.get("metadata", {}))
    return replace(made, body=patch, guarded=guarded)


def _version(obj: Object | None) -> tuple[str, str] | None:
    return (obj.metadata.uid, obj.metadata.resource_version) if obj is not None else None


def _about(pool: Pool[Any]) -> tuple[object, ...]:
    """What of a pool its objects may be made from."""
    return (intents.of_object(pool.object), intents.of_machine_pool(pool.machine_pool), pool.cluster.metadata.name)


def _interrupted(provider: DescribesMachines, facts: Facts) -> Iterable[Machine]:
    """Machines of instances that go without our doing. Those that the cloud holds are drained before they go on."""
    for instance in facts.instances:
        held = instance.held and isinstance(provider, HoldsTerminations)
        if instance.state is not InstanceState.TERMINATING or held:
            continue
        shown = facts.census.shown.get(instance.id, NOT_SHOWN)
        if shown.machine is not None and not shown.machine.deleting and not _paused(shown):
            yield shown.machine


def _paused(shown: Shown) -> bool:
    """Whether somebody wants the object left alone."""
    return shown.object is not None and Annotation.PAUSED in shown.object.metadata.annotations


def whole(provider: DescribesMachines, pool: Pool[Any], instance: Instance) -> Raw:
    """The object of an instance, as it is created."""
    said = provider.machine(pool, instance)
    meta = said.get("metadata") or {}
    resource = provider.machine_kind.RESOURCE
    watched = {key: value for key, value in pool.object.metadata.labels.items() if key == Label.WATCH}
    metadata: Raw = {
        "name": provider.machine_name(pool, instance),
        "namespace": pool.key.namespace,
        "labels": watched | dict(meta.get("labels") or {}) | identity(pool),
        "finalizers": [provider.machine_finalizer],
        # The pool owns the object beside its Machine, which core makes its controller.
        "ownerReferences": [objects.part_to_raw(objects.owner_reference(pool.object))],
    }
    if meta.get("annotations"):
        metadata["annotations"] = dict(meta["annotations"])
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": said["spec"]}


def difference(obj: Object, wanted: Raw) -> Raw | None:
    """A merge patch that brings what is wanted onto an object, and leaves alone whatever else it has."""
    before = objects.to_raw(obj)
    meta = before.get("metadata", {})
    patch: Raw = {}
    if (spec := merge.diff(before.get("spec", {}), merge.apply(before.get("spec", {}), wanted["spec"]))) is not None:
        patch["spec"] = spec
    changed: Raw = {}
    for part in ("labels", "annotations"):
        there = meta.get(part) or {}
        if missing := {k: v for k, v in (wanted["metadata"].get(part) or {}).items() if there.get(k) != v}:
            changed[part] = missing
    finalizers = list(meta.get("finalizers") or ())
    if absent := [f for f in wanted["metadata"]["finalizers"] if f not in finalizers]:
        changed["finalizers"] = finalizers + absent
    owners = list(meta.get("ownerReferences") or ())
    uids = {o.get("uid") for o in owners}
    if others := [o for o in wanted["metadata"]["ownerReferences"] if o["uid"] not in uids]:
        changed["ownerReferences"] = owners + others
    if changed:
        patch["metadata"] = changed
    return patch or None


def status_difference(obj: Object, status: Raw) -> Raw | None:
    """A merge patch of the status; keys that are not named stay, keys with None go."""
    before = objects.to_raw(obj).get("status", {})
    after = {**before, **status}
    return merge.diff(before, {key: value for key, value in after.items() if value is not None})


def view(made: Writing, obj: Any, now: dt.datetime) -> InstanceView:
    """What the status of an object is said from."""
    return InstanceView(instance=made.instance, node=made.node, object=obj, now=now, outdated=made.outdated)


def without(finalizer: str, obj: Object) -> list[str]:
    """The finalizers of an object that may go."""
    return [f for f in obj.metadata.finalizers if f != finalizer]
