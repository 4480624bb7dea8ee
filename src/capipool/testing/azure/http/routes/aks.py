"""Managed clusters and their agent pools."""

from __future__ import annotations

import functools

from capipool.machinery.objects import Raw
from capipool.testing.azure.http.answers import Answer, Call, Route, accepted, page
from capipool.testing.azure.model.aks import clusters, pools, views
from capipool.testing.azure.model.aks.cluster import KIND, AgentPool, ManagedCluster
from capipool.testing.azure.model.failures import invalid, resource_not_found

_PROVIDER = "providers/Microsoft.ContainerService"
_SUBSCRIPTION = f"/subscriptions/{{subscription}}/{_PROVIDER}"
_ALL = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/{_PROVIDER}/managedClusters"
_ONE = f"{_ALL}/{{name}}"
_POOLS = f"{_ONE}/agentPools"
_POOL = f"{_POOLS}/{{pool}}"


def _seek(call: Call) -> ManagedCluster | None:
    return call.subscription.clusters.get(call.resource_id(KIND).lower())


def _find(call: Call) -> ManagedCluster:
    if (found := _seek(call)) is None:
        raise resource_not_found(KIND, call.params["name"], call.params["group"])
    return found


def _find_pool(call: Call) -> tuple[ManagedCluster, AgentPool]:
    cluster = _find(call)
    if (found := cluster.pools.get(call.params["pool"].lower())) is None:
        raise resource_not_found(f"{KIND}/agentPools", f"{cluster.name}/{call.params['pool']}", cluster.group)
    return cluster, found


def put(call: Call) -> Answer:
    """Create a cluster, or update what is there."""
    existing = _seek(call)
    call.check_etag(f'"{existing.generation}"' if existing else None)
    if existing is not None:
        operation = clusters.update(call.subscription, existing, call.document())
        return accepted(call, operation, status=200, body=views.cluster(existing))
    group = call.subscription.group(call.params["group"])
    made, operation = clusters.create(
        call.subscription, group=group.name, name=call.params["name"], body=call.document()
    )
    return accepted(call, operation, status=201, body=views.cluster(made))


def get(call: Call) -> Answer:
    """The cluster; counts as a look at its operations."""
    cluster = _find(call)
    call.subscription.world.operations.look(cluster.id)
    return Answer(200, views.cluster(cluster))


def list_(call: Call) -> Answer:
    """The clusters of a group, or of the subscription."""
    found = list(call.subscription.clusters.values())
    if group := call.params.get("group"):
        name = call.subscription.group(group).name.lower()
        found = [cluster for cluster in found if cluster.group.lower() == name]
    return page(call, [views.cluster(cluster) for cluster in found])


def delete(call: Call) -> Answer:
    """Begin the deletion; 204 where there is nothing to delete."""
    if (cluster := _seek(call)) is None:
        return Answer(204)
    return accepted(call, clusters.delete(call.subscription, cluster))


def credentials(call: Call, *, admin: bool) -> Answer:
    """Kubeconfigs."""
    return Answer(200, clusters.credentials(_find(call), admin=admin))


def put_pool(call: Call) -> Answer:
    """Create a pool, or change what is there."""
    cluster = _find(call)
    name = call.params["pool"].lower()
    old = cluster.pools.get(name)
    call.check_etag(old.etag if old else None)
    given = call.document().get("properties") or {}
    pool, operation, new = pools.put(call.subscription, cluster, call.params["pool"], given)
    return accepted(call, operation, status=201 if new else 200, body=views.pool(cluster, pool))


def get_pool(call: Call) -> Answer:
    """One pool; counts as a look at its operations."""
    cluster, pool = _find_pool(call)
    call.subscription.world.operations.look(cluster.pool_id(pool))
    return Answer(200, views.pool(cluster, pool))


def list_pools(call: Call) -> Answer:
    """All pools of a cluster."""
    cluster = _find(call)
    return page(call, [views.pool(cluster, pool) for pool in cluster.pools.values()])


def delete_pool(call: Call) -> Answer:
    """Begin the deletion of a pool; 204 where there is none."""
    cluster = _find(call)
    if (pool := cluster.pools.get(call.params["pool"].lower())) is None:
        return Answer(204)
    call.check_etag(pool.etag)
    return accepted(call, pools.delete(call.subscription, cluster, pool))


def upgrade_image(call: Call) -> Answer:
    """Bring the nodes of a pool to the newest image."""
    cluster, pool = _find_pool(call)
    operation = pools.upgrade_image(call.subscription, cluster, pool)
    if operation is None:
        return Answer(200, views.pool(cluster, pool))
    return accepted(call, operation, body=views.pool(cluster, pool))


def delete_machines(call: Call) -> Answer:
    """Delete named nodes of a pool."""
    cluster, pool = _find_pool(call)
    names = call.document().get("machineNames")
    if not isinstance(names, list) or not names:
        raise invalid("machineNames must name at least one machine.", "machineNames")
    return accepted(call, pools.delete_machines(call.subscription, cluster, pool, [str(n) for n in names]))


def upgrade_profile(call: Call) -> Answer:
    """What a pool can be upgraded to."""
    cluster, pool = _find_pool(call)
    version = pool.properties["orchestratorVersion"]
    offered = call.subscription.aks.versions
    newer = offered[offered.index(version) + 1 :] if version in offered else offered
    body: Raw = {
        "id": f"{cluster.pool_id(pool)}/upgradeProfiles/default",
        "name": "default",
        "type": f"{KIND}/agentPools/upgradeProfiles",
        "properties": {
            "kubernetesVersion": version,
            "osType": pool.properties["osType"],
            "upgrades": [{"kubernetesVersion": v} for v in newer],
            "latestNodeImageVersion": call.subscription.aks.node_image,
        },
    }
    return Answer(200, body)


def versions(call: Call) -> Answer:
    """The versions that new pools of a cluster can have."""
    cluster = _find(call)
    offered = call.subscription.aks.versions
    rows = [{"kubernetesVersion": v, "default": v == cluster.version} for v in offered]
    body: Raw = {
        "id": f"{cluster.id}/availableAgentPoolVersions",
        "name": "default",
        "type": f"{KIND}/availableAgentPoolVersions",
        "properties": {"agentPoolVersions": rows},
    }
    return Answer(200, body)


ROUTES = (
    Route("PUT", _ONE, clusters.WRITE, put),
    Route("GET", _ONE, "managedClusters/read", get),
    Route("GET", _ALL, "managedClusters/read", list_),
    Route("GET", f"{_SUBSCRIPTION}/managedClusters", "managedClusters/read", list_),
    Route("DELETE", _ONE, clusters.DELETE, delete),
    Route(
        "POST",
        f"{_ONE}/listClusterUserCredential",
        "managedClusters/listClusterUserCredential/action",
        functools.partial(credentials, admin=False),
        mutating=False,
    ),
    Route(
        "POST",
        f"{_ONE}/listClusterAdminCredential",
        "managedClusters/listClusterAdminCredential/action",
        functools.partial(credentials, admin=True),
        mutating=False,
    ),
    Route("PUT", _POOL, pools.WRITE, put_pool),
    Route("GET", _POOL, "managedClusters/agentPools/read", get_pool),
    Route("GET", _POOLS, "managedClusters/agentPools/read", list_pools),
    Route("DELETE", _POOL, pools.DELETE, delete_pool),
    Route("POST", f"{_POOL}/upgradeNodeImageVersion", pools.IMAGE, upgrade_image),
    Route("POST", f"{_POOL}/deleteMachines", pools.MACHINES, delete_machines),
    Route(
        "GET",
        f"{_POOL}/upgradeProfiles/default",
        "managedClusters/agentPools/upgradeProfiles/read",
        upgrade_profile,
    ),
    Route("GET", f"{_ONE}/availableAgentPoolVersions", "managedClusters/availableAgentPoolVersions/read", versions),
)
