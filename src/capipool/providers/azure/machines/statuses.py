"""The status of an AzureMachine, by the contract of v1beta1 and with upstream's conditions. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.providers.azure.api.machine import AzureMachine
from capipool.providers.azure.machines import decide
from capipool.providers.azure.machines.decide import Step
from capipool.providers.azure.operations import Operation
from capipool.providers.azure.pools.parts import BOOTSTRAP_EXTENSION, WINDOWS_BOOTSTRAP_EXTENSION
from capipool.sdk import conditions
from capipool.sdk.conditions import ERROR, INFO, WARNING

RUNNING, INTERFACES, BOOTSTRAP = "VMRunning", "NetworkInterfacesReady", "BootstrapSucceeded"
_SEVERE = {decide.FAILED: ERROR, decide.MISSING: ERROR, decide.STOPPED: WARNING}


def of_step(obj: AzureMachine, step: Step, now: dt.datetime) -> Raw:
    """What is said of a step. `ready` once is ready for good; a failure that is over is forgotten."""
    about = {"reason": step.reason, "message": step.message, "severity": _SEVERE.get(step.reason, INFO)}
    wanted = [conditions.condition(type_, not step.reason, **about) for type_ in ("Ready", RUNNING)]
    made: Raw = {"conditions": conditions.merged(obj.status.conditions, wanted, now)}
    if step.state:
        made["vmState"] = step.state
    made["failureReason"] = step.failure or None
    made["failureMessage"] = step.message if step.failure else None
    return made


def of_error(obj: AzureMachine, reason: str, message: str, now: dt.datetime) -> Raw:
    """What is said while Azure does not do as asked: of a machine that runs, that it may run still."""
    about = {"reason": reason, "message": message, "severity": WARNING}
    types = ("Ready",) if obj.status.ready else ("Ready", RUNNING)
    wanted = [conditions.condition(type_, False, **about) for type_ in types]
    return {"conditions": conditions.merged(obj.status.conditions, wanted, now)}


def of_deletion(obj: AzureMachine, message: str, now: dt.datetime) -> Raw:
    """What is said while it goes."""
    about = {"reason": decide.DELETING, "message": message}
    wanted = [conditions.condition(type_, False, **about) for type_ in ("Ready", RUNNING)]
    return {"conditions": conditions.merged(obj.status.conditions, wanted, now), "vmState": "Deleting"}


def with_interfaces(status: Raw, obj: AzureMachine, now: dt.datetime) -> Raw:
    """The same, once the network interfaces are there."""
    return _with(status, obj, conditions.condition(INTERFACES, True), now)


def with_bootstrap(status: Raw, obj: AzureMachine, extensions: Sequence[Raw], now: dt.datetime) -> Raw:
    """The same, with what the extension says that waits for the end of bootstrapping; as it is without one."""
    names = (BOOTSTRAP_EXTENSION, WINDOWS_BOOTSTRAP_EXTENSION)
    found = next((each for each in extensions if each.get("name") in names), None)
    if found is None:
        return status
    state = str((found.get("properties") or {}).get("provisioningState", ""))
    if state.lower() == "failed":
        said = {"reason": "BootstrapFailed", "message": "the machine did not become a node", "severity": ERROR}
    else:
        said = {"reason": "BootstrapInProgress", "message": "the machine becomes a node"}
    return _with(status, obj, conditions.condition(BOOTSTRAP, state.lower() == "succeeded", **said), now)


def _with(status: Raw, obj: AzureMachine, condition: Raw, now: dt.datetime) -> Raw:
    """One more condition; `status` has those of a step already, and with them all that were there before."""
    there = conditions.merged(obj.status.conditions, [condition], now)
    added = next(each for each in there if each["type"] == condition["type"])
    others = [each for each in status["conditions"] if each["type"] != condition["type"]]
    return {**status, "conditions": sorted([*others, added], key=lambda c: (c["type"] != "Ready", c["type"]))}


def with_operation(status: Raw, operation: Operation | None) -> Raw:
    """The same, with where to ask for the operation that is under way."""
    kept = [objects.part_to_raw(operation.encode())] if operation is not None else None
    return {**status, "longRunningOperationStates": kept}


def patch(obj: AzureMachine, status: Raw) -> Raw | None:
    """What to write; None where it says so already. None in a status takes a field out."""
    before = objects.to_raw(obj).get("status", {})
    after = {key: value for key, value in {**before, **status}.items() if value is not None}
    return merge.diff(before, after)
