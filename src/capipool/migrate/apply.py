"""`apply`: make the new objects beside the old ones, turn everything to them, and verify. Nothing is deleted here.

    journal -> pause, proven -> parents, then children -> whoever refers to them -> verify -> journal

The old objects stay, paused, until `commit`: so `undo` can bring back the beginning at any moment before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from capipool.api.constants import Annotation
from capipool.machinery import codec, errors
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import Resource
from capipool.migrate import journal, marks, pausing, planning, verify
from capipool.migrate.conversion.chain import Converted
from capipool.migrate.definitions import BUILT_IN, Definition
from capipool.migrate.journal import Phase
from capipool.migrate.marks import Origin
from capipool.migrate.observe import Scene, ref_of
from capipool.migrate.plan import Plan, Ref
from capipool.migrate.run import Failed, Run

_SECRETS = BUILT_IN[0]


class Refused(Exception):
    """There are obstacles; nothing was written."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(f"{len(plan.obstacles)} obstacles; nothing was written")
        self.plan = plan


class WrongPhase(Exception):
    """The command does not fit what was done before."""


@dataclass(frozen=True)
class Work:
    """A migration that is being applied."""

    run: Run
    scene: Scene
    plan: Plan
    uids: dict[str, str] = field(default_factory=dict)
    """Old UIDs and what became of them."""

    def new_uid(self, uid: str) -> str | None:
        """What became of a UID."""
        return self.uids.get(uid)

    def wanted(self, definition: Definition, marked: Raw) -> tuple[Raw, Converted]:
        """The new object for an old one, marked and paused."""
        raw = marks.unchanged(marked)
        into = self.scene.target(definition)
        if into is None or into.writable is None:
            raise Failed("converting", [f"{ref_of(raw, definition.kind)}: its new kind is not installed"])
        converted = self.scene.chain.convert(raw, into.writable, self.new_uid)
        origin = Origin(
            api_version=raw["apiVersion"],
            uid=raw["metadata"]["uid"],
            deleting="deletionTimestamp" in raw["metadata"],
            paused=Annotation.PAUSED in marks.annotations_of(raw),
        )
        return _marked(_fresh(converted.object), origin), converted


async def apply(run: Run) -> Plan:
    """Migrate, or go on with it. Done twice is done once.

    Raises Refused before the first write, Failed with the list of what could not be done, WrongPhase.
    """
    async with run.alone():
        entry = await journal.read(run)
        if entry is not None:
            if entry.phase not in (Phase.APPLYING, Phase.APPLIED, Phase.COMMITTED):
                raise WrongPhase(f"the migration is {entry.phase}: finish that first")
            run = run if entry.phase is Phase.COMMITTED else renamed_as(run, entry)
        scene = await run.scene()
        plan = await planning.plan(scene, run.tell)
        if plan.obstacles:
            raise Refused(plan)
        if not plan.moves and entry is None:
            return plan
        work = Work(run, scene, plan)
        if entry is not None and entry.phase is Phase.APPLIED:
            await remember(work)
            await check(work)
        elif plan.moves:
            await _carry_out(work)
        return plan


async def _carry_out(work: Work) -> None:
    run, scene, plan = work.run, work.scene, work.plan
    await journal.write(run, Phase.APPLYING)
    await pausing.pause(run, scene, plan)
    await _copy(work)
    await journal.write_uids(run, work.uids)
    await point(work)
    await check(work)
    await journal.write(run, Phase.APPLIED)


async def remember(work: Work) -> None:
    """Read from the new objects what they were made of."""
    for definition in work.scene.moving:
        into = work.scene.target(definition)
        if into is not None:
            async for raw in work.scene.source.objects(into.resource):
                if (origin := marks.origin(raw)) is not None:
                    work.uids[origin.uid] = raw["metadata"]["uid"]


def renamed_as(run: Run, entry: journal.Entry) -> Run:
    """A run with the renaming that the migration began with."""
    return replace(run, renaming=entry.renaming)


async def _copy(work: Work) -> None:
    """Make the new objects, one generation after the other: a child names its parent's new UID."""
    depths = {move.uid: move.depth for move in work.plan.moves}
    for depth in range(work.plan.depths):
        for definition in work.scene.moving:
            count = sum(m.depth == depth and m.source.kind == definition.kind for m in work.plan.moves)
            if count:
                await work.run.each(
                    _of_depth(work.scene, definition, depths, depth),
                    lambda raw, definition=definition: _copy_one(work, definition, raw),  # type: ignore[misc]
                    doing=f"copying {definition.plural}",
                    count=count,
                )


async def _of_depth(scene: Scene, definition: Definition, depths: dict[str, int], depth: int) -> AsyncIterator[Raw]:
    async for raw in scene.source.objects(definition.resource):
        if depths.get(raw["metadata"]["uid"]) == depth:
            yield raw


async def _copy_one(work: Work, definition: Definition, raw: Raw) -> None:
    """Make one new object, with its status, and the secret it needs."""
    wanted, converted = work.wanted(definition, raw)
    into = work.scene.target(definition)
    assert into is not None
    assert into.writable is not None
    resource = into.resource.at(into.writable)
    made = await made_of(work.run, resource, wanted, raw["metadata"]["uid"])
    if status := wanted.get("status"):
        subresource = "status" if into.version(into.writable).status else ""
        if list(verify.missing(status, made.get("status") or {})):
            made = await work.run.patch(resource, made, {"status": status}, subresource=subresource)
            if merge.diff(made.get("status") or {}, merge.apply(made.get("status") or {}, status)):
                raise Failed("copying", [f"{ref_of(made, into.kind)}: its status was not taken as it is"])
    work.uids[raw["metadata"]["uid"]] = made["metadata"]["uid"]
    if converted.secret is not None:
        secret = _owned(converted.secret, made, raw)
        await made_of(work.run, _SECRETS, secret, raw["metadata"]["uid"])


async def made_of(run: Run, resource: Resource, wanted: Raw, uid: str) -> Raw:
    """The new object, made now or by an earlier run. Raises Failed where somebody else's is in its place."""
    found = await run.read(resource, wanted)
    if found is None:
        try:
            return await run.create(resource, wanted)
        except errors.AlreadyExists:
            found = await run.read(resource, wanted)
    origin = marks.origin(found) if found is not None else None
    if found is None or origin is None or origin.uid != uid:
        raise Failed("copying", [f"{ref_of(wanted, resource.group_kind)} is there already, and is somebody else's"])
    return found


def _fresh(raw: Raw) -> Raw:
    """Without `observedGeneration`: a new object counts its generations anew."""
    status = raw.get("status")
    if not isinstance(status, dict):
        return raw
    return {**raw, "status": {key: value for key, value in status.items() if key != "observedGeneration"}}


def _marked(raw: Raw, origin: Origin) -> Raw:
    metadata = raw["metadata"]
    mark = {marks.FROM: codec.encode_json(origin).decode(), Annotation.PAUSED: "true"}
    return {**raw, "metadata": {**metadata, "annotations": mark | (metadata.get("annotations") or {})}}


def _owned(secret: Raw, owner: Raw, old: Raw) -> Raw:
    origin = Origin(api_version="v1", uid=old["metadata"]["uid"])
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    annotations = {marks.FROM: codec.encode_json(origin).decode()}
    return {**secret, "metadata": {**secret["metadata"], "annotations": annotations, "ownerReferences": [reference]}}


async def point(work: Work) -> None:
    """Turn everything that stays to the new objects."""
    touched = {touch.ref.kind for touch in work.plan.touches}
    for resource in work.scene.staying:
        if resource.group_kind in touched:
            await work.run.each(
                work.scene.source.objects(resource),
                lambda raw, resource=resource: work.run.edit(  # type: ignore[misc]
                    resource, raw, lambda now: work.scene.pointed(now, work.new_uid)
                ),
                doing=f"re-pointing {resource.plural}",
            )


async def check(work: Work) -> None:
    """Verify every new object and everything that stays. Raises Failed with the list."""
    failures: list[str] = []
    for definition in work.scene.moving:
        async for raw in work.scene.source.objects(definition.resource):
            failures += await _check_one(work, definition, raw)
    for resource in work.scene.staying:
        async for raw in work.scene.source.objects(resource):
            ref = ref_of(raw, resource.group_kind)
            failures += [
                f"{ref}: {path} still names the old group" for path in verify.leftovers(raw, work.run.renaming)
            ]
            failures += [f"{ref}: its owner {name} is the old one" for name in _old_owners(raw, work.uids)]
    if failures:
        raise Failed("verifying", failures)


async def _check_one(work: Work, definition: Definition, raw: Raw) -> list[str]:
    wanted, _ = work.wanted(definition, raw)
    into = work.scene.target(definition)
    assert into is not None
    assert into.writable is not None
    ref = Ref(into.kind, str(raw["metadata"].get("namespace") or ""), raw["metadata"]["name"])
    work.run.tell(f"verifying {ref}")
    found = await work.run.read(into.resource.at(into.writable), wanted)
    if found is None:
        return [f"{ref} is not there"]
    origin = marks.origin(found)
    if origin is None or origin.uid != raw["metadata"]["uid"]:
        return [f"{ref} was not made of {raw['metadata']['uid']}"]
    return [f"{ref}: {path} is not as it should be" for path in verify.differences(wanted, found)]


def _old_owners(raw: Raw, uids: dict[str, str]) -> list[str]:
    return [str(o.get("name")) for o in raw["metadata"].get("ownerReferences") or () if o.get("uid") in uids]
