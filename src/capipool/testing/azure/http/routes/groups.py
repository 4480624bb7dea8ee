"""Resource groups: made and deleted with all they hold."""

from __future__ import annotations

from capipool.machinery.objects import Raw
from capipool.testing.azure.http.answers import Answer, Call, Route, accepted, page
from capipool.testing.azure.model import groups, inventory
from capipool.testing.azure.model.failures import ArmError
from capipool.testing.azure.model.subscription import Group

_ALL = "/subscriptions/{subscription}/resourceGroups"
_ONE = f"{_ALL}/{{group}}"


def _view(call: Call, group: Group) -> Raw:
    return {
        "id": call.subscription.world.group_path(group.name),
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "tags": dict(group.tags),
        "properties": {"provisioningState": group.state},
    }


def put(call: Call) -> Answer:
    """Create, or set the tags."""
    body, name = call.document(), call.params["group"]
    old = call.subscription.groups.get(name.lower())
    if old is None:
        if not body.get("location"):
            raise ArmError("LocationRequired", "The location property is required for this definition.")
        made = Group(name, body["location"], dict(body.get("tags") or {}))
        call.subscription.groups[name.lower()] = made
        return Answer(201, _view(call, made))
    old.tags = dict(body.get("tags") or {})
    return Answer(200, _view(call, old))


def get(call: Call) -> Answer:
    """One group."""
    return Answer(200, _view(call, call.subscription.group(call.params["group"])))


def exists(call: Call) -> Answer:
    """204 where it is there, 404 where it is not."""
    return Answer(204 if call.params["group"].lower() in call.subscription.groups else 404)


def list_(call: Call) -> Answer:
    """All groups."""
    return page(call, [_view(call, group) for group in call.subscription.groups.values()])


def resources(call: Call) -> Answer:
    """The resources of a group, or of the subscription, with $filter."""
    name = call.params.get("group", "")
    group = call.subscription.group(name).name if name else ""
    return page(call, inventory.rows(call.subscription, group=group, condition=call.query.get("$filter", "")))


def delete(call: Call) -> Answer:
    """Begin the deletion of the group and all that it holds."""
    group = call.subscription.group(call.params["group"])
    return accepted(call, groups.delete(call.subscription, group))


ROUTES = (
    Route("PUT", _ONE, "resourceGroups/write", put),
    Route("GET", _ONE, "resourceGroups/read", get),
    Route("HEAD", _ONE, "resourceGroups/read", exists),
    Route("GET", _ALL, "resourceGroups/read", list_),
    Route("GET", f"{_ONE}/resources", "resources/read", resources),
    Route("GET", "/subscriptions/{subscription}/resources", "resources/read", resources),
    Route("DELETE", _ONE, "resourceGroups/delete", delete),
)
