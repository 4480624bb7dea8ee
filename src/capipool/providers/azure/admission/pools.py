"""Defaults and rules of AzureMachinePools, and of the machines in them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capipool.api.admission.checks import part
from capipool.machinery import errors, percentages
from capipool.machinery.admission import Admit, Rules
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.providers.azure.admission import hardware, judging, roles
from capipool.providers.azure.admission.judging import fixed, set_once, specs
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.api.machinepoolmachine import AzureMachinePoolMachine

NAME = {"Uniform": 58, "Flexible": 55}
"""How long a pool's name may be: Azure appends a number, and names of machines end at 64 characters."""
WINDOWS_NAME = 9
"""Longer names of Windows pools become `win-` and their last five characters."""
_TEMPLATE = "spec.template"
_MINUTES = (5, 15)
_FIXED = {
    "location": "a scale set does not move; make another pool",
    "orchestrationMode": "a scale set keeps its mode; make another pool",
}


def rules() -> list[Rules]:
    """The rules of both kinds."""
    return [
        judging.rules(AzureMachinePool.RESOURCE, check=_pool, warn=_warnings, default=_default),
        judging.rules(AzureMachinePoolMachine.RESOURCE, check=_machine),
    ]


def _default(spec: Raw, admit: Admit) -> Raw:
    old = part(admit.old, "spec")
    template = hardware.defaults(dict(part(spec, "template")), part(old, "template"), caching=False)
    spot = template.get("spotVMOptions")
    if isinstance(spot, dict) and not spot.get("evictionPolicy") and part(template, "osDisk").get("diffDiskSettings"):
        template["spotVMOptions"] = {**spot, "evictionPolicy": "Delete"}  # the only one that Azure takes
    return roles.defaults({**spec, "template": template}, old)


def _pool(admit: Admit) -> Iterator[FieldError]:
    spec, old = specs(admit)
    yield from _name(admit, spec)
    template = part(spec, "template")
    yield from hardware.check(template, _TEMPLATE)
    yield from _termination(template.get("terminateNotificationTimeout"), f"{_TEMPLATE}.terminateNotificationTimeout")
    yield from roles.check(spec, old, "spec")
    yield from _strategy(part(spec, "strategy", "rollingUpdate"), "spec.strategy.rollingUpdate")
    if admit.operation == "UPDATE":
        yield from fixed(spec, old, "spec", _FIXED)
        why = {"disableVMBootstrapExtension": "it is decided once"}
        yield from set_once(template, part(old, "template"), _TEMPLATE, why)


def _name(admit: Admit, spec: Mapping[str, Any]) -> Iterator[FieldError]:
    """Only a new pool's: one that is there has a scale set of that name."""
    name, mode = part(admit.object, "metadata").get("name") or "", spec.get("orchestrationMode") or "Uniform"
    if admit.operation == "CREATE" and len(name) > NAME[mode] and not _is_windows(spec):
        yield errors.invalid("metadata.name", name, f"must have at most {NAME[mode]} characters for a {mode} scale set")


def _termination(minutes: int | None, path: str) -> Iterator[FieldError]:
    if minutes is not None and not _MINUTES[0] <= minutes <= _MINUTES[1]:
        yield errors.invalid(path, minutes, "must be 5 to 15 minutes")


def _strategy(rolling: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    surge, unavailable = rolling.get("maxSurge", 1), rolling.get("maxUnavailable", 0)
    found = [*_amount(surge, f"{path}.maxSurge"), *_amount(unavailable, f"{path}.maxUnavailable")]
    yield from found
    if not found and not any(percentages.scaled(each, 100, round_up=True) for each in (surge, unavailable)):
        said = "must not be 0 while maxSurge is 0: nothing could ever be replaced"
        yield errors.invalid(f"{path}.maxUnavailable", unavailable, said)


def _amount(value: int | str, path: str) -> Iterator[FieldError]:
    if isinstance(value, str) and not percentages.is_percentage(value):
        yield errors.invalid(path, value, "must be a number, or a percentage like 25%")
    elif isinstance(value, int) and value < 0:
        yield errors.invalid(path, value, "must not be negative")


def _warnings(raw: Raw) -> Iterator[str]:
    spec = part(raw, "spec")
    yield from hardware.warnings(part(spec, "template"), _TEMPLATE)
    name = part(raw, "metadata").get("name") or ""
    if _is_windows(spec) and len(name) > WINDOWS_NAME:
        short = f"win-{name[-5:]}"
        yield (
            f"metadata.name: machines of Windows have short names, so the scale set is called {short}; "
            f"no other Windows pool of this resource group may end in {name[-5:]}"
        )


def _is_windows(spec: Mapping[str, Any]) -> bool:
    return part(spec, "template", "osDisk").get("osType") == "Windows"


def _machine(admit: Admit) -> Iterator[FieldError]:
    spec, old = specs(admit)
    if not spec.get("providerID"):
        yield errors.required("spec.providerID", "it is one instance, and no other")
    yield from set_once(spec, old, "spec", {"providerID": "it is one instance, and no other"})
