"""What the contract says of an infrastructure provider's machine object."""

from __future__ import annotations

from capipool.api.v1beta2.machine import MachineAddress
from capipool.contract import fields
from capipool.contract.versions import V1BETA2
from capipool.machinery.objects import Unstructured


def provisioned(obj: Unstructured, contract: str) -> bool:
    """Whether the machine's infrastructure was made once."""
    if contract == V1BETA2:
        return fields.flag(obj.status, "initialization", "provisioned")
    return fields.flag(obj.status, "ready")


def provider_id(obj: Unstructured) -> str:
    """The machine, by the ID that its Node has too; empty until it is known."""
    return fields.text(obj.spec, "providerID")


def failure_domain(obj: Unstructured, contract: str) -> str:
    """Where the machine is; contract v1beta1 has it in the spec."""
    if contract == V1BETA2:
        return fields.text(obj.status, "failureDomain") or fields.text(obj.spec, "failureDomain")
    return fields.text(obj.spec, "failureDomain")


def addresses(obj: Unstructured) -> tuple[MachineAddress, ...]:
    """The machine's addresses, in the provider's order."""
    found = fields.objects(obj.status, "addresses")
    return tuple(
        MachineAddress(type=fields.text(item, "type"), address=fields.text(item, "address"))
        for item in found
        if fields.text(item, "type") and fields.text(item, "address")
    )
