"""MachineSet in v1beta1."""

from __future__ import annotations

from typing import ClassVar

from capipool.api.shared import DeletionOrder, LabelSelector, SelectorText, Str63, Str10240, V1Beta1Condition, Versions
from capipool.api.v1beta1.shared import MachineNamingStrategy, MachineTemplateSpec, V1Beta2ReplicaStatus
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Int64


class MachineSetSpec(Model):
    """What is wanted of a set. `replicas` is None only before defaulting."""

    cluster_name: Str63
    selector: LabelSelector
    replicas: Int32 | None = None
    template: MachineTemplateSpec = MachineTemplateSpec()
    min_ready_seconds: Int32 | None = None
    delete_policy: DeletionOrder = ""
    machine_naming_strategy: MachineNamingStrategy = MachineNamingStrategy()


class MachineSetStatus(Model):
    """What is observed of a set."""

    replicas: Int32 | None = None
    selector: SelectorText = ""
    observed_generation: Int64 | None = None
    conditions: tuple[V1Beta1Condition, ...] = ()
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    fully_labeled_replicas: Int32 | None = None
    versions: Versions = ()
    failure_reason: str = ""
    failure_message: Str10240 = ""
    v1beta2: V1Beta2ReplicaStatus = V1Beta2ReplicaStatus()


class MachineSet(Object, kw_only=True):
    """A number of machines that are all alike."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta1", "MachineSet", "machinesets")

    spec: MachineSetSpec | None = None
    status: MachineSetStatus = MachineSetStatus()
