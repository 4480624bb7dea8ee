"""DevMachinePool: a scaling group of the development cloud. The backend `inMemory` is capipool's own."""

from __future__ import annotations

from typing import Annotated, ClassVar

from capipool.api.shared import Conditions, DeletionOrder, NonNegative, Str63
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Int64, Limits
from capipool.providers.dev.api.shared import GROUP, Initialization, MachineAddress, Mount, Startup


class DockerPool(Model):
    """Upstream's Docker backend; accepted, not acted on."""

    custom_image: str = ""
    extra_mounts: tuple[Mount, ...] = ()
    pre_load_images: tuple[str, ...] = ()


class Zone(Model):
    """A zone, and how many instances of this pool it has room for; None is no limit."""

    name: Str63
    capacity: NonNegative | None = None


class Rollout(Model):
    """How instances are replaced when what they are made from changes."""

    max_surge: int | str | None = None
    """How many more than wanted there may be meanwhile: a number, or a percentage (rounded up). None is 1."""
    max_unavailable: int | str | None = None
    """How many of the wanted may be missing meanwhile: a number, or a percentage (rounded down). None is 0."""
    type: Annotated[str, Limits(enum=("RollingUpdate", "OnDelete"))] = ""
    """`RollingUpdate` (the default), or `OnDelete`: an instance is replaced only when it goes anyway."""
    canary: bool | None = None
    """Whether the first new instance must be available before the others follow. None is True."""


class NodeLease(Model):
    """How simulated kubelets show that they live. None: a lease of 600 s, renewed every 150 s."""

    duration_seconds: Annotated[Int32, Limits(minimum=1)] | None = None
    renew_interval_seconds: Annotated[Int32, Limits(minimum=1)] | None = None


class InMemoryPool(Model):
    """A simulated scaling group."""

    vm: Startup | None = None
    """How long an instance takes to run; None is no time."""
    node: Startup | None = None
    """How long its node then takes to join; None is no time."""
    zones: Annotated[tuple[Zone, ...], Limits(max_items=100, list_map_keys=("name",))] = ()
    """Where instances are launched, evenly; the MachinePool's failure domains choose among them. None is one zone."""
    delete_policy: DeletionOrder = ""
    """Which instance goes first when there are too many: `Random` (the default), `Newest`, `Oldest`."""
    rollout: Rollout = Rollout()
    drain_on_delete: bool | None = None
    """Whether nodes are drained before a pool that is deleted goes. None is False."""
    node_lease: NodeLease = NodeLease()
    machines: bool | None = None
    """Whether each instance is shown as a DevMachine, of which Cluster API makes a Machine. None is False."""


class PoolBackend(Model):
    """How the pool is made: exactly one."""

    docker: DockerPool | None = None
    in_memory: InMemoryPool | None = None


class DevMachinePoolSpec(Model):
    """What is wanted; the controller fills in the provider IDs."""

    backend: PoolBackend = PoolBackend()
    provider_id: str = ""
    provider_id_list: tuple[str, ...] = ()


class PoolInstance(Model):
    """An instance, as the pool shows it."""

    addresses: tuple[MachineAddress, ...] = ()
    instance_name: str = ""
    provider_id: str = ""
    ready: bool | None = None
    version: str = ""


class DevMachinePoolStatus(Model):
    """What is observed. `initialization` is the contract's; upstream's pool has `ready` alone."""

    conditions: Conditions = ()
    infrastructure_machine_kind: str = ""
    initialization: Initialization = Initialization()
    instances: tuple[PoolInstance, ...] = ()
    observed_generation: Int64 | None = None
    ready: bool | None = None
    replicas: Int32 | None = None
    up_to_date_replicas: Int32 | None = None
    """How many instances were launched from the wanted specification."""


class DevMachinePool(Object, kw_only=True):
    """A scaling group."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "DevMachinePool", "devmachinepools")

    spec: DevMachinePoolSpec = DevMachinePoolSpec()
    status: DevMachinePoolStatus = DevMachinePoolStatus()
