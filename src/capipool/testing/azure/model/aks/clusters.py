"""Managed clusters: made, upgraded, deleted, and the kubeconfigs that they give out."""

from __future__ import annotations

import base64

from capipool.machinery.objects import Raw
from capipool.testing.azure.model import identities
from capipool.testing.azure.model.aks import pools
from capipool.testing.azure.model.aks.cluster import ManagedCluster
from capipool.testing.azure.model.failures import ArmError, invalid
from capipool.testing.azure.model.operations import Operation, Outcome
from capipool.testing.azure.model.subscription import Group, Subscription

WRITE = "managedClusters/write"
DELETE = "managedClusters/delete"
_READ_ONLY = frozenset(
    {"provisioningState", "powerState", "currentKubernetesVersion", "fqdn", "agentPoolProfiles", "maxAgentPools"}
)
"""Properties of a cluster that clients may send back, and that change nothing."""


def create(subscription: Subscription, *, group: str, name: str, body: Raw) -> tuple[ManagedCluster, Operation]:
    """Make a cluster with its first agent pools. Raises ArmError, and has then made nothing."""
    if not body.get("location"):
        raise ArmError("LocationRequired", "The location property is required for this definition.")
    properties = dict(body.get("properties") or {})
    properties.setdefault("kubernetesVersion", subscription.aks.versions[-2])
    _check_version(subscription, str(properties["kubernetesVersion"]))
    profiles = properties.pop("agentPoolProfiles", None) or []
    if not any(profile.get("mode") == "System" for profile in profiles):
        raise invalid("A cluster needs at least one system agent pool.", "agentPoolProfiles")
    cluster = ManagedCluster(
        subscription.world, group=group, name=name, location=body["location"], properties=properties
    )
    cluster.tags = dict(body.get("tags") or {})
    cluster.sku = body.get("sku") or cluster.sku
    cluster.identity = identities.identity(subscription.world, None, body.get("identity"))
    node_group = cluster.node_group.lower()
    is_new = node_group not in subscription.groups
    subscription.groups.setdefault(node_group, Group(cluster.node_group, cluster.location))
    try:
        for profile in profiles:
            given = {key: value for key, value in profile.items() if key != "name"}
            pools.put(subscription, cluster, str(profile.get("name", "")), given)
    except ArmError:
        if is_new:
            subscription.groups.pop(node_group)
        raise
    subscription.clusters[cluster.id.lower()] = cluster
    return cluster, _begin(subscription, cluster, WRITE)


def update(subscription: Subscription, cluster: ManagedCluster, body: Raw) -> Operation:
    """Change version, tags and settings. Agent pools are changed by their own path."""
    _check_free(subscription, cluster)
    properties = {k: v for k, v in (body.get("properties") or {}).items() if k not in _READ_ONLY}
    version = str(properties.get("kubernetesVersion") or cluster.version)
    if version != cluster.version:
        _check_version(subscription, version)
        if _parts(version) < _parts(cluster.version):
            raise invalid(f"Downgrading from {cluster.version} to {version} is not allowed.", "kubernetesVersion")
    cluster.properties = {**cluster.properties, **properties, "kubernetesVersion": version}
    cluster.identity = identities.identity(subscription.world, cluster.identity, body.get("identity"))
    if "tags" in body:
        cluster.tags = dict(body["tags"] or {})
    cluster.generation += 1
    cluster.state = "Updating" if version == cluster.current_version else "Upgrading"
    return _begin(subscription, cluster, WRITE)


def _begin(subscription: Subscription, cluster: ManagedCluster, action: str) -> Operation:
    operation = subscription.world.operations.start(action, cluster.id, location=cluster.location)
    operations = subscription.world.operations
    operation.process = lambda _: not any(operations.pending(cluster.pool_id(p)) for p in cluster.pools.values())

    def end(ended: Operation) -> None:
        failed = any(pool.state == "Failed" for pool in cluster.pools.values())
        cluster.state = "Failed" if failed or ended.outcome is not Outcome.SUCCEEDED else "Succeeded"
        cluster.current_version = cluster.version

    operation.on_end = end
    return operation


def delete(subscription: Subscription, cluster: ManagedCluster) -> Operation:
    """Delete a cluster with its pools and its node resource group. A second deletion joins the first."""
    operations = subscription.world.operations
    if going := [o for o in operations.pending(cluster.id) if o.action == DELETE]:
        return going[0]
    _check_free(subscription, cluster)
    operation = operations.start(DELETE, cluster.id, location=cluster.location)
    operation.answers_nothing = True
    if operation.doom is not None:
        operation.on_end = lambda _: setattr(cluster, "state", "Failed")
        return operation
    cluster.state = "Deleting"
    for pool in list(cluster.pools.values()):
        pools.remove(subscription, cluster, pool)
    operation.process = lambda _: not cluster.pools

    def end(_: Operation) -> None:
        subscription.forget(cluster.id)
        subscription.groups.pop(cluster.node_group.lower(), None)

    operation.on_end = end
    return operation


def credentials(cluster: ManagedCluster, *, admin: bool) -> Raw:
    """Kubeconfigs, as AKS packs them. Raises ArmError for certificates where local accounts are disabled."""
    if not cluster.local_accounts and admin:
        raise ArmError(
            "BadRequest",
            "Getting static credential is not allowed because this cluster is set to disable local accounts.",
        )
    name = "clusterAdmin" if admin else "clusterUser"
    return {"kubeconfigs": [{"name": name, "value": base64.b64encode(cluster.kubeconfig).decode()}]}


def _check_free(subscription: Subscription, cluster: ManagedCluster) -> None:
    operations = subscription.world.operations
    if operations.pending(cluster.id):
        raise pools.in_progress(cluster.state)
    for pool in cluster.pools.values():
        if operations.pending(cluster.pool_id(pool)):
            raise pools.in_progress(f"{pool.name} - {pool.state}")


def _check_version(subscription: Subscription, version: str) -> None:
    if version not in subscription.aks.versions:
        offered = ", ".join(subscription.aks.versions)
        raise ArmError(
            "K8sVersionNotSupported",
            f"Managed cluster version {version} is not supported in this region. Offered are {offered}.",
            target="kubernetesVersion",
        )


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
