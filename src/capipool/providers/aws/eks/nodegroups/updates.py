"""What is remembered of updates that were asked for, in annotations: whether one goes on, how it failed. Pure.

A record is written before the call and completed after it, so that whoever dies in between finds the update again.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from capipool.machinery import codec
from capipool.machinery.errors import ApiError
from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.eks.nodegroups.deciding import CONFIG, VERSION, Update
from capipool.providers.aws.eks.nodegroups.picture import MOST_ISSUES, issue

ANNOTATIONS = {CONFIG: "capipool.io/eks-config-update", VERSION: "capipool.io/eks-version-update"}
"""On an AWSManagedMachinePool, by kind: the update that was asked for last, unless it succeeded."""
RETRY = dt.timedelta(minutes=30)
"""After which an update that failed is asked for again, unless something else is wanted before."""
SLACK = dt.timedelta(minutes=1)
"""How far AWS's clock may be behind ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An update that was asked for."""

    kind: str
    about: str
    at: dt.datetime
    id: str = ""
    """EKS's; empty while nobody knows whether the call was done."""
    error: str = ""
    """Why it failed; empty while nobody knows that it did."""

    @property
    def open(self) -> bool:
        """Whether it is to be asked how it goes."""
        return not self.error

    def encode(self) -> str:
        """As the annotation has it."""
        said = {"about": self.about, "at": self.at.isoformat(), "id": self.id, "error": self.error}
        return codec.encode_json({key: value for key, value in said.items() if value}).decode()


def read(obj: AWSManagedMachinePool) -> dict[str, Record]:
    """The records of an object by kind. What is no record was written by somebody else, and is none."""
    found = {}
    for kind, annotation in ANNOTATIONS.items():
        try:
            said = codec.decode_json_object(obj.metadata.annotations[annotation])
            at = dt.datetime.fromisoformat(said["at"])
            about, id, error = (str(said.get(name) or "") for name in ("about", "id", "error"))
            found[kind] = Record(kind=kind, about=about, at=at.astimezone(dt.UTC), id=id, error=error)
        except (KeyError, ValueError, TypeError, ApiError):
            continue
    return found


def to_annotations(records: dict[str, Record]) -> dict[str, str | None]:
    """What the annotations are to say."""
    return {name: records[kind].encode() if kind in records else None for kind, name in ANNOTATIONS.items()}


def is_held(records: dict[str, Record], update: Update, now: dt.datetime) -> bool:
    """Whether this very update failed not long ago."""
    record = records.get(update.kind)
    return record is not None and bool(record.error) and record.about == update.about and now < record.at + RETRY


def find(record: Record, listed: list[Raw]) -> Raw | None:
    """The update that a record without an id is about, if the call was done: the newest of its kind since then."""
    those = [u for u in listed if u.get("type") == record.kind and u["createdAt"] >= record.at - SLACK]
    return max(those, key=lambda u: u["createdAt"]) if those else None


def settled(record: Record, update: Raw) -> Record | None:
    """The record once EKS was asked; None where there is nothing to remember."""
    state = update.get("status")
    if state == "Successful":
        return None
    known = replace(record, id=str(update["id"]))
    if state == "InProgress":
        return known
    said = "; ".join(issue(error) for error in (update.get("errors") or ())[:MOST_ISSUES])
    return replace(known, error=said or f"it is {state}, and EKS does not say why")
