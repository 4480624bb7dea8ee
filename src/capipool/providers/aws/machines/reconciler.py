"""Reconciles AWSMachines: each is one EC2 instance, from its Machine's bootstrap data to its end.

Used by `setup`. Machines that an AWSMachinePool owns are the pool's, and are left alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt

from capipool.api.constants import Label
from capipool.api.core import Cluster, Machine
from capipool.machinery import errors, objects
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.machines import marks, status
from capipool.providers.aws.machines.api import AWSMachine
from capipool.providers.aws.machines.decide import Act, Pace, Step, World, decide, decide_deletion
from capipool.providers.aws.machines.fleet import Fleet
from capipool.providers.aws.machines.home import Home, Homes
from capipool.providers.aws.machines.launching import Launcher, instance_id
from capipool.providers.aws.machines.locating import Locator
from capipool.providers.aws.machines.status import Upkept
from capipool.providers.aws.machines.upkeep import Upkeep
from capipool.providers.aws.places import REGION_ANNOTATION, Place
from capipool.runtime import reconcile
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import RequeueAfter, Result
from capipool.sdk import Intervals
from capipool.sdk.errors import InvalidConfiguration, Missing, ProviderError
from capipool.sdk.inputs import is_paused

INTERVALS = Intervals(converging=dt.timedelta(seconds=5), rest=dt.timedelta(minutes=1))
_SAFETY = 5 / 6
"""How old a picture may be, of the interval to the next look: so one describe serves all machines."""


class AWSMachineReconciler:
    """Takes an AWSMachine to its instance, and an instance to its end."""

    def __init__(
        self, manager: Manager, calls: Calls, *, default_region: str = "", intervals: Intervals = INTERVALS
    ) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._events = manager.events
        self._intervals = intervals
        self._homes = Homes(manager, calls, default_region=default_region)
        self._fleet = Fleet()
        locator = Locator()
        self._upkeep = Upkeep(self._fleet, locator)
        self._launcher = Launcher(manager.client, manager.clock, self._fleet, locator)
        self._known: dict[ObjectKey, tuple[str, tuple[str, str], str]] = {}
        """By key: the UID, the place and the instance of a machine, to be forgotten with it."""
        self.objects = manager.caches.of(AWSMachine)
        self.machines = manager.caches.of(Machine)
        self.clusters = manager.caches.of(Cluster)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Safe to repeat, and to die at any await."""
        obj = self.objects.get(key)
        if obj is None:
            self._forget(key)
            return reconcile.DONE
        machine = self._machine(obj)
        cluster = self._cluster(obj, machine)
        if is_of_pool(obj) or is_paused(obj, cluster):
            return reconcile.DONE
        try:
            if obj.deleting:
                return await self._delete(obj)
            if machine is None or cluster is None:
                return reconcile.DONE  # both are watched
            return await self._keep(obj, machine, cluster)
        except ProviderError as error:
            return await self._failed(obj, error)

    # --- a machine that is wanted

    async def _keep(self, obj: AWSMachine, machine: Machine, cluster: Cluster) -> Result:
        provisioned = bool(cluster.status.initialization.infrastructure_provisioned)
        id = instance_id(obj)
        home = self._homes.of(cluster) if provisioned or id else None
        instance = await self._look(obj, home.place, id) if home is not None and id else None
        world = World(
            provisioned=provisioned,
            has_data=bool(machine.spec.bootstrap.data_secret_name),
            id=id,
            instance=instance,
            attempt=marks.attempt(obj),
            state=obj.status.instance_state,
            now=self._clock.now(),
        )
        step = decide(world)
        upkept = status.NOTHING
        if step.act is Act.LAUNCH and home is not None:
            instance = await self._launch(obj, machine, home)
            step = decide(dataclasses.replace(world, id=instance["InstanceId"], instance=instance))
        elif step.act is Act.KEEP and home is not None and instance is not None:
            upkept = await self._maintain(obj, home, instance)
        self._tell(obj, step)
        await self._write(obj, status.of(obj, step, instance=instance, now=world.now, upkept=upkept))
        return self._next(step.pace) if upkept.problem is None else self._again(upkept.problem)

    async def _launch(self, obj: AWSMachine, machine: Machine, home: Home) -> Raw:
        instance = await self._launcher.launch(obj, machine, home)
        self._remember(obj, home.place, instance["InstanceId"])
        said = f"launched instance {instance['InstanceId']} in {instance['Placement']['AvailabilityZone']}"
        self._events.event(obj, "Normal", "SuccessfulCreate", said)
        return instance

    async def _maintain(self, obj: AWSMachine, home: Home, instance: Raw) -> Upkept:
        """Tags and security groups. What goes wrong with them does not keep the machine from being ready."""
        try:
            await self._upkeep.tags(obj, home, instance)
        except ProviderError as error:
            return Upkept(problem=error)
        try:
            groups = await self._upkeep.groups(obj, home, instance)
        except ProviderError as error:
            return Upkept(status.groups_condition(error))
        applied = marks.applied(marks.user_tags(obj, home.place.additional_tags), groups)
        if any(obj.metadata.annotations.get(name) != value for name, value in applied.items()):
            await self._patch(obj, {"metadata": {"annotations": applied}})
        return Upkept(status.groups_condition(None))

    def _tell(self, obj: AWSMachine, step: Step) -> None:
        if step.failure and obj.status.failure_message != step.failure:
            self._events.event(obj, "Warning", "InstanceUnexpectedTermination", step.failure)

    # --- one that is not wanted any more

    async def _delete(self, obj: AWSMachine) -> Result:
        if marks.FINALIZER not in obj.metadata.finalizers:
            return reconcile.DONE
        id, attempt = instance_id(obj), marks.attempt(obj)
        if not id and attempt is None:
            return await self._release(obj)
        place = self._place(obj)
        instance = await self._look(obj, place, id) if id else await self._fleet.find(place, marks.mark(obj))
        if instance is not None:
            self._remember(obj, place, instance["InstanceId"])
        world = World(
            provisioned=True,
            has_data=True,
            id=id,
            instance=instance,
            attempt=attempt,
            state=obj.status.instance_state,
            now=self._clock.now(),
        )
        step = decide_deletion(world)
        if step.act is Act.RELEASE:
            return await self._release(obj)
        if step.act is Act.TERMINATE and instance is not None:
            await self._terminate(obj, place, instance["InstanceId"])
        await self._write(obj, status.of(obj, step, instance=None, now=world.now))
        return self._next(step.pace)

    async def _terminate(self, obj: AWSMachine, place: Place, id: str) -> None:
        try:
            await place.call("ec2", "terminate_instances", InstanceIds=[id])
        except Missing:
            return  # the next look says so
        finally:
            self._fleet.forget(place, id)
        self._events.event(obj, "Normal", "SuccessfulTerminate", f"terminated instance {id}")

    async def _release(self, obj: AWSMachine) -> Result:
        """There is no instance, or none any more."""
        finalizers = [f for f in obj.metadata.finalizers if f != marks.FINALIZER]
        meta = obj.metadata
        patch = {"metadata": {"finalizers": finalizers}}
        with contextlib.suppress(errors.NotFound):
            await self._client.patch(
                AWSMachine, meta.name, meta.namespace, patch=patch, resource_version=meta.resource_version
            )
        self._forget(obj.key)
        return reconcile.DONE

    def _place(self, obj: AWSMachine) -> Place:
        """Where the instance is. Raises InvalidConfiguration where nobody knows: better stuck than left running."""
        found = self._homes.of_object(obj)
        if found is None:
            said = f"is needed to terminate {instance_id(obj)}, and its cluster is gone: set it, or drop the finalizer"
            raise InvalidConfiguration(f"metadata.annotations[{REGION_ANNOTATION}]", detail=said)
        return found

    # --- looking and writing

    async def _look(self, obj: AWSMachine, place: Place, id: str) -> Raw | None:
        """The instance as EC2 shows it: freshly while something goes on, else as another's look has shown it."""
        self._remember(obj, place, id)
        at_rest = obj.status.instance_state == "running" and not obj.deleting
        interval = self._intervals.rest if at_rest else self._intervals.converging
        assert interval is not None
        return await self._fleet.get(place, id, max_age=interval.total_seconds() * _SAFETY)

    async def _failed(self, obj: AWSMachine, error: ProviderError) -> Result:
        """Say what is wrong, and come again when the error says, or with the runtime's backoff."""
        launched = bool(instance_id(obj)) or obj.deleting
        await self._write(obj, status.failed(obj, error, self._clock.now(), launched=launched))
        if not error.quiet:
            reason = "FailedTerminate" if obj.deleting else "FailedCreate" if not launched else error.reason
            self._events.event(obj, "Warning", reason, str(error))
        return self._again(error)

    def _again(self, error: ProviderError) -> Result:
        if error.delay is None:
            raise errors.ServiceUnavailable(str(error)) from error
        return RequeueAfter(error.delay)

    def _next(self, pace: Pace) -> Result:
        delay = self._intervals.converging if pace is Pace.CONVERGING else self._intervals.rest
        return reconcile.DONE if pace is Pace.WATCHED or delay is None else RequeueAfter(delay)

    async def _write(self, obj: AWSMachine, wanted: Raw) -> None:
        before = objects.to_raw(obj).get("status", {})
        patch = merge.diff(before, {**before, **wanted})
        if patch is not None:
            await self._patch(obj, {"status": patch}, subresource="status")

    async def _patch(self, obj: AWSMachine, patch: Raw, *, subresource: str = "") -> None:
        meta = obj.metadata
        try:
            await self._client.patch(AWSMachine, meta.name, meta.namespace, patch=patch, subresource=subresource)
        except errors.NotFound:
            if not obj.deleting:
                raise

    def _machine(self, obj: AWSMachine) -> Machine | None:
        for owner in obj.metadata.owner_references:
            if owner.group_kind == Machine.RESOURCE.group_kind:
                return self.machines.get(ObjectKey(obj.metadata.namespace, owner.name))
        return None

    def _cluster(self, obj: AWSMachine, machine: Machine | None) -> Cluster | None:
        name = machine.spec.cluster_name if machine is not None else obj.metadata.labels.get(Label.CLUSTER_NAME, "")
        return self.clusters.get(ObjectKey(obj.metadata.namespace, name)) if name else None

    def _remember(self, obj: AWSMachine, place: Place, id: str) -> None:
        self._known[obj.key] = (obj.metadata.uid, place.key, id)

    def _forget(self, key: ObjectKey) -> None:
        if (known := self._known.pop(key, None)) is not None:
            uid, place, id = known
            self._fleet.drop(place, id)
            self._launcher.forget(uid)


def is_of_pool(obj: AWSMachine) -> bool:
    """Whether an AWSMachinePool owns it: then it shows one of the pool's instances."""
    return any(o.group_kind == AWSMachinePool.RESOURCE.group_kind for o in obj.metadata.owner_references)
