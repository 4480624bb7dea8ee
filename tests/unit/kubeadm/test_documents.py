"""kubeadm's documents in the API version that fits, and which version that is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from capipool.providers.kubeadm import inputs, versions
from capipool.providers.kubeadm.rendering import documents
from capipool.providers.kubeadm.world import Owner, World
from tests.unit.kubeadm import worlds

TOKEN = "abcdef.0123456789abcdef"


@pytest.mark.parametrize(
    ("kubernetes", "kubeadm"),
    [
        ("v1.22.0", "v1beta3"),
        ("v1.30.9", "v1beta3"),
        ("1.31", "v1beta4"),
        ("v1.31.0-rc.1", "v1beta4"),
        ("v1.40.0+k3s1", "v1beta4"),
    ],
)
def test_the_kubeadm_api_follows_the_kubernetes_version(kubernetes: str, kubeadm: str) -> None:
    assert versions.kubeadm_api(versions.parse(kubernetes)) == kubeadm


@pytest.mark.parametrize("version", ["", "latest", "v1", "v1.21.14", "1.31.0x"])
def test_a_version_that_cannot_be_rendered_for_is_refused(version: str) -> None:
    with pytest.raises(versions.UnsupportedVersion):
        versions.kubeadm_api(versions.parse(version))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (40, "40s"), (300, "5m0s"), (3661, "1h1m1s"), (86400, "24h0m0s")]
)
def test_durations_are_written_as_go_writes_them(seconds: int, text: str) -> None:
    assert documents.duration(seconds) == text


def seen_at(version: str, spec: dict[str, Any], **changes: Any) -> World:
    return worlds.world(spec, owner=Owner.of_pool(worlds.pool(version=version)), **changes)


SPEC = {
    "joinConfiguration": {
        "nodeRegistration": {
            "name": "n",
            "kubeletExtraArgs": [{"name": "v", "value": "2"}, {"name": "max-pods", "value": "50"}],
            "imagePullSerial": False,
            "taints": [{"key": "gpu", "effect": "NoSchedule"}],
        },
        "patches": {"directory": "/patches"},
        "skipPhases": ["preflight"],
        "timeouts": {"tlsBootstrapSeconds": 90, "discoverySeconds": 30},
    }
}


def join(version: str, spec: dict[str, Any] = SPEC, **changes: Any) -> dict[str, Any]:
    (document,) = inputs.boot(seen_at(version, spec, **changes), "join", TOKEN).kubeadm.documents
    return document


def test_v1beta4_has_arguments_as_a_list_and_its_own_timeouts() -> None:
    document = join("v1.31.0")
    assert document["apiVersion"] == "kubeadm.k8s.io/v1beta4"
    assert (
        document["nodeRegistration"]["kubeletExtraArgs"]
        == SPEC["joinConfiguration"]["nodeRegistration"]["kubeletExtraArgs"]
    )
    assert document["nodeRegistration"]["imagePullSerial"] is False
    assert document["timeouts"] == {"tlsBootstrap": "1m30s", "discovery": "30s"}
    assert "timeout" not in document["discovery"]


def test_v1beta3_has_arguments_as_a_map_and_the_timeout_it_knows() -> None:
    document = join("v1.30.0")
    assert document["apiVersion"] == "kubeadm.k8s.io/v1beta3"
    assert document["nodeRegistration"]["kubeletExtraArgs"] == {"v": "2", "max-pods": "50"}
    assert "imagePullSerial" not in document["nodeRegistration"]
    assert document["discovery"]["timeout"] == "1m30s"
    assert "timeouts" not in document


def test_workers_join_tainted_until_their_labels_are_in_step() -> None:
    uninitialized = {"key": "node.cluster.x-k8s.io/uninitialized", "effect": "NoSchedule"}
    assert join("v1.34.0")["nodeRegistration"]["taints"] == [{"key": "gpu", "effect": "NoSchedule"}, uninitialized]
    assert join("v1.34.0", {})["nodeRegistration"]["taints"] == [uninitialized]
    given = {"joinConfiguration": {"nodeRegistration": {"taints": [uninitialized]}}}
    assert join("v1.34.0", given)["nodeRegistration"]["taints"] == [uninitialized]


def test_discovery_is_filled_in_from_the_cluster() -> None:
    discovery = join("v1.34.0", {})["discovery"]["bootstrapToken"]
    assert discovery["apiServerEndpoint"] == "api.example.com:6443"
    assert discovery["token"] == TOKEN
    (pin,) = discovery["caCertHashes"]
    assert pin.startswith("sha256:")
    assert len(pin) == len("sha256:") + 64


def test_discovery_that_is_given_is_kept() -> None:
    given = {"apiServerEndpoint": "other:443", "caCertHashes": ["sha256:00"], "unsafeSkipCAVerification": True}
    spec = {"joinConfiguration": {"discovery": {"bootstrapToken": given}}}
    assert join("v1.34.0", spec)["discovery"]["bootstrapToken"] == {**given, "token": TOKEN}


def test_without_an_endpoint_or_a_ca_of_its_own_the_kubeconfig_says_both() -> None:
    kubeconfig = worlds.world().secrets["c-kubeconfig"]
    cluster = worlds.cluster(controlPlaneEndpoint={})
    discovery = join("v1.34.0", {}, cluster=cluster, secrets={"c-kubeconfig": kubeconfig})["discovery"][
        "bootstrapToken"
    ]
    assert discovery["apiServerEndpoint"] == "10.0.0.7:8443"
    assert discovery["caCertHashes"] == join("v1.34.0", {})["discovery"]["bootstrapToken"]["caCertHashes"]


def test_without_any_ca_the_data_waits() -> None:
    with pytest.raises(inputs.CertificateMissing, match="c-ca"):
        join("v1.34.0", {}, secrets={})


def test_file_discovery_writes_its_kubeconfig_and_needs_no_token() -> None:
    file = {
        "kubeConfigPath": "/etc/discovery.conf",
        "kubeConfig": {"user": {"exec": {"command": "login", "env": [{"name": "A", "value": "b"}]}}},
    }
    seen = seen_at("v1.34.0", {"joinConfiguration": {"discovery": {"file": file}}})
    boot = inputs.boot(seen, "join", "")
    assert not inputs.needs_token(seen)
    assert boot.kubeadm.documents[0]["discovery"] == {"file": {"kubeConfigPath": "/etc/discovery.conf"}}
    written = next(f for f in boot.files if f.path == "/etc/discovery.conf")
    assert b"server: https://api.example.com:6443" in written.content
    assert b"interactiveMode: Never" in written.content
    assert b"certificate-authority-data" in written.content


def test_a_control_plane_section_on_a_worker_is_refused() -> None:
    with pytest.raises(inputs.CannotRender, match="controlPlane"):
        join("v1.34.0", {"joinConfiguration": {"controlPlane": {}}})


def control_plane(spec: dict[str, Any], version: str = "v1.34.1", **changes: Any) -> World:
    names = ("ca", "sa", "proxy", "etcd")
    secrets = {f"c-{name}": worlds.secret(f"c-{name}", worlds.ca()) for name in names}
    owner = Owner.of_machine(worlds.machine(control_plane=True, version=version))
    seen = worlds.world(spec, owner=owner, secrets=secrets)
    return msgspec.structs.replace(seen, **changes)


def test_the_first_control_plane_machine_gets_both_documents_and_all_certificates() -> None:
    network = {"pods": {"cidrBlocks": ["10.1.0.0/16"]}, "services": {"cidrBlocks": ["10.2.0.0/16", "fd00::/108"]}}
    spec = {
        "clusterConfiguration": {
            "apiServer": {"extraArgs": [{"name": "v", "value": "3"}], "certSANs": ["x"]},
            "certificateValidityPeriodDays": 90,
            "etcd": {"local": {"imageTag": "3.5"}},
        },
        "initConfiguration": {
            "bootstrapTokens": [{"token": TOKEN, "ttlSeconds": 60}],
            "timeouts": {"controlPlaneComponentHealthCheckSeconds": 240},
        },
    }
    boot = inputs.boot(control_plane(spec, cluster=worlds.cluster(clusterNetwork=network)), "init", "")
    cluster, init = boot.kubeadm.documents
    assert cluster["kind"] == "ClusterConfiguration"
    assert cluster["clusterName"] == "c"
    assert cluster["kubernetesVersion"] == "v1.34.1"
    assert cluster["controlPlaneEndpoint"] == "api.example.com:6443"
    assert cluster["networking"] == {"podSubnet": "10.1.0.0/16", "serviceSubnet": "10.2.0.0/16,fd00::/108"}
    assert cluster["certificateValidityPeriod"] == "2160h0m0s"
    assert cluster["etcd"]["local"] == {"dataDir": "/var/lib/etcd", "imageTag": "3.5"}
    assert init["bootstrapTokens"] == [{"token": TOKEN, "ttl": "1m0s"}]
    assert init["timeouts"] == {"controlPlaneComponentHealthCheck": "4m0s"}
    assert init["nodeRegistration"] == {"taints": None}
    assert {f.path: f.permissions for f in boot.files} == {
        f"/etc/kubernetes/pki/{name}": mode
        for stem, public in (("ca", "crt"), ("etcd/ca", "crt"), ("front-proxy-ca", "crt"), ("sa", "pub"))
        for name, mode in ((f"{stem}.{public}", "0640"), (f"{stem}.key", "0600"))
    }
    assert boot.kubeadm.command_line("/x") == "kubeadm init --config /x"


def test_v1beta3_keeps_the_health_check_with_the_api_server() -> None:
    spec = {
        "initConfiguration": {"timeouts": {"controlPlaneComponentHealthCheckSeconds": 240}},
        "clusterConfiguration": {"encryptionAlgorithm": "RSA-3072", "apiServer": {"extraEnvs": [{"name": "A"}]}},
    }
    cluster, init = inputs.boot(control_plane(spec, "v1.30.0"), "init", "").kubeadm.documents
    assert cluster["apiServer"] == {"timeoutForControlPlane": "4m0s"}
    assert "encryptionAlgorithm" not in cluster
    assert "timeouts" not in init


def test_a_joining_control_plane_machine_brings_certificates_and_no_taint_of_ours() -> None:
    boot = inputs.boot(control_plane({}), "join", TOKEN)
    (document,) = boot.kubeadm.documents
    assert document["controlPlane"] == {}
    assert document["nodeRegistration"] == {"taints": None}
    assert "/etc/kubernetes/pki/sa.key" in [f.path for f in boot.files]


def test_an_external_etcd_brings_its_own_certificates() -> None:
    external = {"endpoints": ["https://e:2379"], "caFile": "/e/ca.crt", "certFile": "/e/c.crt", "keyFile": "/e/c.key"}
    seen = control_plane({"clusterConfiguration": {"etcd": {"external": external}}})
    secrets = {**seen.secrets, "c-apiserver-etcd-client": worlds.secret("c-apiserver-etcd-client", worlds.ca())}
    boot = inputs.boot(msgspec.structs.replace(seen, secrets=secrets), "init", "")
    assert {"/e/ca.crt", "/e/c.crt", "/e/c.key"} <= {f.path for f in boot.files}
    assert boot.kubeadm.documents[0]["etcd"] == {"external": external}
