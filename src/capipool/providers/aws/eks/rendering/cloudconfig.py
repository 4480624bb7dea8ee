"""What cloud-init does beside joining, as the mapping of a cloud-config: files, users, time, disks, mounts."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.rendering.boot import Boot, File

HEADER = "#cloud-config\n"
_TEXT = re.compile("[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")
"""Text that YAML takes as it is; whatever else there is goes as base64."""


def config(boot: Boot) -> Raw:
    """Everything but commands; empty where nothing is asked for."""
    spec, disks = boot.spec, boot.spec.get("diskSetup") or {}
    made: Raw = {
        "write_files": [_file(file) for file in boot.files],
        "ntp": _pick(spec.get("ntp") or {}, "enabled", "servers"),
        "users": [_user(user) for user in boot.users],
        "disk_setup": {part["device"]: _partition(part) for part in disks.get("partitions") or ()},
        "fs_setup": [_filesystem(filesystem) for filesystem in disks.get("filesystems") or ()],
        "mounts": [list(mount) for mount in spec.get("mounts") or ()],
    }
    return {key: value for key, value in made.items() if value}


def _file(file: File) -> Raw:
    made: Raw = {"path": file.path}
    if file.owner:
        made["owner"] = file.owner
    if file.permissions:
        made["permissions"] = file.permissions
    if file.append:
        made["append"] = True
    return made | _content(file)


def _content(file: File) -> Raw:
    """The content as it came where it is text; raw bytes (of a secret, or gzip) as base64 of themselves."""
    if file.encoding in ("base64", "gzip+base64"):
        return {"encoding": file.encoding, "content": file.content.decode("ascii", "replace")}
    if not file.encoding and (text := _as_text(file.content)) is not None:
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
    renamed = {
        "homedir": "homeDir",
        "lock_passwd": "lockPassword",
        "primary_group": "primaryGroup",
        "ssh_authorized_keys": "sshAuthorizedKeys",
    }
    made = _pick(user, "name", "passwd", "gecos", "groups", "shell", "sudo", **renamed)
    # Days that an expired password still works; cloud-init takes text, and knows no other way to disable a user.
    return made | ({"inactive": "0"} if user.get("inactive") else {})


def _partition(partition: Mapping[str, Any]) -> Raw:
    return _pick(partition, "layout", "overwrite", table_type="tableType")


def _filesystem(filesystem: Mapping[str, Any]) -> Raw:
    made = _pick(filesystem, "label", "filesystem", "device", "overwrite", extra_opts="extraOpts")
    if partition := filesystem.get("partition"):
        # cloud-init takes the number of a partition as a number only.
        made["partition"] = int(partition) if partition.isdecimal() else partition
    return made


def _pick(source: Mapping[str, Any], *names: str, **renamed: str) -> Raw:
    """The fields that are set, under their own names or (`new="old"`) renamed."""
    pairs = [*((name, name) for name in names), *renamed.items()]
    return {new: source[old] for new, old in pairs if source.get(old) not in (None, "", [])}
