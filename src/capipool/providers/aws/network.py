"""Finds the network that a cluster's nodes live in: subnets and security groups, by the spec or by their tags.

Used by `cluster`. Only reads: nothing of a network is made here. Tags are those that upstream, kOps and EKS set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from capipool.machinery.objects import Raw
from capipool.providers.aws import tags
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.network import Subnet
from capipool.providers.aws.calls import Calls

ROLES = ("node", "lb", "controlplane", "apiserver-lb", "bastion")
"""The security groups that upstream makes, by what they are for."""
FOUND_ANNOTATION = "capipool.io/found-subnets"
"""On an AWSCluster: the subnets in its spec were found by their tags, and are looked for again; delete it to keep
them."""
_PUBLIC, _PRIVATE = "kubernetes.io/role/elb", "kubernetes.io/role/internal-elb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a network."""

    groups: Raw
    """Security groups by role: id and name."""
    subnets: tuple[Raw, ...]
    """As `spec.network.subnets` has them."""
    found: bool
    """Whether the subnets were found by tags, and differ from what the spec says: they are to be written there."""
    vpc: str = ""
    """The one network that all subnets are in that were found by tags; empty where there are several, or none."""

    @property
    def zones(self) -> list[str]:
        """Where the cluster has a subnet."""
        return sorted({s["availabilityZone"] for s in self.subnets if s.get("availabilityZone")})


class Networks:
    """Looks at networks by one account's calls."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def facts(self, obj: AWSCluster, cluster: str, region: str) -> Facts:
        """What is given in the spec, and for the rest what has the cluster's tags. Raises ProviderError."""
        given = obj.spec.network
        overrides = {role: {"id": id, "name": role} for role, id in given.security_group_overrides.items()}
        groups = overrides
        if "node" not in overrides:
            groups = await self._security_groups(cluster, region, given.vpc.id) | overrides
        if given.subnets and FOUND_ANNOTATION not in obj.metadata.annotations:
            return Facts(groups=groups, subnets=await self._given(given.subnets, region), found=False)
        before = tuple(msgspec.to_builtins(s) for s in given.subnets)
        seen = await self._subnets(cluster, region, given.vpc.id)
        networks = {str(subnet["VpcId"]) for subnet in seen}
        routes = await self._routes(region, seen) if any(is_public(s, ()) is None for s in seen) else []
        found = tuple(described(subnet, routes) for subnet in seen) or before
        vpc = next(iter(networks)) if len(networks) == 1 else ""
        return Facts(groups=groups, subnets=found, found=found != before, vpc=vpc)

    async def _given(self, subnets: Sequence[Subnet], region: str) -> tuple[Raw, ...]:
        """The subnets of the spec; where one says no zone, AWS knows."""
        unsaid = [s.resource_id or s.id for s in subnets if not s.availability_zone]
        zones: dict[str, str] = {}
        if unsaid and all(id.startswith("subnet-") for id in unsaid):
            answer = await self._calls.call(region, "ec2", "describe_subnets", SubnetIds=sorted(unsaid))
            zones = {s["SubnetId"]: s["AvailabilityZone"] for s in answer["Subnets"]}
        return tuple(
            {"id": s.id, "availabilityZone": s.availability_zone or zones.get(s.resource_id or s.id, "")}
            for s in subnets
        )

    async def _security_groups(self, cluster: str, region: str, vpc: str) -> Raw:
        filters = [{"Name": f"tag:{tags.cluster_tag(cluster)}", "Values": ["owned", "shared"]}, *_in(vpc)]
        answer = await self._calls.call(region, "ec2", "describe_security_groups", Filters=filters)
        found: Raw = {}
        for group in sorted(answer["SecurityGroups"], key=lambda g: str(g["GroupId"])):
            role = tags.from_aws(group.get("Tags") or ()).get(tags.ROLE, "")
            if role in ROLES and role not in found:
                found[role] = {"id": group["GroupId"], "name": group["GroupName"]}
        return found

    async def _subnets(self, cluster: str, region: str, vpc: str) -> list[Any]:
        """Those that have the cluster's tag, in order."""
        filters = [{"Name": f"tag:{tags.kubernetes_tag(cluster)}", "Values": ["owned", "shared"]}, *_in(vpc)]
        answer = await self._calls.call(region, "ec2", "describe_subnets", Filters=filters)
        return sorted(answer["Subnets"], key=lambda s: str(s["SubnetId"]))

    async def _routes(self, region: str, subnets: Sequence[Raw]) -> list[Any]:
        filters = [{"Name": "vpc-id", "Values": sorted({s["VpcId"] for s in subnets})}]
        answer = await self._calls.call(region, "ec2", "describe_route_tables", Filters=filters)
        return list(answer["RouteTables"])


def described(subnet: Raw, routes: Sequence[Raw]) -> Raw:
    """A subnet of AWS's as `spec.network.subnets` has it."""
    made = {
        "id": subnet["SubnetId"],
        "availabilityZone": subnet["AvailabilityZone"],
        "cidrBlock": subnet.get("CidrBlock", ""),
        "isPublic": is_public(subnet, routes) or False,
        "tags": {k: v for k, v in tags.from_aws(subnet.get("Tags") or ()).items() if k == tags.ASSOCIATION},
    }
    return {key: value for key, value in made.items() if value not in ("", {})}


def is_public(subnet: Raw, routes: Sequence[Raw]) -> bool | None:
    """Whether a subnet leads into the internet: its role's tag says so, or its route table. None: neither says."""
    marks = tags.from_aws(subnet.get("Tags") or ())
    if _PUBLIC in marks or _PRIVATE in marks:
        return _PUBLIC in marks
    table = _table_of(subnet, routes)
    if table is None:
        return None
    return any(str(route.get("GatewayId", "")).startswith("igw-") for route in table.get("Routes") or ())


def _table_of(subnet: Raw, routes: Sequence[Raw]) -> Raw | None:
    """The table associated with a subnet, or its network's main one."""
    main = None
    for table in routes:
        for link in table.get("Associations") or ():
            if link.get("SubnetId") == subnet["SubnetId"]:
                return table
            if link.get("Main") and table.get("VpcId") == subnet.get("VpcId"):
                main = table
    return main


def _in(vpc: str) -> list[Raw]:
    return [{"Name": "vpc-id", "Values": [vpc]}] if vpc else []
