"""What can go wrong in a cloud, as a vocabulary: providers raise these, the reconciler knows what to do with each.

A provider translates whatever its cloud's library raises into one of these at its edge (`raise ... from error`). Each
class takes facts and composes its own message, which ends up in a condition that a person reads, so facts must hold no
secrets. What is none of these is a bug of the provider: it is logged with its traceback and retried with backoff.
"""

from __future__ import annotations

import datetime as dt
from typing import ClassVar


class ProviderError(Exception):
    """The root. The reconciler writes `reason` and the message into a condition, and comes again after `delay`."""

    reason: ClassVar[str] = "ProviderFailed"
    """One CamelCase word for the condition."""
    delay: dt.timedelta | None = None
    """When trying again may help; None leaves it to exponential backoff."""
    quiet: ClassVar[bool] = False
    """Whether this is a normal part of life: no Warning event."""


class InstanceGroupNotFound(ProviderError):
    """There is no such group. Observing: the reconciler creates it. Deleting: it is done."""

    reason = "InstanceGroupNotFound"
    quiet = True

    def __init__(self, group: str) -> None:
        super().__init__(f"the instance group {group} does not exist")
        self.group = group


class Missing(ProviderError):
    """What a call named does not exist. Whoever made the call knows what that means, and lets it get no further."""

    reason = "NotFound"

    def __init__(self, operation: str, *, detail: str) -> None:
        super().__init__(f"{operation}: {detail}")
        self.operation = operation


class AlreadyThere(ProviderError):
    """Something of that name exists already. Whoever made the call looks whose it is."""

    reason = "AlreadyExists"

    def __init__(self, operation: str, *, detail: str) -> None:
        super().__init__(f"{operation}: {detail}")
        self.operation = operation


class GroupChanged(ProviderError):
    """The group is no longer as it was observed, and to go on could hit an instance that nobody named.

    The reconciler drops its plan, observes and decides anew at once.
    """

    reason = "InstanceGroupChanged"
    delay = dt.timedelta(milliseconds=200)
    quiet = True

    def __init__(self, group: str, what: str) -> None:
        super().__init__(f"the instance group {group} changed meanwhile: {what}")
        self.group = group


class OperationInProgress(ProviderError):
    """The cloud is busy with this group and takes no other order now. Asked again in a while, with the same order."""

    reason = "OperationInProgress"
    quiet = True

    def __init__(self, group: str, operation: str, *, again: dt.timedelta = dt.timedelta(seconds=10)) -> None:
        super().__init__(f"the cloud is busy with {operation} of the instance group {group}")
        self.group = group
        self.operation = operation
        self.delay = again


class InsufficientCapacity(ProviderError):
    """The cloud has no room for more instances of this kind now. Nothing is wrong with the spec: asked again later.

    What exists stays; scaling down and replacing failed instances goes on.
    """

    reason = "InsufficientCapacity"
    delay = dt.timedelta(seconds=30)

    def __init__(self, *, wanted: int, zone: str = "", detail: str = "") -> None:
        where = f" in zone {zone}" if zone else ""
        more = f": {detail}" if detail else ""
        super().__init__(f"the cloud has no capacity for {wanted} more instance{_s(wanted)}{where}{more}")
        self.wanted = wanted
        self.zone = zone


class QuotaExceeded(ProviderError):
    """A limit of the account is reached. Somebody must raise it or free something: asked again every few minutes."""

    reason = "QuotaExceeded"
    delay = dt.timedelta(minutes=2)

    def __init__(self, quota: str, *, detail: str = "") -> None:
        super().__init__(f"the quota {quota} is exhausted" + (f": {detail}" if detail else ""))
        self.quota = quota


class Throttled(ProviderError):
    """The cloud wants fewer calls. Nothing was done; asked again after the time the cloud says, 5 s if it says none."""

    reason = "Throttled"
    quiet = True

    def __init__(self, operation: str, *, retry_after: dt.timedelta | None = None) -> None:
        super().__init__(f"the cloud throttles {operation}")
        self.operation = operation
        self.delay = retry_after or dt.timedelta(seconds=5)


class PermissionDenied(ProviderError):
    """The credentials may not do this. Somebody must change a policy: asked again every few minutes."""

    reason = "PermissionDenied"
    delay = dt.timedelta(minutes=2)

    def __init__(self, action: str, *, detail: str = "") -> None:
        super().__init__(f"the credentials in use are not allowed to {action}" + (f": {detail}" if detail else ""))
        self.action = action


class InvalidConfiguration(ProviderError):
    """The cloud will never take this spec. Shown with the field, and tried again only rarely until the spec changes."""

    reason = "InvalidConfiguration"
    delay = dt.timedelta(minutes=10)

    def __init__(self, field: str, *, detail: str, value: object = None) -> None:
        shown = f" ({value!r})" if value is not None else ""
        super().__init__(f"{field}{shown}: {detail}")
        self.field = field
        self.value = value


class NotOwned(ProviderError):
    """A group of that name exists and belongs to somebody else. It is left alone; rename, or adopt it explicitly."""

    reason = "InstanceGroupNotOwned"
    delay = dt.timedelta(minutes=2)

    def __init__(self, group: str, *, owner: str = "") -> None:
        whose = f"belongs to {owner}" if owner else "was not made by this pool"
        super().__init__(f"the instance group {group} exists already and {whose}: rename the pool, or adopt the group")
        self.group = group


class CloudUnavailable(ProviderError):
    """The cloud did not answer, or failed. Whether the call had an effect is unknown: observed anew, with backoff."""

    reason = "CloudUnavailable"

    def __init__(self, operation: str, *, detail: str = "") -> None:
        super().__init__(f"the cloud did not carry out {operation}" + (f": {detail}" if detail else ""))
        self.operation = operation


def _s(count: int) -> str:
    return "" if count == 1 else "s"
