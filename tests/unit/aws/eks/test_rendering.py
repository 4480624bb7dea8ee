"""What nodes boot with: golden texts, and properties that hold for hostile values."""

from __future__ import annotations

import base64
import gzip
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capipool.providers.aws.eks.api.eksconfig import EKSConfigSpec
from capipool.providers.aws.eks.api.nodeadmconfig import NodeadmConfigSpec
from capipool.providers.aws.eks.rendering import mime, nodeadm, script, yaml
from capipool.providers.aws.eks.rendering.boot import Boot, File
from capipool.providers.aws.eks.rendering.mime import Part
from tests.unit.aws.eks.boots import CLUSTER, Parts, boot, cloud_config

GOLDEN = Path(__file__).parent / "golden"

WHOLE: dict[str, Any] = {
    "ntp": {"enabled": True, "servers": ["time.aws.com"]},
    "diskSetup": {
        "partitions": [{"device": "/dev/nvme1n1", "layout": True, "tableType": "gpt"}],
        "filesystems": [
            {"device": "/dev/nvme1n1", "filesystem": "xfs", "label": "data", "partition": "1", "extraOpts": ["-f"]}
        ],
    },
    "mounts": [["LABEL=data", "/var/lib/data", "xfs", "defaults"]],
}
FILES = (
    File(path="/etc/motd", content=b"hello\nworld\n", owner="root:root", permissions="0644"),
    File(path="/etc/key", content=b"\xff\x00", append=True),
)
USERS = ({"name": "ops", "sshAuthorizedKeys": ["ssh-ed25519 AAAA ops"], "sudo": "ALL=(ALL) NOPASSWD:ALL"},)
NODEADM = WHOLE | {
    "kubelet": {
        "config": {"maxPods": 58, "evictionHard": {"memory.available": "5%"}},
        "flags": ["--node-labels=pool=a,spot=no", "--v=2"],
    },
    "containerd": {"config": '[plugins."io.containerd.grpc.v1.cri"]\nenable_cdi = true\n'},
    "featureGates": {"InstanceIdNodeName": True},
    "preNodeadmCommands": ["sysctl -w vm.max_map_count=262144", 'echo "ready"'],
}
SCRIPT = WHOLE | {
    "kubeletExtraArgs": {"node-labels": "pool=a", "max-pods": "58"},
    "useMaxPods": False,
    "apiRetryAttempts": 5,
    "containerRuntime": "containerd",
    "pauseContainer": {"accountNumber": "602401143452", "version": "3.9"},
    "dnsClusterIP": "10.100.0.10",
    "preBootstrapCommands": ["sysctl -w vm.max_map_count=262144"],
    "postBootstrapCommands": ["systemctl status kubelet"],
}


@pytest.mark.parametrize(
    ("name", "rendered"),
    [
        ("nodeadm-bare", nodeadm.render(boot())),
        ("nodeadm-whole", nodeadm.render(boot(NODEADM, *FILES, users=USERS))),
        ("script-bare", script.render(boot())),
        ("script-whole", script.render(boot(SCRIPT, *FILES, users=USERS))),
    ],
)
def test_data_is_as_it_was(name: str, rendered: bytes) -> None:
    """A change here changes the machines of users: look at it, then write the file anew."""
    assert rendered.decode() == (GOLDEN / f"{name}.txt").read_text()


def test_a_node_config_says_where_the_cluster_is() -> None:
    parts = Parts(nodeadm.render(boot()))
    assert parts.node_config == {
        "cluster": {
            "name": "prod",
            "apiServerEndpoint": CLUSTER.endpoint,
            "certificateAuthority": CLUSTER.authority,
            "cidr": CLUSTER.service_cidr,
        }
    }
    assert [kind for kind, _ in parts.content] == ["application/node.eks.aws"]


def test_everything_of_the_spec_reaches_its_reader() -> None:
    parts = Parts(nodeadm.render(boot(NODEADM, *FILES, users=USERS)))
    assert parts.defects == []
    assert parts.node_config["kubelet"] == NODEADM["kubelet"]
    assert parts.node_config["containerd"] == NODEADM["containerd"]
    assert parts.node_config["featureGates"] == {"InstanceIdNodeName": True}
    lines = parts.of("text/x-shellscript").splitlines()
    assert lines[0] == "#!/bin/bash"
    assert lines[-2:] == NODEADM["preNodeadmCommands"]
    config = parts.cloud_config
    assert config["users"] == [
        {"name": "ops", "sudo": USERS[0]["sudo"], "ssh_authorized_keys": USERS[0]["sshAuthorizedKeys"]}
    ]
    assert config["fs_setup"][0]["partition"] == 1
    assert config["write_files"][1] == {
        "path": "/etc/key",
        "append": True,
        "encoding": "base64",
        "content": base64.b64encode(b"\xff\x00").decode(),
    }


def command(spec: dict[str, Any]) -> list[str]:
    return shlex.split(script.command(boot(spec)))


@pytest.mark.parametrize(
    ("spec", "arguments"),
    [
        ({}, []),
        ({"kubeletExtraArgs": {"b": "2", "a": "1"}}, ["--kubelet-extra-args", "--a=1 --b=2"]),
        ({"containerRuntime": "containerd"}, ["--container-runtime", "containerd"]),
        ({"serviceIPV6Cidr": "fd00::/108"}, ["--ip-family", "ipv6", "--service-ipv6-cidr", "fd00::/108"]),
        ({"useMaxPods": False}, ["--use-max-pods", "false"]),
        ({"useMaxPods": True}, ["--use-max-pods", "true"]),
        ({"apiRetryAttempts": 0}, ["--aws-api-retry-attempts", "0"]),
        (
            {"pauseContainer": {"accountNumber": "1", "version": "2"}},
            ["--pause-container-account", "1", "--pause-container-version", "2"],
        ),
        ({"dnsClusterIP": "10.0.0.10"}, ["--dns-cluster-ip", "10.0.0.10"]),
        ({"dockerConfigJson": '{"a": "b c"}'}, ["--docker-config-json", '{"a": "b c"}']),
    ],
)
def test_a_field_is_an_argument_of_the_boot_script(spec: dict[str, Any], arguments: list[str]) -> None:
    assert command(spec) == ["/etc/eks/bootstrap.sh", "prod", *arguments]


def test_an_override_stands_as_it_is() -> None:
    text = script.command(boot({"boostrapCommandOverride": "env A=1 /opt/boot.sh"}))
    assert text == "env A=1 /opt/boot.sh prod"


def test_commands_go_before_and_after() -> None:
    made = cloud_config(script.render(boot(SCRIPT)))
    assert made["runcmd"][0] == SCRIPT["preBootstrapCommands"][0]
    assert made["runcmd"][-1] == SCRIPT["postBootstrapCommands"][0]


@pytest.mark.parametrize("encoding", ["", "base64", "gzip", "gzip+base64"])
def test_a_file_arrives_as_its_encoding_says(encoding: str) -> None:
    plain = b"content\n"
    given_as = gzip.compress(plain) if "gzip" in encoding else plain
    given_as = base64.b64encode(given_as) if "base64" in encoding else given_as
    (made,) = cloud_config(script.render(boot(None, File(path="/x", content=given_as, encoding=encoding))))[
        "write_files"
    ]
    assert unpacked(made) == plain


def unpacked(entry: dict[str, Any]) -> bytes:
    """What cloud-init writes."""
    content = entry["content"].encode()
    encoding = entry.get("encoding", "")
    content = base64.b64decode(content) if "base64" in encoding else content
    return gzip.decompress(content) if "gzip" in encoding else content


FIELDS: dict[str, Any] = (
    NODEADM
    | SCRIPT
    | {
        "containerd": {"baseRuntimeSpec": {"process": {"rlimits": []}}},
        "boostrapCommandOverride": "/opt/boot.sh",
        "dockerConfigJson": "{}",
        "serviceIPV6Cidr": "fd00::/108",
    }
)


@pytest.mark.parametrize(
    ("render", "spec"), [(nodeadm.render, NodeadmConfigSpec), (script.render, EKSConfigSpec)], ids=["nodeadm", "script"]
)
def test_every_field_of_a_spec_makes_a_difference(render: Any, spec: Any) -> None:
    resolved = {"files": (File(path="/x", content=b"c"),), "users": ({"name": "a"},)}
    for field in msgspec.structs.fields(spec):
        name = field.encode_name
        made = (
            boot({name: FIELDS[name]}) if name in FIELDS else Boot(cluster=CLUSTER, spec={}, **{name: resolved[name]})
        )
        assert render(made) != render(boot()), name


# --- properties

HOSTILE = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
PLAIN = st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), min_size=1, max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | HOSTILE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HOSTILE, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(HOSTILE, VALUES, max_size=5))
def test_yaml_reads_back_and_is_plain_ascii(value: dict[str, Any]) -> None:
    import yaml as library

    text = yaml.document(value)
    assert text.isascii()
    assert library.safe_load(text) == value


@pytest.mark.parametrize(
    "text", ["1e3", "0o7", "0x1f", "yes", "Null", "~", "1_000", ".inf", "2026-01-01", "", "=", "<<"]
)
def test_text_that_some_reader_takes_for_something_else_is_quoted(text: str) -> None:
    assert yaml.document({"a": text}) == f'a: "{text}"\n'


@given(st.lists(HOSTILE, min_size=1, max_size=4))
def test_parts_read_back_whatever_is_in_them(contents: list[str]) -> None:
    data = mime.multipart([Part(type='text/x-shellscript; charset="utf-8"', content=text) for text in contents])
    assert data.isascii()
    assert [content.decode() for _, content in Parts(data).content] == contents


@given(PLAIN, HOSTILE, HOSTILE)
def test_no_value_breaks_out_of_its_part(flag: str, command_text: str, content: str) -> None:
    spec = {"kubelet": {"flags": [flag], "config": {"a": content}}, "preNodeadmCommands": [command_text]}
    parts = Parts(nodeadm.render(boot(spec, File(path="/x", content=content.encode()))))
    assert parts.node_config["kubelet"] == {"flags": [flag], "config": {"a": content}}
    assert parts.of("text/x-shellscript").endswith(f"set -o nounset\n{command_text}\n")
    assert unpacked(parts.cloud_config["write_files"][0]) == content.encode()


@given(st.dictionaries(PLAIN, HOSTILE, max_size=3), HOSTILE)
def test_no_value_breaks_out_of_its_word(extra: dict[str, str], docker: str) -> None:
    spec = {"kubeletExtraArgs": extra, "dockerConfigJson": docker, "dnsClusterIP": "$(reboot)"}
    words = shlex.split(cloud_config(script.render(boot(spec)))["runcmd"][0])
    expected = ["/etc/eks/bootstrap.sh", "prod"]
    if extra:
        expected += ["--kubelet-extra-args", " ".join(f"--{name}={extra[name]}" for name in sorted(extra))]
    expected += ["--dns-cluster-ip", "$(reboot)"]
    assert words == expected + (["--docker-config-json", docker] if docker else [])


@given(HOSTILE, HOSTILE)
def test_the_same_boot_is_the_same_bytes(one: str, other: str) -> None:
    def made(text: str) -> Boot:
        return boot({"preNodeadmCommands": [text]})

    assert nodeadm.render(made(one)) == nodeadm.render(made(one))
    assert (nodeadm.render(made(one)) == nodeadm.render(made(other))) == (one == other)


def test_a_boot_shows_nothing_that_may_be_secret() -> None:
    text = repr(boot({"users": "hash"}, File(path="/x", content=b"secret"), users=({"passwd": "hash"},)))
    assert "secret" not in text
    assert "hash" not in text
