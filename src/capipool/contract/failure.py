"""Failures that providers of contract v1beta1 call final. We pass them on, and do not take them for final."""

from __future__ import annotations

from typing import NamedTuple

from capipool.contract import fields
from capipool.machinery.objects import Unstructured


class Failure(NamedTuple):
    """A reason for machines and a message for people; empty where the provider has none."""

    reason: str = ""
    message: str = ""

    def __bool__(self) -> bool:
        return bool(self.reason or self.message)


def of(obj: Unstructured) -> Failure:
    """What failed, where contract v1beta1 has it and where v1beta2 keeps it."""
    for place in (obj.status, fields.at(obj.status, "deprecated", "v1beta1")):
        if found := Failure(fields.text(place, "failureReason"), fields.text(place, "failureMessage")):
            return found
    return Failure()
