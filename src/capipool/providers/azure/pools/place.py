"""Where a pool's scale set is, who calls Azure for it, and what of its cluster's network it lives in. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from capipool.providers.azure import ids
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.api.network import Subnet
from capipool.providers.azure.calls import Caller
from capipool.sdk import InvalidConfiguration

WINDOWS_NAME = 9
"""Characters that the names of Windows computers leave for the scale set's."""


@dataclass(frozen=True, slots=True)
class Place:
    """A scale set's place."""

    caller: Caller
    id: ids.ScaleSetID

    @property
    def arguments(self) -> tuple[str, str]:
        """Resource group and name, as the library's calls take them first."""
        return self.id.group, self.id.name


def scale_set_name(pool: AzureMachinePool) -> str:
    """What the scale set is called: like the pool, but short for Windows."""
    name = pool.metadata.name
    if is_windows(pool) and len(name) > WINDOWS_NAME:
        return f"win-{name[-5:]}"
    return name


def is_windows(pool: AzureMachinePool) -> bool:
    """Whether instances run Windows."""
    return pool.spec.template.os_disk.os_type == "Windows"


def is_flexible(pool: AzureMachinePool) -> bool:
    """Whether instances are virtual machines in their own right."""
    return pool.spec.orchestration_mode == "Flexible"


def resource_group(cluster: AzureCluster, cluster_name: str) -> str:
    """The resource group of a cluster's nodes."""
    return cluster.spec.resource_group or cluster_name


def subnet_ids(pool: AzureMachinePool, cluster: AzureCluster, *, cluster_name: str, subscription: str) -> list[Subnet]:
    """The subnet of each network interface, each with its ID. Raises InvalidConfiguration."""
    names = [each.subnet_name for each in pool.spec.template.network_interfaces] or [pool.spec.template.subnet_name]
    return [_subnet(name, index, cluster, cluster_name, subscription) for index, name in enumerate(names)]


def backend_pool(cluster: AzureCluster, *, cluster_name: str, subscription: str) -> str:
    """The ID of the pool of the outbound load balancer that nodes join; empty where the cluster names none."""
    balancer = cluster.spec.network_spec.node_outbound_lb
    if balancer is None:
        return ""
    name = balancer.name or cluster_name
    pool = balancer.backend_pool.name if balancer.backend_pool is not None else ""
    group = resource_group(cluster, cluster_name)
    whole = balancer.id or _network(subscription, group, f"loadBalancers/{name}")
    return f"{whole}/backendAddressPools/{pool or f'{name}-outboundBackendPool'}"


def _subnet(name: str, index: int, cluster: AzureCluster, cluster_name: str, subscription: str) -> Subnet:
    found = _find(name, index, cluster)
    if found.id:
        return found
    vnet = cluster.spec.network_spec.vnet
    group = vnet.resource_group or resource_group(cluster, cluster_name)
    network = vnet.id or _network(subscription, group, f"virtualNetworks/{vnet.name or f'{cluster_name}-vnet'}")
    return msgspec.structs.replace(found, id=f"{network}/subnets/{found.name}")


def _find(name: str, index: int, cluster: AzureCluster) -> Subnet:
    subnets, field = cluster.spec.network_spec.subnets, f"spec.template.networkInterfaces[{index}].subnetName"
    if name:
        found = [s for s in subnets if s.name == name]
        if not found:
            raise InvalidConfiguration(field, detail="the AzureCluster has no subnet of that name", value=name)
        return found[0]
    nodes = [s for s in subnets if s.role in ("node", "cluster")]
    if len(nodes) != 1:
        detail = f"must be given: the AzureCluster has {len(nodes)} subnets for nodes"
        raise InvalidConfiguration(field, detail=detail)
    return nodes[0]


def _network(subscription: str, group: str, rest: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/{rest}"
