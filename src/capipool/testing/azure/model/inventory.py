"""All resources of the subscription as one list, with filters by type, name and tag, as the Resource Manager has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from capipool.machinery.objects import Raw
from capipool.testing.azure.model import interfaces, virtualmachines
from capipool.testing.azure.model.aks import cluster
from capipool.testing.azure.model.failures import invalid
from capipool.testing.azure.model.scalesets import scaleset
from capipool.testing.azure.model.subscription import Subscription

_CONDITION = re.compile(r"\s*(resourceType|name|resourceGroup|tagName|tagValue|location)\s+eq\s+'([^']*)'\s*", re.I)


def rows(subscription: Subscription, *, group: str = "", condition: str = "") -> list[Raw]:
    """The resources that match, by id. Raises ArmError for a filter that is not understood."""
    wanted = _wanted(condition)
    found = [row for row in _all(subscription) if not group or _group(row) == group.lower()]
    return sorted((row for row in found if wanted(row)), key=lambda row: str(row["id"]).lower())


def _all(subscription: Subscription) -> Iterator[Raw]:
    for scale_set in subscription.scale_sets.values():
        yield _row(scale_set.id, scaleset.KIND, scale_set.location, scale_set.tags)
        if scale_set.flexible:
            for machine in scale_set.machines.values():
                machine_id = scale_set.machine_id(machine)
                yield _row(machine_id, virtualmachines.KIND, machine.location, machine.tags)
    for key, machine in subscription.machines.items():
        group = subscription.group(key.split("/")[4])
        place = f"{subscription.world.group_path(group.name)}/providers/{virtualmachines.KIND}"
        yield _row(f"{place}/{machine.name}", virtualmachines.KIND, machine.location, machine.tags)
    for interface in subscription.interfaces.values():
        yield _row(interface["id"], interfaces.KIND, interface["location"], interface.get("tags") or {})
    for one in subscription.clusters.values():
        yield _row(one.id, cluster.KIND, one.location, one.tags)


def _row(resource_id: str, kind: str, location: str, tags: dict[str, str]) -> Raw:
    name = resource_id.rsplit("/", 1)[-1]
    return {"id": resource_id, "name": name, "type": kind, "location": location, "tags": dict(tags)}


def _group(row: Raw) -> str:
    return str(row["id"]).split("/")[4].lower()


def _wanted(condition: str) -> Callable[[Raw], bool]:
    terms = {}
    for part in re.split(r"\s+and\s+", condition) if condition else []:
        if (match := _CONDITION.fullmatch(part)) is None:
            raise invalid(f"The filter '{condition}' is not understood.", "$filter")
        terms[match[1].lower()] = match[2]

    def wanted(row: Raw) -> bool:
        plain = {"resourcetype": row["type"], "name": row["name"], "location": row["location"]}
        plain["resourcegroup"] = _group(row)
        if any(terms[key].lower() != str(value).lower() for key, value in plain.items() if key in terms):
            return False
        tags = {name.lower(): value for name, value in row["tags"].items()}
        if "tagname" in terms and terms["tagname"].lower() not in tags:
            return False
        value = terms.get("tagvalue")
        return value is None or value in ([tags[terms["tagname"].lower()]] if "tagname" in terms else tags.values())

    return wanted
