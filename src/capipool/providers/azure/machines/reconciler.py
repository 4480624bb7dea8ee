"""Reconciles AzureMachines: one virtual machine each, with its network interfaces, disks and extensions.

Used by `setup`. A machine is made once and never changed but for its tags. One that is gone is not made again: to
replace it is for who made it. Nothing waits for Azure: what was begun is in the status, and asked for at the next look.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
from collections.abc import Iterable, Sequence
from functools import partial

from capipool.api.builtin import Secret
from capipool.api.core import Cluster, Machine
from capipool.machinery import codec, errors, objects
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure import ids, images
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.clusteridentity import AzureClusterIdentity
from capipool.providers.azure.api.machine import AzureMachine
from capipool.providers.azure.calls import Calls
from capipool.providers.azure.identities.finding import Identities
from capipool.providers.azure.identities.news import IdentityNews
from capipool.providers.azure.machines import decide, model, statuses, watches
from capipool.providers.azure.machines.cloud import VirtualMachines
from capipool.providers.azure.machines.decide import Act, Step, World, power_state
from capipool.providers.azure.machines.deletion import FINALIZER, SERVICE, Deletion
from capipool.providers.azure.machines.where import ANNOTATION, Where, interface_names, machine_name, parse
from capipool.providers.azure.machines.writes import Writes, pending
from capipool.providers.azure.operations import PUT, Operation
from capipool.providers.azure.pools import marks, parts, place, writing
from capipool.providers.azure.pools.model import Scope
from capipool.providers.azure.pools.model import merged as laid_over
from capipool.providers.azure.pools.resolving import Resolving
from capipool.providers.azure.pools.roles import Roles
from capipool.runtime import reconcile
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import RequeueAfter, Result
from capipool.sdk import BootstrapData, Intervals, InvalidConfiguration, Launch, ProviderError, news
from capipool.sdk.inputs import DATA_KEY, FORMAT_KEY, SecretMeta, is_paused

APPLIED_TAGS = "sigs.k8s.io/cluster-api-provider-azure-last-applied-tags-vm"
"""Annotation: the user's tags that were set, as upstream notes them, so that those which are wanted no more can go."""
_SOON, _REST = dt.timedelta(seconds=10), dt.timedelta(minutes=5)
INTERVALS = Intervals(converging=_SOON, rest=_REST)
"""How often a machine is looked at: while something is under way, and when all is well."""
_MOST = dt.timedelta(minutes=2)
"""How long trouble around a machine, such as an identity that is not there, is left alone."""
WINDOWS_SERVER = "windowsServerVersion"
"""Annotation of upstream's: which Windows Server the default image has, as `windows-2019`."""


class AzureMachineReconciler:
    """Reconciles AzureMachines."""

    def __init__(
        self, manager: Manager, calls: Calls, identities: Identities, *, intervals: Intervals = INTERVALS
    ) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._cloud = VirtualMachines(calls)
        self._resolving = Resolving(calls)
        self._identities = identities
        self._soon = intervals.converging or _SOON
        self._rest = intervals.rest or _REST
        self._writes = Writes(manager.client)
        self._roles = Roles(calls, manager.client)
        self._deletion = Deletion(
            self._cloud, identities, self._writes, self._roles, clock=manager.clock, again=self._soon
        )
        self.objects = manager.caches.of(AzureMachine)
        self.machines = manager.caches.of(Machine)
        self.clusters = manager.caches.of(Cluster)
        self.places = manager.caches.of(AzureCluster)
        self._news = IdentityNews(manager.caches)

    def add_to(self, controller: Controller) -> None:
        """Have the controller watch everything that concerns single machines."""
        controller.watch(self.objects, partial(news.of_object, finalizers=True))
        controller.watch(self.machines, news.machine_of(AzureMachine))
        controller.watch(self.clusters, self._cluster_changed)
        controller.watch(self.places, self._place_changed)
        controller.watch(self._news.identities, self._identity_changed)
        controller.watch(self._news.secrets, self._secret_changed)

    def _cluster_changed(self, old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
        return watches.cluster_changed(old, new, self.machines)

    def _place_changed(self, old: AzureCluster | None, new: AzureCluster | None) -> Iterable[ObjectKey]:
        return watches.place_changed(old, new, self.machines)

    def _identity_changed(
        self, old: AzureClusterIdentity | None, new: AzureClusterIdentity | None
    ) -> Iterable[ObjectKey]:
        return watches.machines_of(self._news.of_identity(old, new), self.machines)

    def _secret_changed(self, old: SecretMeta | None, new: SecretMeta | None) -> Iterable[ObjectKey]:
        return watches.machines_of(self._news.of_secret(old, new), self.machines)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step for one machine. Safe to repeat."""
        obj = self.objects.get(key)
        if obj is None:
            return reconcile.DONE
        world = self._world(obj)
        if is_paused(obj, world.cluster):
            return reconcile.DONE
        try:
            return await (self._deletion.step(world) if obj.deleting else self._keep(world))
        except ProviderError as error:
            said = _in_words_of_machines(error)
            await self._writes.status(obj, statuses.of_error(obj, error.reason, said, self._clock.now()))
            return RequeueAfter(min(error.delay or self._soon, _MOST))

    def _world(self, obj: AzureMachine) -> World:
        machine = next(
            (m for o in obj.metadata.owner_references if (m := self._machine(obj, o.name)) is not None), None
        )
        namespace = obj.metadata.namespace
        cluster = self.clusters.get(ObjectKey(namespace, machine.spec.cluster_name)) if machine is not None else None
        reference = cluster.spec.infrastructure_ref if cluster is not None else None
        azure = None
        if reference is not None and reference.group_kind == AzureCluster.RESOURCE.group_kind:
            azure = self.places.get(ObjectKey(namespace, reference.name))
        return World(obj, machine, cluster, azure)

    def _machine(self, obj: AzureMachine, name: str) -> Machine | None:
        """The Machine of that name, if it refers to this object."""
        found = self.machines.get(ObjectKey(obj.metadata.namespace, name))
        mine = found is not None and found.spec.infrastructure_ref.group_kind == AzureMachine.RESOURCE.group_kind
        return found if mine and found is not None and found.spec.infrastructure_ref.name == obj.metadata.name else None

    # --- a machine that is to be there

    async def _keep(self, world: World) -> Result:
        if (step := decide.waits(world)) is not None:
            await self._writes.status(world.obj, statuses.of_step(world.obj, step, self._clock.now()))
            return reconcile.DONE
        where = self._where(world)
        obj = await self._claim(world.obj, where)
        operation, world = await self._look(dataclasses.replace(world, obj=obj), where)
        step = decide.decide(world)
        if step.act is Act.CREATE:
            try:
                operation = await self._create(world, where)
            except InvalidConfiguration as error:  # a machine's spec never changes: it will not become well
                step = decide.refused(_in_words_of_machines(error))
                world = dataclasses.replace(world, error=error)
        status = statuses.with_operation(statuses.of_step(obj, step, self._clock.now()), operation)
        if step.act is Act.TEND:
            return await self._tend(world, where, status, operation)
        await self._writes.status(obj, status)
        return self._again(step, world.error)

    def _again(self, step: Step, error: ProviderError | None) -> Result:
        """A failure is tried again when that may help; what is under way is looked at soon."""
        if step.act is Act.NOTHING:
            return reconcile.DONE
        if step.reason == decide.FAILED:
            return RequeueAfter((error.delay if error is not None else None) or self._rest)
        return RequeueAfter(self._soon)

    def _where(self, world: World) -> Where:
        """Where the machine is, or is to be. Raises ProviderError."""
        assert world.azure is not None
        assert world.cluster is not None
        caller = self._identities.of_cluster(world.azure)
        known = parse(world.obj.spec.provider_id)
        if known is not None:
            return Where(dataclasses.replace(caller, subscription=known[0]), known[1], known[2])
        group = place.resource_group(world.azure, world.cluster.metadata.name)
        return Where(caller, group, machine_name(world.obj))

    async def _claim(self, obj: AzureMachine, where: Where) -> AzureMachine:
        """Note where the machine will be, and that it is to be deleted from there, before anything is made."""
        meta = obj.metadata
        known = parse(meta.annotations.get(ANNOTATION, ""))
        if FINALIZER in meta.finalizers and known is not None:
            return obj
        finalizers = [*(f for f in meta.finalizers if f != FINALIZER), FINALIZER]
        return await self._writes.metadata(obj, finalizers, {ANNOTATION: where.id})

    async def _look(self, world: World, where: Where) -> tuple[Operation | None, World]:
        """The operation that is still under way, and the machine. Raises AnothersMachine."""
        operation, error = pending(world.obj, PUT), None
        if operation is not None:
            progress = await self._cloud.ask(where, operation)
            error = progress.error
            operation = operation if progress.running else None
        found = await self._cloud.get(where)
        assert world.cluster is not None
        if found is not None and not model.is_ours(found, world.obj, world.cluster.metadata.name):
            raise model.AnothersMachine(where.name, found)
        busy = operation is not None
        return operation, dataclasses.replace(world, found=found, busy=busy, error=error)

    async def _create(self, world: World, where: Where) -> Operation | None:
        """Make the network interfaces, then begin the machine. Raises ProviderError, and ApiError without its data."""
        obj = world.obj
        wanted = await self._wanted(world, where)
        data = await writing.custom_data(self._launch(world))
        password = f"{secrets.token_urlsafe(24)}aA1!" if obj.spec.os_disk.os_type == "Windows" else ""
        for name, body in wanted.interfaces:
            if await self._cloud.interface(where, name) is None:
                await self._cloud.put_interface(where, name, body)
        body = laid_over(wanted.machine, model.secret_parts(data, password))
        about = Operation(type=PUT, service=SERVICE, group=where.group, name=where.name)
        return about.begun(await self._cloud.create(where, body))

    async def _wanted(self, world: World, where: Where) -> model.Wanted:
        """The machine as it should be, with what the spec leaves open looked up."""
        obj, machine, azure, cluster = world.obj, world.machine, world.azure, world.cluster
        assert machine is not None
        assert azure is not None
        assert cluster is not None
        pool = model.as_pool(self._with_image(obj, machine.spec.version), azure.spec.location)
        zone = machine.spec.failure_domain or obj.spec.failure_domain
        scope = Scope(
            pool=pool,
            cluster=azure,
            cluster_name=cluster.metadata.name,
            subscription=where.caller.subscription,
            zones=(zone,) if zone else (),
        )
        key = parts.ssh_key(obj.spec.ssh_public_key) if obj.spec.ssh_public_key else ""
        resolved = await self._resolving.resolve(pool, where.caller, machine.spec.version, key)
        return model.wanted(obj, scope, resolved, where, self._tags(world))

    def _with_image(self, obj: AzureMachine, version: str) -> AzureMachine:
        """The machine with the default image of the Windows Server that its annotation names."""
        server = obj.metadata.annotations.get(WINDOWS_SERVER, "")
        if obj.spec.image is not None or not server or obj.spec.os_disk.os_type != images.WINDOWS:
            return obj
        image = images.default(version, images.WINDOWS, windows_server=server)
        return objects.replace(obj, spec=objects.replace_part(obj.spec, image=image))

    def _tags(self, world: World) -> dict[str, str]:
        assert world.cluster is not None
        return model.tags(world.obj, world.cluster.metadata.name, *_user_tags(world))

    def _launch(self, world: World) -> Launch:
        assert world.machine is not None
        name, namespace = world.machine.spec.bootstrap.data_secret_name or "", world.obj.metadata.namespace

        async def read() -> BootstrapData:
            secret = await self._client.get(Secret, name, namespace)
            if DATA_KEY not in secret.data:
                raise errors.NotFound(f"the bootstrap data secret {name} has no key {DATA_KEY!r}")
            return BootstrapData(secret.data[DATA_KEY], secret.data.get(FORMAT_KEY, b"cloud-config").decode())

        return Launch(revision="", bootstrap_version="", read_bootstrap=read)

    # --- a machine that runs

    async def _tend(self, world: World, where: Where, status: Raw, operation: Operation | None) -> Result:
        """Say that it is there, then see to its extensions, one at a time, its tags and its role."""
        obj, found = world.obj, world.found
        assert found is not None
        addresses = [objects.part_to_raw(each) for each in obj.status.addresses]
        if not addresses:
            addresses = await self._addresses(obj, where)
        provider_id = ids.provider_id(str(found["id"]))
        if obj.spec.provider_id != provider_id:
            await self._writes.patch(obj, {"spec": {"providerID": provider_id}})
        status |= {"ready": bool(obj.status.ready or power_state(found) == "running"), "addresses": addresses}
        status = statuses.with_interfaces(status, obj, self._clock.now())
        extensions, begun = await self._extend(world, where)
        status = statuses.with_bootstrap(status, obj, extensions, self._clock.now())
        await self._writes.status(obj, statuses.with_operation(status, begun or operation))
        await self._ensure_tags(world, where)
        await self._roles.ensure(obj, where, found)
        unfinished = begun is not None or operation is not None or any(not _is_over(each) for each in extensions)
        return RequeueAfter(self._soon if unfinished else self._rest)

    async def _addresses(self, obj: AzureMachine, where: Where) -> list[Raw]:
        """The machine's name and what its network interfaces have."""
        made: list[Raw] = [{"type": "InternalDNS", "address": where.name}]
        for name in interface_names(obj):
            found = await self._cloud.interface(where, name)
            for each in ((found or {}).get("properties") or {}).get("ipConfigurations") or ():
                if address := (each.get("properties") or {}).get("privateIPAddress"):
                    made.append({"type": "InternalIP", "address": address})
        return made

    async def _extend(self, world: World, where: Where) -> tuple[Sequence[Raw], Operation | None]:
        """The extensions that are there, and the operation that brings the next one."""
        assert world.azure is not None
        template = model.as_pool(world.obj, world.azure.spec.location).spec.template
        wanted = {each["name"]: each for each in parts.extensions(template)}
        if not wanted:
            return (), None
        there = await self._cloud.extensions(where)
        missing = sorted(wanted.keys() - {str(each["name"]) for each in there})
        if not missing or any(not _is_over(each) for each in there):
            return there, None
        hidden = {each["name"]: each for each in parts.protected_settings(template)}
        name = missing[0]
        body = laid_over(wanted[name], hidden.get(name, {}))
        del body["name"]
        answer = await self._cloud.install(where, name, {"location": world.azure.spec.location, **body})
        about = Operation(type=PUT, service="vmextension", group=where.group, name=name)
        return [*there, {**wanted[name], "properties": {"provisioningState": "Creating"}}], about.begun(answer)

    async def _ensure_tags(self, world: World, where: Where) -> None:
        """The wanted tags are there, and those that were wanted from here are gone; others' stay."""
        obj, found = world.obj, world.found or {}
        there: dict[str, str] = found.get("tags") or {}
        mine = {name: value for tags in _user_tags(world) for name, value in tags.items()}
        before = _noted(obj)
        gone = {name: there[name] for name in before.keys() - mine.keys() if name in there}
        changed = marks.differing(there, self._tags(world))
        if changed or gone:
            await self._cloud.set_tags(where, changed, gone=gone)
        if before != mine:
            noted = codec.encode_json(dict(sorted(mine.items()))).decode()
            await self._writes.patch(obj, {"metadata": {"annotations": {APPLIED_TAGS: noted}}})


def _user_tags(world: World) -> tuple[dict[str, str], dict[str, str]]:
    assert world.azure is not None
    return world.azure.spec.additional_tags, world.obj.spec.additional_tags


def _noted(obj: AzureMachine) -> dict[str, str]:
    """The user's tags that were set last."""
    try:
        noted = codec.decode_json_object(obj.metadata.annotations.get(APPLIED_TAGS, "{}"))
    except errors.BadRequest:
        return {}
    return {str(name): str(value) for name, value in noted.items()}


def _is_over(extension: Raw) -> bool:
    return str((extension.get("properties") or {}).get("provisioningState", "")).lower() in ("succeeded", "failed")


def _in_words_of_machines(error: ProviderError) -> str:
    """An error that may speak of a pool's spec, whose parts a machine shares."""
    return str(error).replace("spec.template.", "spec.")
