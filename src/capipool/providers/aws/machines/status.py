"""The status of a machine, by the contract of v1beta1, as upstream's AWS kinds have it. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from capipool.machinery.objects import Raw
from capipool.providers.aws.machines.api import AWSMachine
from capipool.providers.aws.machines.decide import FAILURE_REASON, GROUPS_READY, READY, Step
from capipool.sdk.conditions import condition, merged
from capipool.sdk.errors import ProviderError

_SPOT = ("spot", "capacity-block")


@dataclass(frozen=True, slots=True)
class Upkept:
    """What came of keeping an instance right."""

    groups: Raw | None = None
    """The condition of its security groups, where they were looked at."""
    problem: ProviderError | None = None
    """What went wrong beside them."""


NOTHING = Upkept()


def of(obj: AWSMachine, step: Step, *, instance: Raw | None, now: dt.datetime, upkept: Upkept = NOTHING) -> Raw:
    """The status after a step."""
    made: Raw = {"conditions": _conditions(obj, step.said, upkept, now)}
    if step.ready is not None:
        made["ready"] = step.ready
    if step.state:
        made["instanceState"] = step.state
    if step.failure:
        made |= {"failureReason": FAILURE_REASON, "failureMessage": step.failure}
    if instance is not None:
        made["interruptible"] = instance.get("InstanceLifecycle") in _SPOT
        if found := addresses(instance):
            made["addresses"] = found
    return made


def failed(obj: AWSMachine, error: ProviderError, now: dt.datetime, *, launched: bool) -> Raw:
    """The status after something went wrong. What an instance is known to be, it still is."""
    said = condition("Ready", False, reason=error.reason, message=str(error), severity="Warning")
    if launched:
        return {"conditions": merged(obj.status.conditions, [said], now)}
    reason = error.reason if error.quiet else "InstanceProvisionFailed"
    severity = "Info" if error.quiet else "Error"
    provision = condition(READY, False, reason=reason, message=str(error), severity=severity)
    return {"conditions": merged(obj.status.conditions, [said, provision], now)}


def groups_condition(error: ProviderError | None) -> Raw:
    """Whether an instance is in its security groups."""
    said = str(error) if error is not None else ""
    ok = error is None
    return condition(GROUPS_READY, ok, reason="SecurityGroupsSyncFailed", message=said, severity="Error")


def addresses(instance: Raw) -> list[Raw]:
    """Names and addresses, inside first, in the order of the interfaces; none twice."""
    found: list[Raw] = []
    interfaces = instance.get("NetworkInterfaces") or ()
    for interface in sorted(interfaces, key=lambda i: (i.get("Attachment") or {}).get("DeviceIndex", 0)):
        outside = interface.get("Association") or {}
        for type_, address in (
            ("InternalDNS", interface.get("PrivateDnsName")),
            ("InternalIP", interface.get("PrivateIpAddress")),
            ("ExternalDNS", outside.get("PublicDnsName")),
            ("ExternalIP", outside.get("PublicIp")),
        ):
            if address and (entry := {"type": type_, "address": address}) not in found:
                found.append(entry)
    return found


def _conditions(obj: AWSMachine, instance: Raw, upkept: Upkept, now: dt.datetime) -> list[Raw]:
    """These, and `Ready`, which sums up: it carries the reason of the first that is not so."""
    said = [each for each in (instance, upkept.groups) if each is not None]
    bad = next((c for c in said if c["status"] != "True"), None)
    if bad is not None:
        summary = {**bad, "type": "Ready"}
    elif (problem := upkept.problem) is not None:
        summary = condition("Ready", False, reason=problem.reason, message=str(problem), severity="Warning")
    else:
        summary = condition("Ready", True)
    return merged(obj.status.conditions, [*said, summary], now)
