"""Finds what specs name by patterns and filters: images, subnets, security groups. Only reads.

Used by pools of every kind. What filters matched is believed for a while, so that many pools at rest cost little.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from capipool.machinery.objects import Raw
from capipool.providers.aws import launching, tags
from capipool.providers.aws.api.machinepool import LaunchTemplate
from capipool.providers.aws.api.network import Subnet
from capipool.providers.aws.api.shared import Filter, ResourceReference, Volume
from capipool.providers.aws.places import Place
from capipool.sdk import InvalidConfiguration, PermissionDenied
from capipool.sdk.errors import Missing

FILTERED_SECONDS = 600.0
"""How long the subnets that a filter matched are believed."""
_EKS_PATHS = {
    "AmazonLinux": "amazon-linux-2{arm}",
    "AmazonLinuxGPU": "amazon-linux-2-gpu",
    "AmazonLinux2023": "amazon-linux-2023/{arch}/standard",
    "AmazonLinux2023GPU": "amazon-linux-2023/{arch}/nvidia",
}


class Lookups:
    """Reads of all places."""

    def __init__(self) -> None:
        self._filtered: dict[tuple[object, ...], tuple[float, list[Raw]]] = {}

    async def image(self, place: Place, template: LaunchTemplate, version: str) -> str:
        """The id of the image that new instances boot. Raises InvalidConfiguration where there is none."""
        lookup = launching.image(template, place)
        if "id" in lookup:
            return str(lookup["id"])
        architecture = await self._architecture(place, template.instance_type)
        if "eks" in lookup:
            return await self._eks_image(place, lookup["eks"], version, architecture)
        pattern = launching.image_name(lookup, version)
        filters = {"name": pattern, "architecture": architecture, "state": "available", "virtualization-type": "hvm"}
        answer = await place.call("ec2", "describe_images", Owners=[lookup["owner"]], Filters=_filters(filters))
        images = sorted(answer["Images"], key=lambda i: (str(i.get("CreationDate", "")), i["ImageId"]))
        if not images:
            said = f"no image of {lookup['owner']} is named {pattern} ({architecture})"
            raise InvalidConfiguration("spec.awsLaunchTemplate.ami", detail=said)
        return str(images[-1]["ImageId"])

    async def root_device(self, place: Place, image: str, volume: Volume) -> str:
        """The name under which an image has its root volume. Raises InvalidConfiguration for one that is too small."""
        answer = await place.call("ec2", "describe_images", ImageIds=[image])
        found = answer["Images"][0] if answer["Images"] else {}
        device = str(found.get("RootDeviceName") or "/dev/sda1")
        sizes = [m["Ebs"].get("VolumeSize", 0) for m in _mappings(found) if m.get("DeviceName") == device]
        if sizes and volume.size < sizes[0]:
            said = f"is {volume.size} GiB, and the image {image} needs {sizes[0]}"
            raise InvalidConfiguration("spec.awsLaunchTemplate.rootVolume.size", detail=said)
        return volume.device_name or device

    async def security_groups(self, place: Place, references: Sequence[ResourceReference]) -> list[str]:
        """The ids of security groups. Raises InvalidConfiguration where filters match none."""
        found: list[str] = []
        for reference in references:
            if reference.id:
                found.append(reference.id)
                continue
            answer = await place.call("ec2", "describe_security_groups", Filters=_in_vpc(place, reference.filters))
            found += [group["GroupId"] for group in answer["SecurityGroups"]]
            if not answer["SecurityGroups"]:
                field = "spec.awsLaunchTemplate.additionalSecurityGroups"
                raise InvalidConfiguration(field, detail="the filters match no security group")
        return found

    async def subnets(
        self, place: Place, given: Sequence[ResourceReference], *, zones: Sequence[str], kind: str
    ) -> list[str]:
        """Where instances are launched: given, or the cluster's in the zones wanted. Raises InvalidConfiguration.

        `kind`: `public`, `private` or `all`; empty takes private ones, or all of a zone that was asked for.
        """
        return await self._given(place, given) if given else _of_cluster(place, zones, kind)

    async def _given(self, place: Place, given: Sequence[ResourceReference]) -> list[str]:
        """By id, or each by its own filters within the cluster's network; none twice."""
        found: set[str] = set()
        for reference in given:
            if reference.id:
                found.add(reference.id)
                continue
            matched = await self._matching(place, _in_vpc(place, reference.filters))
            found |= {s["SubnetId"] for s in matched if not _is_secondary(tags.from_aws(s.get("Tags") or ()))}
        if not found:
            raise InvalidConfiguration("spec.subnets", detail="the filters match no subnet")
        return sorted(found)

    async def _matching(self, place: Place, filters: list[Raw]) -> list[Raw]:
        key = (place.key, repr(filters))
        now = asyncio.get_running_loop().time()
        known = self._filtered.get(key)
        if known is None or known[0] < now - FILTERED_SECONDS:
            answer = await place.call("ec2", "describe_subnets", Filters=filters)
            self._filtered = {k: each for k, each in self._filtered.items() if each[0] >= now - FILTERED_SECONDS}
            known = self._filtered[key] = (now, list(answer["Subnets"]))
        return known[1]

    async def _architecture(self, place: Place, instance_type: str) -> str:
        if not instance_type:
            return "x86_64"
        try:
            answer = await place.call("ec2", "describe_instance_types", InstanceTypes=[instance_type])
        except (Missing, InvalidConfiguration):
            said = f"there is no such type of instance in {place.region}"
            raise InvalidConfiguration(
                "spec.awsLaunchTemplate.instanceType", detail=said, value=instance_type
            ) from None
        except PermissionDenied:
            return "x86_64"
        known = answer["InstanceTypes"][0]["ProcessorInfo"]["SupportedArchitectures"] if answer["InstanceTypes"] else []
        return "arm64" if "arm64" in known else "x86_64"

    async def _eks_image(self, place: Place, kind: str, version: str, architecture: str) -> str:
        field = "spec.awsLaunchTemplate.ami.eksLookupType"
        minor = ".".join(version.removeprefix("v").split(".")[:2])
        if not minor:
            raise InvalidConfiguration("spec.template.spec.version", detail="is needed to look up what EKS publishes")
        arm = "-arm64" if architecture == "arm64" else ""
        path = _EKS_PATHS[kind].format(arm=arm, arch=architecture)
        name = f"/aws/service/eks/optimized-ami/{minor}/{path}/recommended/image_id"
        try:
            answer = await place.call("ssm", "get_parameter", Name=name)
        except Missing:
            said = f"EKS publishes no {kind} for {minor} ({architecture}): there is no parameter {name}"
            raise InvalidConfiguration(field, detail=said, value=kind) from None
        return str(answer["Parameter"]["Value"])


def _of_cluster(place: Place, zones: Sequence[str], kind: str) -> list[str]:
    """The cluster's subnets, but for those that are for pods or outside of a region's own zones."""
    those = [s for s in place.subnets if not _is_secondary(s.tags)]
    if zones:
        those = [s for s in those if s.availability_zone in zones]
        if missing := sorted(set(zones) - {s.availability_zone for s in those}):
            said = f"the cluster has no subnet in {', '.join(missing)}"
            raise InvalidConfiguration("spec.availabilityZones", detail=said)
    if kind in ("public", "private") or (not zones and kind != "all"):
        those = [s for s in those if bool(s.is_public) == (kind == "public") and not _is_edge(s)]
    if not those:
        what = f" {kind}" if kind else "" if zones else " private"
        said = f"the cluster has no{what} subnet for this pool: name subnets, or tag the network's"
        raise InvalidConfiguration("spec.subnets", detail=said)
    return sorted({s.resource_id or s.id for s in those})


def _is_secondary(marks: dict[str, str]) -> bool:
    return marks.get(tags.ASSOCIATION) == "secondary"


def _is_edge(subnet: Subnet) -> bool:
    return subnet.zone_type not in ("", "availability-zone")


def _mappings(image: Raw) -> list[Raw]:
    return [m for m in image.get("BlockDeviceMappings") or () if m.get("Ebs")]


def _in_vpc(place: Place, filters: Sequence[Filter]) -> list[Raw]:
    """The filters as AWS takes them, within the cluster's network unless they name one."""
    given = [{"Name": f.name, "Values": list(f.values)} for f in filters]
    if place.vpc and all(f["Name"] != "vpc-id" for f in given):
        given.append({"Name": "vpc-id", "Values": [place.vpc]})
    return given


def _filters(wanted: dict[str, str]) -> list[Raw]:
    return [{"Name": name, "Values": [value]} for name, value in wanted.items()]
