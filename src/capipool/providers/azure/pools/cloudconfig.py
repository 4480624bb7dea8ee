"""The configuration of Azure's cloud provider on nodes, as upstream has it: the files that manifests take. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from capipool.machinery.objects import Raw
from capipool.providers.azure.api.cloudprovider import CloudProviderConfigOverrides, RateLimitConfig
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.api.network import Subnet
from capipool.providers.azure.calls import PUBLIC
from capipool.providers.azure.pools.place import resource_group

WORKER, CONTROL_PLANE = "worker-node-azure.json", "control-plane-azure.json"
"""The keys of the secret. Pools have workers only: both files say the same."""


@dataclass(frozen=True, slots=True)
class Login:
    """How a node's programs log in to Azure, where the machine has no identity of its own."""

    tenant: str = ""
    client: str = ""
    secret: str = field(default="", repr=False)


def files(pool: AzureMachinePool, cluster: AzureCluster, *, cluster_name: str, subscription: str, login: Login) -> Raw:
    """The content of the secret: file names and JSON, the same at each call."""
    made = _network(cluster, cluster_name, subscription) | _identity(pool, login)
    made |= {
        "cloud": cluster.spec.azure_environment or PUBLIC,
        "tenantId": login.tenant,
        "location": cluster.spec.location,
        "vmType": "vmss",
        "loadBalancerSku": "Standard",
        "loadBalancerName": "",
        "maximumLoadBalancerRuleCount": 250,
        "useInstanceMetadata": True,
        "enableVmssFlexNodes": True,
    }
    if (overrides := cluster.spec.cloud_provider_config_overrides) is not None:
        made |= _overrides(overrides)
    text = json.dumps(made, indent=2, sort_keys=True)
    return {WORKER: text, CONTROL_PLANE: text}


def _identity(pool: AzureMachinePool, login: Login) -> Raw:
    """A machine's own identity needs no secret; without one the cluster's is used, with its secret if it has one."""
    if pool.spec.identity == "SystemAssigned":
        return {"useManagedIdentityExtension": True}
    if pool.spec.identity == "UserAssigned" and pool.spec.user_assigned_identities:
        first = pool.spec.user_assigned_identities[0].provider_id.removeprefix("azure://")
        return {"useManagedIdentityExtension": True, "userAssignedIdentityID": first}
    made = {"useManagedIdentityExtension": False, "aadClientId": login.client}
    return made | ({"aadClientSecret": login.secret} if login.secret else {})


def _network(cluster: AzureCluster, name: str, subscription: str) -> Raw:
    network, group = cluster.spec.network_spec, resource_group(cluster, name)
    nodes = next((s for s in network.subnets if s.role in ("node", "cluster")), Subnet(name="", role="node"))
    vnet_group = network.vnet.resource_group or group
    security, routes = nodes.security_group, nodes.route_table
    return {
        "subscriptionId": subscription,
        "resourceGroup": group,
        "securityGroupName": security.name if security is not None else f"{name}-node-nsg",
        "securityGroupResourceGroup": vnet_group,
        "vnetName": network.vnet.name or f"{name}-vnet",
        "vnetResourceGroup": vnet_group,
        "subnetName": nodes.name,
        "routeTableName": routes.name if routes is not None else f"{name}-node-routetable",
    }


def _overrides(overrides: CloudProviderConfigOverrides) -> Raw:
    made: Raw = {}
    if overrides.back_offs is not None:
        made |= _numbers(msgspec.to_builtins(overrides.back_offs))
    for limit in overrides.rate_limits:
        said = _limits(limit.config) if limit.config is not None else {}
        if limit.name == "defaultRateLimit":
            made |= said
        else:
            made[limit.name] = said
    return made


def _limits(config: RateLimitConfig) -> Raw:
    return _numbers(msgspec.to_builtins(config))


def _numbers(said: Raw) -> Raw:
    """Quantities as the numbers that the cloud provider reads."""
    return {key: float(Decimal(value)) if isinstance(value, str) else value for key, value in said.items()}
