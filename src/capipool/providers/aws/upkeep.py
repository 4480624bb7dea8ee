"""Keeps a pool's group as its spec wants it: template, settings, suspended processes, tags, hooks.

Used by the provider. Every step writes only what differs, and what of it was done before a death is found done.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from capipool.machinery.objects import Object, Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws import groups, hooks, ignition, tags
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.autoscaling import AutoScaling
from capipool.providers.aws.hooks import Hooks
from capipool.providers.aws.lookups import Lookups
from capipool.providers.aws.observing import PROTECTING_ANNOTATION, Seen
from capipool.providers.aws.places import REGION_ANNOTATION, Place
from capipool.providers.aws.templates import Templates, Version, Wanted
from capipool.sdk import GroupChanged, InvalidConfiguration, Launch, Pool, ProviderError
from capipool.sdk.inputs import is_externally_scaled

TAGS_ANNOTATION = "sigs.k8s.io/cluster-api-provider-aws-last-applied-tags"
"""On an AWSMachinePool, upstream's name: the user's tags as they were set last, so that removed ones are removed."""

Patch = Callable[[Pool[AWSMachinePool], Raw], Awaitable[None]]
"""Changes the pool's object by a merge patch."""


class Upkeep:
    """Takes groups to what is wanted of them."""

    def __init__(
        self, scaling: AutoScaling, templates: Templates, lookups: Lookups, hooks: Hooks, patch: Patch
    ) -> None:
        self._scaling = scaling
        self._templates = templates
        self._lookups = lookups
        self._hooks = hooks
        self._patch = patch
        self.failed: dict[ObjectKey, str] = {}
        """What of a pool could not be kept, for its conditions: the condition that is about it."""

    async def ensure(
        self, place: Place, pool: Pool[AWSMachinePool], launch: Launch, *, replicas: int, seen: Seen | None
    ) -> None:
        """Write a template version where there is something new, then make the group or bring it up to date."""
        await self._remember(place, pool)
        subnets = await self._subnets(place, pool)
        with self._about(pool, "LaunchTemplateReady"):
            version = await self._template(place, pool, launch, seen)
        with self._about(pool, "ASGReady"):
            await self._group(place, pool, version, subnets, replicas, seen)
        if seen is None:
            return
        with self._about(pool, "ASGReady"):
            await self._ensure_processes(place, pool, seen.raw)
            await self._ensure_tags(place, pool, seen.raw)
            await self._unprotect(place, pool)
        with self._about(pool, "LifecycleHookReady"):
            await self._hooks.ensure(place, pool.object)
        await self._note_done(pool, seen)

    @contextmanager
    def _about(self, pool: Pool[AWSMachinePool], condition: str) -> Iterator[None]:
        try:
            yield
        except ProviderError:
            self.failed[pool.key] = condition
            raise

    async def _remember(self, place: Place, pool: Pool[AWSMachinePool]) -> None:
        """Note where the things will be, before the first is made. Raises InvalidConfiguration for another region."""
        known = pool.object.metadata.annotations
        if (region := known.get(REGION_ANNOTATION, place.region)) != place.region:
            said = f"was {region} when the pool was made, which stays there: make another pool for {place.region}"
            raise InvalidConfiguration("the cluster's region", detail=said)
        bucket = ignition.bucket(place, pool.object)
        wanted = place.annotations() | ({ignition.BUCKET_ANNOTATION: bucket} if bucket else {})
        if any(known.get(key) != value for key, value in wanted.items()):
            await self._patch(pool, {"metadata": {"annotations": wanted}})

    async def _subnets(self, place: Place, pool: Pool[AWSMachinePool]) -> list[str]:
        spec = pool.object.spec
        zones = spec.availability_zones or pool.failure_domains
        return await self._lookups.subnets(place, spec.subnets, zones=zones, kind=spec.availability_zone_subnet_type)

    async def _template(self, place: Place, pool: Pool[AWSMachinePool], launch: Launch, seen: Seen | None) -> Version:
        """The version to launch from."""
        used = {groups.number(groups.launch_template(i)) for i in seen.raw["Instances"]} if seen is not None else set()
        wanted = Wanted(
            name=pool.object.metadata.name,
            key=str(pool.key),
            spec=pool.object.spec.aws_launch_template,
            launch=launch,
            read_boot=lambda: ignition.delivered(place, pool.object, launch),
            version=pool.version,
            marks=marks(place, pool),
        )
        return await self._templates.ensure(
            place,
            wanted,
            current=seen.version if seen is not None else None,
            used=used,
            doubted=seen is not None and seen.short,
        )

    async def _group(
        self,
        place: Place,
        pool: Pool[AWSMachinePool],
        version: Version,
        subnets: list[str],
        replicas: int,
        seen: Seen | None,
    ) -> None:
        name, external = pool.object.metadata.name, is_externally_scaled(pool.machine_pool)
        desired = replicas if seen is None else int(seen.raw["DesiredCapacity"])
        wanted = groups.settings(
            pool.object,
            template_id=version.template,
            version=version.number,
            subnets=subnets,
            sizes=groups.sizes(pool.object, desired=desired, external=external and seen is not None),
        )
        try:
            if seen is None:
                first = hooks.wanted(pool.object)
                await self._scaling.create(place, name, wanted, desired=replicas, marks=marks(place, pool), hooks=first)
            elif changed := groups.changed(wanted, seen.raw):
                await self._scaling.write(place, name, "update_auto_scaling_group", **changed)
        except (GroupChanged, InvalidConfiguration):
            self._templates.forget(place, name)  # it may be the template that is gone
            raise

    async def _ensure_processes(self, place: Place, pool: Pool[AWSMachinePool], raw: Raw) -> None:
        wanted, name = groups.suspended(pool.object), pool.object.metadata.name
        if wanted is None:
            return
        there = {process["ProcessName"] for process in raw.get("SuspendedProcesses") or ()}
        if more := sorted(wanted - there):
            await self._scaling.write(place, name, "suspend_processes", ScalingProcesses=more)
        if fewer := sorted(there - wanted):
            await self._scaling.write(place, name, "resume_processes", ScalingProcesses=fewer)

    async def _ensure_tags(self, place: Place, pool: Pool[AWSMachinePool], raw: Raw) -> None:
        """Ours are kept as they should be, those that left the spec are removed; others' are left alone."""
        there, name, wanted = tags.from_aws(raw.get("Tags") or ()), pool.object.metadata.name, marks(place, pool)
        await self._scaling.tag(place, name, {k: v for k, v in wanted.items() if there.get(k) != v})
        gone = applied(pool.object).keys() - wanted.keys()
        await self._scaling.untag(place, name, sorted(gone & there.keys()))

    async def _unprotect(self, place: Place, pool: Pool[AWSMachinePool]) -> None:
        """What a process that died left protected must not stay so.

        Looks anew, as the note may be newer than the picture.
        """
        noted = pool.object.metadata.annotations.get(PROTECTING_ANNOTATION)
        if noted is None:
            return
        raw = await self._scaling.own(place, pool.object.metadata.name, key=str(pool.key))
        those = groups.protectable(raw, protected=True) & set(noted.split(","))
        await self._scaling.protect(place, pool.object.metadata.name, those, protected=False)
        await self._patch(pool, {"metadata": {"annotations": {PROTECTING_ANNOTATION: None}}})

    async def _note_done(self, pool: Pool[AWSMachinePool], seen: Seen) -> None:
        """Write down what was applied, and the group's name in AWS."""
        obj = pool.object
        patch: Raw = {}
        known = obj.metadata.annotations
        named = ",".join(sorted(hook["LifecycleHookName"] for hook in hooks.wanted(obj)))
        user = (
            json.dumps(obj.spec.additional_tags, sort_keys=True, separators=(",", ":"))
            if obj.spec.additional_tags
            else None
        )
        noted = {hooks.APPLIED_ANNOTATION: named or None, TAGS_ANNOTATION: user}
        if any(known.get(key) != value for key, value in noted.items()):
            patch["metadata"] = {"annotations": noted}
        if obj.spec.provider_id != seen.raw["AutoScalingGroupARN"]:
            patch["spec"] = {"providerID": seen.raw["AutoScalingGroupARN"]}
        if patch:
            await self._patch(pool, patch)


def marks(place: Place, pool: Pool[AWSMachinePool]) -> dict[str, str]:
    """The tags of everything that is made for a pool."""
    more = (place.additional_tags, pool.object.spec.additional_tags)
    name, key = pool.object.metadata.name, str(pool.key)
    return tags.wanted(cluster=place.cluster, kubernetes=place.kubernetes, pool=name, key=key, more=more)


def applied(obj: Object) -> dict[str, str]:
    """The user's tags as they were set last, by a pool's annotation. Pure."""
    try:
        known = json.loads(obj.metadata.annotations.get(TAGS_ANNOTATION) or "{}")
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}
