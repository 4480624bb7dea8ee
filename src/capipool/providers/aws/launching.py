"""What instances are made from: the content that names a revision, and the launch template's data. Pure.

Used by pools of every kind: nothing here knows an Auto Scaling group.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from capipool.machinery.objects import Raw
from capipool.providers.aws import tags
from capipool.providers.aws.api.machinepool import LaunchTemplate
from capipool.providers.aws.api.shared import ResourceReference, Volume
from capipool.providers.aws.places import Place
from capipool.sdk import BootstrapData, InvalidConfiguration, Launch

USER_DATA_LIMIT = 16 * 1024
"""Bytes of user data that EC2 takes, before base64."""
DEFAULT_FORMAT = "capa-ami-{{.BaseOS}}-?{{.K8sVersion}}-*"
DEFAULT_OWNER = "819546954734"
DEFAULT_OS = "ubuntu-24.04"
DEFAULT_EKS = "AmazonLinux2023"
"""What EKS publishes for every version that it supports."""
_NOT_CONTENT = ("name", "versionNumber", "ami", "imageLookupFormat", "imageLookupOrg", "imageLookupBaseOS")


def content(template: LaunchTemplate, place: Place) -> Raw:
    """What of the specs makes a new instance differ. Names that lead nowhere and tags are not in it."""
    made: Raw = msgspec.to_builtins(template)
    for ignored in _NOT_CONTENT:
        made.pop(ignored, None)
    made["image"] = image(template, place)
    made["additionalSecurityGroups"] = sorted(_reference(r) for r in template.additional_security_groups)
    made["securityGroups"] = list(place.security_groups)
    if template.instance_metadata_options is None:
        made.pop("instanceMetadataOptions", None)
    return made


def image(template: LaunchTemplate, place: Place) -> Raw:
    """How the image is found: its id, what EKS publishes, or the newest whose name matches."""
    if template.ami.id:
        return {"id": template.ami.id}
    if template.ami.eks_lookup_type:
        return {"eks": template.ami.eks_lookup_type}
    named = template.image_lookup_format or template.image_lookup_org or template.image_lookup_base_os
    if place.eks and not (named or place.image_format or place.image_owner or place.image_os):
        return {"eks": DEFAULT_EKS}
    return {
        "format": template.image_lookup_format or place.image_format or DEFAULT_FORMAT,
        "owner": template.image_lookup_org or place.image_owner or DEFAULT_OWNER,
        "os": template.image_lookup_base_os or place.image_os or DEFAULT_OS,
    }


def image_name(lookup: Raw, version: str) -> str:
    """The pattern of an image's name, for DescribeImages. Raises InvalidConfiguration."""
    if not version:
        raise InvalidConfiguration("spec.template.spec.version", detail="is needed to look an image up by its name")
    text: str = lookup["format"]
    return text.replace("{{.BaseOS}}", lookup["os"]).replace("{{.K8sVersion}}", version.removeprefix("v"))


def data(
    template: LaunchTemplate,
    *,
    image_id: str,
    groups: Sequence[str],
    root_device: str,
    user_data: str,
    marks: Mapping[str, str],
) -> Raw:
    """The launch template's data. `marks`: the tags of instances and volumes; `user_data`: base64.

    `image_id` is empty where somebody else brings the image.
    """
    made: Raw = {
        "UserData": user_data,
        "SecurityGroupIds": sorted(groups),
        "TagSpecifications": tag_specifications(marks),
    }
    if image_id:
        made["ImageId"] = image_id
    if template.instance_type:
        made["InstanceType"] = template.instance_type
    if template.ssh_key_name:
        made["KeyName"] = template.ssh_key_name
    if template.iam_instance_profile:
        made["IamInstanceProfile"] = {"Name": template.iam_instance_profile}
    if devices := _devices(template, root_device):
        made["BlockDeviceMappings"] = devices
    if template.enclave_options.enabled:
        made["EnclaveOptions"] = {"Enabled": True}
    return made | _metadata(template) | _dns(template) | _market(template) | _reservation(template)


def tag_specifications(marks: Mapping[str, str]) -> list[Raw]:
    """The tags that instances and their volumes are born with."""
    return [{"ResourceType": kind, "Tags": tags.to_aws(marks)} for kind in ("instance", "volume")]


def resent(data: Raw) -> Raw:
    """The data of a version as AWS showed it, so that it can be sent again: without what only answers have."""
    made = dict(data)
    if options := made.get("MetadataOptions"):
        made["MetadataOptions"] = {key: value for key, value in options.items() if key != "State"}
    made.pop("Operator", None)
    return made


def encode(boot: BootstrapData) -> str:
    """Bootstrap data as user data: base64, packed where it is too long and can be. Raises InvalidConfiguration."""
    content = boot.data
    if len(content) > USER_DATA_LIMIT and boot.format == "cloud-config":
        content = gzip.compress(content, mtime=0)
    if len(content) > USER_DATA_LIMIT:
        packed = f", {len(content)} packed" if boot.format == "cloud-config" else ""
        said = f"is {len(boot.data)} bytes{packed}, and EC2 takes {USER_DATA_LIMIT}: move files out of it"
        raise InvalidConfiguration("the bootstrap data", detail=said)
    return base64.b64encode(content).decode()


def description(launch: Launch, marks: Mapping[str, str]) -> str:
    """What a version's description says: of which revision it is, and a hash of the boot data and the tags in it."""
    about = [launch.bootstrap_version, *(f"{key}={marks[key]}" for key in sorted(marks))]
    return f"capipool {launch.revision} {hashlib.sha256(chr(0).join(about).encode()).hexdigest()[:12]}"


def revision_of(version: Mapping[str, Any]) -> str:
    """The revision of a version that we wrote; for others a name that is no revision."""
    words = str(version.get("VersionDescription") or "").split()
    if len(words) == 3 and words[0] == "capipool":
        return words[1]
    return f"version-{version.get('VersionNumber')}"


def _reference(reference: ResourceReference) -> str:
    filters = sorted(f"{f.name}={','.join(sorted(f.values))}" for f in reference.filters)
    return reference.id or ";".join(filters)


def _devices(template: LaunchTemplate, root_device: str) -> list[Raw]:
    root = [_device(template.root_volume, root_device)] if template.root_volume is not None else []
    return [*root, *(_device(volume, "") for volume in template.non_root_volumes)]


def _device(volume: Volume, device: str) -> Raw:
    said: Raw = {
        "VolumeSize": volume.size,
        "VolumeType": volume.type or None,
        "Iops": volume.iops,
        "Throughput": volume.throughput,
        "Encrypted": True if volume.encryption_key else volume.encrypted,
        "KmsKeyId": volume.encryption_key or None,
        "DeleteOnTermination": True,
    }
    ebs = {key: value for key, value in said.items() if value is not None}
    return {"DeviceName": volume.device_name or device, "Ebs": ebs}


def _metadata(template: LaunchTemplate) -> Raw:
    options = template.instance_metadata_options
    if options is None:
        return {}
    said: Raw = {
        "HttpEndpoint": options.http_endpoint,
        "HttpProtocolIpv6": options.http_protocol_ipv6,
        "HttpPutResponseHopLimit": options.http_put_response_hop_limit,
        "HttpTokens": options.http_tokens,
        "InstanceMetadataTags": options.instance_metadata_tags,
    }
    return {"MetadataOptions": {key: value for key, value in said.items() if value}}


def _dns(template: LaunchTemplate) -> Raw:
    names = template.private_dns_name
    if names is None:
        return {}
    said: Raw = {
        "HostnameType": names.hostname_type or None,
        "EnableResourceNameDnsARecord": names.enable_resource_name_dns_a_record,
        "EnableResourceNameDnsAAAARecord": names.enable_resource_name_dns_aaaa_record,
    }
    return {"PrivateDnsNameOptions": {key: value for key, value in said.items() if value is not None}}


def _market(template: LaunchTemplate) -> Raw:
    spot = template.spot_market_options
    if template.market_type == "CapacityBlock":
        return {"InstanceMarketOptions": {"MarketType": "capacity-block"}}
    if spot is None and template.market_type != "Spot":
        return {}
    options: Raw = {"MarketType": "spot"}
    if spot is not None and spot.max_price:
        options["SpotOptions"] = {"MaxPrice": spot.max_price}
    return {"InstanceMarketOptions": options}


def _reservation(template: LaunchTemplate) -> Raw:
    if template.capacity_reservation_id:
        target = {"CapacityReservationId": template.capacity_reservation_id}
        return {"CapacityReservationSpecification": {"CapacityReservationTarget": target}}
    preferences = {"None": "none", "Open": "open", "CapacityReservationsOnly": "capacity-reservations-only"}
    if (said := preferences.get(template.capacity_reservation_preference)) is None:
        return {}
    return {"CapacityReservationSpecification": {"CapacityReservationPreference": said}}
