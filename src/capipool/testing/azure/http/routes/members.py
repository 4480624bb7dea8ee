"""The machines of a scale set, under the scale set's path. Flexible ones are only listed here."""

from __future__ import annotations

import functools
import re

from capipool.machinery.objects import Raw
from capipool.testing.azure.http.answers import Answer, Call, Route, accepted, page
from capipool.testing.azure.http.routes import scalesets
from capipool.testing.azure.model import machine_views
from capipool.testing.azure.model.failures import ArmError, invalid, parent_not_found, resource_not_found
from capipool.testing.azure.model.machines import Machine
from capipool.testing.azure.model.scalesets import acting, views
from capipool.testing.azure.model.scalesets.scaleset import KIND, ScaleSet

ALL = f"{scalesets.ONE}/virtualMachines"
ONE = f"{ALL}/{{instance}}"
_READ = "virtualMachineScaleSets/virtualMachines/read"
_WRITE = "virtualMachineScaleSets/virtualMachines/write"
_DELETE = "virtualMachineScaleSets/virtualMachines/delete"
_FILTER = re.compile(
    r"\s*(?:startswith\(\s*instanceView/statuses/code\s*,\s*'(?P<start>[^']*)'\s*\)(?:\s+eq\s+true)?"
    r"|properties/latestModelApplied\s+eq\s+(?P<latest>true|false)"
    r"|instanceView/statuses/any\(\w+:\s*\w+/code eq '(?P<code>[^']*)'\s*\))\s*",
    re.IGNORECASE,
)


def owner(call: Call) -> ScaleSet:
    """The scale set that the path names, to look into. Raises ArmError where there is none."""
    if (found := scalesets.seek(call)) is None:
        parent = call.path.split("/virtualMachines")[0]
        raise parent_not_found(f"{KIND.removeprefix('Microsoft.Compute/')}/virtualMachines", parent)
    return found


def seek(call: Call) -> tuple[ScaleSet, Machine | None]:
    """The machine that the path names, if its scale set has it. Raises ArmError where Azure wants its own path."""
    subject = owner(call)
    if subject.flexible:
        raise ArmError(
            "OperationNotAllowed",
            f"Scale set '{subject.name}' has orchestrationMode Flexible: reach its machines as virtualMachines.",
        )
    return subject, subject.machines.get(call.params["instance"])


def find(call: Call) -> tuple[ScaleSet, Machine]:
    """The machine that the path names. Raises ArmError where there is none."""
    subject, machine = seek(call)
    if machine is None:
        name = f"{subject.name}/virtualMachines/{call.params['instance']}"
        raise resource_not_found(KIND, name, subject.group)
    return subject, machine


def list_(call: Call) -> Answer:
    """All machines, those that are being deleted included; with $filter on states, and instance views if asked for."""
    subject = owner(call)
    view = call.query.get("$expand", "").lower() == "instanceview"
    machines = [m for m in subject.machines.values() if _wanted(subject, m, call.query.get("$filter", ""))]
    return page(call, [views.row(subject, machine, view=view) for machine in machines])


def _wanted(subject: ScaleSet, machine: Machine, condition: str) -> bool:
    if not condition:
        return True
    match = _FILTER.fullmatch(condition)
    if match is None:
        raise invalid(f"The filter '{condition}' is not understood.", "$filter")
    if match["latest"]:
        return (machine.model == subject.model) == (match["latest"].lower() == "true")
    codes = [str(status["code"]).lower() for status in machine_views.statuses(machine)]
    if match["start"]:
        return any(code.startswith(match["start"].lower()) for code in codes)
    return str(match["code"]).lower() in codes


def get(call: Call) -> Answer:
    """One machine; counts as a look at its operations."""
    subject, machine = find(call)
    call.subscription.world.operations.look(subject.machine_id(machine))
    view = call.query.get("$expand", "").lower() == "instanceview"
    return Answer(200, views.row(subject, machine, view=view))


def instance_view(call: Call) -> Answer:
    """Its running state alone."""
    return Answer(200, machine_views.instance_view(find(call)[1]))


def put(call: Call) -> Answer:
    """Set the protection policy: the one thing that can be written here."""
    subject, machine = find(call)
    policy = (call.document().get("properties") or {}).get("protectionPolicy") or {}
    operation = acting.protect(call.subscription, subject, machine, policy, action=_WRITE)
    return accepted(call, operation, status=200, body=views.row(subject, machine))


def delete(call: Call) -> Answer:
    """Delete it, and lower the capacity; 204 where it is gone already."""
    subject, machine = seek(call)
    if machine is None:
        return Answer(204)
    force = call.flag("forceDeletion")
    operation = acting.delete_machines(call.subscription, subject, [machine], action=_DELETE, force=force)
    return accepted(call, operation)


def act(call: Call, verb: str) -> Answer:
    """Its power or its disk."""
    subject, machine = find(call)
    action = f"virtualMachineScaleSets/virtualMachines/{verb}/action"
    return accepted(call, acting.act(call.subscription, subject, [machine], verb=verb, action=action))


def evict(call: Call) -> Answer:
    """Announce an eviction."""
    subject, machine = find(call)
    acting.evict(call.subscription, subject, machine)
    return Answer(204)


def extensions(call: Call) -> Answer:
    """Its extensions."""
    subject, machine = find(call)
    return Answer(200, {"value": machine_views.extensions(machine, subject.machine_id(machine))})


def extension(call: Call) -> Answer:
    """One of its extensions."""
    subject, machine = find(call)
    name = call.params["extension"]
    if name not in machine.extensions:
        raise resource_not_found(f"{KIND}/virtualMachines/extensions", f"{machine.name}/{name}", subject.group)
    made: Raw = machine_views.extension(machine, name, subject.machine_id(machine))
    return Answer(200, made)


ROUTES = (
    Route("GET", ALL, _READ, list_),
    Route("GET", ONE, _READ, get),
    Route("GET", f"{ONE}/instanceView", "virtualMachineScaleSets/virtualMachines/instanceView/read", instance_view),
    Route("PUT", ONE, _WRITE, put),
    Route("DELETE", ONE, _DELETE, delete),
    *(
        Route(
            "POST",
            f"{ONE}/{verb}",
            f"virtualMachineScaleSets/virtualMachines/{verb}/action",
            functools.partial(act, verb=verb),
        )
        for verb in scalesets.OF_MACHINES
    ),
    Route("POST", f"{ONE}/simulateEviction", "virtualMachineScaleSets/virtualMachines/simulateEviction/action", evict),
    Route("GET", f"{ONE}/extensions", "virtualMachineScaleSets/virtualMachines/extensions/read", extensions),
    Route(
        "GET", f"{ONE}/extensions/{{extension}}", "virtualMachineScaleSets/virtualMachines/extensions/read", extension
    ),
)
