"""Reading a cluster or files into an `Observation`: one pass over everything, of which little is remembered."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from capipool.api.constants import Annotation, Label
from capipool.api.conversion.references import Versions as HubVersions
from capipool.machinery.admission import Converter
from capipool.machinery.errors import BadRequest
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import GroupKind, Resource, split_api_version
from capipool.migrate import marks, references
from capipool.migrate.conversion import steps
from capipool.migrate.conversion.chain import CannotConvert, Chain, Converted
from capipool.migrate.definitions import BUILT_IN, Definition, Definitions
from capipool.migrate.naming import NameTaken, Renaming
from capipool.migrate.plan import Facts, Observation, Ref, Touch
from capipool.migrate.references import NewUID
from capipool.migrate.source import Source

Converters = Callable[[HubVersions], list[Converter]]
"""The converters v1beta1 <-> v1beta2 of every kind, given which version of a kind a cluster has."""
Tell = Callable[[str], None]
"""Is told where the work is."""

_EVERY = 200
"""Objects between two words of progress."""


@dataclass(frozen=True)
class Scene:
    """A source, and how its names and versions become new ones."""

    source: Source
    renaming: Renaming
    definitions: Definitions
    chain: Chain

    @property
    def moving(self) -> list[Definition]:
        """Kinds whose objects move."""
        return [found for found in self.definitions if self.renaming.moves(found.kind.group)]

    @property
    def staying(self) -> list[Resource]:
        """Kinds whose objects stay, and may refer to what moves."""
        custom = [d.resource for d in self.definitions if not self.renaming.moves(d.kind.group) and d.served]
        return [*custom, *BUILT_IN]

    def target(self, definition: Definition) -> Definition | None:
        """The definition that a kind's objects move to."""
        return self.definitions.get(GroupKind(self.renaming.group(definition.kind.group), definition.kind.kind))

    def pointed(self, raw: Raw, new_uid: NewUID) -> Raw:
        """An object that stays, referring to what moved by its new names. Raises NameTaken."""
        renaming, versions = self.renaming, self.definitions.reference_version
        metadata = renaming.metadata(raw.get("metadata") or {})
        if owners := metadata.get("ownerReferences"):
            metadata["ownerReferences"] = references.owners(owners, renaming, versions, new_uid)
        pointed = {**raw, "metadata": metadata}
        if isinstance(raw.get("spec"), dict):
            pointed["spec"] = references.renamed(raw["spec"], renaming, versions, new_uid)
        return pointed


async def scene(source: Source, renaming: Renaming, converters: Converters) -> Scene:
    """Read the definitions, and make the conversions that go with them."""
    definitions = Definitions(await source.definitions())
    chain = Chain.of(renaming, definitions.newest_version, converters(definitions.contract_version))
    return Scene(source, renaming, definitions, chain)


async def observe(scene: Scene, tell: Tell = lambda text: None) -> Observation:
    """Read everything once. What an earlier run has changed is seen as it was before."""
    seen = _Seen(scene)
    async for definition, raw in _moving(scene):
        seen.move(definition, raw, await _facts(scene, definition, raw))
        seen.count(tell)
    for resource in scene.staying:
        async for raw in scene.source.objects(resource):
            seen.stay(resource, raw)
            seen.count(tell)
    return seen.observation()


async def _moving(scene: Scene) -> AsyncIterator[tuple[Definition, Raw]]:
    for definition in scene.moving:
        async for raw in scene.source.objects(definition.resource):
            yield definition, raw


class _Seen:
    """What is remembered while reading."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._moving: dict[str, Facts] = {}
        self._touched: dict[Ref, Touch] = {}
        self._known: set[Ref] = set()
        self._uids: set[str] = set()
        self._made: dict[Ref, str] = {}
        self._problems: list[tuple[Ref, str]] = []
        self._told = 0

    def move(self, definition: Definition, raw: Raw, facts: Facts) -> None:
        self._know(facts.ref, raw)
        self._moving[facts.uid] = facts

    def stay(self, resource: Resource, raw: Raw) -> None:
        ref = ref_of(raw, resource.group_kind)
        self._know(ref, raw)
        if (origin := marks.origin(raw)) is not None:
            self._made[ref] = origin.uid
            return
        before = marks.unchanged(raw)
        try:
            pointed = self._scene.pointed(before, lambda uid: uid if uid in self._moving else None)
        except NameTaken as error:
            self._problems.append((ref, str(error)))
            return
        if changed := merge.diff(before, pointed):
            self._touched[ref] = Touch(ref=ref, changes=_interned(steps.paths(changed)))
            lost = [o for o in _owners(self._scene, before) if o.get("uid") not in self._moving]
            self._problems += [(ref, f"its owner {o.get('kind')} {o.get('name')} is not there") for o in lost]

    def count(self, tell: Tell) -> None:
        self._told += 1
        if self._told % _EVERY == 0:
            tell(f"{self._told} objects read, {len(self._moving)} of them move")

    def observation(self) -> Observation:
        definitions = self._scene.definitions
        kinds = {d.kind for d in definitions} | {r.group_kind for r in BUILT_IN}
        return Observation(
            moving=tuple(self._moving.values()),
            touched=tuple(self._touched.values()),
            known=frozenset(self._known),
            kinds=frozenset(kinds),
            uids=frozenset(self._uids),
            made=self._made,
            problems=tuple(self._problems),
            stored={d.name: d.stored for d in definitions if _to_clean(self._scene, d)},
        )

    def _know(self, ref: Ref, raw: Raw) -> None:
        self._known.add(ref)
        self._uids.add(str(raw["metadata"].get("uid", "")))


def _to_clean(scene: Scene, definition: Definition) -> bool:
    """Whether a definition of the new groups remembers versions that nothing need be stored in any more."""
    ours = definition.kind.group in scene.renaming.groups.values()
    return ours and bool(set(definition.stored) - {definition.storage})


def _owners(scene: Scene, raw: Raw) -> list[Raw]:
    """Owner references to kinds that move."""
    found = raw["metadata"].get("ownerReferences") or []
    return [owner for owner in found if scene.renaming.moves(split_api_version(str(owner.get("apiVersion")))[0])]


async def _facts(scene: Scene, definition: Definition, marked: Raw) -> Facts:
    """What there is to know of an object that moves."""
    raw = marks.unchanged(marked)
    metadata = raw["metadata"]
    ref = ref_of(raw, definition.kind)
    into = scene.target(definition)
    target = Ref(GroupKind(scene.renaming.group(ref.kind.group), ref.kind.kind), ref.namespace, ref.name)
    facts = Facts(
        ref=ref,
        uid=str(metadata["uid"]),
        target=target,
        owners=tuple(str(owner.get("uid")) for owner in _owners(scene, raw)),
        needs=tuple(_needs(scene, raw)),
        cluster=cluster_of(raw),
        deleting="deletionTimestamp" in metadata,
        paused=Annotation.PAUSED in marks.annotations_of(raw),
    )
    version = into.writable if into is not None else None
    if into is None or version is None:
        why = (
            f"{target.kind} is not installed" if into is None else f"no version of {target.kind} is served that we know"
        )
        return _with(facts, problems=(f"{why}: install the new CustomResourceDefinitions first",))
    try:
        converted = scene.chain.convert(raw, version)
    except (CannotConvert, NameTaken, BadRequest) as error:
        return _with(facts, problems=(str(error),))
    return _with(
        facts,
        version=version,
        changes=_interned(steps.paths(merge.diff(_shown(raw), _shown(converted.object)) or {})),
        dropped=_interned(converted.dropped),
        makes=(ref_of(converted.secret, BUILT_IN[0].group_kind),) if converted.secret is not None else (),
        problems=tuple(await _problems(scene, definition, into, version, raw, converted)),
    )


async def _problems(
    scene: Scene, old: Definition, into: Definition, version: str, raw: Raw, converted: Converted
) -> list[str]:
    """Why the new object cannot be as it should: fields that nobody knows, and what the server says."""
    before = split_api_version(str(raw["apiVersion"]))[1]
    known = {v.name: v for v in old.versions}
    unknown = known[before].unknown(raw) if before in known else []
    found = [f"{path} is a field that {old.kind} {before} does not know" for path in unknown]
    namespace = raw["metadata"].get("namespace", "")
    found += [
        f"{r.path} refers to namespace {r.namespace}: {into.kind} {version} refers to its own namespace only"
        for r in references.find(raw.get("spec") or {})
        if raw["kind"] == "MachinePool" and r.namespace not in ("", namespace)
    ]
    found += [
        f"{path} is a field that {into.kind} {version} does not know"
        for path in into.version(version).unknown(converted.object)
    ]
    if not found:
        refused = await scene.source.refusal(into.resource.at(version), admissible(converted.object))
        if refused is not None:
            found.append(refused)
    return found


def admissible(raw: Raw) -> Raw:
    """A new object as a dry run may be given it: without status, which is written afterwards."""
    return {key: value for key, value in raw.items() if key != "status"}


def _needs(scene: Scene, raw: Raw) -> Iterable[tuple[Ref, str]]:
    """What an object cannot be without: what its spec refers to, its secret, and its owners."""
    metadata, spec = raw["metadata"], raw.get("spec") or {}
    namespace = str(metadata.get("namespace") or "")
    for found in references.find(spec):
        yield Ref(found.kind, found.namespace or namespace, found.name), found.path
    machine = ((spec.get("template") or {}).get("spec") or {}) if isinstance(spec.get("template"), dict) else {}
    secret = (machine.get("bootstrap") or {}).get("dataSecretName") if isinstance(machine, dict) else None
    if secret:
        path = "spec.template.spec.bootstrap.dataSecretName"
        yield Ref(BUILT_IN[0].group_kind, namespace, str(secret)), path
    for owner in metadata.get("ownerReferences") or []:
        kind = GroupKind(split_api_version(str(owner.get("apiVersion")))[0], str(owner.get("kind")))
        found_as = scene.definitions.get(kind)
        where = namespace if found_as is None or found_as.namespaced else ""
        yield Ref(kind, where, str(owner.get("name"))), "metadata.ownerReferences"


def cluster_of(raw: Raw) -> str:
    """The name of the Cluster that an object belongs to; empty where it says none."""
    spec = raw.get("spec") or {}
    labels = raw["metadata"].get("labels") or {}
    return str(spec.get("clusterName") or labels.get(Label.CLUSTER_NAME) or "")


def ref_of(raw: Raw, kind: GroupKind) -> Ref:
    """An object by its names."""
    metadata = raw.get("metadata") or {}
    return Ref(kind, str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))


def _shown(raw: Raw) -> Raw:
    """An object as changes to it are told."""
    return marks.stable(raw)


def _with(facts: Facts, **changes: Any) -> Facts:
    return msgspec.structs.replace(facts, **changes)


@functools.lru_cache(maxsize=4096)
def _same(paths: tuple[str, ...]) -> tuple[str, ...]:
    return paths


def _interned(paths: Iterable[str]) -> tuple[str, ...]:
    """The same tuple for the same paths: thousands of objects change alike."""
    return _same(tuple(paths))
