"""Scale sets: the resource itself, its lists and views, and what is done to many of its machines at once."""

from __future__ import annotations

import functools

from capipool.machinery.objects import Raw
from capipool.testing.azure.http.answers import Answer, Call, Route, accepted, page
from capipool.testing.azure.model.bodies import shown
from capipool.testing.azure.model.failures import resource_not_found
from capipool.testing.azure.model.scalesets import acting, rolling, views, writing
from capipool.testing.azure.model.scalesets.scaleset import KIND, ScaleSet

COMPUTE = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute"
ALL = f"{COMPUTE}/virtualMachineScaleSets"
ONE = f"{ALL}/{{name}}"
_SUBSCRIPTION = "/subscriptions/{subscription}/providers/Microsoft.Compute"
OF_MACHINES = ("deallocate", "start", "restart", "poweroff", "reimage", "reimageall", "redeploy", "performMaintenance")
"""What can be done to one machine of a scale set, or to many."""
_VERBS = (*OF_MACHINES, "reapply", "manualupgrade")


def seek(call: Call) -> ScaleSet | None:
    """The scale set that the path names, if there is one in its group, which there must be."""
    return call.subscription.scale_sets.get(call.resource_id(KIND).lower())


def find(call: Call) -> ScaleSet:
    """The scale set that the path names. Raises ArmError where there is none."""
    if (found := seek(call)) is None:
        raise resource_not_found(KIND, call.params["name"], call.params["group"])
    return found


def put(call: Call) -> Answer:
    """Create, or update what is there."""
    group = call.subscription.group(call.params["group"])
    existing = seek(call)
    call.check_etag(existing.etag if existing else None)
    if existing is not None:
        operation = writing.update(call.subscription, existing, call.document())
        return accepted(call, operation, status=200, body=views.scale_set(existing))
    made = writing.create(call.subscription, group=group.name, name=call.params["name"], body=call.document())
    operation = call.subscription.world.operations.pending(made.id)[-1]
    return accepted(call, operation, status=201, body=views.scale_set(made))


def patch(call: Call) -> Answer:
    """Update the named parts of what must be there."""
    subject = find(call)
    call.check_etag(subject.etag)
    operation = writing.update(call.subscription, subject, call.document())
    return accepted(call, operation, status=200, body=views.scale_set(subject))


def get(call: Call) -> Answer:
    """The scale set; counts as a look at its operations."""
    subject = find(call)
    call.subscription.world.operations.look(subject.id)
    return Answer(200, views.scale_set(subject), {"ETag": subject.etag})


def delete(call: Call) -> Answer:
    """Begin the deletion; 204 where there is nothing to delete."""
    if (subject := seek(call)) is None:
        return Answer(204)
    call.check_etag(subject.etag)
    return accepted(call, acting.delete(call.subscription, subject, force=call.flag("forceDeletion")))


def list_group(call: Call) -> Answer:
    """The scale sets of a resource group."""
    group = call.subscription.group(call.params["group"])
    found = [s for s in call.subscription.scale_sets.values() if s.group.lower() == group.name.lower()]
    return page(call, [views.scale_set(s) for s in found])


def list_all(call: Call) -> Answer:
    """All scale sets of the subscription."""
    location = call.params.get("location", "").lower()
    found = [s for s in call.subscription.scale_sets.values() if not location or s.location.lower() == location]
    return page(call, [views.scale_set(s) for s in found])


def instance_view(call: Call) -> Answer:
    """How many machines are in which state."""
    return Answer(200, views.instance_view(find(call)))


def delete_machines(call: Call) -> Answer:
    """Delete the machines that the body names."""
    subject = find(call)
    machines = acting.named(subject, call.document().get("instanceIds"), "delete")
    action = "virtualMachineScaleSets/delete/action"
    force = call.flag("forceDeletion")
    return accepted(call, acting.delete_machines(call.subscription, subject, machines, action=action, force=force))


def act(call: Call, verb: str) -> Answer:
    """Do something to the machines that the body names, or to all of them."""
    subject = find(call)
    body = call.body if isinstance(call.body, dict) else {}
    machines = acting.named(subject, body.get("instanceIds"), verb)
    action = f"virtualMachineScaleSets/{verb}/action"
    return accepted(call, acting.act(call.subscription, subject, machines, verb=verb, action=action))


def repairs(call: Call) -> Answer:
    """Suspend or resume automatic repairs."""
    subject = find(call)
    subject.repairs_suspended = str(call.document().get("action")) == "Suspend"
    operation = call.subscription.world.operations.start(
        "virtualMachineScaleSets/setOrchestrationServiceState/action", subject.id, location=subject.location
    )
    operation.answers_nothing = True
    return accepted(call, operation)


def roll(call: Call, action: str) -> Answer:
    """Begin a rolling upgrade."""
    return accepted(call, rolling.request(call.subscription, find(call), action))


def cancel_roll(call: Call) -> Answer:
    """Stop the rolling upgrade."""
    return accepted(call, rolling.cancel(call.subscription, find(call)))


def approve_roll(call: Call) -> Answer:
    """Let the rolling upgrade go on before its pause is over."""
    return accepted(call, rolling.approve(call.subscription, find(call)))


def latest_roll(call: Call) -> Answer:
    """The latest rolling upgrade. 404 where there was none."""
    subject = find(call)
    if subject.upgrade is None:
        raise resource_not_found(f"{KIND}/rollingUpgrades", f"{subject.name}/latest", subject.group)
    return Answer(
        200,
        {
            "id": f"{subject.id}/rollingUpgrades/latest",
            "name": "latest",
            "type": f"{KIND}/rollingUpgrades",
            "location": subject.location,
            "properties": subject.upgrade.shown(),
        },
    )


def _extensions(subject: ScaleSet) -> list[Raw]:
    found = (subject.profile.get("extensionProfile") or {}).get("extensions") or []
    return [
        {
            "id": f"{subject.id}/extensions/{item['name']}",
            "name": item["name"],
            "type": f"{KIND}/extensions",
            "properties": {**shown(item.get("properties") or {}), "provisioningState": "Succeeded"},
        }
        for item in found
    ]


def list_extensions(call: Call) -> Answer:
    """The extensions of the model."""
    return page(call, _extensions(find(call)))


def get_extension(call: Call) -> Answer:
    """One extension of the model."""
    subject, name = find(call), call.params["extension"]
    for item in _extensions(subject):
        if item["name"].lower() == name.lower():
            return Answer(200, item)
    raise resource_not_found(f"{KIND}/extensions", f"{subject.name}/{name}", subject.group)


def put_extension(call: Call) -> Answer:
    """Add an extension to the model, or change it: a write of the scale set."""
    subject, name = find(call), call.params["extension"]
    known = (subject.profile.get("extensionProfile") or {}).get("extensions") or []
    new = all(item["name"] != name for item in known)
    wanted = [item for item in known if item["name"] != name]
    wanted.append({"name": name, "properties": call.document().get("properties") or {}})
    operation = writing.update(call.subscription, subject, _extended(wanted))
    [made] = [item for item in _extensions(subject) if item["name"] == name]
    return accepted(call, operation, status=201 if new else 200, body=made)


def delete_extension(call: Call) -> Answer:
    """Take an extension out of the model; 204 where it is not in it."""
    subject, name = find(call), call.params["extension"]
    known = (subject.profile.get("extensionProfile") or {}).get("extensions") or []
    wanted = [item for item in known if item["name"] != name]
    if len(wanted) == len(known):
        return Answer(204)
    return accepted(call, writing.update(call.subscription, subject, _extended(wanted)))


def _extended(extensions: list[Raw]) -> Raw:
    return {"properties": {"virtualMachineProfile": {"extensionProfile": {"extensions": extensions}}}}


ROUTES = (
    Route("PUT", ONE, writing.WRITE, put),
    Route("PATCH", ONE, writing.WRITE, patch),
    Route("GET", ONE, "virtualMachineScaleSets/read", get),
    Route("DELETE", ONE, "virtualMachineScaleSets/delete", delete),
    Route("GET", ALL, "virtualMachineScaleSets/read", list_group),
    Route("GET", f"{_SUBSCRIPTION}/virtualMachineScaleSets", "virtualMachineScaleSets/read", list_all),
    Route(
        "GET",
        f"{_SUBSCRIPTION}/locations/{{location}}/virtualMachineScaleSets",
        "virtualMachineScaleSets/read",
        list_all,
    ),
    Route("GET", f"{ONE}/instanceView", "virtualMachineScaleSets/instanceView/read", instance_view),
    Route("POST", f"{ONE}/delete", "virtualMachineScaleSets/delete/action", delete_machines),
    *(
        Route("POST", f"{ONE}/{verb}", f"virtualMachineScaleSets/{verb}/action", functools.partial(act, verb=verb))
        for verb in _VERBS
    ),
    Route(
        "POST",
        f"{ONE}/setOrchestrationServiceState",
        "virtualMachineScaleSets/setOrchestrationServiceState/action",
        repairs,
    ),
    Route("POST", f"{ONE}/osRollingUpgrade", rolling.ROLL, functools.partial(roll, action=rolling.ROLL)),
    Route(
        "POST", f"{ONE}/extensionRollingUpgrade", rolling.EXTENSIONS, functools.partial(roll, action=rolling.EXTENSIONS)
    ),
    Route("POST", f"{ONE}/approveRollingUpgrade", rolling.APPROVE, approve_roll),
    Route("POST", f"{ONE}/rollingUpgrades/cancel", rolling.CANCEL, cancel_roll),
    Route("GET", f"{ONE}/extensions", "virtualMachineScaleSets/extensions/read", list_extensions),
    Route("GET", f"{ONE}/extensions/{{extension}}", "virtualMachineScaleSets/extensions/read", get_extension),
    Route("PUT", f"{ONE}/extensions/{{extension}}", "virtualMachineScaleSets/extensions/write", put_extension),
    Route("DELETE", f"{ONE}/extensions/{{extension}}", "virtualMachineScaleSets/extensions/delete", delete_extension),
    Route("GET", f"{ONE}/rollingUpgrades/latest", "virtualMachineScaleSets/rollingUpgrades/read", latest_roll),
)
