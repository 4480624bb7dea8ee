"""Agent pools: made, scaled, upgraded and deleted, each through an operation that works on the pool's scale set."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.aks import rules
from capipool.testing.azure.model.aks.cluster import AgentPool, ManagedCluster
from capipool.testing.azure.model.failures import ArmError
from capipool.testing.azure.model.machines import Machine, Power
from capipool.testing.azure.model.operations import Operation, Outcome
from capipool.testing.azure.model.scalesets import acting, rolling, writing
from capipool.testing.azure.model.subscription import Subscription

Work = Iterator[None]
"""Stages of an operation: yields where it waits, raises ArmError where it fails."""
WRITE = "managedClusters/agentPools/write"
DELETE = "managedClusters/agentPools/delete"
IMAGE = "managedClusters/agentPools/upgradeNodeImageVersion/action"
MACHINES = "managedClusters/agentPools/deleteMachines/action"
_ENDED = object()


def put(
    subscription: Subscription, cluster: ManagedCluster, name: str, given: Raw
) -> tuple[AgentPool, Operation, bool]:
    """Make or change a pool. Returns it, the operation, and whether it is new. Raises ArmError, changing nothing."""
    given = {key: value for key, value in given.items() if key not in rules.READ_ONLY}
    old = cluster.pools.get(name)
    check_free(subscription, cluster, old)
    if old is None:
        wanted = rules.completed(given, version=cluster.version)
    else:
        wanted = {**old.properties, "count": old.count, **{k: v for k, v in given.items() if v is not None}}
    if not wanted.get("enableAutoScaling"):
        wanted = {k: v for k, v in wanted.items() if k not in ("minCount", "maxCount") or k in given}
    offered = subscription.aks.versions
    before = old.properties if old else None
    rules.check(name, wanted, old=before, control_plane=cluster.version, versions=offered)
    zones = [str(zone) for zone in wanted.get("availabilityZones") or []]
    subscription.skus.check(wanted["vmSize"], cluster.location, zones)
    if old is not None and old.system and wanted["mode"] != "System":
        _check_last(cluster, old)
    pool = old or AgentPool(name=name, properties=wanted)
    cluster.pools[name] = pool
    operation = _write(subscription, cluster, pool, wanted)
    return pool, operation, old is None


def _write(subscription: Subscription, cluster: ManagedCluster, pool: AgentPool, wanted: Raw) -> Operation:
    upgrading = bool(pool.current_version) and wanted["orchestratorVersion"] != pool.current_version
    scaling = pool.scale_set is not None and _target(wanted) != pool.count
    pool.properties = wanted
    pool.generation += 1
    state = "Creating" if pool.scale_set is None else "Upgrading" if upgrading else "Updating"
    state = "Scaling" if scaling and not upgrading else state

    def work() -> Work:
        yield from _sized(subscription, cluster, pool)
        if upgrading:
            yield from _upgraded(subscription, pool)
        pool.current_version = str(wanted["orchestratorVersion"])

    return _begin(subscription, cluster, pool, action=WRITE, state=state, work=work)


def _target(properties: Raw) -> int:
    """How many nodes are wanted: the count, within the autoscaler's limits where there is one."""
    count = int(properties["count"])
    if properties.get("enableAutoScaling"):
        return max(int(properties["minCount"]), min(count, int(properties["maxCount"])))
    return count


def _begin(
    subscription: Subscription,
    cluster: ManagedCluster,
    pool: AgentPool,
    *,
    action: str,
    state: str,
    work: Callable[[], Work],
) -> Operation:
    """Start an operation on a pool, whose stages run as time passes."""
    target = cluster.pool_id(pool)
    operation = subscription.world.operations.start(action, target, location=cluster.location)
    pool.state, pool.failure = state, None
    stages = work() if operation.doom is None else iter(())
    operation.process = lambda _: next(stages, _ENDED) is _ENDED

    def end(ended: Operation) -> None:
        pool.failure = ended.error
        outcomes = {Outcome.FAILED: "Failed", Outcome.CANCELED: "Canceled"}
        pool.state = outcomes.get(ended.outcome, "Succeeded")

    operation.on_end = end
    return operation


def _wait(operation: Operation) -> Work:
    """Wait for an operation on the scale set, and fail as it fails."""
    while operation.pending:
        yield
    if operation.error is not None:
        raise operation.error


def _sized(subscription: Subscription, cluster: ManagedCluster, pool: AgentPool) -> Work:
    """Bring the scale set to the pool's size, tags and zones; make it where there is none."""
    wanted = _target(pool.properties)
    tags = {**(pool.properties.get("tags") or {}), "aks-managed-poolName": pool.name, "poolName": pool.name}
    if pool.scale_set is None:
        name = f"aks-{pool.name}-{subscription.world.rng.randrange(10**8):08}-vmss"
        pool.node_image = subscription.aks.node_image
        body = _scale_set(subscription, cluster, pool, tags=tags, capacity=wanted)
        pool.scale_set = writing.create(subscription, group=cluster.node_group, name=name, body=body)
        yield from _wait(subscription.world.operations.pending(pool.scale_set.id)[-1])
        return
    if pool.count > wanted and pool.properties.get("scaleDownMode") == "Deallocate":
        parked = pool.running[wanted:]
        yield from _wait(_act(subscription, pool, parked, "deallocate"))
        return
    parked = [m for m in pool.scale_set.live if m.power is Power.DEALLOCATED][: max(0, wanted - pool.count)]
    if parked:
        yield from _wait(_act(subscription, pool, parked, "start"))
    capacity = pool.scale_set.capacity + wanted - pool.count
    update: Raw = {"location": cluster.location, "tags": tags, "sku": {"capacity": capacity}}
    yield from _wait(writing.update(subscription, pool.scale_set, update))


def _act(subscription: Subscription, pool: AgentPool, machines: list[Machine], verb: str) -> Operation:
    assert pool.scale_set is not None
    action = f"virtualMachineScaleSets/{verb}/action"
    return acting.act(subscription, pool.scale_set, machines, verb=verb, action=action)


def _image(subscription: Subscription, pool: AgentPool) -> Raw:
    version = pool.properties["orchestratorVersion"]
    return {"id": f"/subscriptions/aks/galleries/AKSUbuntu/images/{pool.node_image}/versions/{version}"}


def _scale_set(
    subscription: Subscription, cluster: ManagedCluster, pool: AgentPool, *, tags: dict[str, str], capacity: int
) -> Raw:
    given = pool.properties
    profile: Raw = {
        "osProfile": {"computerNamePrefix": f"aks-{pool.name}-vmss", "adminUsername": "azureuser"},
        "storageProfile": {"imageReference": _image(subscription, pool), "osDisk": {"createOption": "FromImage"}},
        "networkProfile": {"networkInterfaceConfigurations": []},
    }
    if given.get("scaleSetPriority") == "Spot":
        profile |= {"priority": "Spot", "evictionPolicy": given.get("scaleSetEvictionPolicy") or "Delete"}
        profile["billingProfile"] = {"maxPrice": given.get("spotMaxPrice", -1)}
    policy = {"maxUnhealthyInstancePercent": 100, "maxUnhealthyUpgradedInstancePercent": 100}
    return {
        "location": cluster.location,
        "zones": given.get("availabilityZones") or [],
        "tags": tags,
        "sku": {"name": given["vmSize"], "tier": "Standard", "capacity": capacity},
        "properties": {
            "orchestrationMode": "Uniform",
            "overprovision": False,
            "upgradePolicy": {"mode": "Manual", "rollingUpgradePolicy": policy},
            "virtualMachineProfile": profile,
        },
    }


def _upgraded(subscription: Subscription, pool: AgentPool) -> Work:
    """Bring every node to the newest image of the wanted version: with more nodes in between, which go at the end."""
    scale_set = pool.scale_set
    assert scale_set is not None
    pool.node_image = subscription.aks.node_image
    count = scale_set.capacity
    surge = _surge(str(pool.properties["upgradeSettings"]["maxSurge"]), count)
    model: Raw = {"storageProfile": {"imageReference": _image(subscription, pool)}}
    batch = {"maxBatchInstancePercent": max(5, min(100, surge * 100 // max(1, count + surge)))}
    properties = {"virtualMachineProfile": model, "upgradePolicy": {"rollingUpgradePolicy": batch}}
    extra = surge if count else 0
    yield from _wait(
        writing.update(subscription, scale_set, {"sku": {"capacity": count + extra}, "properties": properties})
    )
    added = scale_set.live[count:]
    yield from _wait(rolling.request(subscription, scale_set, rolling.ROLL))
    if added:
        action = "virtualMachineScaleSets/delete/action"
        yield from _wait(acting.delete_machines(subscription, scale_set, added, action=action))


def _surge(text: str, count: int) -> int:
    if text.endswith("%"):
        return max(1, math.ceil(count * int(text[:-1]) / 100))
    return max(1, int(text))


def upgrade_image(subscription: Subscription, cluster: ManagedCluster, pool: AgentPool) -> Operation | None:
    """Bring the nodes to the newest image of their version. None where they have it."""
    check_free(subscription, cluster, pool)
    if pool.node_image == subscription.aks.node_image:
        return None
    return _begin(
        subscription,
        cluster,
        pool,
        action=IMAGE,
        state="UpgradingNodeImageVersion",
        work=lambda: _upgraded(subscription, pool),
    )


def delete_machines(
    subscription: Subscription, cluster: ManagedCluster, pool: AgentPool, names: list[str]
) -> Operation:
    """Delete named nodes, and lower the count. Raises ArmError where one is none of the pool's."""
    check_free(subscription, cluster, pool)
    by_name = {str(m.properties["osProfile"]["computerName"]): m for m in pool.running}
    if missing := [name for name in names if name not in by_name]:
        raise ArmError("InvalidParameter", f"Machines {', '.join(missing)} are not in agent pool '{pool.name}'.")

    def work() -> Work:
        assert pool.scale_set is not None
        doomed = [by_name[name] for name in names if not by_name[name].deleting]
        action = "virtualMachineScaleSets/delete/action"
        if doomed:
            yield from _wait(acting.delete_machines(subscription, pool.scale_set, doomed, action=action))
        pool.properties["count"] = pool.count

    operation = _begin(subscription, cluster, pool, action=MACHINES, state="Scaling", work=work)
    operation.answers_nothing = True
    return operation


def autoscale(subscription: Subscription, pool: AgentPool, count: int) -> None:
    """Do as the cluster autoscaler would: another count within the limits, with no client's request."""
    assert pool.scale_set is not None
    assert pool.properties.get("enableAutoScaling"), f"agent pool '{pool.name}' has no autoscaler"
    pool.properties["count"] = _target({**pool.properties, "count": count})
    writing.update(subscription, pool.scale_set, {"sku": {"capacity": pool.properties["count"]}})


def delete(subscription: Subscription, cluster: ManagedCluster, pool: AgentPool) -> Operation:
    """Delete a pool with its scale set. Raises ArmError for the last system pool."""
    check_free(subscription, cluster, pool)
    if pool.system:
        _check_last(cluster, pool)
    return remove(subscription, cluster, pool)


def remove(subscription: Subscription, cluster: ManagedCluster, pool: AgentPool) -> Operation:
    """Delete a pool, be it the last one."""

    def work() -> Work:
        if pool.scale_set is not None:
            yield from _wait(acting.delete(subscription, pool.scale_set))

    operation = _begin(subscription, cluster, pool, action=DELETE, state="Deleting", work=work)
    operation.answers_nothing = True
    before = operation.on_end

    def end(ended: Operation) -> None:
        before(ended)
        if ended.outcome is Outcome.SUCCEEDED:
            cluster.pools.pop(pool.name, None)

    operation.on_end = end
    return operation


def check_free(subscription: Subscription, cluster: ManagedCluster, pool: AgentPool | None) -> None:
    """Raises ArmError (409) while another operation goes on, on the pool or on the whole cluster."""
    busy = subscription.world.operations.pending
    if busy(cluster.id):
        raise in_progress(cluster.state)
    if pool is not None and busy(cluster.pool_id(pool)):
        raise in_progress(f"{pool.name} - {pool.state}")


def in_progress(what: str) -> ArmError:
    """How AKS says that it does one thing at a time."""
    return ArmError(
        "OperationNotAllowed",
        f"Operation is not allowed: Another operation ({what}) is in progress, please wait for it to finish before "
        "starting a new operation.",
    )


def _check_last(cluster: ManagedCluster, pool: AgentPool) -> None:
    if not any(other.system and other is not pool for other in cluster.pools.values()):
        raise ArmError(
            "OperationNotAllowed", "There has to be at least one system agent pool.", status=400, target="mode"
        )
