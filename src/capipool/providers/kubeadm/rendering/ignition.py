"""A machine's first boot as an Ignition configuration (specification 3), for Flatcar, Fedora CoreOS and the like.

Ignition runs once, before the system starts, and runs no commands: kubeadm is a systemd unit here, with a script that
the configuration writes. The unit runs until kubeadm succeeded once: the script moves the configuration file away.

Source: Ignition's configuration specification 3.1, the oldest with all that is used; newer Ignitions read it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

from capipool.machinery import codec
from capipool.machinery.objects import Raw
from capipool.providers.kubeadm.rendering import butane, yaml
from capipool.providers.kubeadm.rendering.boot import SENTINEL, Boot, CannotRender, File

VERSION = "3.1.0"
CONFIG = "/etc/kubeadm.yml"
SCRIPT = "/etc/kubeadm.sh"


def render(boot: Boot) -> tuple[bytes, tuple[str, ...]]:
    """The configuration as JSON, and the keys of the additional configuration that are not known and were left out.

    Raises CannotRender for what Ignition has no words for.
    """
    _refuse(boot)
    config: Raw = {
        "ignition": {"version": VERSION},
        "storage": {"files": [_kubeadm_config(boot), _script(boot), *_user_files(boot), *_ntp_files(boot)]},
        "systemd": {"units": [_unit(), *_ntp_units(boot), *_mount_units(boot)]},
    }
    if boot.users:
        config["passwd"] = {"users": [_user(user) for user in boot.users]}
    if disks := [_disk(partition) for partition in boot.disk_setup.get("partitions") or ()]:
        config["storage"]["disks"] = disks
    if filesystems := [_filesystem(fs) for fs in boot.disk_setup.get("filesystems") or ()]:
        config["storage"]["filesystems"] = filesystems
    unknown: tuple[str, ...] = ()
    if boot.additional_config:
        additional, unknown = butane.translate(boot.additional_config, strict=boot.strict)
        config = butane.merge(config, additional)
    return codec.encode_json(config), unknown


def _refuse(boot: Boot) -> None:
    """What admission refuses too; a template's spec may reach here without having passed it."""
    if boot.boot_commands:
        raise CannotRender("spec.bootCommands: Ignition runs no commands before the system starts")
    if any(user.get("inactive") for user in boot.users):
        raise CannotRender("spec.users[].inactive: Ignition cannot disable a user")


def data_url(content: bytes) -> str:
    """Content as Ignition takes it inline, safe for every byte."""
    return f"data:;base64,{base64.b64encode(content).decode()}"


def _contents(content: bytes, *, gzip: bool = False) -> Raw:
    contents: Raw = {"source": data_url(content)}
    return contents | {"compression": "gzip"} if gzip else contents


def _written(path: str, content: str, mode: int) -> Raw:
    return {"path": path, "mode": mode, "overwrite": True, "contents": _contents(content.encode())}


def _kubeadm_config(boot: Boot) -> Raw:
    text = "".join(f"---\n{yaml.document(document)}" for document in boot.kubeadm.documents)
    return _written(CONFIG, text, 0o600)


def _script(boot: Boot) -> Raw:
    """NB: moving the configuration away is what keeps the unit from running kubeadm again at the next boot."""
    lines = [
        "#!/bin/bash",
        "set -e",
        *boot.pre_kubeadm_commands,
        "",
        boot.kubeadm.command_line(CONFIG),
        f"mkdir -p {SENTINEL.rpartition('/')[0]} && echo success > {SENTINEL}",
        f"mv {CONFIG} /tmp/",
        "",
        *boot.post_kubeadm_commands,
    ]
    return _written(SCRIPT, "".join(f"{line}\n" for line in lines), 0o700)


def _unit() -> Raw:
    contents = f"""\
[Unit]
Description=Join this machine to its cluster
ConditionPathExists={CONFIG}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={SCRIPT}

[Install]
WantedBy=multi-user.target
"""
    return {"name": "kubeadm.service", "enabled": True, "contents": contents}


def _user_files(boot: Boot) -> list[Raw]:
    files = [_file(file) for file in boot.files]
    for user in boot.users:
        if sudo := user.get("sudo"):
            files.append(_written(f"/etc/sudoers.d/{user['name']}", f"{user['name']} {sudo}\n", 0o600))
    if names := [str(user["name"]) for user in boot.users if user.get("lockPassword") is False]:
        text = f"Match User {','.join(names)}\n  PasswordAuthentication yes\n"
        files.append(_written("/etc/ssh/sshd_config.d/50-password-users.conf", text, 0o600))
    return files


def _file(file: File) -> Raw:
    entry: Raw = {"path": file.path}
    if file.permissions:
        entry["mode"] = _mode(file)
    user, _, group = file.owner.partition(":")
    if user.strip():
        entry["user"] = {"name": user.strip()}
    if group.strip():
        entry["group"] = {"name": group.strip()}
    contents = _contents(_decoded(file), gzip=file.encoding.startswith("gzip"))
    return entry | ({"append": [contents]} if file.append else {"overwrite": True, "contents": contents})


def _mode(file: File) -> int:
    try:
        return int(file.permissions.removeprefix("0o"), 8)
    except ValueError:
        raise CannotRender(f"the permissions of file {file.path} are no octal number: {file.permissions!r}") from None


def _decoded(file: File) -> bytes:
    """What the data URL carries: the content without its base64, but as it is compressed."""
    if "base64" not in file.encoding:
        return file.content
    try:
        return base64.b64decode(b"".join(file.content.split()), validate=True)
    except ValueError:
        raise CannotRender(f"the content of file {file.path} is not valid base64") from None


def _user(user: Mapping[str, Any]) -> Raw:
    entry = {
        "name": user["name"],
        "passwordHash": user.get("passwd"),
        "gecos": user.get("gecos"),
        "groups": _groups(user.get("groups")),
        "homeDir": user.get("homeDir"),
        "shell": user.get("shell"),
        "primaryGroup": user.get("primaryGroup"),
        "sshAuthorizedKeys": list(user.get("sshAuthorizedKeys") or ()) or None,
    }
    return {key: value for key, value in entry.items() if value is not None}


def _groups(groups: str | None) -> list[str] | None:
    names = [name.strip() for name in (groups or "").split(",")]
    return [name for name in names if name] or None


def _ntp_units(boot: Boot) -> list[Raw]:
    return [{"name": "ntpd.service", "enabled": True}] if boot.ntp.get("enabled") else []


def _ntp_files(boot: Boot) -> list[Raw]:
    servers: Iterable[str] = boot.ntp.get("servers") or ()
    if not boot.ntp.get("enabled") or not servers:
        return []
    lines = [f"server {server}" for server in servers]
    lines += ["restrict default nomodify nopeer noquery notrap limited kod", "restrict 127.0.0.1", "restrict [::1]"]
    return [_written("/etc/ntp.conf", "".join(f"{line}\n" for line in lines), 0o644)]


def _disk(partition: Mapping[str, Any]) -> Raw:
    disk: Raw = {"device": partition["device"]}
    if partition.get("overwrite") is not None:
        disk["wipeTable"] = partition["overwrite"]
    if partition.get("diskLayout"):
        # Ignition sizes partitions in MiB and cannot know the disk's size; only the last one may take the rest.
        raise CannotRender("spec.diskSetup.partitions[].diskLayout: Ignition has no sizes in percent")
    if partition.get("layout"):
        disk["partitions"] = [{"number": 1}]
    return disk


def _filesystem(filesystem: Mapping[str, Any]) -> Raw:
    entry: Raw = {"device": filesystem["device"], "format": filesystem["filesystem"]}
    if filesystem.get("overwrite") is not None:
        entry["wipeFilesystem"] = filesystem["overwrite"]
    if label := filesystem.get("label"):
        entry["label"] = label
    if options := filesystem.get("extraOpts"):
        entry["options"] = list(options)
    return entry


def _mount_units(boot: Boot) -> list[Raw]:
    devices = {fs.get("label"): fs["device"] for fs in boot.disk_setup.get("filesystems") or ()}
    return [_mount_unit(mount, devices) for mount in boot.mounts]


def _mount_unit(mount: tuple[str, ...], devices: Mapping[str | None, str]) -> Raw:
    if len(mount) < 2:
        raise CannotRender("spec.mounts[]: a mount needs a device or label, and a mount point")
    what, where, *options = mount
    lines = ["[Unit]", f"Description=Mount {what}", "", "[Mount]", f"What={devices.get(what, what)}", f"Where={where}"]
    if options:
        lines.append(f"Options={','.join(options)}")
    lines += ["", "[Install]", "WantedBy=multi-user.target"]
    return {"name": f"{unit_name(where)}.mount", "enabled": True, "contents": "".join(f"{line}\n" for line in lines)}


_UNIT_SAFE = re.compile(r"[A-Za-z0-9:_.]")


def unit_name(path: str) -> str:
    """A path as systemd names its unit (`systemd-escape --path`): slashes to dashes, the rest escaped."""
    parts = [part for part in path.split("/") if part]
    if not parts:
        return "-"
    escaped = "-".join("".join(_escape(char) for char in part) for part in parts)
    return f"\\x2e{escaped[1:]}" if escaped.startswith(".") else escaped


def _escape(char: str) -> str:
    return char if _UNIT_SAFE.fullmatch(char) else "".join(f"\\x{byte:02x}" for byte in char.encode())
