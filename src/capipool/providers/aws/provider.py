"""AWSMachinePool as a provider for the pool engine: an Auto Scaling group and a launch template, by their own calls."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar

from capipool.api.constants import Label
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws import failures, groups, launching, refreshes, statuses, tags
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.inventory import Inventory
from capipool.providers.aws.lookups import Lookups
from capipool.providers.aws.templates import Templates
from capipool.runtime.manager import Manager
from capipool.sdk import (
    Group,
    GroupChanged,
    InstanceGroupNotFound,
    InstanceState,
    Intervals,
    InvalidConfiguration,
    Launch,
    NotOwned,
    Pool,
    PoolProvider,
    ProviderError,
    Report,
    RolloutMode,
    Strategy,
)

ROLLOUT_ANNOTATION = "capipool.io/rollout"
"""On an AWSMachinePool: `Managed`, `Native` or `OnDelete`, over what the spec says."""
REGION_ANNOTATION = "capipool.io/aws-region"
"""On an AWSMachinePool: where its group is. Written before the group is made, so that it can always be deleted."""
FRESH = 2.0
"""Seconds that what was seen of a group that changes may be old."""
RESTING = 50.0
"""The same for one at rest: a little under the interval, so that one describe a minute serves all pools."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What `observe` found, for `ensure` and the others."""

    raw: Raw
    template: str
    version: int


class AWSPoolProvider(PoolProvider[AWSMachinePool]):
    """Pools as Auto Scaling groups."""

    kind: ClassVar = AWSMachinePool
    finalizer: ClassVar = "awsmachinepool.infrastructure.cluster.x-k8s.io"
    intervals = Intervals(converging=dt.timedelta(seconds=5), rest=dt.timedelta(minutes=1))

    def __init__(self, manager: Manager, calls: Calls, *, default_region: str = "") -> None:
        self._client = manager.client
        self._clusters = manager.caches.of(AWSCluster)
        self._calls = calls
        self._default_region = default_region
        self._inventory = Inventory(calls)
        self._templates = Templates(calls)
        self._lookups = Lookups(calls)
        self._rest: dict[ObjectKey, tuple[Any, ...]] = {}
        """What was wanted of a pool that was found at rest."""

    # --- what the specs say

    def launch_content(self, pool: Pool[AWSMachinePool]) -> Raw:
        """The launch template's fields, how the image is found, the security groups."""
        return launching.content(pool.object, self._cluster(pool))

    def strategy(self, pool: Pool[AWSMachinePool]) -> Strategy:
        """Upstream's refresh preferences are AWS's own rolling; without them the engine rolls, and drains."""
        spec = pool.object.spec
        return Strategy(mode=_mode(pool.object), min_size=spec.min_size, max_size=spec.max_size)

    # --- looking

    async def observe(self, pool: Pool[AWSMachinePool]) -> Group:
        """The group and its instances, each with the revision of the version it was launched from."""
        wanted = (pool.object.metadata.generation, pool.machine_pool.metadata.generation)
        at_rest = self._rest.get(pool.key) == wanted
        raw = await self._group(pool.object, self._region(pool), _cluster_name(pool), RESTING if at_rest else FRESH)
        group = await self._picture(pool, raw)
        self._note_rest(pool, group, wanted)
        return group

    async def _picture(self, pool: Pool[AWSMachinePool], raw: Raw) -> Group:
        region, reference = self._region(pool), groups.launch_template(raw)
        template, version = str(reference.get("LaunchTemplateId", "")), _number(reference)
        numbers = {_number(groups.launch_template(i)) for i in raw["Instances"]} | {version}
        known = await self._templates.revisions(region, template, numbers - {0})
        instances = tuple(
            groups.instance(i, known.get(_number(groups.launch_template(i)), "")) for i in raw["Instances"]
        )
        desired, revision = int(raw["DesiredCapacity"]), known.get(version, "")
        live = sum(i.state is not InstanceState.TERMINATING for i in instances)
        outdated = any(i.revision not in ("", revision) for i in instances)
        rolling = outdated and _mode(pool.object) is RolloutMode.NATIVE
        return Group(
            desired=desired,
            revision=revision,
            instances=instances,
            operation="deletion" if raw.get("Status") else "",
            problem=await self._problem(region, pool.object.metadata.name, desired - live) if live < desired else None,
            rollout=refreshes.describe(await self._refreshes(region, pool.object.metadata.name)) if rolling else "",
            native=Seen(raw, template, version),
        )

    def _note_rest(self, pool: Pool[AWSMachinePool], group: Group, wanted: tuple[Any, ...]) -> None:
        there = [i for i in group.instances if i.state is InstanceState.RUNNING and i.revision == group.revision]
        if len(there) == len(group.instances) == group.desired and not group.operation:
            self._rest[pool.key] = wanted
        else:
            self._rest.pop(pool.key, None)

    async def _group(self, obj: AWSMachinePool, region: str, cluster: str, max_age: float) -> Raw:
        """The pool's own group. Raises InstanceGroupNotFound, NotOwned."""
        name = obj.metadata.name
        raw = await self._inventory.get(region, name, max_age=max_age)
        if raw is None:
            raise InstanceGroupNotFound(name)
        marks = tags.from_aws(raw.get("Tags") or ())
        if not tags.is_ours(marks, cluster=cluster, key=str(obj.key)):
            raise NotOwned(name, owner=tags.owner(marks))
        return raw

    async def _problem(self, region: str, name: str, missing: int) -> ProviderError | None:
        """Why launching failed last, in AWS's words."""
        answer = await self._calls.call(
            region, "autoscaling", "describe_scaling_activities", AutoScalingGroupName=name, MaxRecords=1
        )
        latest = (answer.get("Activities") or [{}])[0]
        if latest.get("StatusCode") != "Failed":
            return None
        return failures.of_activity(str(latest.get("StatusMessage", "")), missing)

    # --- what is launched, and how the group is set

    async def ensure(self, pool: Pool[AWSMachinePool], launch: Launch, *, replicas: int, seen: Group | None) -> None:
        """Write a template version where there is something new, then make the group or bring it up to date."""
        region = self._region(pool)
        if seen is None and pool.object.metadata.annotations.get(REGION_ANNOTATION) != region:
            await self._patch(pool, {"metadata": {"annotations": {REGION_ANNOTATION: region}}})
        subnets = await self._subnets(pool, region)
        template, version = await self._ensure_template(pool, launch, seen)
        most = max(replicas, seen.desired if seen is not None else 0)
        wanted = groups.settings(pool.object, template_id=template, version=version, subnets=subnets, most=most)
        if seen is None:
            await self._create(pool, wanted, replicas)
            return
        raw: Raw = seen.native.raw
        if changed := groups.changed(wanted, raw):
            await self._write(pool, "update_auto_scaling_group", **changed)
        await self._ensure_processes(pool, raw)
        await self._ensure_tags(pool, raw)
        await self._ensure_hooks(pool)
        if pool.object.spec.provider_id != raw["AutoScalingGroupARN"]:
            await self._patch(pool, {"spec": {"providerID": raw["AutoScalingGroupARN"]}})

    async def _ensure_template(self, pool: Pool[AWSMachinePool], launch: Launch, seen: Group | None) -> tuple[str, int]:
        """The template's id and the version to launch. Of the same revision only the boot data is written anew."""
        region, name, wanted = self._region(pool), pool.object.metadata.name, launching.description(launch)
        template: str | None = seen.native.template if seen is not None else None
        latest = await self._templates.latest(region, template) if template else None
        if latest is None:
            template = await self._templates.find(region, name, cluster=_cluster_name(pool), key=str(pool.key))
            latest = await self._templates.latest(region, template) if template else None
        if latest is not None and latest.get("VersionDescription") == wanted:
            return str(latest["LaunchTemplateId"]), int(latest["VersionNumber"])
        same = latest is not None and launching.revision_of(latest) == launch.revision
        data = await self._template_data(pool, launch, latest if same else None)
        if template is None:
            return await self._templates.create(region, name, data, wanted, self._tags(pool)), 1
        number = await self._templates.add(region, template, data, wanted)
        used = {_number(groups.launch_template(i)) for i in seen.native.raw["Instances"]} if seen is not None else set()
        await self._templates.prune(region, template, newest=number, used=used)
        return template, number

    async def _template_data(self, pool: Pool[AWSMachinePool], launch: Launch, before: Raw | None) -> Raw:
        """Names are resolved once a revision: an image published since then rolls no pool unasked."""
        user_data = launching.encode(await launch.read_bootstrap())
        if before is not None:
            return {**before["LaunchTemplateData"], "UserData": user_data}
        region, cluster, spec = self._region(pool), self._cluster(pool), pool.object.spec.aws_launch_template
        image = await self._lookups.image(region, pool.object, cluster, pool.version)
        more = await self._lookups.security_groups(region, spec.additional_security_groups)
        needs_device = spec.root_volume is not None and not spec.root_volume.device_name
        return launching.data(
            pool.object,
            image_id=image,
            groups=sorted({*launching.core_security_groups(cluster), *more}),
            root_device=await self._lookups.root_device(region, image) if needs_device else "",
            user_data=user_data,
            marks=self._tags(pool) | {tags.REVISION: launch.revision},
        )

    async def _create(self, pool: Pool[AWSMachinePool], wanted: Raw, replicas: int) -> None:
        name = pool.object.metadata.name
        listed = [
            {**tag, "ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}
            for tag in tags.to_aws(self._tags(pool))
        ]
        try:
            await self._write(pool, "create_auto_scaling_group", **wanted, DesiredCapacity=replicas, Tags=listed)
        except failures.AlreadyThere:
            raise GroupChanged(name, "it exists already") from None

    async def _subnets(self, pool: Pool[AWSMachinePool], region: str) -> list[str]:
        return await self._lookups.subnets(region, pool.object, self._cluster(pool), pool.failure_domains)

    async def _ensure_processes(self, pool: Pool[AWSMachinePool], raw: Raw) -> None:
        wanted = groups.suspended(pool.object)
        if wanted is None:
            return
        there = {process["ProcessName"] for process in raw.get("SuspendedProcesses") or ()}
        if more := sorted(wanted - there):
            await self._write(pool, "suspend_processes", ScalingProcesses=more)
        if fewer := sorted(there - wanted):
            await self._write(pool, "resume_processes", ScalingProcesses=fewer)

    async def _ensure_tags(self, pool: Pool[AWSMachinePool], raw: Raw) -> None:
        """Ours are kept as they should be; others' are left alone."""
        there, name = tags.from_aws(raw.get("Tags") or ()), pool.object.metadata.name
        differing = {key: value for key, value in self._tags(pool).items() if there.get(key) != value}
        if not differing:
            return
        about = {"ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}
        listed = [{**tag, **about} for tag in tags.to_aws(differing)]
        await self._calls.call(self._region(pool), "autoscaling", "create_or_update_tags", Tags=listed)
        self._inventory.forget(self._region(pool), name)

    async def _ensure_hooks(self, pool: Pool[AWSMachinePool]) -> None:
        """Hooks of the spec are kept as they should be; others' are left alone."""
        wanted = pool.object.spec.lifecycle_hooks
        if not wanted:
            return
        name = pool.object.metadata.name
        answer = await self._calls.call(
            self._region(pool), "autoscaling", "describe_lifecycle_hooks", AutoScalingGroupName=name
        )
        there = {hook["LifecycleHookName"]: hook for hook in answer["LifecycleHooks"]}
        for hook in map(groups.hook, wanted):
            known = there.get(hook["LifecycleHookName"], {})
            if any(known.get(key) != value for key, value in hook.items()):
                await self._write(pool, "put_lifecycle_hook", **hook)

    # --- instances

    async def set_desired(self, pool: Pool[AWSMachinePool], desired: int, *, seen: Group) -> None:
        """Set the number; with a surge over the largest size, that is raised along."""
        raw = await self._now(pool)
        live = sum(groups.state(i) is not InstanceState.TERMINATING for i in raw["Instances"])
        if live > desired:
            raise GroupChanged(raw["AutoScalingGroupName"], f"it has {live} instances, more than {desired}")
        if raw["DesiredCapacity"] == desired:
            return
        most: Raw = {"MaxSize": desired} if desired > raw["MaxSize"] else {}
        least: Raw = {"MinSize": desired} if desired < raw["MinSize"] else {}
        await self._write(pool, "update_auto_scaling_group", DesiredCapacity=desired, **most, **least)

    async def terminate(self, pool: Pool[AWSMachinePool], ids: Collection[str], *, decrement: bool) -> None:
        """Terminate instances one by one, each with its decrement in the same step."""
        raw = await self._now(pool)
        there = {i["InstanceId"] for i in raw["Instances"] if groups.state(i) is not InstanceState.TERMINATING}
        for id in sorted(set(ids) & there):
            try:
                await self._calls.call(
                    self._region(pool),
                    "autoscaling",
                    "terminate_instance_in_auto_scaling_group",
                    InstanceId=id,
                    ShouldDecrementDesiredCapacity=decrement,
                )
            except failures.Missing:
                continue
            finally:
                self._inventory.forget(self._region(pool), pool.object.metadata.name)

    async def protect(self, pool: Pool[AWSMachinePool], ids: Collection[str], *, protected: bool) -> None:
        """Protect instances from being chosen by AWS."""
        if ids:
            await self._write(pool, "set_instance_protection", InstanceIds=sorted(ids), ProtectedFromScaleIn=protected)

    async def roll(self, pool: Pool[AWSMachinePool], launch: Launch, *, seen: Group) -> None:
        """Start an instance refresh towards the group's version; one towards another revision is cancelled."""
        region, name, now = self._region(pool), pool.object.metadata.name, await self._now(pool)
        reference = groups.launch_template(now)
        active = refreshes.active(await self._refreshes(region, name))
        if active is not None:
            target = refreshes.target(active)
            known = await self._templates.revisions(region, str(reference["LaunchTemplateId"]), {target} - {0})
            if refreshes.goes_on(active, known.get(target, ""), launch.revision):
                return
            await self._cancel(pool, active)
        if active is None:
            wanted = refreshes.start(pool.object, reference, now)
            await self._write(pool, "start_instance_refresh", **wanted)

    async def _cancel(self, pool: Pool[AWSMachinePool], active: Raw) -> None:
        """Cancel a refresh that goes the wrong way; the next look starts the right one when it has ended."""
        if not refreshes.can_be_cancelled(active):
            return
        try:
            await self._write(pool, "cancel_instance_refresh")
        except failures.Missing:
            return

    async def _refreshes(self, region: str, name: str) -> list[Raw]:
        answer = await self._calls.call(
            region, "autoscaling", "describe_instance_refreshes", AutoScalingGroupName=name, MaxRecords=5
        )
        return list(answer.get("InstanceRefreshes") or ())

    # --- the end

    async def delete(self, obj: AWSMachinePool) -> None:
        """Delete the group with its instances, and the template once the group is gone."""
        region, name = self._region_of(obj), obj.metadata.name
        cluster = obj.metadata.labels.get(Label.CLUSTER_NAME, "")
        if not region:
            raise InstanceGroupNotFound(name)  # it was never made: the region is noted before
        try:
            raw = await self._group(obj, region, cluster, 0.0)
        except InstanceGroupNotFound:
            await self._delete_template(obj, region, cluster)
            self._inventory.drop(region, name)
            self._rest.pop(obj.key, None)
            raise
        if raw.get("Status"):
            return
        try:
            await self._calls.call(
                region, "autoscaling", "delete_auto_scaling_group", AutoScalingGroupName=name, ForceDelete=True
            )
        except failures.Missing:
            return
        finally:
            self._inventory.forget(region, name)

    async def _delete_template(self, obj: AWSMachinePool, region: str, cluster: str) -> None:
        name = obj.metadata.name
        if await self._templates.find(region, name, cluster=cluster, key=str(obj.key)) is not None:
            await self._templates.delete(region, name)

    # --- what is written, and where

    def status(self, pool: Pool[AWSMachinePool], report: Report) -> Raw:
        """The status by the contract of v1beta1, as upstream writes it."""
        return statuses.status(pool.object, report)

    async def _now(self, pool: Pool[AWSMachinePool]) -> Raw:
        return await self._group(pool.object, self._region(pool), _cluster_name(pool), 0.0)

    async def _write(self, pool: Pool[AWSMachinePool], operation: str, **parameters: Any) -> None:
        """One call that changes the group; whatever comes of it, what was seen before is forgotten."""
        region, name = self._region(pool), pool.object.metadata.name
        try:
            await self._calls.call(region, "autoscaling", operation, AutoScalingGroupName=name, **parameters)
        except failures.Missing as error:
            raise GroupChanged(name, str(error)) from error
        finally:
            self._inventory.forget(region, name)

    async def _patch(self, pool: Pool[AWSMachinePool], patch: Raw) -> None:
        meta = pool.object.metadata
        await self._client.patch(AWSMachinePool, meta.name, meta.namespace, patch=patch)

    def _tags(self, pool: Pool[AWSMachinePool]) -> dict[str, str]:
        more = (self._cluster(pool).spec.additional_tags, pool.object.spec.additional_tags)
        return tags.wanted(cluster=_cluster_name(pool), pool=pool.object.metadata.name, key=str(pool.key), more=more)

    def _cluster(self, pool: Pool[AWSMachinePool]) -> AWSCluster:
        """The facts of the cluster. Raises InvalidConfiguration where it is not one in AWS."""
        reference = pool.cluster.spec.infrastructure_ref
        name = reference.name if reference is not None else ""
        found = self._clusters.get(ObjectKey(pool.cluster.metadata.namespace, name))
        if found is None:
            raise InvalidConfiguration("spec.infrastructureRef", detail=f"there is no AWSCluster {name}", value=name)
        return found

    def _region(self, pool: Pool[AWSMachinePool]) -> str:
        region = self._region_of(pool.object) or self._cluster(pool).spec.region or self._default_region
        if not region:
            raise InvalidConfiguration("spec.region", detail="of the AWSCluster must be given")
        return region

    def _region_of(self, obj: AWSMachinePool) -> str:
        """Where the group is, by the object alone: our note, or the ARN that upstream wrote."""
        arn = obj.spec.provider_id.split(":")
        return obj.metadata.annotations.get(REGION_ANNOTATION, "") or (arn[3] if len(arn) > 3 else "")


def _mode(obj: AWSMachinePool) -> RolloutMode:
    """Who replaces instances. An unknown word in the annotation says nothing."""
    said = obj.metadata.annotations.get(ROLLOUT_ANNOTATION, "")
    if said in RolloutMode.__members__.values():
        return RolloutMode(said)
    preferences = obj.spec.refresh_preferences
    if preferences is None:
        return RolloutMode.MANAGED
    return RolloutMode.ON_DELETE if preferences.disable else RolloutMode.NATIVE


def _cluster_name(pool: Pool[AWSMachinePool]) -> str:
    return pool.cluster.metadata.name


def _number(reference: Raw) -> int:
    version = str(reference.get("Version", ""))
    return int(version) if version.isdecimal() else 0
