"""What AWS says of an EKS cluster and of its network, as values. Pure; read by `reading`, judged by `deciding`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from capipool.machinery.objects import Raw
from capipool.providers.aws import tags
from capipool.sdk import ProviderError

NODE, ADDITIONAL, CLUSTER = "node", "node-eks-additional", "cluster"
"""Roles of security groups: that of nodes, that which upstream adds to it, and EKS's own for the cluster."""
MAJOR_ISSUES = 3
"""How many of EKS's own complaints a condition quotes."""


class NoCluster(ProviderError):
    """There is no EKS cluster of that name for the account in use."""

    reason = "EKSClusterNotFound"

    def __init__(self, name: str, region: str) -> None:
        super().__init__(
            f"there is no EKS cluster {name} in {region} for the account in use, and capipool creates no control "
            "plane: create it by other means, or correct spec.eksClusterName, spec.region or spec.identityRef"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EKSCluster:
    """A cluster as DescribeCluster shows it."""

    name: str
    status: str
    """CREATING, ACTIVE, UPDATING, DELETING, FAILED or PENDING."""
    arn: str = ""
    endpoint: str = ""
    """A URL; empty while it is being created."""
    authority: str = field(default="", repr=False)
    """Base64 of the PEM of its certificate authority."""
    version: str = ""
    """Major and minor: EKS names no patches."""
    vpc: str = ""
    subnets: tuple[str, ...] = ()
    cluster_group: str = ""
    """The security group that EKS made for the cluster."""
    groups: tuple[str, ...] = ()
    """Further security groups that it was made with."""
    service_cidr: str = ""
    issuer: str = ""
    """The URL of its issuer of service account tokens."""
    issues: tuple[str, ...] = ()
    """What EKS says is wrong with it."""

    @property
    def usable(self) -> bool:
        """Whether there is an API server to talk to."""
        return bool(self.endpoint and self.authority)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Where nodes may live."""

    subnets: tuple[Raw, ...] = ()
    """As `spec.network.subnets` has them."""
    groups: Raw = field(default_factory=dict)
    """By role, as `status.networkStatus.securityGroups` has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that was read for one reconcile."""

    cluster: EKSCluster
    network: Network
    provider: Raw | None = None
    """The OIDC provider as `status.oidcProvider` has it; None where nobody asked."""


def cluster(raw: Raw) -> EKSCluster:
    """A cluster from what DescribeCluster answers."""
    network, services = raw.get("resourcesVpcConfig") or {}, raw.get("kubernetesNetworkConfig") or {}
    family = "serviceIpv6Cidr" if services.get("ipFamily") == "ipv6" else "serviceIpv4Cidr"
    return EKSCluster(
        name=raw["name"],
        status=raw.get("status", ""),
        arn=raw.get("arn") or "",
        endpoint=raw.get("endpoint") or "",
        authority=(raw.get("certificateAuthority") or {}).get("data") or "",
        version=raw.get("version") or "",
        vpc=network.get("vpcId") or "",
        subnets=tuple(network.get("subnetIds") or ()),
        cluster_group=network.get("clusterSecurityGroupId") or "",
        groups=tuple(network.get("securityGroupIds") or ()),
        service_cidr=services.get(family) or "",
        issuer=((raw.get("identity") or {}).get("oidc") or {}).get("issuer") or "",
        issues=tuple(_issue(i) for i in (raw.get("health") or {}).get("issues") or ()),
    )


def groups(found: EKSCluster, described: list[Raw], overrides: dict[str, str]) -> Raw:
    """Security groups by role. Nodes are in the cluster's own group unless the spec names another."""
    by_id = {group["GroupId"]: group for group in described}
    made: Raw = {}
    if found.cluster_group in by_id:
        made[CLUSTER] = made[NODE] = _group(by_id[found.cluster_group])
    for id in found.groups:
        marks = tags.from_aws(by_id.get(id, {}).get("Tags") or ())
        if marks.get(tags.ROLE) == ADDITIONAL:
            made[ADDITIONAL] = _group(by_id[id])
    return made | {role: {"id": id, "name": role} for role, id in overrides.items()}


def provider_arn(found: EKSCluster) -> str:
    """The ARN that the OIDC provider of a cluster has in IAM, if somebody made one; empty where that is unknown."""
    parts = found.arn.split(":")
    address = urlsplit(found.issuer)
    if len(parts) < 5 or not address.netloc:
        return ""
    return f"arn:{parts[1]}:iam::{parts[4]}:oidc-provider/{address.netloc}{address.path}"


def trust_policy(arn: str) -> str:
    """The policy by which a service account may take a role, its namespace and name left open, as upstream has it."""
    subject = f"{arn.split('/', 1)[1]}:sub"
    account = "system:serviceaccount:${SERVICE_ACCOUNT_NAMESPACE}:${SERVICE_ACCOUNT_NAME}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": [arn]},
        "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Condition": {"ForAnyValue:StringLike": {subject: [account]}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _group(raw: Raw) -> Raw:
    marks = tags.from_aws(raw.get("Tags") or ())
    return {"id": raw["GroupId"], "name": raw["GroupName"]} | ({"tags": marks} if marks else {})


def _issue(raw: Raw) -> str:
    about = ", ".join(raw.get("resourceIds") or ())
    return f"{raw.get('code', '')}: {raw.get('message', '')}" + (f" ({about})" if about else "")
