"""What a machine boots with, before it is written in any format. Built by `inputs`, read by the format renderers.

Everything a user referred to (secrets, templates, discovery) is resolved here already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from capipool.machinery.objects import Raw

Format = Literal["cloud-config", "ignition"]
FileEncoding = Literal["", "base64", "gzip", "gzip+base64"]

RUN_DIRECTORY = "/run/kubeadm"
SENTINEL = "/run/cluster-api/bootstrap-success.complete"
SENTINEL_COMMAND = f"echo success > {SENTINEL}"
"""Says that kubeadm succeeded, in a way that a shell on Linux and on Windows understands. Source: Cluster API's
bootstrap contract."""


class CannotRender(ValueError):
    """The configuration asks for something that this format, or capipool, cannot do. The message names the field."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file to write. `content` is what the user gave; `encoding` says how that is encoded, not how to encode it."""

    path: str
    content: bytes
    owner: str = ""
    permissions: str = ""
    encoding: FileEncoding = ""
    append: bool = False

    def __repr__(self) -> str:
        return f"File({self.path!r}, {len(self.content)} bytes)"


class Kubeadm(msgspec.Struct, frozen=True, kw_only=True):
    """Which kubeadm command the machine runs, on which documents."""

    command: Literal["init", "join"]
    documents: tuple[Raw, ...]
    verbosity: int | None = None

    @property
    def config_name(self) -> str:
        """The name of the configuration file."""
        return "kubeadm.yaml" if self.command == "init" else "kubeadm-join-config.yaml"

    def command_line(self, config_path: str) -> str:
        """The command without what follows its success."""
        verbosity = "" if self.verbosity is None else f" --v {self.verbosity}"
        return f"kubeadm {self.command} --config {config_path}{verbosity}"

    def __repr__(self) -> str:
        return f"Kubeadm({self.command!r})"


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """One machine's first boot. The mappings have the shape of the KubeadmConfig's fields of the same name."""

    kubeadm: Kubeadm
    files: tuple[File, ...] = ()
    users: tuple[Mapping[str, object], ...] = ()
    ntp: Raw = msgspec.field(default_factory=dict)
    disk_setup: Raw = msgspec.field(default_factory=dict)
    mounts: tuple[tuple[str, ...], ...] = ()
    boot_commands: tuple[str, ...] = ()
    pre_kubeadm_commands: tuple[str, ...] = ()
    post_kubeadm_commands: tuple[str, ...] = ()
    additional_config: str = ""
    """Ignition only: a Container Linux or Butane configuration to lay over what is rendered."""
    strict: bool = False
    """Ignition only: refuse keys of `additional_config` that are not known, instead of leaving them out."""

    def __repr__(self) -> str:
        return f"Boot({self.kubeadm!r}, {len(self.files)} files, {len(self.users)} users)"
