"""How managed clusters and agent pools are shown."""

from __future__ import annotations

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.aks.cluster import KIND, AgentPool, ManagedCluster


def cluster(subject: ManagedCluster) -> Raw:
    """The cluster with its pools."""
    body: Raw = {
        "id": subject.id,
        "name": subject.name,
        "type": KIND,
        "location": subject.location,
        "tags": dict(subject.tags),
        "sku": dict(subject.sku),
        "eTag": f'"{subject.generation}"',
        "properties": {
            **subject.properties,
            "provisioningState": subject.state,
            "powerState": {"code": "Running"},
            "currentKubernetesVersion": subject.current_version,
            "fqdn": subject.fqdn,
            "nodeResourceGroup": subject.node_group,
            "disableLocalAccounts": not subject.local_accounts,
            "agentPoolProfiles": [{"name": p.name, **_properties(p)} for p in subject.pools.values()],
        },
    }
    if subject.identity:
        body["identity"] = subject.identity
    return body


def pool(owner: ManagedCluster, subject: AgentPool) -> Raw:
    """One pool as a resource of its own."""
    return {
        "id": owner.pool_id(subject),
        "name": subject.name,
        "type": f"{KIND}/agentPools",
        "properties": _properties(subject),
    }


def _properties(subject: AgentPool) -> Raw:
    made: Raw = {
        **subject.properties,
        "eTag": subject.etag,
        "count": subject.count,
        "currentOrchestratorVersion": subject.current_version or subject.properties["orchestratorVersion"],
        "provisioningState": subject.state,
        "powerState": {"code": "Running"},
        "nodeImageVersion": subject.node_image,
    }
    if subject.failure is not None:
        made["status"] = {"provisioningError": subject.failure.body()["error"]}
    return made
