"""An object of an old group and version, made one of the new: names, references, and every version in between. Pure.

Called by `plan`, `apply` and offline conversion alike, so that what a plan shows is what is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from capipool.api.conversion import lossless
from capipool.machinery.admission import Converter
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import GroupKind, split_api_version
from capipool.migrate import references
from capipool.migrate.conversion import azure, kubeadm, machinepool, steps
from capipool.migrate.conversion.steps import VERSIONS, Step, identity
from capipool.migrate.naming import LAST_APPLIED, Renaming
from capipool.migrate.references import NewUID, Versions

_STEPS: Mapping[str, tuple[Step, ...]] = {
    "MachinePool": machinepool.STEPS,
    "AzureMachinePool": azure.POOL_STEPS,
    "AzureManagedControlPlane": azure.CONTROL_PLANE_STEPS,
    "KubeadmConfig": kubeadm.STEPS,
    "KubeadmConfigTemplate": kubeadm.TEMPLATE_STEPS,
}


class CannotConvert(ValueError):
    """There is no way from the object's version to the one wanted."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A new object, and what is to be told of the way."""

    object: Raw
    dropped: tuple[str, ...] = ()
    """Fields without a place in the new version; kept in annotations, but for those told to be `not kept`."""
    secret: Raw | None = None
    """Bootstrap data that was inline."""


def steps_of(kind: GroupKind) -> tuple[Step, ...]:
    """The steps that are this room's own; what has none of its own did not change but in name."""
    return _STEPS.get(kind.kind, ())


@dataclass(frozen=True, slots=True)
class Chain:
    """Converts objects: by a renaming, to references in the versions given, and hub converters of other rooms."""

    renaming: Renaming
    versions: Versions
    hubs: Mapping[GroupKind, Converter] = field(default_factory=dict)

    @classmethod
    def of(cls, renaming: Renaming, versions: Versions, converters: Iterable[Converter]) -> Chain:
        """A chain with the converters v1beta1 <-> v1beta2 of the rooms that own the kinds."""
        return cls(renaming, versions, {GroupKind(c.group, c.kind): c for c in converters})

    def convert(self, raw: Raw, version: str, new_uid: NewUID = lambda uid: None) -> Converted:
        """The object under its new group, in a version. Raises CannotConvert, NameTaken; BadRequest for wrong types.

        `new_uid` says what became of owners. UID, times and versions of the old object are left out.
        """
        dropped: list[str] = []
        renamed, secret = self._prepared(raw, new_uid, dropped)
        group, before = split_api_version(renamed["apiVersion"])
        kind = GroupKind(group, raw["kind"])
        for older, newer in _way(kind, before, version):
            renamed, lost = self._step(kind, older, newer, renamed)
            dropped += lost
        return Converted(renamed, tuple(dict.fromkeys(dropped)), secret)

    def _prepared(self, raw: Raw, new_uid: NewUID, dropped: list[str]) -> tuple[Raw, Raw | None]:
        """The object by its new names, still in its old version."""
        secret = None
        if raw["kind"] == "MachinePool":
            raw, secret = machinepool.inline_bootstrap(machinepool.local_references(raw))
        if raw["kind"] == "KubeadmConfig":
            raw, had = kubeadm.without_bootstrap_data(raw)
            dropped += ["status.bootstrapData (not kept: the bootstrap data secret has it)"] if had else []
        metadata = self.renaming.metadata(_kept(raw.get("metadata") or {}))
        annotations = metadata.get("annotations") or {}
        if LAST_APPLIED in annotations:
            metadata["annotations"] = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
            dropped.append(f"metadata.annotations[{LAST_APPLIED}] (not kept: it names the old group)")
        if not metadata.get("annotations"):
            metadata.pop("annotations", None)
        if owners := metadata.get("ownerReferences"):
            metadata["ownerReferences"] = references.owners(owners, self.renaming, self.versions, new_uid)
        body = references.renamed(steps.body_of(raw), self.renaming, self.versions, new_uid)
        group, version = split_api_version(raw["apiVersion"])
        api_version = f"{self.renaming.group(group)}/{version}"
        return {"apiVersion": api_version, "kind": raw["kind"], "metadata": metadata, **body}, secret

    def _step(self, kind: GroupKind, older: str, newer: str, raw: Raw) -> tuple[Raw, list[str]]:
        own = next((step for step in steps_of(kind) if (step.older, step.newer) == (older, newer)), None)
        if own is not None:
            return steps.up(own, raw)
        if newer == lossless.NEW and (hub := self.hubs.get(kind)) is not None:
            return _through(hub.convert, raw, newer)
        return steps.up(Step(older, newer, identity, identity), raw)


_METADATA = ("name", "namespace", "labels", "annotations", "ownerReferences", "finalizers")


def _kept(metadata: Raw) -> Raw:
    """What of an object's metadata a new object may be given."""
    return {key: metadata[key] for key in _METADATA if metadata.get(key)}


def _way(kind: GroupKind, before: str, after: str) -> Iterable[tuple[str, str]]:
    """The steps between two versions, oldest first."""
    for version in (before, after):
        if version not in VERSIONS:
            raise CannotConvert(f"{kind} in {version}: only {', '.join(VERSIONS)} are known")
    first, last = VERSIONS.index(before), VERSIONS.index(after)
    if first > last:
        raise CannotConvert(f"{kind} is in {before} already, which is newer than {after}")
    return zip(VERSIONS[first:last], VERSIONS[first + 1 : last + 1], strict=True)


def _through(convert: Callable[[Raw, str], Raw], raw: Raw, version: str) -> tuple[Raw, list[str]]:
    """Through the converter of another room, which keeps what is lost by itself; found by going back."""
    before = split_api_version(raw["apiVersion"])[1]
    converted = convert(raw, version)
    kept = (converted.get("metadata") or {}).get("annotations") or {}
    known = (raw.get("metadata") or {}).get("annotations") or {}
    if not kept.keys() - known.keys():
        return converted, []
    bare = {**converted, "metadata": {**converted["metadata"], "annotations": dict(known)}}
    lost = merge.diff(steps.body_of(convert(bare, before)), steps.body_of(raw))
    return converted, [path for path in steps.paths(lost or {}) if _told(lost or {}, path)]


def _told(lost: Raw, path: str) -> bool:
    """Whether a lost field says something: zeros and empty things are absent in v1beta2."""
    value: object = lost
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value not in (None, False, 0, "", [], {})
