"""Health checks: flat in v1beta1, in two parts (what is unhealthy, and what is then done) in v1beta2.

MachineHealthCheck has them as its spec, a Cluster's topology inside its parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from capipool.api.conversion import durations, fields, references
from capipool.api.conversion.lossless import Context
from capipool.machinery.objects import Raw


def up(check: Raw) -> None:
    """To v1beta2, in place: `checks` and `remediation` from what v1beta1 has side by side."""
    trigger: Raw = {}
    checks = fields.part(check, "checks")
    remediation = fields.part(check, "remediation")
    fields.move(check, "nodeStartupTimeout", checks, "nodeStartupTimeoutSeconds")
    fields.seconds_up(checks, "nodeStartupTimeoutSeconds")
    fields.move(check, "unhealthyConditions", checks, "unhealthyNodeConditions")
    fields.move(check, "unhealthyMachineConditions", checks)
    for name in ("unhealthyNodeConditions", "unhealthyMachineConditions"):
        fields.change(checks, name, _conditions_up)
    fields.drop_empty(checks, ("unhealthyNodeConditions", "unhealthyMachineConditions"))
    fields.move(check, "maxUnhealthy", trigger, "unhealthyLessThanOrEqualTo")
    fields.move(check, "unhealthyRange", trigger, "unhealthyInRange")
    fields.place(remediation, "triggerIf", trigger)
    fields.move(check, "remediationTemplate", remediation, "templateRef")
    fields.change(remediation, "templateRef", references.template_up)
    fields.drop_empty(remediation, ("templateRef",))
    fields.place(check, "checks", checks)
    fields.place(check, "remediation", remediation)


def down(check: Raw, context: Context) -> Raw:
    """To v1beta1, in place. Returns what else `remediation` had."""
    checks, remediation = fields.part(check, "checks"), fields.part(check, "remediation")
    check.pop("checks", None)
    check.pop("remediation", None)
    fields.move(checks, "nodeStartupTimeoutSeconds", check, "nodeStartupTimeout")
    fields.change(check, "nodeStartupTimeout", durations.from_seconds)
    fields.move(checks, "unhealthyNodeConditions", check, "unhealthyConditions")
    fields.move(checks, "unhealthyMachineConditions", check)
    for name in ("unhealthyConditions", "unhealthyMachineConditions"):
        fields.change(check, name, _conditions_down)
    trigger = fields.part(remediation, "triggerIf")
    remediation.pop("triggerIf", None)
    fields.move(trigger, "unhealthyLessThanOrEqualTo", check, "maxUnhealthy")
    fields.move(trigger, "unhealthyInRange", check, "unhealthyRange")
    fields.move(remediation, "templateRef", check, "remediationTemplate")
    fields.change(check, "remediationTemplate", lambda ref: references.template_down(ref, context))
    return remediation


def _conditions_up(conditions: Iterable[Mapping[str, Any]]) -> list[Raw]:
    made = []
    for condition in conditions:
        new = dict(condition)
        fields.move(new, "timeout", new, "timeoutSeconds")
        fields.seconds_up(new, "timeoutSeconds")
        made.append(new)
    return made


def _conditions_down(conditions: Iterable[Mapping[str, Any]]) -> list[Raw]:
    return [
        {
            **{k: v for k, v in c.items() if k != "timeoutSeconds"},
            "timeout": durations.from_seconds(c.get("timeoutSeconds", 0)),
        }
        for c in conditions
    ]
