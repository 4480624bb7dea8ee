"""The cloud-config: what cloud-init itself makes of it, and that no byte of a user's text is altered on the way."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capipool.providers.kubeadm import inputs
from capipool.providers.kubeadm.rendering import cloudinit, jinja
from capipool.providers.kubeadm.rendering.boot import Boot, File, Kubeadm
from tests.unit.kubeadm import strategies, worlds
from tests.unit.kubeadm.cloud_init import CloudInit

TOKEN = "abcdef.0123456789abcdef"
INSTANCE = {"ds": {"meta_data": {"local_hostname": "node-7", "local-hostname": "node-7"}}, "v1": {"region": "eu"}}
MANY = settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def render(spec: dict[str, Any]) -> str:
    return cloudinit.render(inputs.boot(worlds.world(spec), "join", TOKEN)).decode()


def plain_file(config: dict[str, Any], path: str) -> bytes:
    """The bytes that cloud-init writes to a path (the last entry wins, as there)."""
    entry = [f for f in config["write_files"] if f["path"] == path][-1]
    content: str = entry.get("content", "")
    return base64.b64decode(content) if entry.get("encoding") == "base64" else content.encode()


@MANY
@given(spec=strategies.specs)
def test_cloud_init_accepts_whatever_a_user_may_write(cloud_init: CloudInit, spec: dict[str, Any]) -> None:
    cloud_init.read(render(spec), INSTANCE)


@MANY
@given(content=strategies.text, command=strategies.text, name=strategies.text)
def test_contents_commands_and_names_survive_to_the_byte(
    cloud_init: CloudInit, content: str, command: str, name: str
) -> None:
    """Beside a template, too, which has cloud-init evaluate the whole document as Jinja."""
    for text in (content, command, name):
        if jinja.is_template(text):
            return
    spec = {
        "files": [{"path": "/a", "content": content}, {"path": "/b", "content": "{{ ds.meta_data.local_hostname }}"}],
        "preKubeadmCommands": [command],
        "joinConfiguration": {"nodeRegistration": {"name": name}},
    }
    for templated in (True, False):
        config = cloud_init.read(render(spec if templated else {**spec, "files": spec["files"][:1]}), INSTANCE)
        assert plain_file(config, "/a") == content.encode()
        assert config["runcmd"][0] == command
        join = yaml.safe_load(plain_file(config, "/run/kubeadm/kubeadm-join-config.yaml"))
        assert join["nodeRegistration"]["name"] == name


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=200))
def test_bytes_of_a_secret_survive(cloud_init: CloudInit, content: bytes) -> None:
    boot = Boot(kubeadm=Kubeadm(command="join", documents=({"kind": "x"},)), files=(File(path="/a", content=content),))
    config = cloud_init.read(cloudinit.render(boot).decode())
    assert plain_file(config, "/a") == content


@pytest.mark.parametrize(
    ("text", "evaluated"),
    [
        ("{{ ds.meta_data.local_hostname }}", "node-7"),
        ("{{ ds.meta_data['local-hostname'] }}", "node-7"),
        ('{{ ds.meta_data["local-hostname"] }}', "node-7"),
        ("a-{{ v1.region }}-${#x}", "a-eu-${#x}"),
        ('{% if v1.region == "eu" %}yes{% endif %}', "yes"),
        ('{% if v1.region == "eu" %}\n  yes\n{% endif %}\n', "\n  yes\n"),
        ("{% raw %}{{ .Id }}{% endraw %}", "{{ .Id }}"),
        ("docker ps --format '{{.Names}}'", "docker ps --format '{{.Names}}'"),
        ("echo ${#array[@]}", "echo ${#array[@]}"),
        ("{{ dsl }} {{ printf }}", "{{ dsl }} {{ printf }}"),
    ],
)
def test_only_what_names_instance_data_is_a_template(cloud_init: CloudInit, text: str, evaluated: str) -> None:
    spec = {"joinConfiguration": {"nodeRegistration": {"name": text}}, "preKubeadmCommands": [text]}
    config = cloud_init.read(render(spec), INSTANCE)
    assert config["runcmd"][0] == evaluated
    join = yaml.safe_load(plain_file(config, "/run/kubeadm/kubeadm-join-config.yaml"))
    assert join["nodeRegistration"]["name"] == evaluated


def test_jinja_is_asked_for_only_where_something_is_a_template() -> None:
    assert render({}).startswith("#cloud-config\n")
    assert render({"preKubeadmCommands": ["echo {{ v1.region }}"]}).startswith("## template: jinja\n#cloud-config\n")


def test_success_leaves_a_sentinel_that_providers_look_for() -> None:
    config = yaml.safe_load(render({"verbosity": 5, "preKubeadmCommands": ["a"], "postKubeadmCommands": ["b"]}))
    assert config["runcmd"] == [
        "a",
        "kubeadm join --config /run/kubeadm/kubeadm-join-config.yaml --v 5"
        " && echo success > /run/cluster-api/bootstrap-success.complete",
        "b",
    ]
    assert "/run/cluster-api/placeholder" in [f["path"] for f in config["write_files"]]


@pytest.mark.parametrize(
    ("encoding", "content", "written"),
    [
        ("base64", b"aGVsbG8=", {"encoding": "base64", "content": "aGVsbG8="}),
        ("gzip+base64", b"H4sI", {"encoding": "gzip+base64", "content": "H4sI"}),
        ("gzip", b"\x1f\x8b", {"encoding": "gzip+base64", "content": "H4s="}),
        ("", b"text\n", {"content": "text\n"}),
        ("", b"\xff", {"encoding": "base64", "content": "/w=="}),
    ],
)
def test_encoded_content_keeps_its_encoding(encoding: Any, content: bytes, written: dict[str, str]) -> None:
    boot = Boot(
        kubeadm=Kubeadm(command="join", documents=()),
        files=(File(path="/a", content=content, encoding=encoding),),
    )
    config = yaml.safe_load(cloudinit.render(boot))
    assert next(f for f in config["write_files"] if f["path"] == "/a") == {"path": "/a", **written}


@pytest.mark.parametrize(
    ("table", "type_", "code"),
    [
        ("mbr", "Linux", 83),
        ("mbr", "LVM", "8e"),
        ("mbr", "LinuxExtended", 85),
        ("gpt", "LinuxRAID", "fd"),
        ("gpt", "NTFS", "07"),
        ("gpt", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"),
    ],
)
def test_partition_types_are_named_as_the_tools_name_them(table: str, type_: str, code: Any) -> None:
    layout = [{"percentage": 40, "partitionType": type_}, {"percentage": 60}]
    spec = {"diskSetup": {"partitions": [{"device": "/dev/sdb", "tableType": table, "diskLayout": layout}]}}
    config = yaml.safe_load(render(spec))
    assert config["disk_setup"] == {"/dev/sdb": {"table_type": table, "layout": [[40, code], 60]}}


def test_the_command_itself_accepts_the_data(tmp_path: Path, cloud_init: CloudInit) -> None:
    """The real `cloud-init schema`, once: the worker stands for it elsewhere."""
    file = tmp_path / "config.yaml"
    file.write_text(
        render({"files": [{"path": "/a", "content": "x"}], "users": [{"name": "u"}], "mounts": [["a", "/b"]]})
    )
    done = subprocess.run(
        ["cloud-init", "schema", "--config-file", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
