"""When there is boot data, from what, and when it changes: decided without a server."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from typing import Any

import pytest

from capipool.api.builtin import Secret
from capipool.api.core import Cluster
from capipool.client import kubeconfig
from capipool.machinery import objects
from capipool.machinery.objects import ObjectMeta
from capipool.providers.aws.eks import boot_world
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.boot_world import Keep, Wait, World
from capipool.providers.aws.eks.rendering import nodeadm, script
from tests.unit.aws.eks.boots import Parts, cloud_config

REFERENCE = {"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "AWSManagedControlPlane", "name": "p"}
MARKS = {"capipool.io/eks-service-cidr": "10.100.0.0/16", "capipool.io/eks-certificate-authority": "YQ=="}
DONE = {"infrastructureProvisioned": True, "controlPlaneInitialized": True}


def cluster(*, reference: Any = REFERENCE, network: Any = None, **initialization: bool) -> Cluster:
    raw = {
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "Cluster",
        "metadata": {"name": "demo", "namespace": "default"},
        "spec": {"controlPlaneRef": reference} | ({"clusterNetwork": network} if network else {}),
        "status": {"initialization": initialization or DONE},
    }
    return objects.from_raw(Cluster, raw)


def plane(host: str = "https://x.eks", port: int = 443, marks: Any = MARKS, name: str = "prod") -> Any:
    raw = {
        "apiVersion": AWSManagedControlPlane.RESOURCE.api_version,
        "kind": "AWSManagedControlPlane",
        "metadata": {"name": "p", "namespace": "default", "annotations": marks},
        "spec": {"eksClusterName": name, "controlPlaneEndpoint": {"host": host, "port": port}},
    }
    return objects.from_raw(AWSManagedControlPlane, raw)


def secret(name: str, data: dict[str, bytes], **annotations: str) -> Secret:
    return objects.new(Secret, metadata=ObjectMeta(name=name, annotations=annotations), data=data)


def world(**changes: Any) -> World:
    made = World(name="n", spec={}, pool=True, cluster=cluster(), control_plane=plane())
    return dataclasses.replace(made, **changes)


def decided(**changes: Any) -> Wait | Keep:
    return boot_world.decide(world(**changes), nodeadm.render)


def node_cluster(**changes: Any) -> Any:
    plan = decided(**changes)
    assert isinstance(plan, Keep)
    assert plan.value is not None
    return Parts(plan.value).node_config["cluster"]


def data_secret(value: bytes) -> Secret:
    return secret("n", {"value": value}, **{"capipool.io/bootstrap-digest": hashlib.sha256(value).hexdigest()})


@pytest.mark.parametrize(
    ("changes", "reason", "severity"),
    [
        ({"cluster": cluster(reference=None)}, "DataSecretGenerationFailed", "Error"),
        ({"cluster": cluster(reference={**REFERENCE, "kind": "Other"})}, "DataSecretGenerationFailed", "Error"),
        ({"cluster": cluster(infrastructureProvisioned=False)}, "WaitingForClusterInfrastructure", "Info"),
        ({"cluster": cluster(infrastructureProvisioned=True)}, "WaitingForControlPlaneInitialization", "Info"),
        ({"control_plane": None}, "WaitingForControlPlaneInitialization", "Info"),
        ({"control_plane": plane(host="")}, "DataSecretGenerationFailed", "Warning"),
        ({"control_plane": plane(marks={})}, "DataSecretGenerationFailed", "Warning"),
    ],
)
def test_without_a_cluster_that_answers_there_is_no_data(changes: Any, reason: str, severity: str) -> None:
    plan = decided(**changes)
    assert isinstance(plan, Wait)
    assert (plan.reason, plan.severity) == (reason, severity)
    assert plan.message


def test_the_facts_are_those_of_the_eks_cluster() -> None:
    assert node_cluster() == {
        "name": "prod",
        "apiServerEndpoint": "https://x.eks",
        "certificateAuthority": "YQ==",
        "cidr": "10.100.0.0/16",
    }


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("https://x.eks", 443, "https://x.eks"),
        ("x.eks", 443, "https://x.eks"),
        ("x.eks", 6443, "https://x.eks:6443"),
    ],
)
def test_an_endpoint_becomes_a_url(host: str, port: int, url: str) -> None:
    assert node_cluster(control_plane=plane(host, port))["apiServerEndpoint"] == url


def test_a_control_plane_that_another_reads_is_known_by_its_kubeconfig() -> None:
    config = kubeconfig.build(server="https://x", ca=b"PEM", cluster="c", user="u", token="secret")
    those = {"demo-kubeconfig": secret("demo-kubeconfig", {"value": config})}
    network = {"services": {"cidrBlocks": ["10.1.0.0/16"]}}
    seen = node_cluster(control_plane=plane(marks={}), secrets=those, cluster=cluster(network=network))
    assert seen["certificateAuthority"] == base64.b64encode(b"PEM").decode()
    assert seen["cidr"] == "10.1.0.0/16"
    assert node_cluster(control_plane=plane(marks={}), secrets=those)["cidr"] == "172.20.0.0/16"
    assert boot_world.needs_kubeconfig(plane(marks={}))
    assert not boot_world.needs_kubeconfig(plane())


def test_data_that_is_there_is_not_written_again_and_other_data_is() -> None:
    plan = decided()
    assert isinstance(plan, Keep)
    assert plan.write
    assert plan.value is not None
    again = decided(data=data_secret(plan.value))
    assert isinstance(again, Keep)
    assert not again.write
    changed = decided(data=data_secret(plan.value), spec={"preNodeadmCommands": ["true"]})
    assert isinstance(changed, Keep)
    assert changed.write
    other_name = decided(data=data_secret(plan.value), control_plane=plane(name="other"))
    assert isinstance(other_name, Keep)
    assert other_name.write
    without_digest = decided(data=secret("n", {"value": plan.value}))
    assert isinstance(without_digest, Keep)
    assert without_digest.write


def test_what_a_single_machine_was_given_is_never_changed() -> None:
    plan = decided(pool=False, data=data_secret(b"older"), cluster=cluster(infrastructureProvisioned=False))
    assert plan == Keep(None)
    assert isinstance(decided(pool=False, data=secret("n", {})), Keep)
    first = decided(pool=False)
    assert isinstance(first, Keep)
    assert first.write


SPEC = {
    "files": [{"path": "/x", "contentFrom": {"secret": {"name": "s", "key": "k"}}}],
    "users": [{"name": "a", "passwdFrom": {"secret": {"name": "t", "key": "k"}}}],
}


def test_content_comes_out_of_secrets() -> None:
    those = {"s": secret("s", {"k": b"file"}), "t": secret("t", {"k": b"hash"})}
    plan = boot_world.decide(world(spec=SPEC, secrets=those), script.render)
    assert isinstance(plan, Keep)
    assert plan.value is not None
    made = cloud_config(plan.value)
    assert made["write_files"] == [{"path": "/x", "content": "file"}]
    assert made["users"] == [{"name": "a", "passwd": "hash"}]
    assert boot_world.secret_names(SPEC) == {"s", "t"}
    assert b"file" not in repr(plan).encode()


@pytest.mark.parametrize(
    ("those", "message"),
    [
        ({}, "spec.files[0].contentFrom: secret s does not exist"),
        ({"s": secret("s", {})}, "spec.files[0].contentFrom: secret s has no key k"),
        ({"s": secret("s", {"k": b""})}, "spec.users[0].passwdFrom: secret t does not exist"),
    ],
)
def test_a_secret_that_is_missing_is_named(those: Any, message: str) -> None:
    plan = decided(spec=SPEC, secrets=those)
    assert isinstance(plan, Wait)
    assert plan.message == message
