"""AWSMachinePool as a provider for the pool engine: an Auto Scaling group and a launch template.

The work is done by its parts: `observing` looks, `upkeep` keeps the group as it should be, `templates` writes versions.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Collection
from typing import ClassVar

from capipool.machinery.objects import Raw
from capipool.providers.aws import groups, ignition, launching, refreshes, statuses
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.autoscaling import AutoScaling
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.hooks import Hooks
from capipool.providers.aws.lookups import Lookups
from capipool.providers.aws.observing import PROTECTING_ANNOTATION, Observer
from capipool.providers.aws.places import Place, Places
from capipool.providers.aws.showing import ShowsMachines
from capipool.providers.aws.templates import Templates, Version
from capipool.providers.aws.upkeep import Upkeep
from capipool.runtime.manager import Manager
from capipool.sdk import (
    Group,
    GroupChanged,
    InstanceGroupNotFound,
    InstanceState,
    Intervals,
    Launch,
    Pool,
    PoolProvider,
    Report,
    RolloutMode,
    Strategy,
)

ROLLOUT_ANNOTATION = "capipool.io/rollout"
"""On an AWSMachinePool: `Managed`, `Native` or `OnDelete`, over what the spec says."""


class AWSPoolProvider(ShowsMachines, PoolProvider[AWSMachinePool]):
    """Pools as Auto Scaling groups."""

    kind: ClassVar = AWSMachinePool
    finalizer: ClassVar = "awsmachinepool.infrastructure.cluster.x-k8s.io"
    intervals = Intervals(converging=dt.timedelta(seconds=5), rest=dt.timedelta(minutes=1))

    def __init__(self, manager: Manager, calls: Calls, *, default_region: str = "") -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._places = Places(manager, calls, default_region=default_region)
        self._scaling = AutoScaling()
        lookups = Lookups()
        self._templates = Templates(lookups)
        self._hooks = Hooks(self._scaling)
        self._observer = Observer(self._scaling, self._templates, self._hooks)
        self._upkeep = Upkeep(self._scaling, self._templates, lookups, self._hooks, self._patch)

    # --- what the specs say

    def launch_content(self, pool: Pool[AWSMachinePool]) -> Raw:
        """The launch template's fields, how the image is found, the security groups."""
        return launching.content(pool.object.spec.aws_launch_template, self._places.of(pool.cluster))

    def strategy(self, pool: Pool[AWSMachinePool]) -> Strategy:
        """Upstream's refresh preferences are AWS's own rolling; without them the engine rolls, and drains."""
        return strategy(pool.object)

    # --- looking

    async def observe(self, pool: Pool[AWSMachinePool]) -> Group:
        """The group and its instances, each with the revision of the version it was launched from."""
        self._upkeep.failed.pop(pool.key, None)  # of an earlier pass
        place = self._places.of(pool.cluster)
        return await self._observer.observe(place, pool, mode=mode(pool.object), intervals=self.intervals)

    # --- what is launched, and how the group is set

    async def ensure(self, pool: Pool[AWSMachinePool], launch: Launch, *, replicas: int, seen: Group | None) -> None:
        """Write a template version where there is something new, then make the group or bring it up to date."""
        found = seen.native if seen is not None else None
        await self._upkeep.ensure(self._places.of(pool.cluster), pool, launch, replicas=replicas, seen=found)

    # --- instances

    async def set_desired(self, pool: Pool[AWSMachinePool], desired: int, *, seen: Group) -> None:
        """Set the number; with a surge over the largest size, that is raised along."""
        place, name = self._places.of(pool.cluster), pool.object.metadata.name
        raw = await self._scaling.own(place, name, key=str(pool.key))
        live = sum(groups.state(i) is not InstanceState.TERMINATING for i in groups.instances(raw))
        if live > desired:
            raise GroupChanged(name, f"it has {live} instances, more than {desired}")
        if raw["DesiredCapacity"] == desired:
            return
        most: Raw = {"MaxSize": desired} if desired > raw["MaxSize"] else {}
        least: Raw = {"MinSize": desired} if desired < raw["MinSize"] else {}
        await self._scaling.write(place, name, "update_auto_scaling_group", DesiredCapacity=desired, **most, **least)

    async def terminate(self, pool: Pool[AWSMachinePool], ids: Collection[str], *, decrement: bool) -> None:
        """Terminate instances one by one, each with its decrement in the same step."""
        place, name = self._places.of(pool.cluster), pool.object.metadata.name
        raw = await self._scaling.own(place, name, key=str(pool.key))
        there = {i["InstanceId"] for i in raw["Instances"] if groups.state(i) is not InstanceState.TERMINATING}
        await self._scaling.terminate(place, name, set(ids) & there, decrement=decrement)

    async def protect(self, pool: Pool[AWSMachinePool], ids: Collection[str], *, protected: bool) -> None:
        """Protect instances from being chosen by AWS. Which ones is noted before, and forgotten after.

        Only those in service can be, and one that is not has AWS refuse all: so the group is looked at anew.
        """
        place, name = self._places.of(pool.cluster), pool.object.metadata.name
        raw = await self._scaling.own(place, name, key=str(pool.key))
        those = sorted(set(ids) & groups.protectable(raw, protected=not protected))
        if not those and protected:
            return
        if protected:
            await self._patch(pool, {"metadata": {"annotations": {PROTECTING_ANNOTATION: ",".join(those)}}})
        await self._scaling.protect(place, name, those, protected=protected)
        if not protected:
            await self._patch(pool, {"metadata": {"annotations": {PROTECTING_ANNOTATION: None}}})

    async def release(self, pool: Pool[AWSMachinePool], id: str) -> None:
        """Let AWS go on to terminate an instance that our hook holds."""
        await self._hooks.release(self._places.of(pool.cluster), pool.object.metadata.name, id)

    async def roll(self, pool: Pool[AWSMachinePool], launch: Launch, *, seen: Group) -> None:
        """Start an instance refresh towards the group's version; one towards another revision is cancelled."""
        place, name = self._places.of(pool.cluster), pool.object.metadata.name
        found = await self._scaling.refreshes(place, name)
        now = await self._scaling.own(place, name, key=str(pool.key))
        reference = groups.launch_template(now)
        active = refreshes.active(found)
        target = refreshes.target(active if active is not None else {})
        those = [i for i in groups.instances(now) if groups.state(i) is not InstanceState.TERMINATING]
        there = await self._observer.revisions(place, pool.key, those)
        if all(revision in ("", launch.revision) for revision in there.values()):
            return  # it got there meanwhile
        if active is not None:
            known = await self._templates.revisions(place, {target})
            if not refreshes.goes_on(active, known.get(target, ""), launch.revision):
                await self._cancel(place, name, active)
        elif not refreshes.pauses(found, Version.of(reference), self._clock.now()):
            wanted = refreshes.start(pool.object, reference, now)
            await self._scaling.write(place, name, "start_instance_refresh", **wanted)

    async def _cancel(self, place: Place, name: str, active: Raw) -> None:
        """Cancel a refresh that goes the wrong way; the next look starts the right one when it has ended."""
        if not refreshes.can_be_cancelled(active):
            return
        with contextlib.suppress(GroupChanged):  # it ended by itself
            await self._scaling.write(place, name, "cancel_instance_refresh")

    # --- the end

    async def delete(self, obj: AWSMachinePool) -> None:
        """Delete the group with its instances, and the template once the group is gone."""
        name, key = obj.metadata.name, str(obj.key)
        place = self._places.of_object(obj, obj.spec.provider_id)
        if place is None:
            raise InstanceGroupNotFound(name)  # it was never made: the region is noted before
        try:
            raw = await self._scaling.own(place, name, key=key)
        except InstanceGroupNotFound:
            await self._templates.delete(place, name=name, key=key)
            await ignition.discard(place, obj)
            self._drop(place, obj)
            raise
        if not raw.get("Status"):
            await self._scaling.delete(place, name)

    def _drop(self, place: Place, obj: AWSMachinePool) -> None:
        name = obj.metadata.name
        self._scaling.drop(place, name)
        self._hooks.drop(place, name)
        self._observer.drop(obj.key)
        self._upkeep.failed.pop(obj.key, None)

    # --- what is written

    def status(self, pool: Pool[AWSMachinePool], report: Report) -> Raw:
        """The status by the contract of v1beta1, as upstream writes it."""
        return statuses.status(pool, report, failed=self._upkeep.failed.get(pool.key, ""))

    def deletion_status(self, obj: AWSMachinePool, report: Report) -> Raw:
        """How the deletion is, by the contract of v1beta1."""
        return statuses.deletion(obj, report)

    async def _patch(self, pool: Pool[AWSMachinePool], patch: Raw) -> None:
        meta = pool.object.metadata
        await self._client.patch(AWSMachinePool, meta.name, meta.namespace, patch=patch)


def mode(obj: AWSMachinePool) -> RolloutMode:
    """Who replaces instances. An unknown word in the annotation says nothing. Pure."""
    said = obj.metadata.annotations.get(ROLLOUT_ANNOTATION, "")
    if said in RolloutMode.__members__.values():
        return RolloutMode(said)
    preferences = obj.spec.refresh_preferences
    if preferences is None:
        return RolloutMode.MANAGED
    return RolloutMode.ON_DELETE if preferences.disable else RolloutMode.NATIVE


def strategy(obj: AWSMachinePool) -> Strategy:
    """How instances are replaced: where the engine does it, the healthy percentages bound it as they bind AWS. Pure."""
    spec, said = obj.spec, obj.spec.refresh_preferences
    surge: int | str = 1
    unavailable: int | str = 0
    if said is not None and said.min_healthy_percentage is not None:
        most = said.max_healthy_percentage
        unavailable = f"{max(0, 100 - said.min_healthy_percentage)}%"
        surge = f"{max(0, most - 100)}%" if most is not None else 0
    return Strategy(
        mode=mode(obj),
        min_size=spec.min_size,
        max_size=spec.max_size,
        max_surge=surge,
        max_unavailable=unavailable,
    )
