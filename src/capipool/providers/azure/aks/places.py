"""Where an AKS cluster and its agent pools are: their resource IDs, and who calls Azure for them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.providers.azure.calls import Caller
from capipool.providers.azure.identities.finding import Identities


@dataclass(frozen=True, slots=True)
class ClusterPlace:
    """A cluster's place."""

    caller: Caller
    group: str
    name: str

    @property
    def id(self) -> str:
        """Its resource ID, which is the path of calls as well."""
        root = f"/subscriptions/{self.caller.subscription}/resourceGroups/{self.group}"
        return f"{root}/providers/Microsoft.ContainerService/managedClusters/{self.name}"

    def pool(self, name: str) -> PoolPlace:
        """Where an agent pool of it is."""
        return PoolPlace(self, name)


@dataclass(frozen=True, slots=True)
class PoolPlace:
    """An agent pool's place."""

    cluster: ClusterPlace
    name: str

    @property
    def id(self) -> str:
        """Its resource ID, which is the path of calls as well."""
        return f"{self.cluster.id}/agentPools/{self.name}"


def of_cluster(obj: AzureManagedControlPlane, identities: Identities) -> ClusterPlace:
    """The cluster that an object names, by its own name, as upstream has it. Raises as `Identities.caller` does."""
    spec = obj.spec
    caller = identities.caller(
        obj.metadata.namespace,
        spec.identity_ref,
        subscription=spec.subscription_id,
        environment=spec.azure_environment,
    )
    return ClusterPlace(caller, spec.resource_group_name, obj.metadata.name)


def pool_name(obj: AzureManagedMachinePool) -> str:
    """What the agent pool is called: admission fills it in, and an object without is named like its pool."""
    return obj.spec.name or obj.metadata.name
