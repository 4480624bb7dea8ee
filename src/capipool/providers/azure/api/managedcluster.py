"""AzureManagedCluster: a cluster on AKS as infrastructure, which is its API server's address. As upstream has it."""

from __future__ import annotations

from typing import ClassVar

from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.providers.azure.api.shared import GROUP, Endpoint


class AzureManagedClusterSpec(Model):
    """Where the API server is reached; the controller fills it in."""

    control_plane_endpoint: Endpoint = Endpoint()


class AzureManagedClusterStatus(Model):
    """What is observed."""

    ready: bool | None = None


class AzureManagedCluster(Object, kw_only=True):
    """The infrastructure of a cluster on AKS."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta1", "AzureManagedCluster", "azuremanagedclusters")

    spec: AzureManagedClusterSpec = AzureManagedClusterSpec()
    status: AzureManagedClusterStatus = AzureManagedClusterStatus()
