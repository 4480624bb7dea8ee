"""Cluster in v1beta1."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import (
    ClusterPhase,
    Conditions,
    ObjectReference,
    Str253,
    Str10240,
    V1Beta1Condition,
)
from capipool.api.v1beta1.shared import ConditionGates
from capipool.api.v1beta1.topology import Topology
from capipool.api.v1beta2.cluster import ClusterReplicas
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Int64, Limits


class NetworkRanges(Model):
    """Address ranges in CIDR notation."""

    cidr_blocks: Annotated[tuple[Annotated[str, Limits(min_length=1, max_length=43)], ...], Limits(max_items=100)]


class ClusterNetwork(Model):
    """The network inside a cluster."""

    api_server_port: Int32 | None = None
    pods: NetworkRanges | None = None
    service_domain: Str253 = ""
    services: NetworkRanges | None = None


class APIEndpoint(Model):
    """Where a cluster's API server is reached; empty until it is known."""

    host: Annotated[str, Limits(max_length=512)] = ""
    port: Int32 | None = None


class ClusterSpec(Model):
    """What is wanted of a cluster."""

    paused: bool | None = None
    infrastructure_ref: ObjectReference | None = None
    control_plane_ref: ObjectReference | None = None
    control_plane_endpoint: APIEndpoint = APIEndpoint()
    cluster_network: ClusterNetwork = ClusterNetwork()
    topology: Topology | None = None
    availability_gates: ConditionGates = ()


class FailureDomain(Model):
    """A place that can fail on its own, and whether control plane machines may go there."""

    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    control_plane: bool | None = None


class V1Beta2ClusterStatus(Model):
    """The conditions and counters of v1beta2, as v1beta1 shows them beside its own."""

    conditions: Conditions = ()
    control_plane: ClusterReplicas = ClusterReplicas()
    workers: ClusterReplicas = ClusterReplicas()


class ClusterStatus(Model):
    """What is observed of a cluster."""

    failure_domains: dict[str, FailureDomain] = msgspec.field(default_factory=dict)
    observed_generation: Int64 | None = None
    phase: ClusterPhase = ""
    conditions: tuple[V1Beta1Condition, ...] = ()
    control_plane_ready: bool | None = None
    infrastructure_ready: bool | None = None
    failure_reason: str = ""
    failure_message: Str10240 = ""
    v1beta2: V1Beta2ClusterStatus = V1Beta2ClusterStatus()


class Cluster(Object, kw_only=True):
    """A workload cluster."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta1", "Cluster", "clusters")

    spec: ClusterSpec = ClusterSpec()
    status: ClusterStatus = ClusterStatus()
