"""What EC2 is asked for when a machine is launched. Pure."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from capipool.machinery.objects import Raw
from capipool.providers.aws import launching, tags
from capipool.providers.aws.api.machinepool import LaunchTemplate
from capipool.providers.aws.machines.api import AWSMachineSpec
from capipool.sdk.errors import InvalidConfiguration
from capipool.sdk.provider import BootstrapData

CLOUD_CONFIG = "cloud-config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the names in a spec lead to."""

    image: str
    root_device: str = ""
    """Where the image has its root volume; needed where the spec says something of that."""
    subnet: str = ""
    """Empty where the machine brings its network interfaces."""
    groups: Collection[str] = ()
    choices: int = 1
    """How many subnets would have done."""


def parameters(
    spec: AWSMachineSpec, template: LaunchTemplate, found: Found, *, user_data: bytes, marks: Mapping[str, str]
) -> Raw:
    """The parameters of RunInstances for one instance, but for its client token. `marks`: the tags."""
    made = launching.data(
        template,
        image_id=found.image,
        groups=sorted(found.groups),
        root_device=found.root_device,
        user_data="",
        marks=marks,
    )
    groups = made.pop("SecurityGroupIds")
    made |= {"UserData": user_data, "MinCount": 1, "MaxCount": 1}
    made |= _network(spec, found, groups)
    if not spec.network_interfaces:
        made["TagSpecifications"] += [{"ResourceType": "network-interface", "Tags": tags.to_aws(marks)}]
    return made | _placement(spec) | _cpu(spec)


def user_data(boot: BootstrapData, *, compress: bool) -> bytes:
    """Bootstrap data as an instance gets it. Raises InvalidConfiguration where that is more than EC2 takes."""
    packed = compress and boot.format == CLOUD_CONFIG
    content = gzip.compress(boot.data, mtime=0) if packed else boot.data
    if len(content) > launching.USER_DATA_LIMIT:
        how = "packed" if packed else "as it is"
        said = f"is {len(content)} bytes {how}, and EC2 takes {launching.USER_DATA_LIMIT}"
        raise InvalidConfiguration("the bootstrap data", detail=said)
    return content


def digest(parameters: Raw) -> str:
    """Names a request: equal for equal ones."""
    plain = {**parameters, "UserData": hashlib.sha256(parameters["UserData"]).hexdigest()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def _network(spec: AWSMachineSpec, found: Found, groups: list[str]) -> Raw:
    """Interfaces that are there, one that is described, or just a subnet."""
    if spec.network_interfaces:
        named = [{"NetworkInterfaceId": id, "DeviceIndex": n} for n, id in enumerate(spec.network_interfaces)]
        return {"NetworkInterfaces": named}
    special: Raw = {}
    if spec.public_ip is not None:
        special["AssociatePublicIpAddress"] = spec.public_ip
    if spec.network_interface_type == "efa":
        special["InterfaceType"] = "efa"
    if spec.assign_primary_ipv6 == "enabled":
        special |= {"PrimaryIpv6": True, "Ipv6AddressCount": 1}
    if not special:
        return {"SubnetId": found.subnet, "SecurityGroupIds": groups}
    return {"NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": found.subnet, "Groups": groups, **special}]}


def _placement(spec: AWSMachineSpec) -> Raw:
    said: Raw = {
        "Tenancy": spec.tenancy or ("host" if spec.host_id else ""),
        "GroupName": spec.placement_group_name,
        "PartitionNumber": spec.placement_group_partition,
        "HostId": spec.host_id,
        "Affinity": spec.host_affinity if spec.host_id else "",
    }
    given = {key: value for key, value in said.items() if value}
    return {"Placement": given} if given else {}


def _cpu(spec: AWSMachineSpec) -> Raw:
    options = spec.cpu_options
    if options is None:
        return {}
    said: Raw = {}
    if options.confidential_compute:
        said["AmdSevSnp"] = "disabled" if options.confidential_compute == "Disabled" else "enabled"
    if options.nested_virtualization:
        said["NestedVirtualization"] = options.nested_virtualization
    return {"CpuOptions": said} if said else {}
