"""The lock that lets one machine of a cluster run `kubeadm init`: a ConfigMap of upstream's name and form. Pure."""

from __future__ import annotations

from capipool.api.builtin import ConfigMap
from capipool.api.core import Cluster
from capipool.machinery import codec, errors, objects
from capipool.machinery.objects import ObjectMeta

_KEY = "lock-information"


def name(cluster: Cluster) -> str:
    """The name of the lock, in the cluster's namespace."""
    return f"{cluster.metadata.name}-lock"


def holder(lock: ConfigMap) -> str:
    """The name of the Machine that holds it; empty where that cannot be read."""
    try:
        content = codec.decode_json_object(lock.data.get(_KEY, "{}"))
    except errors.BadRequest:
        return ""
    return str(content.get("machineName") or "")


def held_by(cluster: Cluster, machine: str) -> ConfigMap:
    """The lock as a machine takes it. It goes with its Cluster; once there is a control plane nobody asks for it."""
    owner = objects.owner_reference(cluster)
    return objects.new(
        ConfigMap,
        metadata=ObjectMeta(name=name(cluster), namespace=cluster.metadata.namespace, owner_references=(owner,)),
        data={_KEY: codec.encode_json({"machineName": machine}).decode()},
    )
