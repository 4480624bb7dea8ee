"""Each instance as an AzureMachinePoolMachine, so that Cluster API makes a Machine of it. Pure.

Always: upstream names that kind in the status of every pool. Names, labels and conditions are upstream's.
"""

from __future__ import annotations

from typing import Any, ClassVar

from capipool.machinery.objects import Raw
from capipool.providers.azure import ids
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.api.machinepoolmachine import AzureMachinePoolMachine
from capipool.providers.azure.pools.place import is_flexible
from capipool.sdk import Instance, InstanceState, InstanceView, Pool
from capipool.sdk.conditions import ERROR, INFO, WARNING, condition, merged
from capipool.workload import nodes

POOL_LABEL = "azuremachinepool.infrastructure.cluster.x-k8s.io/machine-pool"
_LONGEST = 63
"""Characters that a label's key or value may have; longer names are found by other labels."""
_STATES = {
    InstanceState.PENDING: "Creating",
    InstanceState.RUNNING: "Succeeded",
    InstanceState.FAILED: "Failed",
    InstanceState.TERMINATING: "Deleting",
}


class Described:
    """What `sdk.DescribesMachines` asks of the provider."""

    machine_kind: ClassVar[type[Any]] = AzureMachinePoolMachine
    machine_finalizer: ClassVar[str] = "azuremachinepoolmachine.infrastructure.cluster.x-k8s.io"

    def wants_machines(self, pool: Pool[AzureMachinePool]) -> bool:
        """Always."""
        return True

    def machine_name(self, pool: Pool[AzureMachinePool], instance: Instance) -> str:
        """The pool's name, and the last part of the instance's ID."""
        return f"{pool.object.metadata.name}-{ids.last(instance.provider_id).replace('_', '-')}".lower()

    def machine(self, pool: Pool[AzureMachinePool], instance: Instance) -> Raw:
        """Which instance it is."""
        cluster, name = pool.cluster.metadata.name, pool.object.metadata.name
        labels = {cluster: "owned"} if len(cluster) <= _LONGEST else {}
        if len(name) <= _LONGEST:
            labels[POOL_LABEL] = name
        spec = {"providerID": instance.provider_id}
        if not is_flexible(pool.object):
            spec["instanceID"] = ids.last(instance.provider_id)
        return {"metadata": {"labels": labels}, "spec": spec}

    def machine_status(self, pool: Pool[AzureMachinePool], view: InstanceView) -> Raw:
        """By the contract of v1beta1: `ready` is that of the node."""
        node, instance = view.node, view.instance
        ready = node is not None and nodes.is_ready(node) and instance.state is InstanceState.RUNNING
        made: Raw = {
            "provisioningState": _STATES[instance.state],
            "instanceName": instance.name,
            "latestModelApplied": not view.outdated,
            "ready": ready,
            "conditions": merged(view.object.status.conditions, conditions(view), view.now),
        }
        if node is not None:
            made["nodeRef"] = {"apiVersion": "v1", "kind": "Node", "name": node.metadata.name, "uid": node.metadata.uid}
            made["version"] = node.status.node_info.kubelet_version or None
        return made


def conditions(view: InstanceView) -> list[Raw]:
    """Upstream's two, and their sum."""
    boot, health = _bootstrapped(view), _node(view)
    worst = next((c for c in (boot, health) if c["status"] != "True"), None)
    if worst is None:
        return [condition("Ready", True), boot, health]
    return [{**worst, "type": "Ready"}, boot, health]


def _bootstrapped(view: InstanceView) -> Raw:
    if view.instance.state is InstanceState.FAILED:
        said = view.instance.message
        return condition("BootstrapSucceeded", False, reason="BootstrapFailed", message=said, severity=ERROR)
    return condition("BootstrapSucceeded", view.node is not None, reason="BootstrapInProgress", severity=INFO)


def _node(view: InstanceView) -> Raw:
    if view.node is None:
        return condition("NodeHealthy", False, reason="NodeProvisioning", severity=INFO)
    found = nodes.ready_condition(view.node)
    said = found.message if found is not None else ""
    healthy = nodes.is_ready(view.node)
    return condition("NodeHealthy", healthy, reason="NodeConditionsFailed", message=said, severity=WARNING)
