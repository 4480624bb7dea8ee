"""Auto Scaling groups by AWS's own calls: one's own group is looked for, written, tagged; never another's.

Used by the provider's parts. Decides nothing: what should be is `groups`'.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.aws import failures, refusals, tags
from capipool.providers.aws.inventory import Inventory
from capipool.providers.aws.places import Place
from capipool.sdk import GroupChanged, InstanceGroupNotFound, InvalidConfiguration, NotOwned, ProviderError
from capipool.sdk.errors import AlreadyThere, Missing

PROTECT_BATCH = 50
"""Instances in one call of SetInstanceProtection."""


class AutoScaling:
    """The groups of all places."""

    def __init__(self) -> None:
        self._inventory = Inventory(_describe)

    async def own(self, place: Place, name: str, *, key: str, max_age: float = 0.0) -> Raw:
        """A pool's own group, at most `max_age` seconds old. Raises InstanceGroupNotFound, NotOwned."""
        raw = await self.find(place, name, max_age=max_age)
        if raw is None:
            raise InstanceGroupNotFound(name)
        marks = tags.from_aws(raw.get("Tags") or ())
        if not tags.is_ours(marks, cluster=place.cluster, key=key):
            raise NotOwned(name, owner=tags.owner(marks))
        return raw

    async def find(self, place: Place, name: str, *, max_age: float = 0.0) -> Raw | None:
        """A group, whoever it belongs to; None where there is none. Raises ProviderError."""
        return await self._inventory.get(place, name, max_age=max_age)

    async def write(self, place: Place, name: str, operation: str, **parameters: Any) -> None:
        """Make one call that changes the group; whatever comes of it, what was seen before is forgotten.

        Raises GroupChanged where it is gone, InvalidConfiguration for what the spec names and is not there, and what
        calls raise.
        """
        try:
            await place.call("autoscaling", operation, AutoScalingGroupName=name, **parameters)
        except (Missing, InvalidConfiguration) as error:
            if refusals.is_gone(error):
                raise GroupChanged(name, str(error)) from error
            raise refusals.of_field(error) from error
        finally:
            self.forget(place, name)

    async def create(
        self,
        place: Place,
        name: str,
        settings: Raw,
        *,
        desired: int,
        marks: Mapping[str, str],
        hooks: Sequence[Raw] = (),
    ) -> None:
        """Make the group with its tags, and with its lifecycle hooks: they hold the first instances as well.

        Raises GroupChanged where one of that name came meanwhile.
        """
        more: Raw = {"DesiredCapacity": desired, "Tags": _tags(name, marks)}
        if hooks:
            more["LifecycleHookSpecificationList"] = list(hooks)
        try:
            await self.write(place, name, "create_auto_scaling_group", **settings, **more)
        except AlreadyThere:
            raise GroupChanged(name, "it exists already") from None

    async def tag(self, place: Place, name: str, marks: Mapping[str, str]) -> None:
        """Set tags of the group. They reach its instances by the launch template, not from here.

        Raises GroupChanged where it is gone, and what calls raise.
        """
        if not marks:
            return
        try:
            await place.call("autoscaling", "create_or_update_tags", Tags=_tags(name, marks))
        except Missing as error:
            raise GroupChanged(name, str(error)) from error
        finally:
            self.forget(place, name)

    async def untag(self, place: Place, name: str, keys: Collection[str]) -> None:
        """Remove tags of the group. Raises GroupChanged where it is gone, and what calls raise."""
        if not keys:
            return
        listed = [{k: v for k, v in tag.items() if k != "Value"} for tag in _tags(name, dict.fromkeys(keys, ""))]
        try:
            await place.call("autoscaling", "delete_tags", Tags=listed)
        except Missing as error:
            raise GroupChanged(name, str(error)) from error
        finally:
            self.forget(place, name)

    async def protect(self, place: Place, name: str, ids: Collection[str], *, protected: bool) -> None:
        """Protect instances from scale-in, or no longer. Raises GroupChanged where one of them is not in service."""
        those = sorted(ids)
        for start in range(0, len(those), PROTECT_BATCH):
            batch = those[start : start + PROTECT_BATCH]
            said: Raw = {"InstanceIds": batch, "ProtectedFromScaleIn": protected}
            try:
                await self.write(place, name, "set_instance_protection", **said)
            except InvalidConfiguration as error:  # nothing of this is in a spec
                raise GroupChanged(name, str(error)) from error

    async def terminate(self, place: Place, name: str, ids: Collection[str], *, decrement: bool) -> None:
        """Terminate instances one by one, each with its decrement in the same step. Those that are gone are done."""
        for id in sorted(ids):
            try:
                await place.call(
                    "autoscaling",
                    "terminate_instance_in_auto_scaling_group",
                    InstanceId=id,
                    ShouldDecrementDesiredCapacity=decrement,
                )
            except Missing:
                continue
            finally:
                self.forget(place, name)

    async def delete(self, place: Place, name: str) -> None:
        """Have the group deleted with its instances, whatever protects them. Returns at once."""
        try:
            await self.write(place, name, "delete_auto_scaling_group", ForceDelete=True)
        except GroupChanged:
            return

    async def problem(self, place: Place, name: str, missing: int) -> ProviderError | None:
        """Why launching failed last, in AWS's words; None where it did not."""
        answer = await place.call(
            "autoscaling", "describe_scaling_activities", AutoScalingGroupName=name, MaxRecords=10
        )
        launches = [a for a in answer.get("Activities") or () if str(a.get("Description")).startswith("Launching")]
        latest = launches[0] if launches else {}
        if latest.get("StatusCode") != "Failed":
            return None
        return failures.of_activity(str(latest.get("StatusMessage", "")), missing)

    async def refreshes(self, place: Place, name: str) -> Sequence[Raw]:
        """The instance refreshes of the group, the newest first."""
        answer = await place.call("autoscaling", "describe_instance_refreshes", AutoScalingGroupName=name, MaxRecords=5)
        return list(answer.get("InstanceRefreshes") or ())

    def forget(self, place: Place, name: str) -> None:
        """It was written: the next look goes to AWS."""
        self._inventory.forget(place, name)

    def drop(self, place: Place, name: str) -> None:
        """Nobody wants to know of it any more."""
        self._inventory.drop(place.key, name)


def _tags(name: str, marks: Mapping[str, str]) -> list[Raw]:
    about = {"ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}
    return [{**tag, **about} for tag in tags.to_aws(marks)]


async def _describe(place: Place, names: list[str]) -> dict[str, Raw]:
    """All pages: a group that is on another one than the first is not gone."""
    found: dict[str, Raw] = {}
    async for page in place.pages(
        "autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=names, MaxRecords=100
    ):
        found |= {group["AutoScalingGroupName"]: group for group in page["AutoScalingGroups"]}
    return found
