"""What one reconcile of a KubeadmConfig sees: the frozen picture that `decide` judges."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cached_property

import msgspec

from capipool.api.builtin import Secret
from capipool.api.constants import Label
from capipool.api.core import Cluster, Machine, MachinePool, MachineSpec
from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.providers.kubeadm import tokens
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig
from capipool.providers.kubeadm.tokens import Token

DIGEST_ANNOTATION = "capipool.io/bootstrap-digest"
"""On the data secret: the digest of the data without its token. Same digest, same machines."""
SECRET_TYPE = "cluster.x-k8s.io/secret"
TOKENS_ANNOTATION = "capipool.io/bootstrap-tokens"
"""On the data secret: the IDs (not the secrets) of the tokens that were made for it, the one it carries first."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How the provider does its work."""

    token_ttl: dt.timedelta = tokens.DEFAULT_TTL
    """How long a bootstrap token lives unless it is prolonged. At least `tokens.SHORTEST_TTL`."""
    data_limits: Mapping[str, int] = msgspec.field(default_factory=lambda: {"AWS": 16 * 1024, "Azure": 64 * 1024})
    """Bytes of bootstrap data that a cloud takes, by how the kinds of its infrastructure begin."""

    def __post_init__(self) -> None:
        if self.token_ttl < tokens.SHORTEST_TTL:
            raise ValueError(f"bootstrap tokens must live at least {tokens.SHORTEST_TTL}, not {self.token_ttl}")


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The Machine or MachinePool whose machines boot with the data."""

    kind: str
    name: str
    spec: MachineSpec
    joined: bool
    """The machine, or any machine of the pool, has its node."""
    control_plane: bool = False

    @property
    def pool(self) -> bool:
        """Whether it may boot machines for as long as it lives."""
        return self.kind == MachinePool.RESOURCE.kind

    @classmethod
    def of_machine(cls, machine: Machine) -> Owner:
        """A single machine."""
        return cls(
            kind=Machine.RESOURCE.kind,
            name=machine.metadata.name,
            spec=machine.spec,
            joined=machine.status.node_ref is not None,
            control_plane=Label.MACHINE_CONTROL_PLANE in machine.metadata.labels,
        )

    @classmethod
    def of_pool(cls, pool: MachinePool) -> Owner:
        """A pool. Its nodes may come and go; that there were any is what its node references say."""
        return cls(
            kind=MachinePool.RESOURCE.kind,
            name=pool.metadata.name,
            spec=pool.spec.template.spec,
            joined=bool(pool.status.node_refs),
        )


class World(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One KubeadmConfig and all that bears on its bootstrap data."""

    config: KubeadmConfig
    now: dt.datetime
    owner: Owner | None = None
    cluster: Cluster | None = None
    data: Secret | None = None
    """The data secret as it is."""
    secrets: Mapping[str, Secret] = msgspec.field(default_factory=dict)
    """Secrets that the spec refers to, and those of the cluster (certificates, kubeconfig), by name."""
    control_plane_version: str = ""
    """For templates; empty where the control plane does not say."""
    holds_init_lock: bool = False
    """Whether this machine is the one to run `kubeadm init`."""
    connected: bool = False
    unavailable: str = ""
    """Why the workload cluster is not connected."""
    tokens: tuple[Token, ...] = ()
    """Those that were made for this KubeadmConfig and still exist."""
    given: Token | None = None
    """The token that the spec names, where it exists."""

    @property
    def recorded(self) -> tuple[str, ...]:
        """IDs of the tokens made for the data, the one it carries first."""
        text = self.data.metadata.annotations.get(TOKENS_ANNOTATION, "") if self.data is not None else ""
        return tuple(filter(None, text.split(",")))

    @cached_property
    def spec(self) -> Raw:
        """The spec as JSON has it, with what its type does not know."""
        spec: Raw = objects.to_raw(self.config).get("spec") or {}
        return spec


def initialized(cluster: Cluster) -> bool:
    """Whether the control plane answered once."""
    return bool(cluster.status.initialization.control_plane_initialized)
