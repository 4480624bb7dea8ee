"""What others want of a pool's objects, to be compared: no status, no finalizers, and none of what is written here."""

from __future__ import annotations

from typing import Any

import msgspec

from capipool.api.core import MachinePool
from capipool.machinery.objects import Object


def of_object(obj: Object) -> tuple[object, ...]:
    """What somebody else wants of a provider's pool object; the list of provider IDs is filled in here."""
    meta = obj.metadata
    spec: Any = obj.spec  # type: ignore[attr-defined]
    wanted = msgspec.structs.replace(spec, provider_id_list=())
    owners = tuple(owner.uid for owner in meta.owner_references)
    return (meta.uid, wanted, meta.labels, meta.annotations, meta.deletion_timestamp, owners)


def of_machine_pool(pool: MachinePool) -> tuple[object, ...]:
    """What a MachinePool wants of its provider; the list of IDs is copied there by its controller."""
    meta = pool.metadata
    spec = msgspec.structs.replace(pool.spec, provider_id_list=())
    return (meta.uid, spec, meta.annotations, meta.deletion_timestamp)
