"""`status.versions`: how many machines run which Kubernetes version. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import NamedTuple

from capipool.api.builtin import Node
from capipool.api.core import Machine
from capipool.api.shared import StatusVersion

MOST = 100
"""What the API takes."""

_SEMVER = re.compile(
    r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)


class Counted(NamedTuple):
    """Machines of one version; `since` is the oldest of them, which orders builds of the same version."""

    version: str
    replicas: int
    since: dt.datetime | None = None


def aggregate(counted: Iterable[Counted]) -> tuple[StatusVersion, ...]:
    """Sum by version: semantic versions in their order, those with the same precedence by age, then other texts."""
    sums: dict[str, int] = {}
    since: dict[str, dt.datetime] = {}
    for version, replicas, moment in counted:
        if not version:
            continue
        sums[version] = sums.get(version, 0) + replicas
        if moment is not None:
            since[version] = min(moment, since.get(version, moment))
    ordered = sorted(sums, key=lambda v: (_order(v), since.get(v, _LATEST), v))
    return tuple(StatusVersion(version=v, replicas=sums[v]) for v in ordered[:MOST])


def of_nodes(nodes: Iterable[Node]) -> tuple[StatusVersion, ...]:
    """The versions of kubelets."""
    return aggregate(Counted(n.status.node_info.kubelet_version, 1, n.metadata.creation_timestamp) for n in nodes)


def of_machines(machines: Iterable[Machine]) -> tuple[StatusVersion, ...]:
    """The versions of machines: the kubelet's where it has joined, else the one that is wanted."""
    return aggregate(Counted(_version(m), 1, m.metadata.creation_timestamp) for m in machines)


def _version(machine: Machine) -> str:
    info = machine.status.node_info
    return (info.kubelet_version if info is not None else "") or machine.spec.version


_LATEST = dt.datetime.max.replace(tzinfo=dt.UTC)


def _order(version: str) -> tuple[object, ...]:
    """Sort key by semantic versioning's precedence; what is no version comes after all that are."""
    found = _SEMVER.fullmatch(version)
    if found is None:
        return (1, 0, 0, 0, 1, (), version)
    major, minor, patch, pre = found.groups()
    return (0, int(major), int(minor), int(patch), pre is None, _prerelease(pre or ""), "")


def _prerelease(text: str) -> tuple[tuple[int, int, str], ...]:
    """Numbers before words, numbers by value, words by text."""
    parts = text.split(".") if text else []
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts)
