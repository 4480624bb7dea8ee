"""Worlds for `decide` and the renderer: a cluster that works, and one machine or pool of it."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

import msgspec

from capipool.api.builtin import Secret
from capipool.api.core import Cluster, Machine, MachinePool
from capipool.client import kubeconfig
from capipool.machinery import codec, objects
from capipool.machinery.objects import ObjectMeta
from capipool.providers.kubeadm import certificates
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig
from capipool.providers.kubeadm.certificates import Certificate
from capipool.providers.kubeadm.world import Owner, World

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CONFIG_UID = "6a8f1c1e-0000-4000-8000-000000000001"
ENDPOINT = {"host": "api.example.com", "port": 6443}


@cache
def ca() -> dict[str, bytes]:
    """One CA for all tests: making one takes a moment."""
    certificate = Certificate(suffix="ca", cert_path="", key_path="")
    return certificates.generate(certificate, now=NOW, algorithm="ECDSA-P256")


def secret(name: str, data: dict[str, bytes], **metadata: Any) -> Secret:
    return objects.new(Secret, metadata=ObjectMeta(name=name, namespace="default", **metadata), data=data)


def config(spec: dict[str, Any] | None = None, **metadata: Any) -> KubeadmConfig:
    return objects.from_raw(
        KubeadmConfig,
        {
            "apiVersion": KubeadmConfig.RESOURCE.api_version,
            "kind": "KubeadmConfig",
            "metadata": {"name": "workers", "namespace": "default", "uid": CONFIG_UID, "generation": 1, **metadata},
            "spec": spec or {},
        },
    )


def cluster(*, initialized: bool = True, provisioned: bool = True, **spec: Any) -> Cluster:
    raw = {
        "apiVersion": Cluster.RESOURCE.api_version,
        "kind": "Cluster",
        "metadata": {"name": "c", "namespace": "default", "uid": "cluster"},
        "spec": {"controlPlaneEndpoint": ENDPOINT, **spec},
        "status": {
            "initialization": {"infrastructureProvisioned": provisioned, "controlPlaneInitialized": initialized}
        },
    }
    return objects.from_raw(Cluster, raw)


def machine_spec(version: str = "v1.34.1", **more: Any) -> dict[str, Any]:
    return {
        "clusterName": "c",
        "version": version,
        "bootstrap": {
            "configRef": {"apiGroup": "bootstrap.cluster.x-k8s.io", "kind": "KubeadmConfig", "name": "workers"},
            **more,
        },
        "infrastructureRef": {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "DevMachinePool", "name": "w"},
    }


def pool(*, nodes: int = 0, version: str = "v1.34.1", **bootstrap: Any) -> MachinePool:
    raw = {
        "apiVersion": MachinePool.RESOURCE.api_version,
        "kind": "MachinePool",
        "metadata": {"name": "workers", "namespace": "default", "uid": "pool"},
        "spec": {"clusterName": "c", "template": {"spec": machine_spec(version, **bootstrap)}},
        "status": {"nodeRefs": [{"name": f"node-{i}"} for i in range(nodes)]},
    }
    return objects.from_raw(MachinePool, raw)


def machine(*, joined: bool = False, control_plane: bool = False, version: str = "v1.34.1") -> Machine:
    labels = {"cluster.x-k8s.io/control-plane": ""} if control_plane else {}
    raw = {
        "apiVersion": Machine.RESOURCE.api_version,
        "kind": "Machine",
        "metadata": {"name": "m", "namespace": "default", "uid": "machine", "labels": labels},
        "spec": machine_spec(version),
        "status": {"nodeRef": {"name": "node"}} if joined else {},
    }
    return objects.from_raw(Machine, raw)


def world(spec: dict[str, Any] | None = None, **changes: Any) -> World:
    """A pool without nodes yet, in a cluster that is there and connected, seen for the first time."""
    return msgspec.structs.replace(_world(), **{"config": config(spec), **changes})


@cache
def _world() -> World:
    return World(
        config=config(),
        now=NOW,
        owner=Owner.of_pool(pool()),
        cluster=cluster(),
        secrets={"c-ca": secret("c-ca", ca()), "c-kubeconfig": secret("c-kubeconfig", {"value": kubeconfig_of("c")})},
        connected=True,
    )


def kubeconfig_of(name: str, server: str = "https://10.0.0.7:8443/some/path") -> bytes:
    made = kubeconfig.build(server=server, ca=ca()["tls.crt"], cluster=name, user="admin", token="t")
    return made if isinstance(made, bytes) else codec.encode_yaml(made).encode()
