"""What the contract says of a bootstrap provider's object."""

from __future__ import annotations

from capipool.contract import fields
from capipool.contract.versions import V1BETA2
from capipool.machinery.objects import Unstructured


def data_secret_created(obj: Unstructured, contract: str) -> bool:
    """Whether bootstrap data was made once."""
    if contract == V1BETA2:
        return fields.flag(obj.status, "initialization", "dataSecretCreated")
    return fields.flag(obj.status, "ready")


def data_secret_name(obj: Unstructured) -> str:
    """The secret with the data, in the object's namespace; empty until there is one."""
    return fields.text(obj.status, "dataSecretName")
