"""What admission says to an AWSManagedMachinePool: upstream's rules, and what only EKS would refuse."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from capipool.machinery.admission import Admit, Verdict
from capipool.providers.aws.eks import kinds
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool, AWSManagedMachinePoolSpec

RULES = next(rules for rules in kinds.rules() if rules.resource.kind == "AWSManagedMachinePool")
HOOK = {"name": "h", "lifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"}


def judge(spec: Any, old: Any = None) -> Verdict:
    assert RULES.validate is not None
    before = {"spec": old} if old is not None else None
    return RULES.validate(Admit(operation="UPDATE", resource=RULES.resource, object={"spec": spec}, old=before))


def paths(spec: Any, old: Any = None) -> list[str]:
    return [error.path.removeprefix("spec.") for error in judge(spec, old).errors]


def defaulted(spec: Any, name: str = "demo") -> Any:
    assert RULES.default is not None
    raw = {"metadata": {"name": name, "namespace": "team-a"}, "spec": spec}
    return RULES.default(Admit(operation="CREATE", resource=AWSManagedMachinePool.RESOURCE, object=raw))["spec"]


def test_a_group_without_a_name_gets_upstreams_and_no_longer_than_eks_takes() -> None:
    assert defaulted({})["eksNodegroupName"] == "team-a_demo"
    assert defaulted({"eksNodegroupName": "mine"})["eksNodegroupName"] == "mine"
    for length in range(50, 70):
        assert len(defaulted({}, "x" * length)["eksNodegroupName"]) <= 63


def test_one_node_is_away_at_a_time_unless_it_is_said() -> None:
    assert defaulted({})["updateConfig"] == {"maxUnavailable": 1}
    assert defaulted({"updateConfig": {"maxUnavailablePercentage": 9}})["updateConfig"] == {
        "maxUnavailablePercentage": 9
    }


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ({}, []),
        ({"eksNodegroupName": "a" * 63}, []),
        ({"eksNodegroupName": "a" * 64}, ["eksNodegroupName"]),
        ({"eksNodegroupName": "-a"}, ["eksNodegroupName"]),
        ({"roleName": "has space"}, ["roleName"]),
        ({"scaling": {"minSize": 2, "maxSize": 1}}, ["scaling.maxSize"]),
        ({"scaling": {"minSize": -1}}, ["scaling.minSize"]),
        ({"scaling": {"maxSize": 0}}, ["scaling.maxSize"]),
        ({"scaling": {"minSize": 2}}, []),
        ({"scaling": {"minSize": 0, "maxSize": 1}}, []),
        ({"updateConfig": {}}, ["updateConfig"]),
        ({"updateConfig": {"maxUnavailable": 1, "maxUnavailablePercentage": 1}}, ["updateConfig"]),
        ({"updateConfig": {"maxUnavailable": 1}}, []),
        ({"remoteAccess": {"public": True, "sourceSecurityGroups": ["sg"]}}, ["remoteAccess.sourceSecurityGroups"]),
        ({"remoteAccess": {"public": True}}, []),
        ({"additionalTags": {"aws:x": "y"}}, ["additionalTags[aws:x]"]),
        ({"lifecycleHooks": [HOOK, HOOK]}, ["lifecycleHooks[1].name"]),
        (
            {"taints": [{"key": "a", "value": v, "effect": "no-schedule"} for v in "xy"]},
            ["taints[1].key"],
        ),
        ({"amiType": "CUSTOM"}, ["amiType"]),
        ({"amiType": "CUSTOM", "awsLaunchTemplate": {}}, ["awsLaunchTemplate.ami.id"]),
        ({"amiType": "CUSTOM", "awsLaunchTemplate": {"ami": {"id": "ami-1"}}}, []),
        ({"amiVersion": "1.31.0-1", "awsLaunchTemplate": {"ami": {"id": "ami-1"}}}, ["amiVersion"]),
        ({"instanceType": "t3.large", "awsLaunchTemplate": {}}, ["instanceType"]),
        ({"diskSize": 20, "awsLaunchTemplate": {}}, ["diskSize"]),
        ({"remoteAccess": {}, "awsLaunchTemplate": {}}, ["remoteAccess"]),
        ({"awsLaunchTemplate": {"iamInstanceProfile": "p"}}, ["awsLaunchTemplate.iamInstanceProfile"]),
        ({"awsLaunchTemplate": {"spotMarketOptions": {"maxPrice": "1"}}}, ["awsLaunchTemplate.spotMarketOptions"]),
        ({"awsLaunchTemplate": {"marketType": "Spot"}}, ["awsLaunchTemplate.marketType"]),
        ({"awsLaunchTemplate": {"rootVolume": {"size": 8, "type": "io1"}}}, ["awsLaunchTemplate.rootVolume.iops"]),
    ],
)
def test_what_upstream_or_eks_would_refuse_is_refused(spec: Any, wrong: list[str]) -> None:
    assert paths(spec) == wrong
    assert paths(spec, spec) == wrong  # on update alike


FULL = {
    "amiType": "AL2023_x86_64_STANDARD",
    "availabilityZoneSubnetType": "private",
    "availabilityZones": ["a"],
    "capacityType": "spot",
    "diskSize": 20,
    "eksNodegroupName": "g",
    "instanceType": "t3.large",
    "remoteAccess": {"public": True},
    "roleName": "r",
    "rolePath": "/p/",
    "rolePermissionsBoundary": "arn",
    "subnetIDs": ["s-1"],
}


@pytest.mark.parametrize("name", sorted(FULL))
def test_what_a_group_has_from_its_beginning_cannot_be_changed(name: str) -> None:
    assert paths(FULL, FULL) == []
    other = {k: v for k, v in FULL.items() if k != name}
    assert paths(other, FULL) == [name]


@pytest.mark.parametrize("name", ["capacityType", "eksNodegroupName", "roleName", "rolePath"])
def test_what_was_empty_may_be_filled_in_once(name: str) -> None:
    assert paths(FULL, {k: v for k, v in FULL.items() if k != name}) == []


def test_a_launch_template_is_for_always_or_never() -> None:
    own, eks = {"awsLaunchTemplate": {"ami": {"id": "a"}}}, {"awsLaunchTemplate": {"instanceType": "t3.large"}}
    assert paths({}, eks) == paths(eks, {}) == ["awsLaunchTemplate"]
    assert paths(own, eks) == paths(eks, own) == ["awsLaunchTemplate.ami.id"]
    assert paths({"awsLaunchTemplate": {"ami": {"id": "b"}}}, own) == []
    assert paths({"awsLaunchTemplate": {"name": "n"}}, {"awsLaunchTemplate": {}}) == ["awsLaunchTemplate.name"]


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"lifecycleHooks": [HOOK]}, "spec.lifecycleHooks"),
        ({"awsLaunchTemplate": {"name": "n"}}, "spec.awsLaunchTemplate.name"),
        ({"awsLaunchTemplate": {"versionNumber": 3}}, "spec.awsLaunchTemplate.versionNumber"),
        ({"awsLaunchTemplate": {"imageLookupOrg": "1"}}, "spec.awsLaunchTemplate.imageLookupOrg"),
        (
            {"amiType": "AL2023_x86_64_STANDARD", "awsLaunchTemplate": {"ami": {"id": "a"}}},
            "spec.amiType",
        ),
    ],
)
def test_what_is_accepted_and_not_acted_on_is_named(spec: Any, named: str) -> None:
    assert [warning.split(":")[0] for warning in judge(spec).warnings] == [named]


def test_every_field_is_known_to_these_tests_or_acted_on() -> None:
    acted = {
        *FULL,
        *("additionalTags", "amiVersion", "awsLaunchTemplate", "labels", "lifecycleHooks", "nodeRepairConfig"),
        *("providerIDList", "roleAdditionalPolicies", "scaling", "taints", "updateConfig"),
    }
    assert {field.encode_name for field in msgspec.structs.fields(AWSManagedMachinePoolSpec)} == acted
