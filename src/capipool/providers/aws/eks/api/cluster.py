"""AWSManagedCluster: the infrastructure of an EKS cluster, as its control plane shows it. Fields are upstream's."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capipool.api.shared import V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.providers.aws.api.cluster import Endpoint, FailureDomain
from capipool.providers.aws.api.shared import GROUP


class AWSManagedClusterSpec(Model):
    """Where the API server is; the controller fills it in."""

    control_plane_endpoint: Endpoint = Endpoint()


class AWSManagedClusterStatus(Model):
    """What is observed, by the contract of v1beta1."""

    conditions: tuple[V1Beta1Condition, ...] = ()
    failure_domains: dict[str, FailureDomain] = msgspec.field(default_factory=dict)
    ready: bool | None = None


class AWSManagedCluster(Object, kw_only=True):
    """The infrastructure of an EKS cluster."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "AWSManagedCluster", "awsmanagedclusters")

    spec: AWSManagedClusterSpec = AWSManagedClusterSpec()
    status: AWSManagedClusterStatus = AWSManagedClusterStatus()
