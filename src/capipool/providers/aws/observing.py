"""The picture of a pool's group: its instances with their revisions, what holds it up, how far a refresh is.

Used by the provider. At rest a picture may be as old as the interval, so that one describe serves many pools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws import groups, refreshes, tags
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.autoscaling import AutoScaling
from capipool.providers.aws.hooks import Hooks
from capipool.providers.aws.places import Place
from capipool.providers.aws.templates import Templates, Version
from capipool.sdk import Group, InstanceState, Intervals, PermissionDenied, Pool, RolloutMode

PROTECTING_ANNOTATION = "capipool.io/protecting"
"""On an AWSMachinePool: instances that are protected for the moment, by the engine and by nobody else."""
MOST_TAGGED = 200
"""Values that a filter takes: more instances than that are asked for by the next looks."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What `observe` found, for `ensure` and the others."""

    raw: Raw
    version: Version
    refreshes: Sequence[Raw] = ()
    """The group's latest ones, where the cloud rolls and something is outdated."""
    short: bool = False
    """Whether it has fewer instances than it should: something may be in the way of launching."""


class Observer:
    """Looks at groups."""

    def __init__(self, scaling: AutoScaling, templates: Templates, hooks: Hooks) -> None:
        self._scaling = scaling
        self._templates = templates
        self._hooks = hooks
        self._rest: dict[ObjectKey, tuple[Any, ...]] = {}
        """What was wanted of a pool that was found at rest."""
        self._types: dict[ObjectKey, dict[str, str]] = {}
        """The types of a pool's instances, by id."""
        self._tags: dict[ObjectKey, dict[str, str]] = {}
        """The revisions in the tags of a pool's instances, by id, where the template that they came from is gone."""

    async def observe(
        self, place: Place, pool: Pool[AWSMachinePool], *, mode: RolloutMode, intervals: Intervals
    ) -> Group:
        """The group and its instances. Raises InstanceGroupNotFound, NotOwned and what calls raise."""
        wanted = (pool.object.metadata.generation, pool.machine_pool.metadata.generation)
        patience = intervals.rest if self._rest.get(pool.key) == wanted else intervals.converging
        max_age = patience.total_seconds() * 0.8 if patience is not None else 0.0
        name = pool.object.metadata.name
        raw = await self._scaling.own(place, name, key=str(pool.key), max_age=max_age)
        group = await self._picture(place, pool, raw, mode)
        there = [i for i in group.instances if i.state is InstanceState.RUNNING and i.revision == group.revision]
        if len(there) == len(group.instances) == group.desired and not group.operation:
            self._rest[pool.key] = wanted
        else:
            self._rest.pop(pool.key, None)
        return group

    def drop(self, key: ObjectKey) -> None:
        """The pool is gone."""
        self._rest.pop(key, None)
        self._types.pop(key, None)
        self._tags.pop(key, None)

    def type_of(self, key: ObjectKey, instance: str) -> str:
        """The type of an instance of a pool, as it was seen last; empty where it was not."""
        return self._types.get(key, {}).get(instance, "")

    async def revisions(self, place: Place, key: ObjectKey, those: Sequence[Raw]) -> dict[str, str]:
        """Which revision each instance was launched from, by id; empty where nobody knows.

        The version of its launch template says so, and where that is gone, the tag that it was born with.
        """
        versions = {i["InstanceId"]: Version.of(groups.launch_template(i)) for i in those}
        known = await self._templates.revisions(place, versions.values())
        found = {id: known.get(version, "") for id, version in versions.items()}
        if lost := [id for id, version in versions.items() if version.number and not found[id]]:
            found |= await self._tagged(place, key, lost)
        else:
            self._tags.pop(key, None)
        return found

    async def _tagged(self, place: Place, key: ObjectKey, ids: list[str]) -> dict[str, str]:
        """The revisions in the tags of instances, which are asked for once. Who may not ask does not know."""
        before = self._tags.get(key, {})
        known = {id: before[id] for id in ids if id in before}
        if missing := [id for id in ids if id not in known]:
            filters = [{"Name": "instance-id", "Values": missing[:MOST_TAGGED]}]
            try:
                async for page in place.pages("ec2", "describe_instances", Filters=filters):
                    for each in (i for reservation in page["Reservations"] for i in reservation["Instances"]):
                        known[each["InstanceId"]] = tags.from_aws(each.get("Tags") or ()).get(tags.REVISION, "")
            except PermissionDenied:
                return known
        self._tags[key] = known
        return known

    async def _picture(self, place: Place, pool: Pool[AWSMachinePool], raw: Raw, mode: RolloutMode) -> Group:
        those, name = groups.instances(raw), pool.object.metadata.name
        version = Version.of(groups.launch_template(raw))
        known = await self._templates.revisions(place, {version})
        launched = await self.revisions(place, pool.key, those)
        self._types[pool.key] = {i["InstanceId"]: str(i.get("InstanceType", "")) for i in those}
        self._hooks.keep(place, name, self._types[pool.key])
        ours = set(pool.object.metadata.annotations.get(PROTECTING_ANNOTATION, "").split(","))
        instances = tuple(
            groups.instance(
                i,
                launched[i["InstanceId"]],
                ours=i["InstanceId"] in ours,
                held=self._hooks.is_held(place, pool.object, i),
            )
            for i in those
        )
        desired, revision = int(raw["DesiredCapacity"]), known.get(version, "")
        there = [i for i in instances if i.state is not InstanceState.TERMINATING]
        live = len(there)
        rolling = mode is RolloutMode.NATIVE and any(i.revision not in ("", revision) for i in there)
        found = await self._scaling.refreshes(place, name) if rolling else ()
        return Group(
            desired=desired,
            revision=revision,
            instances=instances,
            operation="deletion" if raw.get("Status") else "",
            problem=await self._scaling.problem(place, name, desired - live) if live < desired else None,
            rollout=refreshes.describe(found) or ("an instance refresh is to be started" if rolling else ""),
            native=Seen(raw, version, found, short=live < desired),
        )
