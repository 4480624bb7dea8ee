"""Virtual machines under their own path, and their network interfaces."""

from __future__ import annotations

import functools
import re

from capipool.machinery.objects import Raw
from capipool.testing.azure.http.answers import Answer, Call, Route, accepted, page
from capipool.testing.azure.http.routes.scalesets import COMPUTE
from capipool.testing.azure.model import interfaces, machine_views, virtualmachines
from capipool.testing.azure.model.failures import invalid, resource_not_found
from capipool.testing.azure.model.scalesets import views
from capipool.testing.azure.model.virtualmachines import KIND, Found

ALL = f"{COMPUTE}/virtualMachines"
ONE = f"{ALL}/{{name}}"
_SUBSCRIPTION = "/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachines"
_NETWORK = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/networkInterfaces"
_OWNER = re.compile(r"\s*'?virtualMachineScaleSet/id'?\s+eq\s+'([^']*)'\s*", re.IGNORECASE)
_VERBS = ("deallocate", "start", "restart", "powerOff", "reimage", "redeploy", "reapply")


def _find(call: Call) -> Found:
    if (found := virtualmachines.find(call.subscription, call.resource_id(KIND))) is None:
        raise resource_not_found(KIND, call.params["name"], call.params["group"])
    return found


def _view(found: Found, *, view: bool = False) -> Raw:
    owner = found.scale_set.id if found.scale_set else ""
    return views.virtual_machine(found.machine, found.id, owner=owner, view=view)


def put(call: Call) -> Answer:
    """Create, or update what is there."""
    machine_id = call.resource_id(KIND)
    found = virtualmachines.find(call.subscription, machine_id)
    call.check_etag(found.machine.etag if found is not None else None)
    if found is not None:
        operation = virtualmachines.update(call.subscription, found, call.document())
        return accepted(call, operation, status=200, body=_view(found))
    found, operation = virtualmachines.create(call.subscription, machine_id, call.params["name"], call.document())
    return accepted(call, operation, status=201, body=_view(found))


def patch(call: Call) -> Answer:
    """Update what must be there."""
    found = _find(call)
    call.check_etag(found.machine.etag)
    operation = virtualmachines.update(call.subscription, found, call.document())
    return accepted(call, operation, status=200, body=_view(found))


def get(call: Call) -> Answer:
    """The machine; counts as a look at its operations."""
    found = _find(call)
    call.subscription.world.operations.look(found.id)
    view = call.query.get("$expand", "").lower() == "instanceview"
    return Answer(200, _view(found, view=view))


def instance_view(call: Call) -> Answer:
    """Its running state alone."""
    return Answer(200, machine_views.instance_view(_find(call).machine))


def delete(call: Call) -> Answer:
    """Begin the deletion; 204 where there is nothing to delete."""
    if (found := virtualmachines.find(call.subscription, call.resource_id(KIND))) is None:
        return Answer(204)
    return accepted(call, virtualmachines.delete(call.subscription, found, force=call.flag("forceDeletion")))


def list_(call: Call) -> Answer:
    """The machines of a group, or of the subscription; with $filter those of one Flexible scale set."""
    subscription = call.subscription
    found = [Found(machine_id, machine, None) for machine_id, machine in subscription.machines.items()]
    found = [Found(_cased(call, f), f.machine, None) for f in found]
    for scale_set in subscription.scale_sets.values():
        if scale_set.flexible:
            found += [Found(scale_set.machine_id(m), m, scale_set) for m in scale_set.machines.values()]
    if group := call.params.get("group"):
        path = f"{subscription.world.group_path(subscription.group(group).name)}/".lower()
        found = [f for f in found if f.id.lower().startswith(path)]
    if condition := call.query.get("$filter", ""):
        if (match := _OWNER.fullmatch(condition)) is None:
            raise invalid(f"The filter '{condition}' is not understood.", "$filter")
        found = [f for f in found if f.scale_set and f.scale_set.id.lower() == match[1].lower()]
    view = call.query.get("$expand", "").lower() == "instanceview" or call.flag("statusOnly")
    return page(call, [_view(f, view=view) for f in found])


def _cased(call: Call, found: Found) -> str:
    """The id of a machine in the letters that its group and the machine were made with."""
    group = call.subscription.group(found.id.split("/")[4])
    return f"{call.subscription.world.group_path(group.name)}/providers/{KIND}/{found.machine.name}"


def act(call: Call, verb: str) -> Answer:
    """Its power or its disk."""
    return accepted(call, virtualmachines.act(call.subscription, _find(call), verb))


def evict(call: Call) -> Answer:
    """Announce an eviction."""
    virtualmachines.evict(call.subscription, _find(call))
    return Answer(204)


def extensions(call: Call) -> Answer:
    """Its extensions."""
    found = _find(call)
    return Answer(200, {"value": machine_views.extensions(found.machine, found.id)})


def extension(call: Call) -> Answer:
    """One of its extensions."""
    found, name = _find(call), call.params["extension"]
    if name not in found.machine.extensions:
        raise resource_not_found(f"{KIND}/extensions", f"{found.machine.name}/{name}", call.params["group"])
    return Answer(200, machine_views.extension(found.machine, name, found.id))


def put_extension(call: Call) -> Answer:
    """Install an extension on this machine."""
    found, name = _find(call), call.params["extension"]
    new = name not in found.machine.extensions
    given = call.document().get("properties") or {}
    operation = call.subscription.world.operations.start(
        "virtualMachines/extensions/write", f"{found.id}/extensions/{name}", location=found.machine.location
    )
    found.machine.extensions[name] = {**given, "provisioningState": "Creating" if new else "Updating"}

    def finish(ended: object) -> None:
        state = "Failed" if operation.error is not None else "Succeeded"
        if name in found.machine.extensions:
            found.machine.extensions[name]["provisioningState"] = state

    operation.on_end = finish
    body = machine_views.extension(found.machine, name, found.id)
    return accepted(call, operation, status=201 if new else 200, body=body)


def put_interface(call: Call) -> Answer:
    """Create or change an interface; done at once."""
    made, new = interfaces.put(
        call.subscription, call.resource_id(interfaces.KIND), call.params["name"], call.document()
    )
    return Answer(201 if new else 200, made)


def get_interface(call: Call) -> Answer:
    """One interface."""
    found = call.subscription.interfaces.get(call.resource_id(interfaces.KIND).lower())
    if found is None:
        raise resource_not_found(interfaces.KIND, call.params["name"], call.params["group"])
    return Answer(200, found)


def delete_interface(call: Call) -> Answer:
    """Remove an interface; 204 where there is none."""
    interface_id = call.resource_id(interfaces.KIND)
    if (found := call.subscription.interfaces.get(interface_id.lower())) is None:
        return Answer(204)
    interfaces.delete(call.subscription, found)
    location = found["location"]
    operation = call.subscription.world.operations.start("networkInterfaces/delete", interface_id, location=location)
    return accepted(call, operation)


def list_interfaces(call: Call) -> Answer:
    """The interfaces of a group."""
    group = call.subscription.group(call.params["group"])
    path = f"{call.subscription.world.group_path(group.name)}/".lower()
    return page(call, [i for key, i in call.subscription.interfaces.items() if key.startswith(path)])


ROUTES = (
    Route("PUT", ONE, "virtualMachines/write", put),
    Route("PATCH", ONE, "virtualMachines/write", patch),
    Route("GET", ONE, "virtualMachines/read", get),
    Route("DELETE", ONE, "virtualMachines/delete", delete),
    Route("GET", ALL, "virtualMachines/read", list_),
    Route("GET", _SUBSCRIPTION, "virtualMachines/read", list_),
    Route("GET", f"{ONE}/instanceView", "virtualMachines/instanceView/read", instance_view),
    *(
        Route("POST", f"{ONE}/{verb}", f"virtualMachines/{verb}/action", functools.partial(act, verb=verb))
        for verb in _VERBS
    ),
    Route("POST", f"{ONE}/simulateEviction", "virtualMachines/simulateEviction/action", evict),
    Route("GET", f"{ONE}/extensions", "virtualMachines/extensions/read", extensions),
    Route("GET", f"{ONE}/extensions/{{extension}}", "virtualMachines/extensions/read", extension),
    Route("PUT", f"{ONE}/extensions/{{extension}}", "virtualMachines/extensions/write", put_extension),
    Route("PUT", f"{_NETWORK}/{{name}}", "networkInterfaces/write", put_interface),
    Route("GET", f"{_NETWORK}/{{name}}", "networkInterfaces/read", get_interface),
    Route("DELETE", f"{_NETWORK}/{{name}}", "networkInterfaces/delete", delete_interface),
    Route("GET", _NETWORK, "networkInterfaces/read", list_interfaces),
)
