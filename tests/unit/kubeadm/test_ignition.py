"""The Ignition configuration: valid by the specification's structure, every byte of a user's text kept."""

from __future__ import annotations

import base64
import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capipool.providers.kubeadm import inputs
from capipool.providers.kubeadm.rendering import ignition
from capipool.providers.kubeadm.rendering.boot import Boot, CannotRender, File, Kubeadm
from tests.unit.kubeadm import strategies, worlds

TOKEN = "abcdef.0123456789abcdef"


def _closed(required: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": properties,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


TEXT, NUMBER, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
PATH = {"type": "string", "pattern": "^/"}
MODE = {"type": "integer", "minimum": 0, "maximum": 0o7777}
NAMED = _closed(name=TEXT, id=NUMBER)
RESOURCE = _closed(
    source={"type": "string", "pattern": "^(data:|https?://|s3://)"},
    compression={"enum": ["", "gzip"]},
    verification=_closed(hash=TEXT),
)
NODE = {"path": PATH, "overwrite": FLAG, "user": NAMED, "group": NAMED}
SPECIFICATION = _closed(
    "ignition",
    ignition=_closed("version", version={"const": "3.1.0"}),
    passwd=_closed(
        users=_list(
            _closed(
                "name",
                name=TEXT,
                passwordHash=TEXT,
                sshAuthorizedKeys=_list(TEXT),
                uid=NUMBER,
                gecos=TEXT,
                homeDir=TEXT,
                noCreateHome=FLAG,
                primaryGroup=TEXT,
                groups=_list(TEXT),
                noUserGroup=FLAG,
                noLogInit=FLAG,
                shell=TEXT,
                system=FLAG,
            )
        ),
        groups=_list(_closed("name", name=TEXT, gid=NUMBER, passwordHash=TEXT, system=FLAG)),
    ),
    storage=_closed(
        disks=_list(
            _closed(
                "device",
                device=TEXT,
                wipeTable=FLAG,
                partitions=_list(
                    _closed(
                        label=TEXT,
                        number=NUMBER,
                        sizeMiB=NUMBER,
                        startMiB=NUMBER,
                        typeGuid=TEXT,
                        guid=TEXT,
                        wipePartitionEntry=FLAG,
                        shouldExist=FLAG,
                    )
                ),
            )
        ),
        filesystems=_list(
            _closed(
                "device",
                device=TEXT,
                format={"enum": ["ext4", "btrfs", "xfs", "vfat", "swap"]},
                path=PATH,
                wipeFilesystem=FLAG,
                label=TEXT,
                uuid=TEXT,
                options=_list(TEXT),
                mountOptions=_list(TEXT),
            )
        ),
        files=_list(_closed("path", **NODE, mode=MODE, contents=RESOURCE, append=_list(RESOURCE))),
        directories=_list(_closed("path", **NODE, mode=MODE)),
        links=_list(_closed("path target", **NODE, target=TEXT, hard=FLAG)),
    ),
    systemd=_closed(
        units=_list(
            _closed(
                "name",
                name={"type": "string", "pattern": r"\.(service|mount|path|timer|socket|target)$"},
                enabled=FLAG,
                mask=FLAG,
                contents=TEXT,
                dropins=_list(_closed("name", name=TEXT, contents=TEXT)),
            )
        )
    ),
)
"""The facts of Ignition's configuration specification 3.1.0: which keys there are, and of which kind."""
VALIDATOR = jsonschema_rs.validator_for(SPECIFICATION)


def render(spec: dict[str, Any]) -> dict[str, Any]:
    rendered, _ = ignition.render(inputs.boot(worlds.world(spec), "join", TOKEN))
    config: dict[str, Any] = json.loads(rendered)
    return config


def contents(config: dict[str, Any], path: str) -> bytes:
    entry = next(f for f in config["storage"]["files"] if f["path"] == path)
    source = (entry.get("contents") or entry["append"][0])["source"]
    return base64.b64decode(source.removeprefix("data:;base64,"))


def for_ignition(spec: dict[str, Any]) -> dict[str, Any]:
    """A generated spec without what admission forbids with this format."""
    spec = {k: v for k, v in spec.items() if k != "bootCommands"}
    spec["users"] = [{**u, "inactive": False} for u in spec.get("users", ())]
    spec["mounts"] = [mount for mount in spec.get("mounts", ()) if len(mount) > 1]
    disks = spec.get("diskSetup", {})
    partitions = [p for p in disks.get("partitions", ()) if "layout" in p]
    return {**spec, "diskSetup": {"partitions": partitions, "filesystems": disks.get("filesystems", [])}}


@settings(max_examples=500, deadline=None)
@given(spec=strategies.specs)
def test_every_configuration_has_the_structure_of_the_specification(spec: dict[str, Any]) -> None:
    VALIDATOR.validate(render(for_ignition(spec)))


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=100), command=strategies.text)
def test_contents_and_commands_survive_to_the_byte(content: bytes, command: str) -> None:
    kubeadm = Kubeadm(command="join", documents=({"kind": "x"},))
    boot = Boot(kubeadm=kubeadm, files=(File(path="/a", content=content),), pre_kubeadm_commands=(command,))
    config = json.loads(ignition.render(boot)[0])
    assert contents(config, "/a") == content
    assert contents(config, ignition.SCRIPT).startswith(f"#!/bin/bash\nset -e\n{command}\n".encode())


def test_kubeadm_runs_once_and_leaves_the_sentinel() -> None:
    config = render({"postKubeadmCommands": ["after"]})
    script = contents(config, "/etc/kubeadm.sh").decode()
    assert script.splitlines()[3:] == [
        "kubeadm join --config /etc/kubeadm.yml",
        "mkdir -p /run/cluster-api && echo success > /run/cluster-api/bootstrap-success.complete",
        "mv /etc/kubeadm.yml /tmp/",
        "",
        "after",
    ]
    unit = next(u for u in config["systemd"]["units"] if u["name"] == "kubeadm.service")
    assert "ConditionPathExists=/etc/kubeadm.yml" in unit["contents"]


def test_files_keep_owner_mode_and_what_is_appended() -> None:
    config = render(
        {"files": [{"path": "/a", "content": "x", "owner": "root:adm", "permissions": "0640", "append": True}]}
    )
    (entry,) = [f for f in config["storage"]["files"] if f["path"] == "/a"]
    assert (entry["user"], entry["group"], entry["mode"]) == ({"name": "root"}, {"name": "adm"}, 0o640)
    assert contents(config, "/a") == b"x"
    assert "contents" not in entry


def test_mounts_become_units_named_as_systemd_names_them() -> None:
    disks = {"filesystems": [{"device": "/dev/sdb1", "filesystem": "ext4", "label": "data"}]}
    config = render({"diskSetup": disks, "mounts": [["data", "/var/lib/my-data", "noatime", "ro"]]})
    unit = config["systemd"]["units"][-1]
    assert unit["name"] == "var-lib-my\\x2ddata.mount"
    assert "What=/dev/sdb1\nWhere=/var/lib/my-data\nOptions=noatime,ro\n" in unit["contents"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"bootCommands": ["x"]}, "bootCommands"),
        ({"users": [{"name": "u", "inactive": True}]}, "users"),
        ({"files": [{"path": "/a", "permissions": "rw-r--r--"}]}, "permissions"),
        ({"files": [{"path": "/a", "encoding": "base64", "content": "%%%"}]}, "base64"),
        ({"diskSetup": {"partitions": [{"device": "d", "diskLayout": [{"percentage": 50}]}]}}, "diskLayout"),
        ({"mounts": [["only-one"]]}, "mounts"),
    ],
)
def test_what_ignition_has_no_words_for_is_refused_by_name(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(CannotRender, match=field):
        render(spec)


ADDITIONAL = """
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/kubeadm.sh
      mode: 0755
    - path: /etc/motd
      contents:
        inline: |
          héllo {{ x }}
systemd:
  units:
    - name: kubeadm.service
      dropins:
        - name: 10-override.conf
          contents: "[Service]\\nEnvironment=A=b\\n"
    - name: docker.service
      mask: true
passwd:
  users:
    - name: core
      ssh_authorized_keys: [ssh-ed25519 AAAA]
"""


def additional(text: str, *, strict: bool = False) -> dict[str, Any]:
    return {"ignition": {"containerLinuxConfig": {"additionalConfig": text, "strict": strict}}}


def test_additional_configuration_is_laid_over_what_is_rendered() -> None:
    config = render(additional(ADDITIONAL, strict=True))
    VALIDATOR.validate(config)
    script = next(f for f in config["storage"]["files"] if f["path"] == "/etc/kubeadm.sh")
    assert script["mode"] == 0o755
    assert contents(config, "/etc/kubeadm.sh").startswith(b"#!/bin/bash"), "its contents stay"
    assert contents(config, "/etc/motd") == "héllo {{ x }}\n".encode()
    unit = next(u for u in config["systemd"]["units"] if u["name"] == "kubeadm.service")
    assert unit["dropins"][0]["name"] == "10-override.conf"
    assert "ExecStart" in unit["contents"]
    assert config["passwd"]["users"] == [{"name": "core", "sshAuthorizedKeys": ["ssh-ed25519 AAAA"]}]


def test_unknown_keys_are_refused_where_strictness_is_asked_for_and_reported_otherwise() -> None:
    text = "etcd: {version: 3}\nstorage: {files: [{path: /a, colour: red}]}"
    with pytest.raises(CannotRender, match=r"etcd, storage.files\[0\].colour"):
        render(additional(text, strict=True))
    boot = inputs.boot(worlds.world(additional(text)), "join", TOKEN)
    assert ignition.render(boot)[1] == ("etcd", "storage.files[0].colour")


def test_an_ignition_configuration_is_taken_as_it_is() -> None:
    text = '{"ignition": {"version": "3.3.0"}, "storage": {"links": [{"path": "/l", "target": "/t"}]}}'
    config = render(additional(text))
    assert config["ignition"] == {"version": "3.1.0"}
    assert config["storage"]["links"] == [{"path": "/l", "target": "/t"}]


@pytest.mark.parametrize("text", ["[", "- a", "a: 1\n---\nb: 1", '{"ignition": {"version": "2.3.0"}}', "storage: x"])
def test_a_malformed_additional_configuration_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(CannotRender, match="additionalConfig"):
        render(additional(text))
