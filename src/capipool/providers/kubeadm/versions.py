"""Which kubeadm API a Kubernetes version speaks. Pure; used by the renderer and by the reconciler's refusals."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

KubeadmVersion = Literal["v1beta3", "v1beta4"]

_SEMVER = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+][0-9A-Za-z.+_-]*)?")
OLDEST = (1, 22)
"""The first release whose kubeadm reads v1beta3. Source: Kubernetes' kubeadm-config reference."""
FIRST_V1BETA4 = (1, 31)


class UnsupportedVersion(ValueError):
    """The Kubernetes version is missing, malformed or too old to render for. The owner's spec must change."""


class KubernetesVersion(NamedTuple):
    """The part of a version that decides formats; pre-release and build do not."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"


def parse(text: str) -> KubernetesVersion:
    """Read `v1.31.2`, `1.31` or `v1.31.2+build`. Raises UnsupportedVersion."""
    if not text:
        raise UnsupportedVersion("the Kubernetes version is not set")
    match = _SEMVER.fullmatch(text.strip())
    if match is None:
        raise UnsupportedVersion(f"{text!r} is not a Kubernetes version")
    major, minor, patch = match.groups()
    return KubernetesVersion(int(major), int(minor), int(patch or 0))


def kubeadm_api(version: KubernetesVersion) -> KubeadmVersion:
    """The newest kubeadm configuration API that this release reads. Raises UnsupportedVersion below v1.22."""
    if version[:2] < OLDEST:
        raise UnsupportedVersion(f"Kubernetes {version} is older than v{OLDEST[0]}.{OLDEST[1]}, the oldest supported")
    return "v1beta4" if version[:2] >= FIRST_V1BETA4 else "v1beta3"
