"""The bytes of the data secret: rendered in the wanted format, made to fit a cloud's limit, and their digest."""

from __future__ import annotations

import gzip
import hashlib

import msgspec

from capipool.providers.kubeadm.rendering import cloudinit, ignition
from capipool.providers.kubeadm.rendering.boot import Boot, Format

PLACEHOLDER_TOKEN = "000000.0000000000000000"
"""Stands for the token where the digest is taken."""


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine is given."""

    value: bytes
    left_out: tuple[str, ...] = ()
    """Keys of Ignition's additional configuration that are not known and were left out."""
    excess: int = 0
    """Bytes over the cloud's limit, compressed as the data may be; 0 where it fits."""

    def __repr__(self) -> str:
        return f"Data({len(self.value)} bytes)"


def render(boot: Boot, format_: Format, *, limit: int | None = None) -> Data:
    """The data. Over a cloud's limit it is compressed, which cloud-init undoes by itself; Ignition would not.

    Raises CannotRender.
    """
    left_out: tuple[str, ...] = ()
    if format_ == "ignition":
        value, left_out = ignition.render(boot)
    else:
        value = cloudinit.render(boot)
    if limit is None or len(value) <= limit:
        return Data(value=value, left_out=left_out)
    if format_ == "cloud-config":
        # No time in the header: the same configuration is the same bytes.
        value = gzip.compress(value, mtime=0)
    return Data(value=value, left_out=left_out, excess=max(0, len(value) - limit))


def digest(boot: Boot, format_: Format) -> str:
    """What changes when, and only when, the machine would boot differently. `boot` is made with the placeholder token.

    Taken before compression, so that a change of a limit is no change of machines.
    """
    return hashlib.sha256(render(boot, format_).value).hexdigest()
