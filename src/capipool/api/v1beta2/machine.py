"""Machine in v1beta2: one machine and the node it becomes."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, ClassVar

from capipool.api.shared import Conditions, ObservedGeneration, Str256, SubdomainName
from capipool.api.v1beta2.shared import DeprecatedStatus, MachineInitialization, MachineSpec
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int64, Limits


class MachineAddress(Model):
    """One address of a machine."""

    type: Annotated[str, Limits(enum=("Hostname", "ExternalIP", "InternalIP", "ExternalDNS", "InternalDNS"))]
    address: Str256


class MachineDeletionProgress(Model):
    """When each step of a deletion began to wait."""

    node_drain_start_time: dt.datetime | None = None
    wait_for_node_volume_detach_start_time: dt.datetime | None = None
    wait_for_pre_drain_hook_start_time: dt.datetime | None = None
    wait_for_pre_terminate_hook_start_time: dt.datetime | None = None


class NodeSwap(Model):
    """The swap space of a node, in bytes."""

    capacity: Int64 | None = None


class NodeInfo(Model):
    """What a node says of itself, as `core/v1` has it."""

    architecture: str
    boot_id: str
    container_runtime_version: str
    kernel_version: str
    kube_proxy_version: str
    kubelet_version: str
    machine_id: str
    operating_system: str
    os_image: str
    system_uuid: str
    swap: NodeSwap = NodeSwap()


class MachineNodeReference(Model):
    """The node of a machine, in the workload cluster."""

    name: SubdomainName


class MachineStatus(Model):
    """What is observed of a machine."""

    LIMITS: ClassVar = Limits(min_properties=1)

    failure_domain: Str256 = ""
    deletion: MachineDeletionProgress = MachineDeletionProgress()
    observed_generation: ObservedGeneration | None = None
    initialization: MachineInitialization = MachineInitialization()
    phase: Annotated[
        str,
        Limits(
            enum=(
                "Pending",
                "Provisioning",
                "Provisioned",
                "Running",
                "Updating",
                "Deleting",
                "Deleted",
                "Failed",
                "Unknown",
            )
        ),
    ] = ""
    conditions: Conditions = ()
    node_ref: MachineNodeReference | None = None
    node_info: NodeInfo | None = None
    addresses: Annotated[tuple[MachineAddress, ...], Limits(max_items=256, list_type="atomic")] = ()
    certificates_expiry_date: dt.datetime | None = None
    """When the certificates of a control plane machine expire."""
    last_updated: dt.datetime | None = None
    """When the phase changed."""
    deprecated: DeprecatedStatus = DeprecatedStatus()


class Machine(Object, kw_only=True):
    """One machine, and the node it becomes."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta2", "Machine", "machines")

    spec: MachineSpec
    status: MachineStatus = MachineStatus()
