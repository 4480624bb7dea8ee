"""Failures as ARM tells them: a status, a code, a sentence. Raised anywhere in the model, answered by `http`."""

from __future__ import annotations

from typing import Any

STATUSES = {
    "OperationNotAllowed": 409,
    "SkuNotAvailable": 409,
    "Conflict": 409,
    "PropertyChangeNotAllowed": 409,
    "QuotaExceeded": 409,
    "PreconditionFailed": 412,
    "TooManyRequests": 429,
    "AuthorizationFailed": 403,
    "ResourceNotFound": 404,
    "NotFound": 404,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
}
"""The HTTP status that goes with a code, where it is not 400."""

MESSAGES = {
    "AllocationFailed": "Allocation failed. There is not enough capacity for the requested VM size in this region.",
    "ZonalAllocationFailed": "Allocation failed. There is not enough capacity for the requested VM size in this zone.",
    "OverconstrainedAllocationRequest": "Allocation failed. Too many constraints on the VM could not be met together.",
    "OverconstrainedZonalAllocationRequest": (
        "Allocation failed. Too many constraints on the VM could not be met together in the requested zone."
    ),
    "OperationNotAllowed": (
        "Operation could not be completed as it results in exceeding approved Total Regional Cores quota."
    ),
    "SkuNotAvailable": "The requested VM size is currently not available in the location.",
    "OSProvisioningTimedOut": "OS provisioning for the VM did not finish in the allotted time.",
    "VMExtensionProvisioningError": "VM has reported a failure when processing an extension.",
    "OperationPreempted": "Operation execution has been preempted by a more recent operation.",
    "TooManyRequests": "The request is being throttled as the limit has been reached for the operation.",
    "InternalServerError": "The server encountered an internal error.",
}
"""A sentence for codes that tests order without one."""


class ArmError(Exception):
    """A request that ARM refuses. `code` is what clients decide by; `target` names the parameter at fault."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        status: int = 0,
        target: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.code = code
        self.message = message or MESSAGES.get(code, f"The request failed with {code}.")
        self.status = status or STATUSES.get(code, 400)
        self.target = target
        self.headers = headers or {}
        super().__init__(f"{self.status} {self.code}: {self.message}")

    def body(self) -> dict[str, Any]:
        """As ARM writes it."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target:
            error["target"] = self.target
        return {"error": error}


def resource_not_found(kind: str, name: str, group: str) -> ArmError:
    """Nothing of that name in a resource group that is there."""
    return ArmError(
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found.",
        status=404,
    )


def parent_not_found(kind: str, parent_id: str) -> ArmError:
    """Something inside a resource that is not there."""
    return ArmError(
        "ParentResourceNotFound",
        f"Failed to perform the operation on resource(s) of type '{kind}', because the parent resource '{parent_id}' "
        "could not be found.",
        status=404,
    )


def group_not_found(group: str) -> ArmError:
    """The resource group itself is missing: what it held is gone, too."""
    return ArmError("ResourceGroupNotFound", f"Resource group '{group}' could not be found.", status=404)


def invalid(message: str, target: str = "") -> ArmError:
    """A parameter that makes no sense."""
    return ArmError("InvalidParameter", message, target=target)


def marked_for_deletion(kind: str, name: str, action: str) -> ArmError:
    """A change of something that is on its way out."""
    return ArmError(
        "OperationNotAllowed",
        f"Operation '{action}' is not allowed on {kind} '{name}' since it is marked for deletion.",
    )


def patience(seconds: float) -> dict[str, str]:
    """The header that asks to wait: `Retry-After` takes whole seconds, for less Azure has one of its own."""
    if not seconds:
        return {}
    if seconds == int(seconds):
        return {"Retry-After": str(int(seconds))}
    return {"x-ms-retry-after-ms": str(max(1, round(seconds * 1000)))}
