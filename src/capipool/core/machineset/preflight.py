"""What must hold before a MachineSet makes machines: their node must be able to join the cluster as it is now. Pure.

`kubeadm join` fails while the control plane is upgraded, and a kubelet may not be newer than the API server. A check is
skipped by naming it in the annotation `machineset.cluster.x-k8s.io/skip-preflight-checks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from capipool.api.constants import Annotation, PreflightCheck
from capipool.api.core import MachineSet
from capipool.machinery.resource import GroupKind

KUBEADM_TEMPLATE = GroupKind("bootstrap.cluster.x-k8s.io", "KubeadmConfigTemplate")

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)([-+][-+.0-9A-Za-z]*)?")
_WIDER_SKEW_FROM = 28
"""Since this minor version of the API server, a kubelet may be three minors older, before it was two."""


class Version(NamedTuple):
    """A version of Kubernetes, without what follows the patch number."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return ".".join(map(str, self))


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A Cluster's control plane object, as far as its contract says."""

    name: str
    """Kind, namespace and name, for messages."""
    version: str = ""
    """Wanted; empty where the provider has no versions."""
    status_version: str = ""
    """Running; empty while it is being provisioned."""


@dataclass(frozen=True, slots=True)
class Topology:
    """What is known of a Cluster whose parts are made from a ClusterClass."""

    upgrade_step: str = ""
    """The version that the control plane goes to next, in an upgrade of several steps."""


class Failed(NamedTuple):
    """A check that does not let machines be made, and why."""

    check: str
    message: str


def parse_version(text: str) -> Version:
    """Read `v1.31.2` (the `v` may be missing). Raises ValueError."""
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a version such as v1.31.0")
    return Version(int(found[1]), int(found[2]), int(found[3]))


def run(machine_set: MachineSet, control_plane: ControlPlane | None, topology: Topology | None) -> tuple[Failed, ...]:
    """The checks that fail. `topology` is None for a Cluster without one; no control plane object fails nothing.

    Raises ValueError where a version cannot be read.
    """
    skipped = skipped_checks(machine_set)
    if control_plane is None or not control_plane.version or PreflightCheck.ALL in skipped:
        return ()
    return tuple(f for f in _checks(machine_set, control_plane, topology) if f.check not in skipped)


def skipped_checks(machine_set: MachineSet) -> frozenset[str]:
    """The names in the annotation; unknown ones do nothing here, admission refuses them."""
    text = machine_set.metadata.annotations.get(Annotation.MACHINE_SET_SKIP_PREFLIGHT_CHECKS, "")
    return frozenset(filter(None, (name.strip() for name in text.split(","))))


def _checks(machine_set: MachineSet, control_plane: ControlPlane, topology: Topology | None) -> Iterator[Failed]:
    running = parse_version(control_plane.version)
    yield from _stable(control_plane, running, topology)
    spec = machine_set.spec.template.spec
    if not spec.version:
        return
    wanted = parse_version(spec.version)
    yield from _kubernetes_skew(wanted, running)
    bootstrap = spec.bootstrap.config_ref
    if bootstrap is not None and bootstrap.group_kind == KUBEADM_TEMPLATE and wanted.minor != running.minor:
        message = f"kubeadm joins only a control plane of its own minor version: {wanted} is not one for {running}"
        yield Failed(PreflightCheck.KUBEADM_VERSION_SKEW, message)
    if topology is not None and wanted != running:
        message = f"the control plane has version {running}, and machines of version {wanted} wait for it"
        yield Failed(PreflightCheck.CONTROL_PLANE_VERSION_SKEW, message)


def _stable(control_plane: ControlPlane, wanted: Version, topology: Topology | None) -> Iterator[Failed]:
    name = control_plane.name
    if not control_plane.status_version:
        yield Failed(PreflightCheck.CONTROL_PLANE_IS_STABLE, f"{name} is provisioning")
    elif parse_version(control_plane.status_version) < wanted:
        yield Failed(PreflightCheck.CONTROL_PLANE_IS_STABLE, f"{name} is upgrading to {wanted}")
    elif topology is not None and topology.upgrade_step and topology.upgrade_step != control_plane.version:
        message = f"{name} has an upgrade to {topology.upgrade_step} before it"
        yield Failed(PreflightCheck.CONTROL_PLANE_IS_STABLE, message)


def _kubernetes_skew(wanted: Version, running: Version) -> Iterator[Failed]:
    allowed = 3 if running.minor >= _WIDER_SKEW_FROM else 2
    if wanted.minor > running.minor:
        message = f"machines of version {wanted} would be newer than the control plane, which has {running}"
    elif running.minor - wanted.minor > allowed:
        message = f"machines of version {wanted} would be more than {allowed} minors older than {running}"
    else:
        return
    yield Failed(PreflightCheck.KUBERNETES_VERSION_SKEW, message)
