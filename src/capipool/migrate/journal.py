"""The journal of a migration, in the cluster: how far it is, and what became of which UID.

What is done with each object is marked on the object itself (see `marks`); the journal says which command is under way,
so that another process goes on where one died, and keeps the map of UIDs as a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from capipool.machinery import clock, codec, errors, objects
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource
from capipool.migrate.naming import Renaming
from capipool.migrate.run import Run

NAME = "capipool-migration"
LABEL = "migrate.capipool.io/journal"
_MAP = Resource("", "v1", "ConfigMap", "configmaps")
_UIDS_EACH = 5000
"""Entries in one ConfigMap: about half of the megabyte that an object may have."""


class Phase(StrEnum):
    """Which command is under way, or was done last."""

    APPLYING = "applying"
    APPLIED = "applied"
    COMMITTING = "committing"
    COMMITTED = "committed"
    UNDOING = "undoing"


@dataclass(frozen=True, slots=True)
class Entry:
    """What the journal says."""

    phase: Phase
    groups: Mapping[str, str]
    """The renaming that the migration began with: it goes on with that, whatever options say."""

    @property
    def renaming(self) -> Renaming:
        """The renaming, to work with."""
        return Renaming(self.groups)


async def read(run: Run) -> Entry | None:
    """What the journal says; None where no migration is under way."""
    try:
        found = await run.client.get(_MAP, NAME, run.settings.namespace)
    except errors.NotFound:
        return None
    data = objects.to_raw(found).get("data") or {}
    return Entry(Phase(data["phase"]), codec.decode_json_object(data["groups"]))


async def write(run: Run, phase: Phase) -> None:
    """Say that a phase has begun, or was reached."""
    now = clock.format_time(run.clock.now())
    data = {"phase": str(phase), "groups": codec.encode_json(dict(run.renaming.groups)).decode(), f"{phase}At": now}
    await _put(run, NAME, data)


async def write_uids(run: Run, uids: Mapping[str, str]) -> None:
    """Keep the map of old to new UIDs."""
    rest = iter(sorted(uids.items()))
    number = 0
    while part := dict(islice(rest, _UIDS_EACH)):
        await _put(run, f"{NAME}-uids-{number}", part)
        number += 1


async def erase(run: Run) -> None:
    """Forget everything, the phase last."""
    found = await run.client.list(_MAP, run.settings.namespace, labels=LABEL)
    for each in sorted(found, key=lambda obj: obj.metadata.name == NAME):
        await run.client.delete(_MAP, each.metadata.name, run.settings.namespace)


async def _put(run: Run, name: str, data: Mapping[str, str]) -> None:
    metadata: Raw = {"name": name, "namespace": run.settings.namespace, "labels": {LABEL: ""}}
    raw: Raw = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}
    try:
        await run.create(_MAP, raw)
    except errors.AlreadyExists:
        await run.patch(_MAP, raw, {"data": dict(data)})
