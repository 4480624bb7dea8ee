"""Standing still: every Cluster concerned and every object that moves is paused, which is proven before all else.

A Cluster that is paused stops all controllers of the old group and of the new one; the annotation on the objects is for
those that look there alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from capipool.api.constants import Annotation
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource
from capipool.migrate.observe import Scene, ref_of
from capipool.migrate.plan import CLUSTER, Plan
from capipool.migrate.run import Failed, Run

_POLL_SECONDS = 1.0


async def pause(run: Run, scene: Scene, plan: Plan) -> None:
    """Pause everything that is not, and prove it. Raises Failed with what is not paused."""
    clusters = clusters_resource(scene)
    await run.each(
        _clusters(scene, plan), lambda raw: run.edit(clusters, raw, _cluster_paused), doing="pausing clusters"
    )
    for definition in scene.moving:
        resource = definition.resource
        await run.each(
            scene.source.objects(resource),
            lambda raw, resource=resource: run.edit(resource, raw, paused),  # type: ignore[misc]
            doing=f"pausing {definition.plural}",
            count=sum(move.source.kind == definition.kind for move in plan.moves),
        )
    await _prove(run, scene, plan)


def clusters_resource(scene: Scene) -> Resource:
    """How Clusters are addressed."""
    found = scene.definitions.get(CLUSTER)
    if found is None:
        raise Failed("pausing", [f"{CLUSTER} is not installed"])
    return found.resource


def paused(raw: Raw) -> Raw:
    """An object with the annotation that pauses it."""
    metadata = raw["metadata"]
    annotations = metadata.get("annotations") or {}
    if Annotation.PAUSED in annotations:
        return raw
    return {**raw, "metadata": {**metadata, "annotations": {**annotations, Annotation.PAUSED: "true"}}}


def _cluster_paused(raw: Raw) -> Raw:
    return {**raw, "spec": {**(raw.get("spec") or {}), "paused": True}}


async def _clusters(scene: Scene, plan: Plan) -> AsyncIterator[Raw]:
    wanted = set(plan.clusters)
    async for raw in scene.source.objects(clusters_resource(scene)):
        if ref_of(raw, CLUSTER) in wanted:
            yield raw


async def _prove(run: Run, scene: Scene, plan: Plan) -> None:
    """Read back that all is paused, and wait for the controllers that say whether they heed it."""
    moving: list[str] = []
    for definition in scene.moving:
        async for raw in scene.source.objects(definition.resource):
            if paused(raw) is not raw:
                moving.append(f"{ref_of(raw, definition.kind)} is not paused")
    if moving:
        raise Failed("proving that everything is paused", moving)
    loop = asyncio.get_running_loop()
    until = loop.time() + run.settings.pause_timeout
    stopped = run.settings.controllers_stopped
    while awake := [why async for raw in _clusters(scene, plan) if (why := _awake(raw, stopped=stopped))]:
        if loop.time() >= until:
            raise Failed("proving that everything is paused", awake)
        run.tell(f"waiting for {len(awake)} clusters to be paused")
        await asyncio.sleep(_POLL_SECONDS)


def _awake(raw: Raw, *, stopped: bool) -> str:
    """Why a Cluster does not count as paused; empty where it does.

    Controllers of the current contract say in a condition whether they heed the pause. Older ones say nothing.
    """
    ref = ref_of(raw, CLUSTER)
    if not (raw.get("spec") or {}).get("paused"):
        return f"{ref} is not paused"
    for condition in (raw.get("status") or {}).get("conditions") or ():
        if not stopped and condition.get("type") == "Paused" and condition.get("status") != "True":
            return f"{ref}: its controller does not say that it is paused (condition Paused)"
    return ""
