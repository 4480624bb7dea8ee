"""What instances are made from: every field that makes a new one differ is content, and is sent."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.machinery import objects
from capipool.providers.aws import launching, network
from capipool.providers.aws.api.machinepool import AWSMachinePool, LaunchTemplate
from capipool.providers.aws.places import Place

CALLS: Any = None
PLACE = Place(calls=CALLS, region="r", cluster="c", security_groups=("sg-1",))


def template(**fields: Any) -> LaunchTemplate:
    raw = {"metadata": {"name": "p"}, "spec": {"awsLaunchTemplate": fields}}
    return objects.from_raw(AWSMachinePool, raw).spec.aws_launch_template


def sent(**fields: Any) -> dict[str, Any]:
    return launching.data(
        template(**fields), image_id="ami-1", groups=["sg-1"], root_device="/dev/xvda", user_data="", marks={}
    )


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"instanceType": "m5.large"}, "InstanceType", "m5.large"),
        ({"sshKeyName": "k"}, "KeyName", "k"),
        ({"iamInstanceProfile": "nodes"}, "IamInstanceProfile", {"Name": "nodes"}),
        ({"enclaveOptions": {"enabled": True}}, "EnclaveOptions", {"Enabled": True}),
        (
            {"instanceMetadataOptions": {"httpProtocolIpv6": "enabled"}},
            "MetadataOptions",
            {"HttpProtocolIpv6": "enabled"},
        ),
        ({"privateDnsName": {"hostnameType": "ip-name"}}, "PrivateDnsNameOptions", {"HostnameType": "ip-name"}),
        ({"marketType": "Spot"}, "InstanceMarketOptions", {"MarketType": "spot"}),
        ({"marketType": "CapacityBlock"}, "InstanceMarketOptions", {"MarketType": "capacity-block"}),
        (
            {"spotMarketOptions": {"maxPrice": "0.1"}},
            "InstanceMarketOptions",
            {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.1"}},
        ),
        (
            {"capacityReservationId": "cr-1"},
            "CapacityReservationSpecification",
            {"CapacityReservationTarget": {"CapacityReservationId": "cr-1"}},
        ),
        (
            {"capacityReservationPreference": "None"},
            "CapacityReservationSpecification",
            {"CapacityReservationPreference": "none"},
        ),
        (
            {"rootVolume": {"size": 20, "type": "gp3", "throughput": 200}},
            "BlockDeviceMappings",
            [
                {
                    "DeviceName": "/dev/xvda",
                    "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Throughput": 200, "DeleteOnTermination": True},
                }
            ],
        ),
    ],
)
def test_a_field_is_sent_and_is_content(fields: dict[str, Any], name: str, value: Any) -> None:
    assert sent(**fields)[name] == value
    assert name not in sent()
    assert launching.content(template(**fields), PLACE) != launching.content(template(), PLACE)


@pytest.mark.parametrize("fields", [{"name": "x"}, {"versionNumber": 3}, {"sshKeyName": ""}])
def test_what_makes_no_new_instance_differ_is_no_content(fields: dict[str, Any]) -> None:
    assert launching.content(template(**fields), PLACE) == launching.content(template(), PLACE)


def test_the_order_of_security_groups_means_nothing() -> None:
    groups = [{"id": "sg-2"}, {"filters": [{"name": "a", "values": ["2", "1"]}]}]
    turned = [{"filters": [{"name": "a", "values": ["1", "2"]}]}, {"id": "sg-2"}]
    one = launching.content(template(additionalSecurityGroups=groups), PLACE)
    assert one == launching.content(template(additionalSecurityGroups=turned), PLACE)


def test_a_version_of_somebody_elses_is_of_no_revision_of_ours() -> None:
    assert launching.revision_of({"VersionDescription": "by hand", "VersionNumber": 3}) == "version-3"
    assert launching.revision_of({"VersionDescription": "capipool abc 123", "VersionNumber": 3}) == "abc"


@pytest.mark.parametrize(
    ("tags", "routes", "public"),
    [
        ({"kubernetes.io/role/elb": "1"}, [], True),
        ({"kubernetes.io/role/internal-elb": "1"}, [], False),
        ({}, [], None),
        ({}, [("subnet-1", "igw-1")], True),
        ({}, [("subnet-1", "nat-1"), ("", "igw-1")], False),
        ({}, [("subnet-2", "nat-1"), ("", "igw-1")], True),
    ],
)
def test_a_subnet_is_public_by_its_tag_or_its_route(
    tags: dict[str, str], routes: list[tuple[str, str]], public: bool | None
) -> None:
    subnet = {"SubnetId": "subnet-1", "VpcId": "v", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
    tables = [
        {
            "VpcId": "v",
            "Associations": [{"SubnetId": id} if id else {"Main": True}],
            "Routes": [{"GatewayId": gateway}],
        }
        for id, gateway in routes
    ]
    assert network.is_public(subnet, tables) is public
