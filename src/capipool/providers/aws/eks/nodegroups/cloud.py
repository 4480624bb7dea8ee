"""Node groups by EKS's own calls, and their instances by those of Auto Scaling. Decides nothing.

The one place that makes calls about node groups. An Auto Scaling group of EKS's is read and tagged, and never changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from capipool.machinery.objects import Raw
from capipool.providers.aws import groups, tags
from capipool.providers.aws.autoscaling import AutoScaling
from capipool.providers.aws.eks.nodegroups.deciding import CONFIG, Update
from capipool.providers.aws.eks.nodegroups.picture import DELETING, NodeGroup
from capipool.providers.aws.places import Place
from capipool.sdk import InstanceState
from capipool.sdk.errors import Missing

LISTED = 20
"""Updates on a page of them."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where a node group is."""

    place: Place
    cluster: str
    """The name of the EKS cluster."""
    name: str
    """Of the node group."""

    @property
    def names(self) -> Raw:
        """As calls take them."""
        return {"clusterName": self.cluster, "nodegroupName": self.name}


class NodeGroups:
    """The node groups of all places. Every method raises ProviderError."""

    def __init__(self) -> None:
        self._scaling = AutoScaling()

    async def look(self, home: Home) -> NodeGroup | None:
        """The node group; None where there is none, or no such cluster."""
        try:
            answer = await home.place.call("eks", "describe_nodegroup", **home.names)
        except Missing:
            return None
        return NodeGroup(answer["nodegroup"])

    async def create(self, home: Home, request: Raw) -> NodeGroup:
        """Have it made. One that came meanwhile is an error: it is looked at again."""
        answer = await home.place.call("eks", "create_nodegroup", **home.names, **request)
        return NodeGroup(answer["nodegroup"])

    async def delete(self, home: Home, group: NodeGroup) -> None:
        """Have it deleted, unless it is about to go. One that is gone is done."""
        if group.status == DELETING:
            return
        try:
            await home.place.call("eks", "delete_nodegroup", **home.names)
        except Missing:
            return

    # --- updates

    async def update(self, home: Home, update: Update) -> str:
        """Have it updated. Returns the update's id."""
        operation = "update_nodegroup_config" if update.kind == CONFIG else "update_nodegroup_version"
        answer = await home.place.call("eks", operation, **home.names, **update.parameters)
        return str(answer["update"]["id"])

    async def progress(self, home: Home, id: str) -> Raw | None:
        """How an update goes; None where there is none of that id."""
        try:
            answer = await home.place.call(
                "eks", "describe_update", name=home.cluster, nodegroupName=home.name, updateId=id
            )
        except Missing:
            return None
        found: Raw = answer["update"]
        return found

    async def updates(self, home: Home) -> list[Raw]:
        """The updates of a node group, in no order."""
        about: Raw = {"name": home.cluster, "nodegroupName": home.name, "maxResults": LISTED}
        found: list[Raw] = []
        more: Raw = {}
        while True:
            answer = await home.place.call("eks", "list_updates", **about, **more)
            those = [await self.progress(home, str(id)) for id in answer.get("updateIds") or ()]
            found += [update for update in those if update is not None]
            if not (token := answer.get("nextToken")):
                return found
            more = {"nextToken": token}

    # --- tags

    async def tag(self, home: Home, group: NodeGroup, wanted: Mapping[str, str], gone: Collection[str]) -> None:
        """Set and remove tags of the node group: only what differs."""
        more = {k: v for k, v in wanted.items() if group.tags.get(k) != v}
        fewer = sorted(set(gone) & group.tags.keys())
        if more:
            await home.place.call("eks", "tag_resource", resourceArn=group.arn, tags=more)
        if fewer:
            await home.place.call("eks", "untag_resource", resourceArn=group.arn, tagKeys=fewer)

    # --- Auto Scaling groups

    async def scaling_groups(self, home: Home, group: NodeGroup, *, max_age: float) -> list[Raw]:
        """The Auto Scaling groups that EKS keeps for it, those that are there."""
        found = [await self._scaling.find(home.place, name, max_age=max_age) for name in group.scaling_groups]
        return [each for each in found if each is not None]

    async def tag_scaling(self, home: Home, there: Raw, wanted: Mapping[str, str], gone: Collection[str]) -> None:
        """Set and remove a user's tags, which new instances get; only what differs. EKS's own are left alone."""
        name, known = str(there["AutoScalingGroupName"]), {t["Key"]: t for t in there.get("Tags") or ()}
        about = {"ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": True}
        more = {k: v for k, v in wanted.items() if _shown(known.get(k)) != (v, True)}
        fewer = sorted(set(gone) & known.keys())
        if more:
            listed = [{**tag, **about} for tag in tags.to_aws(more)]
            await home.place.call("autoscaling", "create_or_update_tags", Tags=listed)
        if fewer:
            listed = [{"Key": key, **about} for key in fewer]
            await home.place.call("autoscaling", "delete_tags", Tags=listed)
        if more or fewer:
            self._scaling.forget(home.place, name)

    def forget(self, home: Home, group: NodeGroup) -> None:
        """Its sizes were changed: the next look at its instances goes to AWS."""
        for name in group.scaling_groups:
            self._scaling.forget(home.place, name)

    def drop(self, home: Home, group: NodeGroup) -> None:
        """Nobody wants to know of its instances any more."""
        for name in group.scaling_groups:
            self._scaling.drop(home.place, name)


def provider_ids(found: list[Raw]) -> list[str]:
    """The instances in service, as the cloud provider names their nodes. Pure."""
    those = (i for group in found for i in groups.instances(group))
    return sorted(groups.provider_id(i) for i in those if groups.state(i) is InstanceState.RUNNING)


def _shown(tag: Raw | None) -> tuple[str, bool] | None:
    return (str(tag.get("Value", "")), bool(tag.get("PropagateAtLaunch"))) if tag is not None else None
