"""What a node's first boot does beside joining: files, users, disks, time; and the status that tells of it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from capipool.api.shared import V1Beta1Condition
from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int64, Limits

GROUP = "bootstrap.cluster.x-k8s.io"


class SecretKey(Model):
    """One key of a secret in the same namespace."""

    key: str
    name: str


class SecretSource(Model):
    """Content that lies in a secret."""

    secret: SecretKey


class File(Model):
    """A file to write. Its content is given here or taken from a secret."""

    path: str
    append: bool | None = None
    content: str = ""
    content_from: SecretSource | None = None
    encoding: Annotated[str, Limits(enum=("base64", "gzip", "gzip+base64"))] = ""
    owner: str = ""
    permissions: str = ""


class User(Model):
    """A user of the machine. The password's hash is given here or taken from a secret."""

    name: str
    gecos: str = ""
    groups: str = ""
    home_dir: str = ""
    inactive: bool | None = None
    lock_password: bool | None = None
    passwd: str = ""
    passwd_from: SecretSource | None = None
    primary_group: str = ""
    shell: str = ""
    ssh_authorized_keys: tuple[str, ...] = ()
    sudo: str = ""


class NTP(Model):
    """Time servers."""

    enabled: bool | None = None
    servers: tuple[str, ...] = ()


class Filesystem(Model):
    """A filesystem to make."""

    device: str
    filesystem: str
    label: str
    extra_opts: tuple[str, ...] = ()
    overwrite: bool | None = None
    partition: str = ""


class Partition(Model):
    """How one disk is partitioned: as one, or not at all."""

    device: str
    layout: bool
    overwrite: bool | None = None
    table_type: str = ""


class DiskSetup(Model):
    """How disks are partitioned and formatted."""

    filesystems: tuple[Filesystem, ...] = ()
    partitions: tuple[Partition, ...] = ()


class BootStatus(Model):
    """What is observed of boot data, by the contract of v1beta1."""

    conditions: tuple[V1Beta1Condition, ...] = ()
    data_secret_name: str = ""
    failure_message: str = ""
    failure_reason: str = ""
    observed_generation: Int64 | None = None
    ready: bool | None = None


class Initialization(Model):
    """What happened once, by the contract of v1beta2."""

    data_secret_created: bool | None = None


Files = tuple[File, ...]
Mounts = tuple[tuple[str, ...], ...]
"""Each a line of fstab, field by field."""


class Booting(Model):
    """What both kinds of configuration have."""

    disk_setup: DiskSetup | None = None
    files: Files = ()
    mounts: Mounts = ()
    ntp: NTP | None = msgspec.field(default=None, name="ntp")
    users: tuple[User, ...] = ()
