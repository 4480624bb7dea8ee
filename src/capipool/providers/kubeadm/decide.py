"""What to do about a KubeadmConfig: wait for something, take over data that exists, or make and keep data. Pure."""

from __future__ import annotations

import datetime as dt

import msgspec

from capipool.api.builtin import Secret
from capipool.api.constants import Annotation
from capipool.providers.kubeadm import inputs, tokens, world
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig
from capipool.providers.kubeadm.rendering import data
from capipool.providers.kubeadm.rendering.boot import CannotRender, Format
from capipool.providers.kubeadm.tokens import Carry, Mint, Prolong, Schedule
from capipool.providers.kubeadm.versions import UnsupportedVersion
from capipool.providers.kubeadm.world import Settings, World

POLL = dt.timedelta(seconds=30)
"""How often to look for what is not watched: secrets that the spec refers to, and another machine's init lock."""


class Ignore(msgspec.Struct, frozen=True):
    """Nothing to do: it is being deleted."""


class Pause(msgspec.Struct, frozen=True):
    """Touch nothing but the condition that says so."""


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """There is no data, or none that is up to date, for a reason that the condition gives."""

    message: str
    refused: bool = False
    """The spec asks for what cannot be done; waiting will not help."""
    certificates: bool = False
    """It is a certificate of the cluster that is missing."""
    legacy_reason: str = "DataSecretGenerationFailed"
    again: dt.timedelta | None = None


class Adopt(msgspec.Struct, frozen=True):
    """The owner names a data secret already: say so in the status.

    Restored or moved objects have no status. A secret of another name is somebody else's to keep: none is made here.
    """

    data_secret_name: str


class Lock(msgspec.Struct, frozen=True):
    """Try to become the machine that runs `kubeadm init`."""


class MakeCertificates(msgspec.Struct, frozen=True):
    """Make the certificates that are missing, since no control plane provider does."""


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """Have data and tokens be as they should."""

    mode: inputs.Mode
    digest: str = ""
    write: bool = False
    """Write the data secret, after the token's step."""
    schedule: Schedule | None = None
    """None where no token is made here."""
    again: dt.timedelta | None = None


Plan = Ignore | Pause | Wait | Adopt | Lock | MakeCertificates | Keep


def decide(seen: World, settings: Settings) -> Plan:
    """What to do now. Total: whatever is wrong with the spec becomes a `Wait` that says it."""
    if seen.config.deleting:
        return Ignore()
    if seen.owner is None:
        return Wait(message="Waiting for a Machine or MachinePool to own this KubeadmConfig")
    if seen.cluster is None:
        return Wait(message=f"Waiting for Cluster {seen.owner.spec.cluster_name} to exist")
    if is_paused(seen):
        return Pause()
    if not seen.cluster.status.initialization.infrastructure_provisioned:
        return Wait(
            message="Waiting for Cluster status.infrastructureReady to be true",
            legacy_reason="WaitingForClusterInfrastructure",
        )
    named = seen.owner.spec.bootstrap.data_secret_name
    if named and (named != seen.config.metadata.name or not seen.config.status.data_secret_name):
        return Adopt(named)
    try:
        return _keep(seen, settings)
    except inputs.CertificateMissing as missing:
        return Wait(message=str(missing), certificates=True, legacy_reason="CertificatesCorrupted", again=POLL)
    except inputs.Missing as missing:
        return Wait(message=str(missing), again=POLL)
    except (CannotRender, UnsupportedVersion) as refusal:
        return Wait(message=str(refusal), refused=True, again=POLL if inputs.secret_names(seen.spec) else None)


def is_paused(seen: World) -> bool:
    """Whether the Cluster or the KubeadmConfig itself is paused."""
    paused = seen.cluster is not None and bool(seen.cluster.spec.paused)
    return paused or Annotation.PAUSED in seen.config.metadata.annotations


def carried(seen: World) -> str:
    """The ID of the token in the data: as recorded, or, in data that upstream's provider made, as in the spec."""
    if seen.recorded:
        return seen.recorded[0]
    return seen.given.id if seen.given is not None and seen.given.ours and seen.data is not None else ""


def is_bootstrap_data(secret: Secret) -> bool:
    """Whether a bootstrap provider made the secret: what else bears its name by chance is left alone."""
    return secret.type == world.SECRET_TYPE or any(o.kind == "KubeadmConfig" for o in secret.metadata.owner_references)


def format_of(config: KubeadmConfig) -> Format:
    """The format of the data; cloud-config unless said otherwise."""
    return "ignition" if config.spec.format == "ignition" else "cloud-config"


def _keep(seen: World, settings: Settings) -> Plan:
    assert seen.owner is not None
    assert seen.cluster is not None
    if seen.data is None and not world.initialized(seen.cluster):
        return _begin(seen)
    if seen.data is not None and not is_bootstrap_data(seen.data):
        name = seen.data.metadata.name
        return Wait(
            message=f"Secret {name} exists already and is no bootstrap data: it is not overwritten", refused=True
        )
    if seen.data is not None and not seen.owner.pool and (seen.owner.joined or not carried(seen)):
        # Joined, or data of `kubeadm init`, which holds no token.
        schedule = _schedule(seen, settings) if seen.connected and seen.recorded else None
        return Keep(
            mode="join", write=not _belongs(seen), schedule=schedule, again=schedule.again if schedule else None
        )
    if not world.initialized(seen.cluster):
        return Keep(mode="init")
    return _join(seen, settings)


def _begin(seen: World) -> Plan:
    """The control plane is not there yet: one of its machines makes it, and all others wait."""
    assert seen.owner is not None
    assert seen.cluster is not None
    if not seen.owner.control_plane:
        return Wait(
            message="Waiting for Cluster control plane to be initialized",
            legacy_reason="WaitingForControlPlaneAvailable",
        )
    if not seen.holds_init_lock:
        return Lock()
    try:
        boot = inputs.boot(seen, "init", "")
    except inputs.CertificateMissing:
        if seen.cluster.spec.control_plane_ref is None:
            return MakeCertificates()
        raise
    return Keep(mode="init", digest=data.digest(boot, format_of(seen.config)), write=True)


def _join(seen: World, settings: Settings) -> Plan:
    assert seen.owner is not None
    if seen.data is not None and not seen.owner.pool:
        digest = _digest_of(seen)
        changed = not _belongs(seen)  # a machine has its data once; only its token is cared for
    else:
        boot = inputs.boot(seen, "join", data.PLACEHOLDER_TOKEN)
        digest = data.digest(boot, format_of(seen.config))
        changed = seen.data is None or not _belongs(seen) or _digest_of(seen) != digest
    if not inputs.needs_token(seen):
        again = POLL * 10 if inputs.secret_names(seen.spec) else None
        return Keep(mode="join", digest=digest, write=changed, again=again)
    if not seen.connected:
        if changed:
            return Wait(message=f"Waiting for the workload cluster to make a bootstrap token: {seen.unavailable}")
        return Keep(mode="join", digest=digest, again=settings.token_ttl / 3)
    schedule = _schedule(seen, settings)
    return Keep(
        mode="join",
        digest=digest,
        write=changed or _needs_data(schedule, seen),
        schedule=schedule,
        again=schedule.again,
    )


def _schedule(seen: World, settings: Settings) -> Schedule:
    assert seen.owner is not None
    return tokens.decide(
        now=seen.now,
        ttl=settings.token_ttl,
        pool=seen.owner.pool,
        joined=seen.owner.joined,
        carried=carried(seen),
        tokens=seen.tokens,
    )


def _needs_data(schedule: Schedule, seen: World) -> bool:
    """Whether the token that should be carried is not the one in the data."""
    match schedule.step:
        case Mint():
            return True
        case Carry(token) | Prolong(token, _):
            return token.id != carried(seen)
    return False


def _digest_of(seen: World) -> str:
    assert seen.data is not None
    return seen.data.metadata.annotations.get(world.DIGEST_ANNOTATION, "")


def _belongs(seen: World) -> bool:
    """Whether the data secret is this KubeadmConfig's: a restored one names an owner that no longer exists."""
    assert seen.data is not None
    return any(owner.uid == seen.config.metadata.uid for owner in seen.data.metadata.owner_references)
