"""AzureMachinePoolMachine: one instance of a scale set. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated, ClassVar

from capipool.api.shared import ObjectReference, V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Limits
from capipool.providers.azure.api.shared import GROUP, PendingOperation


class AzureMachinePoolMachineSpec(Model):
    """Which instance it is; the pool's controller writes it."""

    provider_id: Annotated[str, Limits(required=True)] = ""
    instance_id: str = ""


class AzureMachinePoolMachineStatus(Model):
    """What is observed, by the contract of v1beta1."""

    conditions: tuple[V1Beta1Condition, ...] = ()
    failure_message: str = ""
    failure_reason: str = ""
    instance_name: str = ""
    latest_model_applied: bool | None = None
    long_running_operation_states: tuple[PendingOperation, ...] = ()
    node_ref: ObjectReference | None = None
    provisioning_state: str = ""
    ready: bool | None = None
    version: str = ""


class AzureMachinePoolMachine(Object, kw_only=True):
    """An instance of a scale set."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta1", "AzureMachinePoolMachine", "azuremachinepoolmachines")

    spec: AzureMachinePoolMachineSpec = AzureMachinePoolMachineSpec()
    status: AzureMachinePoolMachineStatus = AzureMachinePoolMachineStatus()
