"""The picture of a pool's group: its instances with their revisions, what holds it up, how far a refresh is.

Used by the provider. At rest a picture may be as old as the interval, so that one describe serves many pools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws import groups, refreshes
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.autoscaling import AutoScaling
from capipool.providers.aws.hooks import Hooks
from capipool.providers.aws.places import Place
from capipool.providers.aws.templates import Templates, Version
from capipool.sdk import Group, InstanceState, Intervals, Pool, RolloutMode

PROTECTING_ANNOTATION = "capipool.io/protecting"
"""On an AWSMachinePool: instances that are protected for the moment, by the engine and by nobody else."""


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

    def type_of(self, key: ObjectKey, instance: str) -> str:
        """The type of an instance of a pool, as it was seen last; empty where it was not."""
        return self._types.get(key, {}).get(instance, "")

    async def _picture(self, place: Place, pool: Pool[AWSMachinePool], raw: Raw, mode: RolloutMode) -> Group:
        reference, those, name = groups.launch_template(raw), groups.instances(raw), pool.object.metadata.name
        version = Version(str(reference.get("LaunchTemplateId", "")), groups.number(reference))
        numbers = {groups.number(groups.launch_template(i)) for i in those} | {version.number}
        known = await self._templates.revisions(place, version.template, numbers)
        self._types[pool.key] = {i["InstanceId"]: str(i.get("InstanceType", "")) for i in those}
        ours = set(pool.object.metadata.annotations.get(PROTECTING_ANNOTATION, "").split(","))
        instances = tuple(
            groups.instance(
                i,
                known.get(groups.number(groups.launch_template(i)), ""),
                ours=i["InstanceId"] in ours,
                held=self._hooks.is_held(place, pool.object, i),
            )
            for i in those
        )
        desired, revision = int(raw["DesiredCapacity"]), known.get(version.number, "")
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
