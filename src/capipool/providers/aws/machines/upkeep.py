"""Keeps the tags and the security groups of an instance as its machine wants them. Others' are left alone.

Used by the reconciler for instances that are there. Writes only what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from capipool.machinery.objects import Raw
from capipool.providers.aws import tags
from capipool.providers.aws.machines import marks
from capipool.providers.aws.machines.api import AWSMachine
from capipool.providers.aws.machines.fleet import Fleet
from capipool.providers.aws.machines.home import Home
from capipool.providers.aws.machines.locating import Locator


@dataclass(frozen=True, slots=True)
class Tagging:
    """What differs between the tags wanted and those that are there."""

    write: Mapping[str, str]
    remove: tuple[str, ...]


class Upkeep:
    """Brings instances into line."""

    def __init__(self, fleet: Fleet, locator: Locator) -> None:
        self._fleet = fleet
        self._locator = locator

    async def tags(self, obj: AWSMachine, home: Home, instance: Raw) -> None:
        """Write the tags that differ, on the instance and its own volumes, and remove the user's that left. Raises."""
        place, id = home.place, instance["InstanceId"]
        found = tagging(obj, home, instance)
        things = [id, *own_volumes(instance)]
        try:
            if found.write:
                await place.call("ec2", "create_tags", Resources=things, Tags=tags.to_aws(found.write))
            if found.remove:
                named = [{"Key": key} for key in found.remove]
                await place.call("ec2", "delete_tags", Resources=things, Tags=named)
        finally:
            if found.write or found.remove:
                self._fleet.forget(place, id)

    async def groups(self, obj: AWSMachine, home: Home, instance: Raw) -> set[str]:
        """Have the first interface in the security groups wanted; return those. Raises ProviderError.

        Interfaces that the user brought, and those that came later, are others'.
        """
        spec, place = obj.spec, home.place
        wanted = home.core_groups(obj) | await self._locator.groups(place, spec.additional_security_groups)
        applied = marks.applied_groups(obj)
        if spec.network_interfaces or regrouped(instance, wanted, applied) is None:
            return wanted
        # the call replaces all of them: what somebody else has just added must be seen first
        fresh = await self._fleet.get(place, instance["InstanceId"], max_age=0)
        if fresh is not None and (change := regrouped(fresh, wanted, applied)) is not None:
            try:
                await place.call("ec2", "modify_network_interface_attribute", **change)
            finally:
                self._fleet.forget(place, instance["InstanceId"])
        return wanted


def regrouped(instance: Raw, wanted: AbstractSet[str], applied: AbstractSet[str]) -> Raw | None:
    """The change that puts the first interface into its groups, out of those that were ours; None: none. Pure."""
    interface = first_interface(instance)
    if interface is None:
        return None
    there = {group["GroupId"] for group in interface.get("Groups") or ()}
    right = (there - (applied - wanted)) | wanted
    if right == there:
        return None
    return {"NetworkInterfaceId": interface["NetworkInterfaceId"], "Groups": sorted(right)}


def tagging(obj: AWSMachine, home: Home, instance: Raw) -> Tagging:
    """What differs. A user's tag that left is removed only where it was written by us, or by upstream. Pure."""
    wanted = marks.wanted_tags(obj, home.place.cluster, home.place.additional_tags, kubernetes=home.place.kubernetes)
    there = tags.from_aws(instance.get("Tags") or ())
    write = {key: value for key, value in wanted.items() if there.get(key) != value}
    left = marks.applied_tags(obj) - wanted.keys()
    return Tagging(write, tuple(sorted(key for key in left if key in there)))


def own_volumes(instance: Raw) -> list[str]:
    """The volumes that were made with an instance, and end with it: others were attached later, for pods."""
    volumes = [mapping.get("Ebs") or {} for mapping in instance.get("BlockDeviceMappings") or ()]
    return sorted(v["VolumeId"] for v in volumes if v.get("DeleteOnTermination") and v.get("VolumeId"))


def first_interface(instance: Raw) -> Raw | None:
    """The interface that the instance was made with."""
    interfaces: list[Raw] = instance.get("NetworkInterfaces") or []
    return next((i for i in interfaces if (i.get("Attachment") or {}).get("DeviceIndex", 0) == 0), None)
