"""The role of a pool's nodes in IAM: one that is there is used, one that is not is made, and goes with its pool.

Whoever's role it is, only one with this pool's tag is changed or deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capipool.machinery import codec
from capipool.machinery.objects import Raw
from capipool.providers.aws import tags
from capipool.providers.aws.eks import naming
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.places import Place
from capipool.sdk.errors import Missing

DEFAULT = "eks-nodegroup.cluster-api-provider-aws.sigs.k8s.io"
"""The role that upstream's tool makes for the node groups of an account. Used where it is there."""
POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly")
"""What every node needs."""
_NAME_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Role:
    """A role that nodes can have."""

    arn: str
    ours: bool
    """Whether it was made for this very pool."""
    fresh: bool = False
    """Whether it was made a moment ago: AWS needs some seconds until EKS can use it."""


def generated(obj: AWSManagedMachinePool) -> str:
    """The name of a role that is made where the spec names none. Pure."""
    return naming.generated(f"{obj.metadata.name}-nodes", obj.metadata.namespace, limit=_NAME_LIMIT)


def policies(obj: AWSManagedMachinePool, place: Place) -> list[str]:
    """The ARNs of the policies that a pool's own role has. Pure."""
    prefix = f"arn:{_partition(place.region)}:iam::aws:policy/"
    return [*(prefix + name for name in POLICIES), *obj.spec.role_additional_policies]


async def find(place: Place, obj: AWSManagedMachinePool, name: str) -> Role | None:
    """A role by its name; None where there is none. Raises ProviderError."""
    try:
        role = (await place.call("iam", "get_role", RoleName=name))["Role"]
    except Missing:
        return None
    return Role(str(role["Arn"]), tags.from_aws(role.get("Tags") or ()).get(tags.POOL) == str(obj.key))


async def ensure(place: Place, obj: AWSManagedMachinePool, marks: dict[str, str]) -> Role:
    """See to it that the role that the spec names is there, with its policies if it is this pool's.

    Repeating it does nothing; what a death left half done is completed. Raises ProviderError.
    """
    name = obj.spec.role_name
    role = await find(place, obj, name)
    if role is None:
        role = await _create(place, obj, marks)
    if role.ours:
        await _attach(place, name, policies(obj, place))
    return role


async def delete(place: Place, obj: AWSManagedMachinePool) -> None:
    """Delete the role if it was made for this pool; one that is gone is done. Raises ProviderError."""
    name = obj.spec.role_name
    role = await find(place, obj, name) if name else None
    if role is None or not role.ours:
        return
    try:
        for arn in await _attached(place, name):
            await place.call("iam", "detach_role_policy", RoleName=name, PolicyArn=arn)
        await place.call("iam", "delete_role", RoleName=name)
    except Missing:
        return


async def _create(place: Place, obj: AWSManagedMachinePool, marks: dict[str, str]) -> Role:
    spec = obj.spec
    more = {"Path": spec.role_path, "PermissionsBoundary": spec.role_permissions_boundary}
    answer = await place.call(
        "iam",
        "create_role",
        RoleName=spec.role_name,
        AssumeRolePolicyDocument=_trust(place.region),
        Description=f"Nodes of the machine pool {obj.key}",
        Tags=tags.to_aws(marks),
        **{key: value for key, value in more.items() if value},
    )
    return Role(str(answer["Role"]["Arn"]), ours=True, fresh=True)


async def _attach(place: Place, name: str, wanted: Sequence[str]) -> None:
    there = await _attached(place, name)
    for arn in wanted:
        if arn not in there:
            await place.call("iam", "attach_role_policy", RoleName=name, PolicyArn=arn)
    for arn in there:
        if arn not in wanted:
            await place.call("iam", "detach_role_policy", RoleName=name, PolicyArn=arn)


async def _attached(place: Place, name: str) -> list[str]:
    answer = await place.call("iam", "list_attached_role_policies", RoleName=name)
    return [str(policy["PolicyArn"]) for policy in answer.get("AttachedPolicies") or ()]


def _trust(region: str) -> str:
    """Who may take the role: EC2."""
    service = "ec2.amazonaws.com.cn" if region.startswith("cn-") else "ec2.amazonaws.com"
    said: Raw = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }
    return codec.encode_json(said).decode()


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
