"""Who scales a pool, and which of its tags were wanted once: what annotations keep of both. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from capipool.api.constants import Annotation
from capipool.api.core import MachinePool
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.sdk.inputs import is_externally_scaled

MARK = "capipool.io/set-replicas-managed-by"
"""On an AzureManagedMachinePool: that the annotation on its MachinePool is ours, and may be taken off again."""
TAGS = "capipool.io/last-applied-tags"
"""On an AzureManagedMachinePool: the names of the tags that it has wanted, so that those which go are taken off."""


@dataclass(frozen=True, slots=True)
class Managed:
    """What the annotations are to say; None leaves one as it is."""

    mark: bool | None = None
    annotation: bool | None = None


def decide(obj: AzureManagedMachinePool, owner: MachinePool) -> Managed:
    """With AKS's autoscaler on, it is said to scale. Off, only what was said here is taken back."""
    if obj.spec.scaling is not None:
        return Managed() if is_externally_scaled(owner) else Managed(mark=True, annotation=True)
    if not is_marked(obj):
        return Managed()
    present = Annotation.REPLICAS_MANAGED_BY in owner.metadata.annotations
    return Managed(mark=False, annotation=False if present else None)


def is_marked(obj: AzureManagedMachinePool) -> bool:
    """Whether the MachinePool's annotation is ours."""
    return MARK in obj.metadata.annotations


def is_leaving(obj: AzureManagedMachinePool) -> bool:
    """Whether AKS's autoscaler was turned off just now: from here on the MachinePool's number is what is wanted."""
    return obj.spec.scaling is None and is_marked(obj)


def gone_tags(obj: AzureManagedMachinePool) -> tuple[str, ...]:
    """Tags that were wanted once, and are not now."""
    return tuple(name for name in _known(obj) if name not in obj.spec.additional_tags)


def tags_before(obj: AzureManagedMachinePool) -> str | None:
    """What the annotation must say before tags are written, so that none of them is forgotten."""
    return _text({*_known(obj), *obj.spec.additional_tags})


def settled_tags(obj: AzureManagedMachinePool, there: Mapping[str, str]) -> str | None:
    """What it says once all is as wanted: those that still have to go are kept."""
    return _text({*obj.spec.additional_tags, *(name for name in gone_tags(obj) if name in there)})


def _known(obj: AzureManagedMachinePool) -> list[str]:
    return [name for name in obj.metadata.annotations.get(TAGS, "").split(",") if name]


def _text(names: set[str]) -> str | None:
    return ",".join(sorted(names)) or None
