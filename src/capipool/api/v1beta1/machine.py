"""Machine in v1beta1."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, ClassVar

from capipool.api.shared import ObjectReference, Str10240, V1Beta1Condition
from capipool.api.v1beta1.shared import MachineSpec, V1Beta2Status
from capipool.api.v1beta2.machine import MachineAddress, MachineDeletionProgress, NodeInfo
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int64, Limits


class MachineStatus(Model):
    """What is observed of a machine."""

    deletion: MachineDeletionProgress = MachineDeletionProgress()
    observed_generation: Int64 | None = None
    phase: Annotated[
        str,
        Limits(enum=("Pending", "Provisioning", "Provisioned", "Running", "Deleting", "Deleted", "Failed", "Unknown")),
    ] = ""
    conditions: tuple[V1Beta1Condition, ...] = ()
    node_ref: ObjectReference | None = None
    node_info: NodeInfo | None = None
    addresses: tuple[MachineAddress, ...] = ()
    bootstrap_ready: bool | None = None
    certificates_expiry_date: dt.datetime | None = None
    infrastructure_ready: bool | None = None
    last_updated: dt.datetime | None = None
    failure_reason: str = ""
    failure_message: Str10240 = ""
    v1beta2: V1Beta2Status = V1Beta2Status()


class Machine(Object, kw_only=True):
    """One machine, and the node it becomes."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta1", "Machine", "machines")

    spec: MachineSpec | None = None
    status: MachineStatus = MachineStatus()
