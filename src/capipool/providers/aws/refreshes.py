"""Instance refreshes, AWS's own rolling replacement: which one is under way, whereto, and how to start one. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from capipool.machinery.objects import Raw
from capipool.providers.aws import groups
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.templates import Version

PAUSE = dt.timedelta(minutes=10)
"""How long after a refresh failed, or was cancelled or rolled back by somebody, the next one towards the same."""
_CANCELLABLE = ("Pending", "InProgress", "Baking")
_OPEN = (*_CANCELLABLE, "Cancelling", "RollbackInProgress")
_BAD = ("Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed")


def active(refreshes: Sequence[Raw]) -> Raw | None:
    """The one that is under way: AWS has at most one a group."""
    return next((r for r in refreshes if r.get("Status") in _OPEN), None)


def can_be_cancelled(refresh: Raw) -> bool:
    """Whether it has not begun to end."""
    return refresh.get("Status") in _CANCELLABLE


def target(refresh: Raw) -> Version:
    """The version that it goes to; of number 0 where it does not say."""
    return Version.of(groups.launch_template(refresh.get("DesiredConfiguration") or {}))


def goes_on(refresh: Raw, revision: str, wanted: str) -> bool:
    """Whether it may go on: it goes to what is wanted. A fresh token is no reason to begin anew."""
    return can_be_cancelled(refresh) and revision == wanted


def pauses(refreshes: Sequence[Raw], version: Version, now: dt.datetime) -> bool:
    """Whether the latest refresh went to this version and did not get there a short while ago."""
    latest = refreshes[0] if refreshes else {}
    if latest.get("Status") not in _BAD or target(latest) != version:
        return False
    ended = latest.get("EndTime")
    return isinstance(ended, dt.datetime) and now < ended + PAUSE


def start(pool: AWSMachinePool, reference: Raw, group: Raw) -> Raw:
    """The parameters of a refresh towards a version; those that have it already are skipped."""
    said = pool.spec.refresh_preferences
    preferences: Raw = {"SkipMatching": True}
    if said is not None:
        given = {
            "InstanceWarmup": said.instance_warmup,
            "MinHealthyPercentage": said.min_healthy_percentage,
            "MaxHealthyPercentage": said.max_healthy_percentage,
        }
        preferences |= {key: value for key, value in given.items() if value is not None}
    version = {"LaunchTemplateId": reference["LaunchTemplateId"], "Version": str(reference["Version"])}
    wanted: Raw = {"LaunchTemplate": version}
    if mixed := group.get("MixedInstancesPolicy"):
        whole = {**mixed, "LaunchTemplate": {**mixed["LaunchTemplate"], "LaunchTemplateSpecification": version}}
        wanted = {"MixedInstancesPolicy": whole}
    return {"Strategy": "Rolling", "Preferences": preferences, "DesiredConfiguration": wanted}


def describe(refreshes: Sequence[Raw]) -> str:
    """How far the latest one is, for a person; empty where there is none."""
    if not refreshes:
        return ""
    latest = active(refreshes) or refreshes[0]
    said = f"instance refresh {latest.get('Status')}"
    if latest.get("PercentageComplete") is not None:
        said += f", {latest['PercentageComplete']}% complete"
    if (left := latest.get("InstancesToUpdate")) is not None:
        said += f", {left} instances left"
    rollback = latest.get("RollbackDetails") or {}
    why = [latest.get("StatusReason"), rollback.get("RollbackReason")]
    return said + "".join(f": {text}" for text in dict.fromkeys(why) if text)


def has_failed(refreshes: Sequence[Raw]) -> bool:
    """Whether the latest one ended without getting there, or goes back."""
    return bool(refreshes) and refreshes[0].get("Status") in (*_BAD, "RollbackInProgress")
