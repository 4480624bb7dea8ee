"""A node group as EKS shows it, and what is wanted of it: what decisions are made from. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from capipool.machinery.objects import Raw
from capipool.providers.aws import tags
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool

ACTIVE, UPDATING, CREATING, DELETING = "ACTIVE", "UPDATING", "CREATING", "DELETING"
CREATE_FAILED, DELETE_FAILED, DEGRADED = "CREATE_FAILED", "DELETE_FAILED", "DEGRADED"
MOST_ISSUES = 3
"""How many of EKS's complaints a condition quotes."""
ADOPT = "capipool.io/adopt"
"""On an AWSManagedMachinePool: `true` takes over a node group of its name that no pool claims."""


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """A node group, as DescribeNodegroup shows it."""

    raw: Raw

    @property
    def name(self) -> str:
        """Its name within its cluster."""
        return str(self.raw["nodegroupName"])

    @property
    def arn(self) -> str:
        """What names it in calls about tags."""
        return str(self.raw.get("nodegroupArn") or "")

    @property
    def status(self) -> str:
        """`ACTIVE`, `UPDATING` and so on."""
        return str(self.raw.get("status") or "")

    @property
    def takes_orders(self) -> bool:
        """Whether EKS changes it now if asked to."""
        return self.status in (ACTIVE, DEGRADED)

    @property
    def serves(self) -> bool:
        """Whether its nodes are there to be used."""
        return self.status in (ACTIVE, UPDATING, DEGRADED)

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of the node group itself."""
        return dict(self.raw.get("tags") or {})

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels that it gives to nodes."""
        return dict(self.raw.get("labels") or {})

    @property
    def taints(self) -> tuple[Raw, ...]:
        """The taints that it gives to nodes, as EKS writes them."""
        return tuple(self.raw.get("taints") or ())

    @property
    def sizes(self) -> Mapping[str, int]:
        """`minSize`, `maxSize` and `desiredSize`."""
        return dict(self.raw.get("scalingConfig") or {})

    @property
    def desired(self) -> int:
        """How many nodes it is to have."""
        return int(self.sizes.get("desiredSize") or 0)

    @property
    def template(self) -> tuple[str, int]:
        """The id of the launch template that it was given, and the version: empty and 0 where it has none."""
        found = self.raw.get("launchTemplate") or {}
        said = str(found.get("version") or "")
        return str(found.get("id") or ""), int(said) if said.isdecimal() else 0

    @property
    def scaling_groups(self) -> tuple[str, ...]:
        """The names of the Auto Scaling groups that EKS keeps for it."""
        found = (self.raw.get("resources") or {}).get("autoScalingGroups") or ()
        return tuple(str(group["name"]) for group in found)

    @property
    def issues(self) -> tuple[str, ...]:
        """What EKS says is wrong with it."""
        return tuple(issue(i) for i in (self.raw.get("health") or {}).get("issues") or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The version of the launch template that is wanted."""

    id: str
    number: int
    rolls: bool = True
    """Whether it makes other nodes than the version in use: one that differs in tags alone replaces none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """All that is wanted of a node group."""

    obj: AWSManagedMachinePool
    replicas: int = 1
    external: bool = False
    """Whether somebody else says how many nodes there are."""
    version: str = ""
    """Of Kubernetes; empty leaves it to EKS."""
    plane_version: str = ""
    """What the control plane runs."""
    template: Template | None = None
    role: str = ""
    """The ARN of the nodes' role."""
    subnets: tuple[str, ...] = ()
    marks: Mapping[str, str] | None = None
    """The tags of the node group."""
    ssh_key: str = ""
    """The cluster's, for where `remoteAccess` names none."""
    cluster_group: str = ""
    """The security group of the cluster."""

    @property
    def own_image(self) -> bool:
        """Whether nodes boot an image of the user's own: EKS upgrades none of those."""
        template = self.obj.spec.aws_launch_template
        return template is not None and bool(template.ami.id)


def minor(version: str) -> tuple[int, int] | None:
    """Major and minor of a version like `v1.31.0`; None where it is none."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found is not None else None


def is_ours(obj: AWSManagedMachinePool, group: NodeGroup, cluster: str) -> bool:
    """Whether a node group is this pool's: by our tag, by upstream's, or since the user says so."""
    marks = group.tags
    if tags.POOL in marks:
        return marks[tags.POOL] == str(obj.key)
    if tags.is_ours(marks, cluster=cluster, key=str(obj.key)) or (cluster and tags.kubernetes_tag(cluster) in marks):
        return True
    return obj.metadata.annotations.get(ADOPT) == "true"


def issue(raw: Raw) -> str:
    """One of EKS's complaints in a line, with a few of the resources that it is about."""
    those = [str(r) for r in raw.get("resourceIds") or ()]
    about = f" ({', '.join(those[:3])}{', …' if len(those) > 3 else ''})" if those else ""
    return f"{raw.get('code') or raw.get('errorCode')}: {raw.get('message') or raw.get('errorMessage')}{about}"
