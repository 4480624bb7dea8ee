"""Reads EKS clusters and their networks from AWS. Changes nothing. Used by the reconciler of control planes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from capipool.machinery.objects import Raw
from capipool.providers.aws import network
from capipool.providers.aws.api.network import Subnet
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.eks import facts
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.facts import EKSCluster, Network, NoCluster, Seen
from capipool.sdk import PermissionDenied
from capipool.sdk.errors import Missing


async def look(calls: Calls, region: str, name: str, obj: AWSManagedControlPlane, *, keep: bool) -> Seen:
    """The cluster with its network; `keep`: the subnets of the spec are the user's. Raises NoCluster, ProviderError."""
    try:
        answer = await calls.call(region, "eks", "describe_cluster", name=name)
    except Missing:
        raise NoCluster(name, region) from None
    cluster = facts.cluster(answer["cluster"])
    if not cluster.usable:
        return Seen(cluster=cluster, network=Network())
    given = obj.spec.network
    ids = [s.resource_id or s.id for s in given.subnets] if keep else cluster.subnets
    subnets = await _subnets(calls, region, ids)
    described = await _groups(calls, region, [cluster.cluster_group, *cluster.groups])
    return Seen(
        cluster=cluster,
        network=Network(
            subnets=tuple(_given(s, subnets) for s in given.subnets)
            if keep
            else tuple(subnets[id] for id in ids if id in subnets),
            groups=facts.groups(cluster, described, given.security_group_overrides),
        ),
        provider=await _provider(calls, region, cluster) if obj.spec.associate_oidc_provider else None,
    )


async def _subnets(calls: Calls, region: str, ids: Sequence[str]) -> dict[str, Raw]:
    """Subnets by id, as specs have them: with their zones, and whether they lead into the internet."""
    if not ids:
        return {}
    answer = await calls.call(region, "ec2", "describe_subnets", SubnetIds=sorted(ids))
    found = answer["Subnets"]
    routes: list[Raw] = []
    if any(network.is_public(subnet, ()) is None for subnet in found):
        filters = [{"Name": "vpc-id", "Values": sorted({subnet["VpcId"] for subnet in found})}]
        routes = (await calls.call(region, "ec2", "describe_route_tables", Filters=filters))["RouteTables"]
    return {subnet["SubnetId"]: network.described(subnet, routes) for subnet in found}


def _given(subnet: Subnet, found: dict[str, Raw]) -> Raw:
    """A subnet of the spec, with what AWS knows where the spec is silent."""
    said = {key: value for key, value in msgspec.to_builtins(subnet).items() if value not in ("", None, {})}
    known = found.get(subnet.resource_id or subnet.id, {})
    return {**known, **said}


async def _groups(calls: Calls, region: str, ids: Sequence[str]) -> list[Raw]:
    wanted = sorted({id for id in ids if id})
    if not wanted:
        return []
    answer = await calls.call(region, "ec2", "describe_security_groups", GroupIds=wanted)
    return list(answer["SecurityGroups"])


async def _provider(calls: Calls, region: str, cluster: EKSCluster) -> Raw | None:
    """The OIDC provider in IAM, where somebody made one. Not being allowed to look is no reason to stop."""
    if not (arn := facts.provider_arn(cluster)):
        return None
    try:
        await calls.call(region, "iam", "get_open_id_connect_provider", OpenIDConnectProviderArn=arn)
    except (Missing, PermissionDenied):
        return None
    return {"arn": arn, "trustPolicy": facts.trust_policy(arn)}
