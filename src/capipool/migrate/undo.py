"""`undo`: bring back the beginning, at any moment before `commit`.

Whoever was turned to the new objects is turned back before those go; the old objects never went. What the migration
changed is taken back by the patch that was marked on each object with the change.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from capipool.machinery import errors
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource
from capipool.migrate import journal, marks
from capipool.migrate.apply import WrongPhase, renamed_as
from capipool.migrate.definitions import BUILT_IN
from capipool.migrate.journal import Phase
from capipool.migrate.observe import Scene
from capipool.migrate.plan import CLUSTER
from capipool.migrate.run import Failed, Run

POLL_SECONDS = 0.5
POLLS = 240
"""How often to look whether what was deleted is gone: orphaning takes the garbage collector a moment."""


async def undo(run: Run) -> bool:
    """Take everything back. Returns whether there was anything. Raises Failed with the list, WrongPhase."""
    async with run.alone():
        entry = await journal.read(run)
        if entry is None:
            return False
        if entry.phase in (Phase.COMMITTING, Phase.COMMITTED):
            raise WrongPhase("the migration was committed: the old objects are gone")
        run = renamed_as(run, entry)
        await journal.write(run, Phase.UNDOING)
        scene = await run.scene()
        for resource in scene.staying:
            if resource.group_kind != CLUSTER:
                await _restore(run, scene, resource)
        for resource in made_resources(scene):
            await run.each(
                made(scene, resource),
                lambda raw, resource=resource: remove(run, resource, raw),  # type: ignore[misc]
                doing=f"removing {resource.plural}",
            )
        await gone(run, scene)
        for resource in [d.resource for d in scene.moving] + [r for r in scene.staying if r.group_kind == CLUSTER]:
            await _restore(run, scene, resource)
        await journal.erase(run)
        return True


async def _restore(run: Run, scene: Scene, resource: Resource) -> None:
    await run.each(
        marked(scene, resource),
        lambda raw: run.restore(resource, raw),
        doing=f"restoring {resource.plural}",
    )


async def marked(scene: Scene, resource: Resource) -> AsyncIterator[Raw]:
    """What the migration changed of a kind."""
    async for raw in scene.source.objects(resource):
        if marks.undo_of(raw) is not None:
            yield raw


def made_resources(scene: Scene) -> list[Resource]:
    """The kinds of what the migration makes."""
    targets = [scene.target(definition) for definition in scene.moving]
    return [BUILT_IN[0], *(found.resource for found in targets if found is not None)]


async def made(scene: Scene, resource: Resource) -> AsyncIterator[Raw]:
    """What the migration made of a kind."""
    async for raw in scene.source.objects(resource):
        if marks.origin(raw) is not None:
            yield raw


async def remove(run: Run, resource: Resource, raw: Raw) -> None:
    """Delete an object without its controllers and without what it owns. Done before, it is done."""
    meta = raw["metadata"]
    name, namespace = meta["name"], meta.get("namespace", "")
    try:
        if meta.get("finalizers"):
            await run.client.patch(resource, name, namespace, patch={"metadata": {"finalizers": None}})
        if "deletionTimestamp" not in meta:
            await run.client.delete(resource, name, namespace, propagation="Orphan", uid=meta["uid"])
    except errors.NotFound:
        return


async def gone(run: Run, scene: Scene) -> None:
    """Wait until nothing is left of what was made."""
    for _ in range(POLLS):
        left = [raw for resource in made_resources(scene) async for raw in made(scene, resource)]
        if not left:
            return
        run.tell(f"waiting for {len(left)} objects to go")
        await asyncio.sleep(POLL_SECONDS)
    raise Failed("removing", [f"{raw['kind']} {raw['metadata']['name']} does not go" for raw in left])
