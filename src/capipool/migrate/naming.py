"""How old names become new ones: API groups, and the keys and finalizers that carry a group's name. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from capipool.api.constants import Annotation
from capipool.machinery.objects import Raw

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "exp.cluster.x-k8s.io": "cluster.x-k8s.io",
        "exp.infrastructure.cluster.x-k8s.io": "infrastructure.cluster.x-k8s.io",
    }
)
"""The groups that were renamed with v1alpha4, old to new."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Says what kubectl applied under the old group: a lie about the new object, so it does not go along."""


class NameTaken(ValueError):
    """Two keys would become one, with different values."""


@dataclass(frozen=True, slots=True)
class Renaming:
    """A renaming of groups, applied to everything that contains a group's name."""

    groups: Mapping[str, str] = field(default_factory=lambda: GROUPS)

    def group(self, group: str) -> str:
        """The new name of a group; the same where it keeps its name."""
        return self.groups.get(group, group)

    def moves(self, group: str) -> bool:
        """Whether objects of a group move."""
        return group in self.groups

    def domain(self, name: str) -> str:
        """A DNS name that is a group, or lies below one: `machinepool.exp.cluster.x-k8s.io`."""
        for old, new in self.groups.items():
            if name == old:
                return new
            if name.endswith(f".{old}"):
                return f"{name.removesuffix(old)}{new}"
        return name

    def key(self, key: str) -> str:
        """A label key, annotation key or finalizer: the domain before its slash, or the whole where it has none."""
        domain, slash, rest = key.partition("/")
        return f"{self.domain(domain)}{slash}{rest}"

    def keys(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A map with its keys renamed, in the same order. Raises NameTaken where two become one and differ."""
        renamed: dict[str, Any] = {}
        for key, value in values.items():
            new = self.key(key)
            if renamed.get(new, value) != value or (new != key and values.get(new, value) != value):
                raise NameTaken(f"{key} becomes {new}, which is there already with another value")
            renamed[new] = value
        return renamed

    def finalizers(self, names: Iterable[str]) -> list[str]:
        """Finalizers by their new names, each once."""
        return list(dict.fromkeys(self.key(name) for name in names))

    def metadata(self, metadata: Mapping[str, Any]) -> Raw:
        """Labels, annotations and finalizers renamed; the rest of the metadata as it is. Raises NameTaken."""
        renamed: Raw = dict(metadata)
        for field_ in ("labels", "annotations"):
            if metadata.get(field_):
                renamed[field_] = self.keys(metadata[field_])
        if metadata.get("finalizers"):
            renamed["finalizers"] = self.finalizers(metadata["finalizers"])
        kind = (renamed.get("annotations") or {}).get(Annotation.TEMPLATE_CLONED_FROM_GROUP_KIND)
        if isinstance(kind, str):
            renamed["annotations"][Annotation.TEMPLATE_CLONED_FROM_GROUP_KIND] = self.domain(kind)
        return renamed
