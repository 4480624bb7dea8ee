"""DevCluster: the infrastructure of a workload cluster of the development cloud."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import Conditions
from capipool.api.v1beta2.cluster import APIEndpoint, FailureDomain
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Limits
from capipool.providers.dev.api.shared import GROUP, DeprecatedStatus, Initialization

FailureDomains = Annotated[tuple[FailureDomain, ...], Limits(min_items=1, max_items=100, list_map_keys=("name",))]


class ConfigTemplateReference(Model):
    """A config map, by name."""

    LIMITS: ClassVar = Limits(atomic=True)

    name: Annotated[str, Limits(default="")] = ""


class LoadBalancer(Model):
    """The load balancer of upstream's Docker backend."""

    custom_ha_proxy_config_template_ref: ConfigTemplateReference | None = msgspec.field(
        default=None, name="customHAProxyConfigTemplateRef"
    )
    image_repository: str = ""
    image_tag: str = ""


class DockerCluster(Model):
    """Upstream's Docker backend; accepted, not acted on."""

    failure_domains: FailureDomains = ()
    load_balancer: LoadBalancer = LoadBalancer()


class InMemoryCluster(Model):
    """A cluster whose API server runs in this process. `failure_domains` is ours: upstream has an empty object here."""

    failure_domains: FailureDomains = ()


class ClusterBackend(Model):
    """How the cluster is made: exactly one."""

    docker: DockerCluster | None = None
    in_memory: InMemoryCluster | None = None


class DevClusterSpec(Model):
    """What is wanted; the controller fills in the endpoint."""

    backend: ClusterBackend
    control_plane_endpoint: APIEndpoint = APIEndpoint()


class DevClusterStatus(Model):
    """What is observed."""

    conditions: Conditions = ()
    deprecated: DeprecatedStatus = DeprecatedStatus()
    failure_domains: FailureDomains = ()
    initialization: Annotated[Initialization, Limits(min_properties=1)] = Initialization()


class DevCluster(Object, kw_only=True):
    """The infrastructure of a workload cluster."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "DevCluster", "devclusters")

    spec: DevClusterSpec
    status: DevClusterStatus = DevClusterStatus()
