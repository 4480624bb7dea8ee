"""Azure's names for things: resource IDs, and the provider IDs that its cloud provider writes into nodes. Pure.

Azure answers in whatever letter case it likes; IDs are compared by `fold`, never as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "azure://"
_GROUP = re.compile(r"(/resourceGroups/)([^/]+)", re.IGNORECASE)
_SCALE_SET = re.compile(
    r"(?:azure://)?/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Compute"
    r"/virtualMachineScaleSets/([^/]+)",
    re.IGNORECASE,
)
_OWNING_SET = re.compile(r"/virtualMachineScaleSets/[^/]+(?=/virtualMachines/[^/]*_[0-9a-zA-Z]+$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ScaleSetID:
    """Where a scale set is."""

    subscription: str
    group: str
    name: str

    @classmethod
    def parse(cls, text: str) -> ScaleSetID | None:
        """Read a resource ID or a provider ID of a scale set, or of an instance of one; None where it is neither."""
        found = _SCALE_SET.match(text)
        return cls(*found.groups()) if found is not None else None

    def __str__(self) -> str:
        return f"{compute(self.subscription, self.group)}/virtualMachineScaleSets/{self.name}"


def compute(subscription: str, group: str) -> str:
    """The path of a resource group's compute resources."""
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute"


def provider_id(resource_id: str) -> str:
    """A resource ID as the Azure cloud provider writes it: only the name of the resource group in lower case."""
    return PREFIX + _GROUP.sub(lambda m: f"/resourceGroups/{m[2].lower()}", resource_id)


def instance_provider_id(resource_id: str, *, flexible: bool) -> str:
    """The provider ID of an instance. One of a Flexible scale set is a virtual machine in its own right."""
    return provider_id(_OWNING_SET.sub("", resource_id) if flexible else resource_id)


def last(resource_id: str) -> str:
    """The last segment of an ID: the name of the thing."""
    return resource_id.rstrip("/").rpartition("/")[2]


def resource_id(text: str) -> str:
    """A resource ID, which may be given as a provider ID (`azure://...`)."""
    return text.removeprefix(PREFIX)


def fold(text: str) -> str:
    """An ID in the form that two spellings of the same ID have in common."""
    return resource_id(text).rstrip("/").lower()


def same(one: str, other: str) -> bool:
    """Whether two IDs name the same thing."""
    return fold(one) == fold(other)
