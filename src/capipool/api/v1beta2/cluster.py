"""Cluster in v1beta2: a workload cluster, and where its control plane and infrastructure are described."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import (
    ClusterPhase,
    Conditions,
    ObservedGeneration,
    Port,
    ReadinessGates,
    StatusVersion,
    Str253,
    Str256,
    Str512,
)
from capipool.api.v1beta2.shared import (
    ContractVersionedObjectReference,
    DeprecatedStatus,
)
from capipool.api.v1beta2.topology import Topology
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Limits


class NetworkRanges(Model):
    """Address ranges in CIDR notation."""

    cidr_blocks: Annotated[
        tuple[Annotated[str, Limits(min_length=1, max_length=43)], ...],
        Limits(min_items=1, max_items=100, list_type="atomic"),
    ]


class ClusterNetwork(Model):
    """The network inside a cluster."""

    LIMITS: ClassVar = Limits(min_properties=1)

    api_server_port: Port | None = None
    pods: NetworkRanges | None = None
    service_domain: Str253 = ""
    services: NetworkRanges | None = None


class APIEndpoint(Model):
    """Where a cluster's API server is reached; empty until it is known."""

    LIMITS: ClassVar = Limits(min_properties=1)

    host: Str512 = ""
    port: Port | None = None


class ClusterSpec(Model):
    """What is wanted of a cluster."""

    LIMITS: ClassVar = Limits(min_properties=1)

    paused: bool | None = None
    """Whether every object of the cluster is left alone."""
    infrastructure_ref: ContractVersionedObjectReference | None = None
    control_plane_ref: ContractVersionedObjectReference | None = None
    control_plane_endpoint: APIEndpoint = APIEndpoint()
    cluster_network: ClusterNetwork = ClusterNetwork()
    topology: Topology | None = None
    availability_gates: ReadinessGates = ()


class UpgradeStep(Model):
    """A version that an upgrade passes through."""

    version: Str256


class ClusterReplicas(Model):
    """Machines of the control plane, or of all workers, counted."""

    replicas: Int32 | None = None
    desired_replicas: Int32 | None = None
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    up_to_date_replicas: Int32 | None = None
    versions: Annotated[tuple[StatusVersion, ...], Limits(min_items=1, max_items=32, list_type="atomic")] = ()
    upgrade_plan: Annotated[tuple[UpgradeStep, ...], Limits(min_items=1, max_items=32, list_type="atomic")] = ()


class FailureDomain(Model):
    """A place that can fail on its own, and whether control plane machines may go there."""

    name: Str256
    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    control_plane: bool | None = None


class ClusterInitialization(Model):
    """What happens once on the way to a working cluster; None and False both mean not yet."""

    LIMITS: ClassVar = Limits(min_properties=1)

    control_plane_initialized: bool | None = None
    infrastructure_provisioned: bool | None = None


class ClusterStatus(Model):
    """What is observed of a cluster."""

    LIMITS: ClassVar = Limits(min_properties=1)

    failure_domains: Annotated[
        tuple[FailureDomain, ...], Limits(min_items=1, max_items=100, list_map_keys=("name",))
    ] = ()
    observed_generation: ObservedGeneration | None = None
    initialization: ClusterInitialization = ClusterInitialization()
    phase: ClusterPhase = ""
    conditions: Conditions = ()
    control_plane: ClusterReplicas = ClusterReplicas()
    workers: ClusterReplicas = ClusterReplicas()
    deprecated: DeprecatedStatus = DeprecatedStatus()


class Cluster(Object, kw_only=True):
    """A workload cluster."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta2", "Cluster", "clusters")

    spec: ClusterSpec
    status: ClusterStatus = ClusterStatus()
