"""Parts that several kinds of the AWS provider have in common, as upstream has them."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int64, Limits

GROUP = "infrastructure.cluster.x-k8s.io"


class Filter(Model):
    """A filter of EC2's describe calls, such as `tag:Name`; several values are alternatives."""

    name: str
    values: tuple[str, ...]


class ResourceReference(Model):
    """Something in AWS, by its id or by filters; several filters must all match."""

    filters: tuple[Filter, ...] = ()
    id: str = ""


class InstanceMetadataOptions(Model):
    """How an instance reaches its metadata service."""

    http_endpoint: Annotated[str, Limits(enum=("enabled", "disabled"), default="enabled")] = ""
    http_protocol_ipv6: Annotated[str, Limits(enum=("enabled", "disabled"), default="disabled")] = ""
    http_put_response_hop_limit: Annotated[Int64, Limits(minimum=1, maximum=64, default=1)] | None = None
    http_tokens: Annotated[str, Limits(enum=("optional", "required"), default="optional")] = ""
    instance_metadata_tags: Annotated[str, Limits(enum=("enabled", "disabled"), default="disabled")] = ""


class Volume(Model):
    """A disk of an instance; sizes are GiB, throughput is MiB/s."""

    size: Annotated[Int64, Limits(minimum=8)]
    device_name: str = ""
    encrypted: bool | None = None
    encryption_key: str = ""
    iops: Int64 | None = None
    throughput: Int64 | None = None
    type: str = ""


class PrivateDNSName(Model):
    """How EC2 names an instance in its private DNS."""

    enable_resource_name_dns_aaaa_record: bool | None = msgspec.field(
        default=None, name="enableResourceNameDnsAAAARecord"
    )
    enable_resource_name_dns_a_record: bool | None = msgspec.field(default=None, name="enableResourceNameDnsARecord")
    hostname_type: Annotated[str, Limits(enum=("ip-name", "resource-name"))] = ""


class SpotMarketOptions(Model):
    """Asks for spot instances; without a price the on-demand price is the limit."""

    max_price: str = ""


class CPUOptions(Model):
    """What the processor offers beyond the usual."""

    LIMITS: ClassVar = Limits(min_properties=1)

    confidential_compute: Annotated[str, Limits(enum=("Disabled", "AMDEncryptedVirtualizationNestedPaging"))] = ""
    nested_virtualization: Annotated[str, Limits(enum=("enabled", "disabled"))] = ""


class DynamicHostAllocation(Model):
    """A dedicated host made on demand."""

    tags: dict[str, str] = msgspec.field(default_factory=dict)
