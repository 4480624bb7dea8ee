"""kubeadm's own configuration documents, in the API version that the machine's kubeadm reads.

The KubeadmConfig's parts have the shape of kubeadm v1beta4 but for durations (seconds here, `5m0s` there) and validity
periods (days here); v1beta3 lacks some fields and has arguments as a map. What a version has no field for is left out,
as upstream does, since the same KubeadmConfig may serve machines of several versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.kubeadm.versions import KubeadmVersion

GROUP = "kubeadm.k8s.io"

_COMPONENTS = ("apiServer", "controllerManager", "scheduler")
_TIMEOUTS = {
    "controlPlaneComponentHealthCheckSeconds": "controlPlaneComponentHealthCheck",
    "kubeletHealthCheckSeconds": "kubeletHealthCheck",
    "kubernetesAPICallSeconds": "kubernetesAPICall",
    "etcdAPICallSeconds": "etcdAPICall",
    "tlsBootstrapSeconds": "tlsBootstrap",
    "discoverySeconds": "discovery",
}


def join_configuration(join: Mapping[str, Any], version: KubeadmVersion) -> Raw:
    """`kubeadm join`'s configuration. `join` is a KubeadmConfig's joinConfiguration, its discovery complete."""
    timeouts = join.get("timeouts") or {}
    discovery = _without(join.get("discovery") or {}, "file")
    if kubeconfig := (join.get("discovery") or {}).get("file"):
        discovery["file"] = {"kubeConfigPath": kubeconfig["kubeConfigPath"]}
    if version == "v1beta3" and "tlsBootstrapSeconds" in timeouts:
        discovery["timeout"] = duration(timeouts["tlsBootstrapSeconds"])
    document = _without(join, "nodeRegistration", "timeouts", "discovery")
    document |= {
        "nodeRegistration": _node_registration(join.get("nodeRegistration") or {}, version),
        "discovery": discovery,
    }
    if version == "v1beta4" and timeouts:
        document["timeouts"] = _timeouts(timeouts)
    return _head("JoinConfiguration", version) | document


def init_configuration(init: Mapping[str, Any], version: KubeadmVersion) -> Raw:
    """`kubeadm init`'s configuration of the node. `init` is a KubeadmConfig's initConfiguration."""
    document = _without(init, "nodeRegistration", "timeouts", "bootstrapTokens")
    document["nodeRegistration"] = _node_registration(init.get("nodeRegistration") or {}, version)
    if tokens := init.get("bootstrapTokens"):
        document["bootstrapTokens"] = [_bootstrap_token(token) for token in tokens]
    if version == "v1beta4" and (timeouts := init.get("timeouts")):
        document["timeouts"] = _timeouts(timeouts)
    return _head("InitConfiguration", version) | document


def cluster_configuration(
    cluster: Mapping[str, Any], version: KubeadmVersion, *, facts: Mapping[str, Any], health_check: int | None = None
) -> Raw:
    """`kubeadm init`'s configuration of the cluster.

    `facts` are the fields that come from the Cluster and the Machine: clusterName, kubernetesVersion,
    controlPlaneEndpoint (the KubeadmConfig's own wins) and networking. `health_check` is initConfiguration's
    controlPlaneComponentHealthCheckSeconds, which v1beta3 keeps here.
    """
    document = dict(facts) | _without(
        cluster, *_COMPONENTS, "etcd", "certificateValidityPeriodDays", "caCertificateValidityPeriodDays"
    )
    for component in _COMPONENTS:
        if part := cluster.get(component):
            document[component] = _component(part, version)
    if version == "v1beta3" and health_check is not None:
        document.setdefault("apiServer", {})["timeoutForControlPlane"] = duration(health_check)
    if etcd := cluster.get("etcd"):
        document["etcd"] = _etcd(etcd, version)
    if version == "v1beta3":
        document.pop("encryptionAlgorithm", None)
    else:
        for name in ("certificateValidityPeriod", "caCertificateValidityPeriod"):
            if days := cluster.get(f"{name}Days"):
                document[name] = duration(days * 24 * 3600)
    return _head("ClusterConfiguration", version) | document


def duration(seconds: int) -> str:
    """A duration as Go prints it: `1h30m0s`, `5m0s`, `40s`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _head(kind: str, version: KubeadmVersion) -> Raw:
    return {"apiVersion": f"{GROUP}/{version}", "kind": kind}


def _without(value: Mapping[str, Any], *names: str) -> Raw:
    return {k: v for k, v in value.items() if k not in names}


def _timeouts(timeouts: Mapping[str, int]) -> Raw:
    return {name: duration(timeouts[key]) for key, name in _TIMEOUTS.items() if key in timeouts}


def _node_registration(registration: Mapping[str, Any], version: KubeadmVersion) -> Raw:
    """NB: `taints` is always there: null lets kubeadm choose its default, an empty list means none."""
    result = _arguments(registration, "kubeletExtraArgs", version)
    if version == "v1beta3":
        result.pop("imagePullSerial", None)
    return result | {"taints": registration.get("taints")}


def _component(component: Mapping[str, Any], version: KubeadmVersion) -> Raw:
    result = _arguments(component, "extraArgs", version)
    if version == "v1beta3":
        result.pop("extraEnvs", None)
    return result


def _etcd(etcd: Mapping[str, Any], version: KubeadmVersion) -> Raw:
    result = dict(etcd)
    if local := etcd.get("local"):
        result["local"] = {"dataDir": "/var/lib/etcd"} | _component(local, version)
    return result


def _arguments(part: Mapping[str, Any], name: str, version: KubeadmVersion) -> Raw:
    """The part with its list of arguments as the version has it: v1beta3 knows each argument once, as a map."""
    arguments: Sequence[Mapping[str, str]] = part.get(name) or ()
    result = _without(part, name)
    if arguments:
        result[name] = (
            {a["name"]: a["value"] for a in arguments} if version == "v1beta3" else [dict(a) for a in arguments]
        )
    return result


def _bootstrap_token(token: Mapping[str, Any]) -> Raw:
    result = _without(token, "ttlSeconds")
    if (ttl := token.get("ttlSeconds")) is not None:
        result["ttl"] = duration(ttl)
    return result
