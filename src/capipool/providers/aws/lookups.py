"""Finds what specs name by patterns and filters: images, subnets, security groups. Only reads."""

from __future__ import annotations

from collections.abc import Sequence

from capipool.machinery.objects import Raw
from capipool.providers.aws import launching
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.api.shared import Filter, ResourceReference
from capipool.providers.aws.calls import Calls
from capipool.sdk import InvalidConfiguration, PermissionDenied

_EKS_PATHS = {
    "AmazonLinux": "amazon-linux-2{arm}",
    "AmazonLinuxGPU": "amazon-linux-2-gpu",
    "AmazonLinux2023": "amazon-linux-2023/{arch}/standard",
    "AmazonLinux2023GPU": "amazon-linux-2023/{arch}/nvidia",
}


class Lookups:
    """Reads of one account."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def image(self, region: str, pool: AWSMachinePool, cluster: AWSCluster, version: str) -> str:
        """The id of the image that new instances boot. Raises InvalidConfiguration where there is none."""
        template = pool.spec.aws_launch_template
        lookup = launching.image(template, cluster)
        if "id" in lookup:
            return str(lookup["id"])
        architecture = await self._architecture(region, template.instance_type)
        if "eks" in lookup:
            return await self._eks_image(region, lookup["eks"], version, architecture)
        pattern = launching.image_name(lookup, version)
        filters = {"name": pattern, "architecture": architecture, "state": "available", "virtualization-type": "hvm"}
        answer = await self._calls.call(
            region, "ec2", "describe_images", Owners=[lookup["owner"]], Filters=_filters(filters)
        )
        images = sorted(answer["Images"], key=lambda i: (str(i.get("CreationDate", "")), i["ImageId"]))
        if not images:
            said = f"no image of {lookup['owner']} is named {pattern} ({architecture})"
            raise InvalidConfiguration("spec.awsLaunchTemplate.ami", detail=said)
        return str(images[-1]["ImageId"])

    async def root_device(self, region: str, image: str) -> str:
        """The name under which an image has its root volume."""
        answer = await self._calls.call(region, "ec2", "describe_images", ImageIds=[image])
        return str(answer["Images"][0].get("RootDeviceName") or "/dev/sda1") if answer["Images"] else "/dev/sda1"

    async def security_groups(self, region: str, references: Sequence[ResourceReference]) -> list[str]:
        """The ids of security groups. Raises InvalidConfiguration where filters match none."""
        found: list[str] = []
        for reference in references:
            if reference.id:
                found.append(reference.id)
                continue
            answer = await self._calls.call(
                region, "ec2", "describe_security_groups", Filters=_given(reference.filters)
            )
            found += [group["GroupId"] for group in answer["SecurityGroups"]]
            if not answer["SecurityGroups"]:
                field = "spec.awsLaunchTemplate.additionalSecurityGroups"
                raise InvalidConfiguration(field, detail="the filters match no security group")
        return found

    async def subnets(self, region: str, pool: AWSMachinePool, cluster: AWSCluster, zones: Sequence[str]) -> list[str]:
        """Where instances are launched: given, or the cluster's in the zones wanted. Raises InvalidConfiguration."""
        if pool.spec.subnets:
            return await self._given_subnets(region, pool, cluster)
        wanted = pool.spec.availability_zones or tuple(zones)
        those = list(cluster.spec.network.subnets)
        kind = pool.spec.availability_zone_subnet_type
        if wanted:
            those = [s for s in those if s.availability_zone in wanted]
            if missing := sorted(set(wanted) - {s.availability_zone for s in those}):
                said = f"the cluster has no subnet in {', '.join(missing)}"
                raise InvalidConfiguration("spec.availabilityZones", detail=said)
        if kind in ("public", "private") or (not wanted and kind != "all"):
            those = [s for s in those if bool(s.is_public) == (kind == "public")]
        if not those:
            raise InvalidConfiguration("spec.subnets", detail="the cluster has no subnet for this pool")
        return sorted({s.resource_id or s.id for s in those})

    async def _given_subnets(self, region: str, pool: AWSMachinePool, cluster: AWSCluster) -> list[str]:
        found: set[str] = set()
        for reference in pool.spec.subnets:
            if reference.id:
                found.add(reference.id)
                continue
            filters = _given(reference.filters)
            if (vpc := cluster.spec.network.vpc.id) and all(f["Name"] != "vpc-id" for f in filters):
                filters.append({"Name": "vpc-id", "Values": [vpc]})
            answer = await self._calls.call(region, "ec2", "describe_subnets", Filters=filters)
            found |= {subnet["SubnetId"] for subnet in answer["Subnets"]}
        if not found:
            raise InvalidConfiguration("spec.subnets", detail="the filters match no subnet")
        return sorted(found)

    async def _architecture(self, region: str, instance_type: str) -> str:
        if not instance_type:
            return "x86_64"
        try:
            answer = await self._calls.call(region, "ec2", "describe_instance_types", InstanceTypes=[instance_type])
        except PermissionDenied:
            return "x86_64"
        known = answer["InstanceTypes"][0]["ProcessorInfo"]["SupportedArchitectures"] if answer["InstanceTypes"] else []
        return "arm64" if "arm64" in known else "x86_64"

    async def _eks_image(self, region: str, kind: str, version: str, architecture: str) -> str:
        minor = ".".join(version.removeprefix("v").split(".")[:2])
        arm = "-arm64" if architecture == "arm64" else ""
        path = _EKS_PATHS[kind].format(arm=arm, arch=architecture)
        name = f"/aws/service/eks/optimized-ami/{minor}/{path}/recommended/image_id"
        answer = await self._calls.call(region, "ssm", "get_parameter", Name=name)
        return str(answer["Parameter"]["Value"])


def _filters(wanted: dict[str, str]) -> list[Raw]:
    return [{"Name": name, "Values": [value]} for name, value in wanted.items()]


def _given(filters: Sequence[Filter]) -> list[Raw]:
    return [{"Name": f.name, "Values": list(f.values)} for f in filters]
