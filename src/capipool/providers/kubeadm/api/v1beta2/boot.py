"""What a machine's first boot does beside kubeadm: files, users, disks, time."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import (
    Str253,
    Str256,
    Str512,
    Str2048,
    Str10240,
)
from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int32, Limits
from capipool.providers.kubeadm.api.limits import ONE_LAYOUT, PartitionType


class SecretKey(Model):
    """One key of a secret in the same namespace."""

    key: Str256
    name: Str253


class SecretSource(Model):
    """Content that lies in a secret."""

    secret: SecretKey


class File(Model):
    """A file to write before kubeadm runs. Its content is given here or taken from a secret."""

    path: Str512
    append: bool | None = None
    content: Str10240 = ""
    content_format: Annotated[str, Limits(enum=("Raw", "Template"))] = ""
    content_from: SecretSource | None = None
    encoding: Annotated[str, Limits(enum=("base64", "gzip", "gzip+base64"))] = ""
    owner: Str256 = ""
    permissions: Annotated[str, Limits(min_length=1, max_length=16)] = ""


class User(Model):
    """A user of the machine. The password hash is given here or taken from a secret."""

    name: Str256
    gecos: Str256 = ""
    groups: Str256 = ""
    home_dir: Str256 = ""
    inactive: bool | None = None
    lock_password: bool | None = None
    passwd: Str256 = ""
    passwd_from: SecretSource | None = None
    primary_group: Str256 = ""
    shell: Str256 = ""
    ssh_authorized_keys: Annotated[tuple[Str2048, ...], Limits(max_items=100, list_type="atomic")] = ()
    sudo: Str256 = ""


class NTP(Model):
    """Time servers."""

    LIMITS: ClassVar = Limits(min_properties=1)

    enabled: bool | None = None
    servers: Annotated[tuple[Str512, ...], Limits(max_items=100, list_type="atomic")] = ()


class Filesystem(Model):
    """A filesystem to make."""

    device: Str256
    filesystem: Annotated[str, Limits(min_length=1, max_length=128)]
    extra_opts: Annotated[tuple[Str256, ...], Limits(max_items=100, list_type="atomic")] = ()
    label: Str512 = ""
    overwrite: bool | None = None
    partition: Annotated[str, Limits(min_length=1, max_length=128)] = ""
    replace_fs: Annotated[str, Limits(min_length=1, max_length=128)] = msgspec.field(default="", name="replaceFS")


class PartitionSpec(Model):
    """One partition's share of its disk, in percent."""

    percentage: Annotated[Int32, Limits(minimum=1, maximum=100)]
    partition_type: PartitionType = ""


class Partition(Model):
    """How one disk is partitioned: by `layout` or by `disk_layout`."""

    LIMITS: ClassVar = Limits(rules=(ONE_LAYOUT,))

    device: Str256
    disk_layout: Annotated[tuple[PartitionSpec, ...], Limits(min_items=1, max_items=100, list_type="atomic")] = ()
    layout: bool | None = None
    overwrite: bool | None = None
    table_type: Annotated[str, Limits(enum=("mbr", "gpt"))] = ""


class DiskSetup(Model):
    """How disks are partitioned and formatted before kubeadm runs."""

    LIMITS: ClassVar = Limits(min_properties=1)

    filesystems: Annotated[tuple[Filesystem, ...], Limits(max_items=100, list_type="atomic")] = ()
    partitions: Annotated[tuple[Partition, ...], Limits(max_items=100, list_type="atomic")] = ()


class ContainerLinuxConfig(Model):
    """Configuration laid over what is rendered."""

    LIMITS: ClassVar = Limits(min_properties=1)

    additional_config: Annotated[str, Limits(min_length=1, max_length=32768)] = ""
    strict: bool | None = None


class Ignition(Model):
    """Settings of the Ignition format."""

    LIMITS: ClassVar = Limits(min_properties=1)

    container_linux_config: ContainerLinuxConfig = ContainerLinuxConfig()
