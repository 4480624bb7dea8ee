"""What one reconcile of boot data sees, and what it decides. Pure.

Used by `bootstrapping`, which gathers the world and carries the plan out.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from capipool.api.builtin import Secret
from capipool.api.core import Cluster
from capipool.client import kubeconfig
from capipool.client.kubeconfig import KubeconfigError
from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.controlplane import name_of
from capipool.providers.aws.eks.deciding import AUTHORITY_ANNOTATION, SERVICES_ANNOTATION
from capipool.providers.aws.eks.rendering.boot import Boot, ClusterFacts, File
from capipool.sdk.inputs import DATA_KEY
from capipool.sdk.revision import DIGEST_ANNOTATION
from capipool.workload.connections import KUBECONFIG_KEY, kubeconfig_secret_name

Severity = Literal["Info", "Warning", "Error"]
NO_INFRASTRUCTURE = "WaitingForClusterInfrastructure"
NO_CONTROL_PLANE = "WaitingForControlPlaneInitialization"
NOT_MADE = "DataSecretGenerationFailed"
"""Upstream's reasons."""
DEFAULT_SERVICES = "172.20.0.0/16"
"""What EKS gives most clusters. For control planes that somebody else reads, and that do not say."""

Render = Callable[[Boot], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One configuration, and all that bears on its data."""

    name: str
    spec: Raw = field(repr=False)
    """As JSON has it."""
    pool: bool
    """Whether it may boot machines as long as it lives; a single machine boots once."""
    cluster: Cluster
    control_plane: AWSManagedControlPlane | None
    secrets: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    """Those that the spec refers to, and the cluster's kubeconfig where it is needed, by name."""
    data: Secret | None = field(default=None, repr=False)
    """The data secret as it is."""


@dataclass(frozen=True, slots=True)
class Wait:
    """There can be no data yet, or no newer one, and why."""

    reason: str
    message: str
    severity: Severity = "Info"


@dataclass(frozen=True, slots=True)
class Keep:
    """The data is to be this; what is there already is not written again. `value` None: it stays whatever it is."""

    value: bytes | None = field(repr=False)
    digest: str = ""
    write: bool = False


class Missing(Exception):
    """Something that the data is made from is not there. The message says what, and nothing secret."""


def decide(seen: World, render: Render) -> Wait | Keep:
    """What to do about the data. What a single machine was given is never changed: it has booted, or is about to."""
    if seen.data is not None and not seen.pool and DATA_KEY in seen.data.data:
        return Keep(None)
    done = seen.cluster.status.initialization
    reference = seen.cluster.spec.control_plane_ref
    if reference is None or reference.group_kind != AWSManagedControlPlane.RESOURCE.group_kind:
        said = f"controlPlaneRef of Cluster {seen.cluster.metadata.name} must be an AWSManagedControlPlane"
        return Wait(NOT_MADE, said, "Error")
    if not done.infrastructure_provisioned:
        return Wait(NO_INFRASTRUCTURE, f"Cluster {seen.cluster.metadata.name} has no infrastructure yet")
    if not done.control_plane_initialized or seen.control_plane is None:
        return Wait(NO_CONTROL_PLANE, f"AWSManagedControlPlane {reference.name} is not initialized yet")
    try:
        value = render(boot(seen, seen.control_plane))
    except Missing as error:
        return Wait(NOT_MADE, str(error), "Warning")
    digest = hashlib.sha256(value).hexdigest()
    return Keep(value, digest, write=not _has(seen.data, value, digest))


def _has(data: Secret | None, value: bytes, digest: str) -> bool:
    """NB: the digest is for the pool engine, which reads it from the secret."""
    there = data is not None and data.data.get(DATA_KEY) == value
    return data is not None and there and data.metadata.annotations.get(DIGEST_ANNOTATION) == digest


def secret_names(spec: Mapping[str, Any]) -> set[str]:
    """The secrets that the spec takes content from."""
    sources = [f.get("contentFrom") for f in spec.get("files") or ()]
    sources += [u.get("passwdFrom") for u in spec.get("users") or ()]
    return {source["secret"]["name"] for source in sources if source}


def needs_kubeconfig(control_plane: AWSManagedControlPlane | None) -> bool:
    """Whether the cluster's authority is known from its kubeconfig alone: another than capipool reads the cluster."""
    return control_plane is not None and AUTHORITY_ANNOTATION not in control_plane.metadata.annotations


def boot(seen: World, control_plane: AWSManagedControlPlane) -> Boot:
    """What the node boots with, everything resolved. Raises Missing."""
    return Boot(
        cluster=_facts(seen, control_plane),
        spec=seen.spec,
        files=tuple(_files(seen)),
        users=tuple(_users(seen)),
    )


def _facts(seen: World, control_plane: AWSManagedControlPlane) -> ClusterFacts:
    endpoint, marks = control_plane.spec.control_plane_endpoint, control_plane.metadata.annotations
    if not endpoint.host:
        raise Missing(f"AWSManagedControlPlane {control_plane.metadata.name} has no endpoint")
    plain = f"https://{endpoint.host}" + (f":{endpoint.port}" if endpoint.port not in (None, 443) else "")
    return ClusterFacts(
        name=name_of(control_plane),
        endpoint=endpoint.host if "://" in endpoint.host else plain,
        authority="".join((marks.get(AUTHORITY_ANNOTATION) or _authority(seen)).split()),
        service_cidr=marks.get(SERVICES_ANNOTATION) or _services(seen.cluster),
    )


def _services(cluster: Cluster) -> str:
    services = cluster.spec.cluster_network.services
    blocks = services.cidr_blocks if services is not None else ()
    return blocks[0] if blocks else DEFAULT_SERVICES


def _authority(seen: World) -> str:
    """The authority as the cluster's kubeconfig has it."""
    name = kubeconfig_secret_name(seen.cluster.metadata.name)
    secret = seen.secrets.get(name)
    try:
        found = kubeconfig.parse(secret.data[KUBECONFIG_KEY]).ca if secret is not None else b""
    except (KeyError, KubeconfigError):
        found = b""
    if not found:
        raise Missing(f"the kubeconfig secret {name} has no certificate authority of the cluster")
    return base64.b64encode(found).decode()


def _files(seen: World) -> Iterator[File]:
    for index, file in enumerate(seen.spec.get("files") or ()):
        content = str(file.get("content") or "").encode()
        if source := file.get("contentFrom"):
            content = _of_secret(seen, source["secret"], f"spec.files[{index}].contentFrom")
        yield File(
            path=file["path"],
            content=content,
            owner=file.get("owner") or "",
            permissions=file.get("permissions") or "",
            encoding=file.get("encoding") or "",
            append=bool(file.get("append")),
        )


def _users(seen: World) -> Iterator[Raw]:
    for index, user in enumerate(seen.spec.get("users") or ()):
        plain = {key: value for key, value in user.items() if key != "passwdFrom"}
        if source := user.get("passwdFrom"):
            found = _of_secret(seen, source["secret"], f"spec.users[{index}].passwdFrom")
            plain["passwd"] = found.decode("utf-8", "replace")
        yield plain


def _of_secret(seen: World, reference: Mapping[str, str], path: str) -> bytes:
    secret = seen.secrets.get(reference["name"])
    if secret is None:
        raise Missing(f"{path}: secret {reference['name']} does not exist")
    if (content := secret.data.get(reference["key"])) is None:
        raise Missing(f"{path}: secret {reference['name']} has no key {reference['key']}")
    return content
