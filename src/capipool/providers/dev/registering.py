"""What a simulated kubelet writes: its Node, its Lease, the state of its pods. Pure."""

from __future__ import annotations

import datetime as dt

import msgspec

from capipool.api.builtin import (
    Lease,
    LeaseSpec,
    Node,
    NodeAddress,
    NodeCondition,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
    Pod,
)
from capipool.machinery import clock, objects
from capipool.machinery.objects import ObjectMeta, Raw
from capipool.providers.dev.api.cloud import DevInstance
from capipool.workload import nodes

PREFIX = "dev:////"
"""Begins every provider ID of this cloud."""
REGION = "dev"


def is_ours(node: Node) -> bool:
    """Whether a node runs on an instance of this cloud."""
    return node.spec.provider_id.startswith(PREFIX)


def node(instance: DevInstance, now: dt.datetime) -> Node:
    """The Node of an instance, ready from the start."""
    name, spec = instance.metadata.name, instance.spec
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": "dev",
        "topology.kubernetes.io/region": REGION,
        "topology.kubernetes.io/zone": spec.zone,
    }
    return objects.new(
        Node,
        metadata=ObjectMeta(name=name, labels=labels | spec.labels),
        spec=NodeSpec(provider_id=spec.provider_id, taints=spec.taints),
        status=NodeStatus(
            conditions=(ready("", now),),
            addresses=(NodeAddress(type="InternalIP", address=spec.address), NodeAddress(type="Hostname", address=name))
            if spec.address
            else (NodeAddress(type="Hostname", address=name),),
            node_info=NodeSystemInfo(
                machine_id=name,
                system_uuid=instance.metadata.uid,
                boot_id=instance.metadata.uid,
                kubelet_version=spec.version,
                kube_proxy_version=spec.version,
                container_runtime_version="simulated://1",
                os_image="simulated",
                operating_system="linux",
                architecture="amd64",
            ),
        ),
    )


def ready(order: str, now: dt.datetime) -> NodeCondition:
    """The Ready condition of a node: as ordered, or ready where nothing is."""
    moment = clock.to_seconds(now)
    match order:
        case "not-ready":
            status, reason, message = "False", "KubeletNotReady", "the kubelet was ordered to be not ready"
        case "silent":
            status, reason, message = "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."
        case _:
            status, reason, message = "True", "KubeletReady", "the kubelet is posting ready status"
    return NodeCondition(type="Ready", status=status, reason=reason, message=message, last_transition_time=moment)


def says(node: Node, wanted: NodeCondition) -> bool:
    """Whether the node's Ready condition has this status."""
    condition = nodes.ready_condition(node)
    return condition is not None and condition.status == wanted.status


def conditions(node: Node, wanted: NodeCondition) -> list[Raw]:
    """The node's conditions with another Ready."""
    kept = [c for c in node.status.conditions if c.type != wanted.type]
    return [msgspec.to_builtins(c) for c in (*kept, wanted)]


def lease(instance: DevInstance, now: dt.datetime) -> Lease:
    """The Lease of a kubelet."""
    name = instance.metadata.name
    return objects.new(
        Lease,
        metadata=ObjectMeta(name=name, namespace="kube-node-lease"),
        spec=LeaseSpec(
            holder_identity=name,
            lease_duration_seconds=instance.spec.lease_seconds,
            renew_time=clock.format_micro_time(now),
        ),
    )


def running(pod: Pod, now: dt.datetime) -> Raw:
    """The status of a pod that runs and is ready."""
    since = clock.format_time(now)
    made = [
        {"type": kind, "status": "True", "lastTransitionTime": since}
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    return {"phase": "Running", "conditions": made, "startTime": since}
