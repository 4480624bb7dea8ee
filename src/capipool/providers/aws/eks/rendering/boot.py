"""What a node boots with, before it is written in any format. Built by `boot_inputs`, read by the renderers."""

from __future__ import annotations

from dataclasses import dataclass, field

from capipool.machinery.objects import Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What a node must know of its cluster."""

    name: str
    endpoint: str
    """The URL of the API server."""
    authority: str = field(repr=False)
    """Base64 of the PEM of the cluster's certificate authority."""
    service_cidr: str
    """The addresses of services: a node infers that of the cluster's DNS from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file to write. `encoding` says how the content that the user gave is encoded, not how to encode it."""

    path: str
    content: bytes = field(repr=False)
    owner: str = ""
    permissions: str = ""
    encoding: str = ""
    append: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """One node's first boot. Mappings have the shape of the fields of the same name; `spec` is the whole of it."""

    cluster: ClusterFacts
    spec: Raw = field(repr=False)
    files: tuple[File, ...] = ()
    users: tuple[Raw, ...] = field(default=(), repr=False)
