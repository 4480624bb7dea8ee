"""What to do with an agent pool, given what is there and what is wanted. Pure, and table-tested."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from capipool.machinery import codec
from capipool.machinery.objects import Raw
from capipool.providers.azure.aks.pools import model
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.sdk import conditions

IMAGE_ANNOTATION = "capipool.io/node-image"
"""On an AzureManagedMachinePool: `latest`, so that nodes get every new image, or the one image that they shall have."""
LATEST = "latest"
SETTLED = ("Succeeded", "Failed", "Canceled")
"""States in which AKS takes orders."""
SYSTEM = "System"


@dataclass(frozen=True, slots=True)
class Pool:
    """An agent pool as AKS has it."""

    properties: Raw

    @property
    def state(self) -> str:
        """`provisioningState`, or `Stopped`."""
        stopped = (self.properties.get("powerState") or {}).get("code") == "Stopped"
        state = str(self.properties.get("provisioningState") or "Unknown")
        return "Stopped" if stopped and state in SETTLED else state

    @property
    def busy(self) -> bool:
        """Whether AKS is at something, and takes no other order."""
        return self.state not in (*SETTLED, "Stopped")

    @property
    def count(self) -> int:
        """How many nodes there are to be."""
        return int(self.properties.get("count") or 0)

    @property
    def image(self) -> str:
        """The image of its nodes."""
        return str(self.properties.get("nodeImageVersion") or "")

    @property
    def version(self) -> str:
        """The version of Kubernetes that it is to have; AKS may have been told a minor version alone."""
        said = str(self.properties.get("orchestratorVersion") or "")
        runs = str(self.properties.get("currentOrchestratorVersion") or "")
        return runs if _is_part(said, runs) else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that a decision needs."""

    obj: AzureManagedMachinePool
    pool: Pool | None
    """None where there is none."""
    replicas: int | None
    """How many are wanted; None where somebody else says."""
    version: str = ""
    """The version that is wanted, without `v`; empty leaves it to AKS."""
    auto_version: str = ""
    """What AKS upgraded the control plane to by itself."""
    plane_version: str = ""
    """What the control plane runs."""
    subnet: str = ""
    gone: tuple[str, ...] = ()
    """Tags that were wanted once."""
    newest_image: str = ""
    """Empty where nobody asked."""
    last_system: bool = False
    """Whether no other pool of the cluster has mode System."""


@dataclass(frozen=True, slots=True)
class Note:
    """Why something that is wanted is not done, and the way out."""

    reason: str
    message: str
    severity: str = conditions.WARNING


@dataclass(frozen=True, slots=True)
class Put:
    """Make the pool, or change it: all its properties."""

    properties: Raw
    etag: str
    about: str
    """Names what is wanted: the same wish is not repeated at full speed."""


@dataclass(frozen=True, slots=True)
class UpgradeImage:
    """Replace the nodes by those of the newest image."""

    about: str


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now; nothing, or one thing."""

    action: Put | UpgradeImage | None = None
    notes: tuple[Note, ...] = field(default=())


def decide(picture: Picture) -> Step:
    """One step. Raises InvalidConfiguration for what can never be asked of AKS."""
    notes: list[Note] = []
    pool = picture.pool
    target = _target(picture, notes)
    if pool is None:
        count = 1 if picture.replicas is None else picture.replicas
        made = model.new(picture.obj, count=count, version=target, subnet=picture.subnet, key=str(picture.obj.key))
        return Step(Put(made, "", _digest(made)), tuple(notes))
    if pool.state == "Stopped":
        return Step(notes=(Note("Stopped", "the agent pool is stopped: start it, and it is managed again"),))
    if pool.busy:
        return Step(notes=tuple(notes))
    wanted = _wanted(picture, pool, target, notes)
    changes = model.differing(pool.properties, wanted)
    if len(changes) > 1:
        changes.pop("orchestratorVersion", None)  # AKS does not scale and upgrade at once: the upgrade comes next
    if changes or pool.state != "Succeeded":
        etag = str(pool.properties.get("eTag") or "*")
        said = picture.replicas if picture.obj.spec.scaling is None else None
        wish = wanted | {"count": said, "orchestratorVersion": target}
        return Step(Put(model.whole(pool.properties, changes), etag, _digest(wish)), tuple(notes))
    return Step(_image(picture, pool, notes), tuple(notes))


def _wanted(picture: Picture, pool: Pool, target: str, notes: list[Note]) -> Raw:
    """Everything that may change, as it is to be."""
    obj = picture.obj
    wanted: dict[str, Any] = model.changeable(obj, pool.properties, key=str(obj.key), gone=picture.gone)
    if picture.last_system and wanted["mode"] != SYSTEM and pool.properties.get("mode") == SYSTEM:
        notes.append(_last_system("have another mode"))
        wanted["mode"] = SYSTEM
    if obj.spec.scaling is not None:
        if (count := model.within(obj, pool.count)) != pool.count:
            wanted["count"] = count
    elif picture.replicas is not None:
        wanted["count"] = picture.replicas
    if target and parse(target) > parse(pool.version) and not _is_part(target, pool.version):
        wanted["orchestratorVersion"] = target
    elif target and parse(target) < parse(pool.version) and not _is_part(target, pool.version):
        notes.append(_downgrade(target, pool.version))
    return wanted


def _target(picture: Picture, notes: list[Note]) -> str:
    """The version to come to: the higher of what is wanted and what AKS raised its control plane to."""
    target = max(picture.version, picture.auto_version, key=parse)
    if not picture.plane_version or parse(target) <= parse(picture.plane_version):
        return target
    if _is_part(target, picture.plane_version):
        return target
    said = (
        f"version {target} is wanted, and the AKS cluster runs {picture.plane_version}: upgrade the cluster first, "
        "nodes never run ahead of it"
    )
    notes.append(Note("WaitingForControlPlaneVersion", said))
    return ""


def _image(picture: Picture, pool: Pool, notes: list[Note]) -> UpgradeImage | None:
    wish, newest = picture.obj.metadata.annotations.get(IMAGE_ANNOTATION, ""), picture.newest_image
    if not wish or not newest or pool.image in (wish, newest if wish == LATEST else wish):
        return None
    if wish in (LATEST, newest):
        return UpgradeImage(f"image {newest}")
    said = f"annotation {IMAGE_ANNOTATION} wants {wish}, and AKS offers {newest} alone: name that one, or {LATEST}"
    notes.append(Note("NodeImageNotOffered", said))
    return None


def asks_for_image(obj: AzureManagedMachinePool) -> bool:
    """Whether it matters which image is the newest."""
    return bool(obj.metadata.annotations.get(IMAGE_ANNOTATION))


def asks_for_others(obj: AzureManagedMachinePool, pool: Pool) -> bool:
    """Whether it matters which other pools there are."""
    return pool.properties.get("mode") == SYSTEM and (obj.deleting or obj.spec.mode != SYSTEM)


def is_last_system(pools: list[Raw], name: str) -> bool:
    """Whether no other pool of a cluster has mode System, those apart that go."""
    return not any(
        p.get("name") != name
        and (p.get("properties") or {}).get("mode") == SYSTEM
        and (p.get("properties") or {}).get("provisioningState") != "Deleting"
        for p in pools
    )


def held_by_system() -> Note:
    """Why the last pool of mode System is not deleted."""
    return _last_system("be deleted")


def parse(version: str) -> tuple[int, ...]:
    """Its numbers, to be compared; what is no version is the lowest of all."""
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part or 0) for part in found.groups()) if found is not None else ()


def _is_part(short: str, long: str) -> bool:
    """Whether a version is named by its minor version alone: 1.31 is any 1.31."""
    return short.count(".") == 1 and long.startswith(f"{short}.")


def _last_system(what: str) -> Note:
    said = f"the last agent pool of mode System of an AKS cluster cannot {what}: make another of that mode first"
    return Note("LastSystemPool", said)


def _downgrade(target: str, has: str) -> Note:
    said = f"version {target} is wanted, and the agent pool has {has}: AKS goes back to no older one, say v{has}"
    return Note("DowngradeRefused", said)


def _digest(wanted: Raw) -> str:
    return hashlib.sha256(codec.encode_json(dict(sorted(wanted.items())))).hexdigest()[:16]
