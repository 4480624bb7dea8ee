"""A machine's first boot as a cloud-config (`#cloud-config`) that cloud-init reads."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.kubeadm.rendering import jinja, yaml
from capipool.providers.kubeadm.rendering.boot import RUN_DIRECTORY, SENTINEL_COMMAND, Boot, File

_HEADER = "#cloud-config\n"
_JINJA_HEADER = "## template: jinja\n"

_PLACEHOLDER = "The directory of this file is where the success of kubeadm is recorded. It is made by a file, because\n\
that works on Linux and on Windows alike."

_TEXT = re.compile("[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")
"""Text that people can read in the rendered data; whatever else there is goes as base64."""

_PARTITION_TYPES: dict[str, dict[str, int | str]] = {
    "mbr": {
        "Linux": 83,
        "LinuxSwap": 82,
        "LinuxExtended": 85,
        "LinuxRAID": "fd",
        "LVM": "8e",
        "Fat32": "0c",
        "NTFS": "07",
    },
    "gpt": {
        "Linux": 83,
        "LinuxSwap": 82,
        "LinuxExtended": 83,
        "LinuxRAID": "fd",
        "LVM": "8e",
        "Fat32": "07",
        "NTFS": "07",
    },
}
"""What sfdisk (mbr) and sgdisk (gpt, where cloud-init fills up to four digits) call a type. A GUID passes as it is."""


def render(boot: Boot) -> bytes:
    """The whole cloud-config. Jinja is asked for only where a text of the user needs it: see `jinja`."""
    config = _config(boot)
    documents = list(boot.kubeadm.documents)
    templated = jinja.any_template(config) or jinja.any_template(documents)
    if templated:
        config, documents = jinja.protect_all(config), jinja.protect_all(documents)
    config["write_files"].append(_kubeadm_file(boot, documents, templated))
    return ((_JINJA_HEADER if templated else "") + _HEADER + yaml.document(config)).encode()


def _config(boot: Boot) -> Raw:
    config: Raw = {"write_files": [_sentinel_directory(), *map(_file, boot.files)]}
    if boot.boot_commands:
        config["bootcmd"] = list(boot.boot_commands)
    config["runcmd"] = [*boot.pre_kubeadm_commands, _kubeadm_command(boot), *boot.post_kubeadm_commands]
    if boot.ntp:
        config["ntp"] = _pick(boot.ntp, "enabled", "servers")
    if boot.users:
        config["users"] = [_user(user) for user in boot.users]
    if partitions := boot.disk_setup.get("partitions"):
        config["disk_setup"] = {partition["device"]: _partition(partition) for partition in partitions}
    if filesystems := boot.disk_setup.get("filesystems"):
        config["fs_setup"] = [_filesystem(filesystem) for filesystem in filesystems]
    if boot.mounts:
        config["mounts"] = [list(mount) for mount in boot.mounts]
    return config


def _kubeadm_file(boot: Boot, documents: Iterable[Raw], templated: bool) -> Raw:
    text = "".join(f"---\n{yaml.document(document)}" for document in documents)
    return {
        "path": f"{RUN_DIRECTORY}/{boot.kubeadm.config_name}",
        "owner": "root:root",
        "permissions": "0640",
        "content": yaml.Template(text) if templated else text,
    }


def _kubeadm_command(boot: Boot) -> str:
    config_path = f"{RUN_DIRECTORY}/{boot.kubeadm.config_name}"
    return f"{boot.kubeadm.command_line(config_path)} && {SENTINEL_COMMAND}"


def _sentinel_directory() -> Raw:
    return {
        "path": "/run/cluster-api/placeholder",
        "owner": "root:root",
        "permissions": "0640",
        "content": f"{_PLACEHOLDER}\n",
    }


def _file(file: File) -> Raw:
    entry: Raw = {"path": file.path}
    if file.owner:
        entry["owner"] = file.owner
    if file.permissions:
        entry["permissions"] = file.permissions
    if file.append:
        entry["append"] = True
    return entry | _content(file)


def _content(file: File) -> Raw:
    """The content as it came where it is text; raw bytes (of a secret, or gzip) as base64 of themselves."""
    if file.encoding in ("base64", "gzip+base64"):
        return {"encoding": file.encoding, "content": file.content.decode("ascii", "replace")}
    text = _as_text(file.content) if not file.encoding else None
    if text is not None:
        return {"content": text}
    encoding = "gzip+base64" if file.encoding == "gzip" else "base64"
    return {"encoding": encoding, "content": base64.b64encode(file.content).decode()}


def _as_text(content: bytes) -> str | None:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if _TEXT.fullmatch(text) else None


def _user(user: Mapping[str, Any]) -> Raw:
    entry = {
        "name": user["name"],
        "passwd": user.get("passwd"),
        "gecos": user.get("gecos"),
        "groups": user.get("groups"),
        "homedir": user.get("homeDir"),
        # Days that an expired password still works; cloud-init takes text, and knows no other way to disable a user.
        "inactive": "0" if user.get("inactive") else None,
        "lock_passwd": user.get("lockPassword"),
        "shell": user.get("shell"),
        "primary_group": user.get("primaryGroup"),
        "sudo": user.get("sudo"),
        "ssh_authorized_keys": list(user.get("sshAuthorizedKeys") or ()) or None,
    }
    return {key: value for key, value in entry.items() if value is not None}


def _partition(partition: Mapping[str, Any]) -> Raw:
    types = _PARTITION_TYPES[partition.get("tableType") or "mbr"]
    layout: Any = partition.get("layout", False)
    if disk_layout := partition.get("diskLayout"):
        layout = [_share(part, types) for part in disk_layout]
    return _pick(partition, table_type="tableType") | {"layout": layout} | _pick(partition, "overwrite")


def _share(part: Mapping[str, Any], types: Mapping[str, int | str]) -> int | list[int | str]:
    percentage: int = part["percentage"]
    name = part.get("partitionType")
    return percentage if name is None else [percentage, types.get(name, name)]


def _filesystem(filesystem: Mapping[str, Any]) -> Raw:
    entry = _pick(filesystem, "label", "filesystem", "device", "overwrite", replace_fs="replaceFS")
    if extra := filesystem.get("extraOpts"):
        entry["extra_opts"] = list(extra)
    if partition := filesystem.get("partition"):
        # cloud-init takes the number of a partition as a number only.
        entry["partition"] = int(partition) if partition.isdecimal() else partition
    return entry


def _pick(source: Mapping[str, Any], *names: str, **renamed: str) -> Raw:
    """The fields that are set, under their own names or (`new="old"`) renamed."""
    pairs = [(name, name) for name in names] + list(renamed.items())
    return {new: source[old] for new, old in pairs if source.get(old) is not None}
