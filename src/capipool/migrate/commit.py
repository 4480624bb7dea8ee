"""`commit`: the old objects go, the marks go, and everything that was not paused before goes on. There is no way back.

Each old object goes only while its new one stands there, made of it, and everything was verified before the first.
"""

from __future__ import annotations

import asyncio

from capipool.api.constants import Annotation
from capipool.machinery import errors
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource
from capipool.migrate import apply, journal, marks, planning, undo
from capipool.migrate.apply import Work, WrongPhase
from capipool.migrate.definitions import DEFINITION, Definition
from capipool.migrate.journal import Phase
from capipool.migrate.observe import Scene, ref_of
from capipool.migrate.plan import CLUSTER
from capipool.migrate.run import Failed, Run


async def commit(run: Run) -> bool:
    """End the migration. Returns False where that was done before.

    Raises WrongPhase where it was not applied; Failed with the list, before anything is deleted if it does not verify.
    """
    async with run.alone():
        entry = await journal.read(run)
        if entry is None:
            raise WrongPhase("there is no migration to commit: apply it first")
        if entry.phase is Phase.COMMITTED:
            return False
        if entry.phase not in (Phase.APPLIED, Phase.COMMITTING):
            raise WrongPhase(f"the migration is {entry.phase}: only one that is applied can be committed")
        run = apply.renamed_as(run, entry)
        scene = await run.scene()
        if entry.phase is Phase.APPLIED:
            await _verified(run, scene)
            await journal.write(run, Phase.COMMITTING)
        await _drop_old(run, scene)
        await _go_on(run, scene)
        await _clean_stored(run, scene)
        await journal.write(run, Phase.COMMITTED)
        return True


async def _verified(run: Run, scene: Scene) -> None:
    work = Work(run, scene, await planning.plan(scene, run.tell))
    await apply.remember(work)
    await apply.check(work)


async def _drop_old(run: Run, scene: Scene) -> None:
    for definition in scene.moving:
        await run.each(
            scene.source.objects(definition.resource),
            lambda raw, definition=definition: _drop(run, scene, definition, raw),  # type: ignore[misc]
            doing=f"removing old {definition.plural}",
        )
    for _ in range(undo.POLLS):
        left = [
            f"{ref_of(r, d.kind)} does not go" for d in scene.moving async for r in scene.source.objects(d.resource)
        ]
        if not left:
            return
        await asyncio.sleep(undo.POLL_SECONDS)
    raise Failed("removing old objects", left)


async def _drop(run: Run, scene: Scene, definition: Definition, raw: Raw) -> None:
    """Delete an old object, if its new one stands there."""
    into = scene.target(definition)
    found = await run.read(into.resource, raw) if into is not None else None
    origin = marks.origin(found) if found is not None else None
    if origin is None or origin.uid != raw["metadata"]["uid"]:
        raise Failed("removing", [f"{ref_of(raw, definition.kind)} stays: nothing was made of it"])
    await undo.remove(run, definition.resource, raw)


async def _go_on(run: Run, scene: Scene) -> None:
    """Take the marks and our pauses away: Clusters last, since they are what controllers wait for."""
    for resource in undo.made_resources(scene):
        await run.each(
            undo.made(scene, resource),
            lambda raw, resource=resource: _finish(run, resource, raw),  # type: ignore[misc]
            doing=f"finishing {resource.plural}",
        )
    for resource in sorted(scene.staying, key=lambda r: r.group_kind == CLUSTER):
        await run.each(
            undo.marked(scene, resource),
            lambda raw, resource=resource: _unmark(run, resource, raw),  # type: ignore[misc]
            doing=f"finishing {resource.plural}",
        )


async def _finish(run: Run, resource: Resource, raw: Raw) -> None:
    """Carry a deletion on, then let the new object go on by itself."""
    origin = marks.origin(raw)
    if origin is None:
        return
    meta = raw["metadata"]
    if origin.deleting and "deletionTimestamp" not in meta:
        await run.client.delete(resource, meta["name"], meta.get("namespace", ""), uid=meta["uid"])
    gone: dict[str, None] = {marks.FROM: None}
    if not origin.paused and resource.kind != "Secret":
        gone[Annotation.PAUSED] = None
    try:
        await run.patch(resource, raw, {"metadata": {"annotations": gone}})
    except errors.NotFound:
        return  # nothing held the one that was to be deleted


async def _unmark(run: Run, resource: Resource, raw: Raw) -> None:
    try:
        await run.patch(resource, raw, unmarked(raw))
    except errors.NotFound:
        return


def unmarked(raw: Raw) -> Raw:
    """The patch that takes the mark away, and the pause of a Cluster that we paused."""
    inverse = marks.undo_of(raw) or {}
    patch: Raw = {"metadata": {"annotations": {marks.UNDO: None}}}
    spec = inverse.get("spec") or {}
    if "paused" in spec:
        patch["spec"] = {"paused": spec["paused"]}
    return patch


async def _clean_stored(run: Run, scene: Scene) -> None:
    """Write objects in the storage version, and have their definitions forget the others."""
    for definition in scene.definitions:
        if definition.kind.group not in run.renaming.groups.values() or definition.stored == (definition.storage,):
            continue
        resource = definition.resource
        await run.each(
            scene.source.objects(resource),
            lambda raw, resource=resource: _rewrite(run, resource, raw),  # type: ignore[misc]
            doing=f"storing {definition.plural} anew",
        )
        patch: Raw = {"status": {"storedVersions": [definition.storage]}}
        await run.patch(DEFINITION, {"metadata": {"name": definition.name}}, patch, subresource="status")


async def _rewrite(run: Run, resource: Resource, raw: Raw) -> None:
    """A write that changes nothing: the server stores it in the version it stores now."""
    try:
        await run.patch(resource, raw, {})
    except errors.NotFound:
        return
