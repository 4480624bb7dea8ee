"""Kubernetes' own kinds, with just the fields that capipool reads or writes.

Caches hold ten thousand Nodes of these, so a field stands here only where somebody uses it; in particular a node
condition has no heartbeat time, which makes two heartbeats in a row equal objects. What a type leaves out survives a
write through `machinery.objects` all the same, except in caches that keep no origin, whose objects are only patched.

MicroTime fields are text, since Kubernetes demands exactly six digits of a second there: use
`clock.format_micro_time` and `clock.parse_time`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

import msgspec

from capipool.api.shared import LabelSelector, ObjectReference
from capipool.machinery.objects import Model, Object, Raw
from capipool.machinery.resource import Resource


class Taint(Model):
    """Keeps pods away from a node that do not tolerate it."""

    key: str
    effect: str
    value: str = ""
    time_added: dt.datetime | None = None


class NodeSpec(Model):
    """What is wanted of a node. The provider ID is empty until the kubelet or a cloud controller has set it."""

    provider_id: str = ""
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeCondition(Model):
    """A fact about a node, without the time of its last heartbeat."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: dt.datetime | None = None


class NodeAddress(Model):
    """One address of a node."""

    type: str
    address: str


class NodeSystemInfo(Model):
    """What the kubelet says of its machine."""

    machine_id: str = ""
    system_uuid: str = ""
    boot_id: str = ""
    kernel_version: str = ""
    os_image: str = ""
    container_runtime_version: str = ""
    kubelet_version: str = ""
    kube_proxy_version: str = ""
    operating_system: str = ""
    architecture: str = ""


class AttachedVolume(Model):
    """A volume that is attached to a node, by its unique name (`kubernetes.io/csi/<driver>^<handle>`)."""

    name: str


class NodeStatus(Model):
    """What is observed of a node."""

    conditions: tuple[NodeCondition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()
    node_info: NodeSystemInfo = NodeSystemInfo()
    volumes_attached: tuple[AttachedVolume, ...] = ()


class Node(Object):
    """A machine that has joined a cluster."""

    RESOURCE: ClassVar = Resource("", "v1", "Node", "nodes", namespaced=False)

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class PersistentVolumeClaimVolumeSource(Model):
    """A pod's reference to a claim in its namespace."""

    claim_name: str


class Volume(Model):
    """A volume of a pod; only what tells whether it is attached to the node, or lost with it."""

    name: str
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    empty_dir: Raw | None = None
    ephemeral: Raw | None = None
    """A claim made for this pod alone, named `<pod>-<volume>`."""


class Toleration(Model):
    """A taint that a pod puts up with, for `toleration_seconds` where that is given."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class PodSpec(Model):
    """What is wanted of a pod."""

    node_name: str = ""
    restart_policy: str = ""
    priority: int | None = None
    termination_grace_period_seconds: int | None = None
    volumes: tuple[Volume, ...] = ()
    tolerations: tuple[Toleration, ...] = ()


class PodCondition(Model):
    """A fact about a pod."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: dt.datetime | None = None


class PodStatus(Model):
    """What is observed of a pod: phase `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`."""

    phase: str = ""
    reason: str = ""
    conditions: tuple[PodCondition, ...] = ()


class Pod(Object):
    """Containers that run together on a node."""

    RESOURCE: ClassVar = Resource("", "v1", "Pod", "pods")

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class Secret(Object):
    """Bytes to be kept from eyes; never log or show them. Decoding undoes the base64 of the wire."""

    RESOURCE: ClassVar = Resource("", "v1", "Secret", "secrets")

    type: str = ""
    data: dict[str, bytes] = msgspec.field(default_factory=dict)
    immutable: bool | None = None


class ConfigMap(Object):
    """Text under keys."""

    RESOURCE: ClassVar = Resource("", "v1", "ConfigMap", "configmaps")

    data: dict[str, str] = msgspec.field(default_factory=dict)
    binary_data: dict[str, bytes] = msgspec.field(default_factory=dict)
    immutable: bool | None = None


class NamespaceSpec(Model):
    """What must be done before a namespace may go."""

    finalizers: tuple[str, ...] = ()


class NamespaceStatus(Model):
    """Phase `Active` or `Terminating`."""

    phase: str = ""


class Namespace(Object):
    """A room for objects' names."""

    RESOURCE: ClassVar = Resource("", "v1", "Namespace", "namespaces", namespaced=False)

    spec: NamespaceSpec = NamespaceSpec()
    status: NamespaceStatus = NamespaceStatus()


class EventSource(Model):
    """Which component reported an event."""

    component: str = ""
    host: str = ""


class Event(Object, kw_only=True):
    """Something that happened to an object: type `Normal` or `Warning`."""

    RESOURCE: ClassVar = Resource("", "v1", "Event", "events")

    involved_object: ObjectReference
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None
    first_timestamp: dt.datetime | None = None
    last_timestamp: dt.datetime | None = None
    event_time: str | None = None
    """MicroTime."""
    source: EventSource = EventSource()
    action: str = ""
    reporting_component: str = ""
    reporting_instance: str = ""


class LeaseSpec(Model):
    """Who holds a lease, since when and for how long; times are MicroTime, the duration is in seconds."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(Object):
    """A heartbeat, or a lock between processes."""

    RESOURCE: ClassVar = Resource("coordination.k8s.io", "v1", "Lease", "leases")

    spec: LeaseSpec = LeaseSpec()


class PodDisruptionBudgetSpec(Model):
    """How many of some pods must stay: a number, or a percentage as text. No selector selects no pods."""

    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    selector: LabelSelector | None = None
    unhealthy_pod_eviction_policy: str = ""


class PodDisruptionBudgetStatus(Model):
    """How many of the pods may be evicted now."""

    observed_generation: int = 0
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0


class PodDisruptionBudget(Object):
    """Limits how many pods of an application are evicted at a time."""

    RESOURCE: ClassVar = Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")

    spec: PodDisruptionBudgetSpec = PodDisruptionBudgetSpec()
    status: PodDisruptionBudgetStatus = PodDisruptionBudgetStatus()


class DaemonSet(Object):
    """Runs one pod on each node. Only its being there is of interest."""

    RESOURCE: ClassVar = Resource("apps", "v1", "DaemonSet", "daemonsets")


class VolumeAttachmentSource(Model):
    """What is attached."""

    persistent_volume_name: str | None = None


class VolumeAttachmentSpec(Model):
    """Which volume is to be attached to which node."""

    attacher: str = ""
    node_name: str = ""
    source: VolumeAttachmentSource = VolumeAttachmentSource()


class VolumeAttachmentStatus(Model):
    """Whether it is."""

    attached: bool = False


class VolumeAttachment(Object):
    """A volume on its way to a node, or there, or on its way off."""

    RESOURCE: ClassVar = Resource("storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments", namespaced=False)

    spec: VolumeAttachmentSpec = VolumeAttachmentSpec()
    status: VolumeAttachmentStatus = VolumeAttachmentStatus()


class PersistentVolumeClaimSpec(Model):
    """Which volume the claim is bound to; empty until it is."""

    volume_name: str = ""


class PersistentVolumeClaim(Object):
    """A pod's wish for a volume."""

    RESOURCE: ClassVar = Resource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")

    spec: PersistentVolumeClaimSpec = PersistentVolumeClaimSpec()


class CSIVolume(Model):
    """A volume of a CSI driver."""

    driver: str
    volume_handle: str


class PersistentVolumeSpec(Model):
    """Where a volume is, and which claim it is bound to."""

    claim_ref: ObjectReference | None = None
    csi: CSIVolume | None = None


class PersistentVolume(Object):
    """A volume."""

    RESOURCE: ClassVar = Resource("", "v1", "PersistentVolume", "persistentvolumes", namespaced=False)

    spec: PersistentVolumeSpec = PersistentVolumeSpec()


class CustomResourceDefinitionNames(Model):
    """How a kind is spelt."""

    kind: str
    plural: str
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class CustomResourceDefinitionVersion(Model):
    """A version of a kind; its schema is of no interest here."""

    name: str
    served: bool
    storage: bool
    deprecated: bool = False


class CustomResourceDefinitionSpec(Model):
    """The kind and its versions."""

    group: str
    names: CustomResourceDefinitionNames
    scope: str
    versions: tuple[CustomResourceDefinitionVersion, ...] = ()


class CustomResourceDefinitionCondition(Model):
    """A fact about a kind: `Established`, `NamesAccepted`."""

    type: str
    status: str
    reason: str = ""


class CustomResourceDefinitionStatus(Model):
    """Whether the kind is served."""

    conditions: tuple[CustomResourceDefinitionCondition, ...] = ()
    stored_versions: tuple[str, ...] = ()


class CustomResourceDefinition(Object, kw_only=True):
    """A kind that was added to the API."""

    RESOURCE: ClassVar = Resource(
        "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
    )

    spec: CustomResourceDefinitionSpec
    status: CustomResourceDefinitionStatus = CustomResourceDefinitionStatus()

    def resource(self, version: str) -> Resource:
        """The kind in one of its versions."""
        names = self.spec.names
        return Resource(self.spec.group, version, names.kind, names.plural, self.spec.scope == "Namespaced")


KINDS: tuple[type[Any], ...] = (
    ConfigMap,
    CustomResourceDefinition,
    DaemonSet,
    Event,
    Lease,
    Namespace,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodDisruptionBudget,
    Secret,
    VolumeAttachment,
)
"""Every kind of this module."""
