"""What the development cloud remembers: its scaling groups and instances, as objects that kubectl shows.

They are the cloud's, not the user's: a pool is changed through its MachinePool. What a user may do here is what may
happen in a cloud: scale a group behind the back of its pool, and have an instance fail or be taken away by annotating
it.
"""

from __future__ import annotations

import enum
from typing import Annotated, ClassVar

import msgspec

from capipool.api.builtin import Taint
from capipool.api.shared import NonNegative
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Limits
from capipool.providers.dev.api.machinepool import Zone

GROUP = "dev.capipool.io"
VERSION = "v1alpha1"
GROUP_LABEL = f"{GROUP}/scaling-group"
"""On an instance: the scaling group it belongs to, by name."""


class Fault:
    """Annotations on a DevInstance that have something happen to it; removing one mends what can be mended."""

    BOOT = f"{GROUP}/boot"
    """`fail`: it never boots, where it has not yet. On a DevMachinePool: no instance launched from now on boots."""
    INTERRUPT = f"{GROUP}/interrupt"
    """Any value: the cloud takes it back, and its group launches another."""
    NODE = f"{GROUP}/node"
    """`not-ready`: its node says that it is not ready. `silent`: its node is not heard of any more."""


class InstanceTemplate(Model):
    """What a group launches."""

    revision: str
    bootstrap: str = ""
    """Which version of the bootstrap data it boots with; changes with every fresh token."""
    version: str = ""
    vm_seconds: float = 0.0
    vm_jitter: float = 0.0
    node_seconds: float = 0.0
    node_jitter: float = 0.0
    fails: bool = False
    """Whether instances are to fail at boot."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Labels that the bootstrap data gives its node."""
    taints: tuple[Taint, ...] = ()
    lease_seconds: int = 600
    renew_seconds: int = 150


class DevScalingGroupSpec(Model):
    """What a group is to keep."""

    cluster_name: str
    replicas: Annotated[Int32, Limits(minimum=0)]
    template: InstanceTemplate
    zones: tuple[Zone, ...] = ()
    terminating: tuple[str, ...] = ()
    """Instances that were ordered to go, by name; forgotten once they are gone."""


class DevScalingGroupStatus(Model):
    """What there is."""

    replicas: NonNegative | None = None
    problem: str = ""
    """Why there are fewer instances than wanted."""


class DevScalingGroup(Object, kw_only=True):
    """A group that the development cloud keeps at its number, by itself."""

    RESOURCE: ClassVar = Resource(GROUP, VERSION, "DevScalingGroup", "devscalinggroups")

    spec: DevScalingGroupSpec
    status: DevScalingGroupStatus = DevScalingGroupStatus()


class InstancePhase(enum.StrEnum):
    """What is written of an instance's state; what time alone decides (booting, running) is not written."""

    FAILED = "Failed"


class DevInstanceSpec(Model):
    """An instance, as it was launched. Times are MicroTime text."""

    group: str
    cluster_name: str
    provider_id: str
    zone: str
    revision: str
    runs_at: str
    """When it has booted."""
    joins_at: str
    """When its node joins the cluster."""
    version: str = ""
    address: str = ""
    fails: bool = False
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    lease_seconds: int = 600
    renew_seconds: int = 150


class DevInstanceStatus(Model):
    """What happened to it beyond what its times say."""

    phase: str = ""
    message: str = ""


class DevInstance(Object, kw_only=True):
    """A simulated machine."""

    RESOURCE: ClassVar = Resource(GROUP, VERSION, "DevInstance", "devinstances")

    spec: DevInstanceSpec
    status: DevInstanceStatus = DevInstanceStatus()
