"""What EC2 is asked for: every field of a machine's spec arrives where EC2 takes it, and the library knows it."""

from __future__ import annotations

import datetime as dt
import gzip
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from capipool.machinery import objects
from capipool.machinery.objects import ObjectMeta, Raw
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.machines import marks, request
from capipool.providers.aws.machines.api import AWSMachine
from capipool.providers.aws.machines.home import Home
from capipool.providers.aws.machines.request import Found
from capipool.providers.aws.places import Place
from capipool.sdk.errors import InvalidConfiguration
from capipool.sdk.provider import BootstrapData

FOUND = Found(image="ami-1", root_device="/dev/xvda", subnet="subnet-1", groups={"sg-2", "sg-1"})
PLACE = Place(calls=Calls.__new__(Calls), region="eu-central-1", cluster="c")
HOME = Home(place=PLACE, groups={"node": "sg-1", "lb": "sg-2", "controlplane": "sg-3"}, key_name="of-cluster")


def machine(labels: dict[str, str] | None = None, **spec: Any) -> AWSMachine:
    raw = {
        "metadata": {"name": "m", "namespace": "ns", "uid": "u", "labels": labels or {}},
        "spec": {"instanceType": "t3.large", **spec},
    }
    return objects.from_raw(AWSMachine, raw)


def asked(**spec: Any) -> Raw:
    obj = machine(**spec)
    made = request.parameters(
        obj.spec, HOME.template(obj.spec), FOUND, user_data=b"boot", marks=marks.wanted_tags(obj, "c", {})
    )
    shape = botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
    sent = made | {"UserData": "Ym9vdA=="}  # the library encodes it before it looks
    assert ParamValidator().validate(sent, shape).generate_report() == ""
    return made


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        ({}, {"SubnetId": "subnet-1", "SecurityGroupIds": ["sg-1", "sg-2"], "KeyName": "of-cluster"}),
        ({"sshKeyName": "mine"}, {"KeyName": "mine"}),
        ({"iamInstanceProfile": "p"}, {"IamInstanceProfile": {"Name": "p"}}),
        ({"tenancy": "dedicated"}, {"Placement": {"Tenancy": "dedicated"}}),
        (
            {"placementGroupName": "g", "placementGroupPartition": 2},
            {"Placement": {"GroupName": "g", "PartitionNumber": 2}},
        ),
        (
            {"hostID": "h-1", "hostAffinity": "host"},
            {"Placement": {"Tenancy": "host", "HostId": "h-1", "Affinity": "host"}},
        ),
        (
            {"spotMarketOptions": {"maxPrice": "1"}},
            {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"MaxPrice": "1"}}},
        ),
        ({"marketType": "CapacityBlock"}, {"InstanceMarketOptions": {"MarketType": "capacity-block"}}),
        (
            {"capacityReservationId": "cr-1"},
            {"CapacityReservationSpecification": {"CapacityReservationTarget": {"CapacityReservationId": "cr-1"}}},
        ),
        ({"instanceMetadataOptions": {"httpTokens": "required"}}, {"MetadataOptions": {"HttpTokens": "required"}}),
        (
            {"cpuOptions": {"confidentialCompute": "AMDEncryptedVirtualizationNestedPaging"}},
            {"CpuOptions": {"AmdSevSnp": "enabled"}},
        ),
        ({"cpuOptions": {"nestedVirtualization": "enabled"}}, {"CpuOptions": {"NestedVirtualization": "enabled"}}),
        ({"privateDnsName": {"hostnameType": "ip-name"}}, {"PrivateDnsNameOptions": {"HostnameType": "ip-name"}}),
    ],
)
def test_a_field_is_asked_for(spec: dict[str, Any], parameters: Raw) -> None:
    made = asked(**spec)
    assert {key: made.get(key) for key in parameters} == parameters


@pytest.mark.parametrize(
    ("spec", "special"),
    [
        ({"publicIP": True}, {"AssociatePublicIpAddress": True}),
        ({"publicIP": False}, {"AssociatePublicIpAddress": False}),
        ({"networkInterfaceType": "efa"}, {"InterfaceType": "efa"}),
        ({"assignPrimaryIPv6": "enabled"}, {"PrimaryIpv6": True, "Ipv6AddressCount": 1}),
    ],
)
def test_what_is_special_of_the_network_describes_an_interface(spec: dict[str, Any], special: Raw) -> None:
    made = asked(**spec)
    plain = {"DeviceIndex": 0, "SubnetId": "subnet-1", "Groups": ["sg-1", "sg-2"]}
    assert made["NetworkInterfaces"] == [plain | special]
    assert not {"SubnetId", "SecurityGroupIds"} & made.keys()


def test_interfaces_that_are_there_are_attached_and_not_described() -> None:
    made = asked(networkInterfaces=["eni-1", "eni-2"])
    named = [("eni-1", 0), ("eni-2", 1)]
    assert made["NetworkInterfaces"] == [{"NetworkInterfaceId": id, "DeviceIndex": n} for id, n in named]
    assert not {"SubnetId", "SecurityGroupIds"} & made.keys()
    assert [t["ResourceType"] for t in made["TagSpecifications"]] == ["instance", "volume"]


def test_volumes_go_with_the_instance() -> None:
    root = {"size": 40, "type": "gp3", "throughput": 200, "iops": 4000, "encrypted": True}
    made = asked(rootVolume=root, nonRootVolumes=[{"deviceName": "/dev/sdb", "size": 9}])
    first, second = made["BlockDeviceMappings"]
    assert first["DeviceName"] == "/dev/xvda"
    assert first["Ebs"]["Throughput"] == 200
    assert (second["DeviceName"], second["Ebs"]["VolumeSize"]) == ("/dev/sdb", 9)
    assert first["Ebs"]["DeleteOnTermination"] is second["Ebs"]["DeleteOnTermination"] is True


def test_a_request_is_named_by_all_that_is_in_it() -> None:
    made = asked()
    assert request.digest(made) == request.digest(asked())
    assert request.digest(made) != request.digest(made | {"UserData": b"other"})
    assert request.digest(made) != request.digest(asked(sshKeyName="mine"))
    assert "boot" not in request.digest(made)


def test_the_cluster_s_groups_are_the_machine_s_by_role() -> None:
    assert HOME.core_groups(machine()) == {"sg-1", "sg-2"}
    assert HOME.core_groups(machine(securityGroupOverrides={"node": "sg-9"})) == {"sg-9", "sg-2"}
    control_plane = machine(labels={"cluster.x-k8s.io/control-plane": ""})
    assert HOME.core_groups(control_plane) == {"sg-1", "sg-2", "sg-3"}
    with pytest.raises(InvalidConfiguration, match="cluster c has no security group for nodes"):
        Home(place=PLACE).core_groups(machine())


def test_user_data_is_packed_unless_it_is_not_to_be() -> None:
    boot = BootstrapData(b"#cloud-config")
    assert gzip.decompress(request.user_data(boot, compress=True)) == b"#cloud-config"
    assert request.user_data(boot, compress=False) == b"#cloud-config"
    assert request.user_data(BootstrapData(b"{}", "ignition"), compress=True) == b"{}"
    with pytest.raises(InvalidConfiguration, match="EC2 takes 16384"):
        request.user_data(BootstrapData(b"#" * 16385, "ignition"), compress=True)


def test_an_attempt_is_read_back_as_it_was_written() -> None:
    obj = machine()
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = marks.new_attempt(obj, "digest", now)
    meta = ObjectMeta(name="m", annotations={marks.LAUNCH: made.to_annotation()})
    assert marks.attempt(objects.replace(obj, metadata=meta)) == made
    assert len(made.token) <= 64  # what EC2 takes
    other = objects.replace(obj, metadata=ObjectMeta(name="m", annotations={marks.LAUNCH: "nonsense"}))
    assert marks.attempt(other) is None


def test_a_node_of_eks_has_the_tag_by_which_its_cluster_knows_it() -> None:
    assert marks.wanted_tags(machine(), "c", {})["kubernetes.io/cluster/c"] == "owned"
    named = marks.wanted_tags(machine(), "c", {}, kubernetes="prod")
    assert named["kubernetes.io/cluster/prod"] == named["sigs.k8s.io/cluster-api-provider-aws/cluster/c"] == "owned"
    assert "kubernetes.io/cluster/c" not in named
