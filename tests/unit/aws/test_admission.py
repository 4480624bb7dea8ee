"""What admission says to the kinds of AWS: on create and on update alike, before AWS would say it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from capipool.machinery.admission import Admit, Operation, Verdict
from capipool.machinery.resource import Resource
from capipool.providers.aws import admission
from capipool.providers.aws.api.cluster import AWSCluster, AWSClusterSpec, S3Bucket
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.api.network import VPC, Network

RULES = {rules.resource.kind: rules for rules in admission.rules()}
RESERVED = {"capacityReservationId": "cr-1"}
HOOK = {"name": "a", "lifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}


def judge(resource: Resource, spec: dict[str, Any], operation: Operation = "CREATE") -> Verdict:
    validate = RULES[resource.kind].validate
    assert validate is not None
    return validate(Admit(operation=operation, resource=resource, object={"spec": spec}))


def paths(**spec: Any) -> list[str]:
    return [e.path for e in judge(AWSMachinePool.RESOURCE, spec).errors]


def template(**fields: Any) -> list[str]:
    prefix = "spec.awsLaunchTemplate."
    return [path.removeprefix(prefix) for path in paths(awsLaunchTemplate=fields)]


def test_a_plain_pool_is_let_in() -> None:
    spec = {"minSize": 1, "maxSize": 10, "awsLaunchTemplate": {"instanceType": "t3.large"}}
    assert judge(AWSMachinePool.RESOURCE, spec) == Verdict()


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
def test_a_minimum_over_the_maximum_is_refused_on_every_write(operation: Operation) -> None:
    verdict = judge(AWSMachinePool.RESOURCE, {"minSize": 5, "maxSize": 3}, operation)
    assert [e.path for e in verdict.errors] == ["spec.minSize"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"rootVolume": {"size": 8, "type": "io1"}}, "rootVolume.iops"),
        ({"rootVolume": {"size": 8, "type": "gp3", "throughput": 100}}, "rootVolume.throughput"),
        ({"rootVolume": {"size": 8, "type": "gp2", "throughput": 200}}, "rootVolume.throughput"),
        ({"nonRootVolumes": [{"size": 8}]}, "nonRootVolumes[0].deviceName"),
        ({"marketType": "CapacityBlock"}, "capacityReservationId"),
        ({"marketType": "OnDemand", "spotMarketOptions": {}}, "spotMarketOptions"),
        ({"marketType": "Spot", **RESERVED}, "capacityReservationId"),
        ({"spotMarketOptions": {"maxPrice": "1"}, **RESERVED}, "spotMarketOptions"),
        ({"capacityReservationPreference": "Open", **RESERVED}, "capacityReservationPreference"),
        ({"additionalSecurityGroups": [{"id": "sg-1", "filters": [{}]}]}, "additionalSecurityGroups[0].filters"),
        ({"additionalSecurityGroups": [{}]}, "additionalSecurityGroups[0].id"),
    ],
)
def test_a_launch_template_that_aws_would_refuse_is_refused(fields: dict[str, Any], path: str) -> None:
    assert template(**fields) == [path]


def test_spot_options_and_a_mixed_policy_exclude_each_other() -> None:
    given = paths(awsLaunchTemplate={"spotMarketOptions": {}}, mixedInstancesPolicy={"overrides": []})
    assert given == ["spec.awsLaunchTemplate.spotMarketOptions"]


@pytest.mark.parametrize(
    ("preferences", "path"),
    [
        ({"maxHealthyPercentage": 150}, "minHealthyPercentage"),
        ({"minHealthyPercentage": 50, "maxHealthyPercentage": 160}, "maxHealthyPercentage"),
        ({"minHealthyPercentage": 120}, "minHealthyPercentage"),
        ({"strategy": "Sudden"}, "strategy"),
    ],
)
def test_refresh_preferences_are_consistent(preferences: dict[str, Any], path: str) -> None:
    assert paths(refreshPreferences=preferences) == [f"spec.refreshPreferences.{path}"]


@pytest.mark.parametrize(
    ("hook", "path"),
    [
        ({"name": ""}, "name"),
        ({"roleARN": "arn"}, "notificationTargetARN"),
        ({"notificationTargetARN": "arn"}, "roleARN"),
        ({"heartbeatTimeout": "10s"}, "heartbeatTimeout"),
        ({"heartbeatTimeout": "49h"}, "heartbeatTimeout"),
        ({"heartbeatTimeout": "soon"}, "heartbeatTimeout"),
    ],
)
def test_a_malformed_hook_is_refused_with_its_field(hook: dict[str, Any], path: str) -> None:
    assert paths(lifecycleHooks=[HOOK | hook]) == [f"spec.lifecycleHooks[0].{path}"]


def test_two_hooks_have_two_names() -> None:
    assert paths(lifecycleHooks=[HOOK, HOOK]) == ["spec.lifecycleHooks[1].name"]


@pytest.mark.parametrize("tags", [{"aws:x": "1"}, {"": "1"}, {"a!": "1"}, {"a": "#"}, {"a": "x" * 257}])
def test_tags_that_aws_would_refuse_are_refused(tags: dict[str, str]) -> None:
    assert len(paths(additionalTags=tags)) == 1


def test_fifty_tags_are_enough() -> None:
    assert paths(additionalTags={f"k{n}": "" for n in range(51)}) == ["spec.additionalTags"]


def test_fields_that_nothing_acts_on_are_named_in_a_warning() -> None:
    ignition = {"storageType": "UnencryptedUserData", "version": "3.1"}
    spec = {"awsLaunchTemplate": {"name": "mine", "versionNumber": 3}, "ignition": ignition}
    warnings = judge(AWSMachinePool.RESOURCE, spec).warnings
    assert [w.split(":")[0] for w in warnings] == [
        "spec.awsLaunchTemplate.name",
        "spec.awsLaunchTemplate.versionNumber",
        "spec.ignition.version",
    ]


def test_a_cluster_is_told_what_is_not_made_for_it() -> None:
    spec = {
        "region": "us-east-1",
        "controlPlaneLoadBalancer": {"loadBalancerType": "nlb"},
        "bastion": {"enabled": True},
    }
    verdict = judge(AWSCluster.RESOURCE, spec)
    assert verdict.errors == ()
    assert "no load balancer is made" in " ".join(verdict.warnings)
    assert "no bastion host is made" in " ".join(verdict.warnings)


def test_a_region_is_spelled_as_aws_does() -> None:
    assert [e.path for e in judge(AWSCluster.RESOURCE, {"region": "Frankfurt"}).errors] == ["spec.region"]


def test_a_region_never_changes() -> None:
    validate = RULES["AWSCluster"].validate
    assert validate is not None
    old, new = {"spec": {"region": "us-east-1"}}, {"spec": {"region": "us-east-2"}}
    moved = Admit(operation="UPDATE", resource=AWSCluster.RESOURCE, object=new, old=old)
    assert [e.path for e in validate(moved).errors] == ["spec.region"]
    same = Admit(operation="UPDATE", resource=AWSCluster.RESOURCE, object=old, old=old)
    assert validate(same) == Verdict()


def test_cool_down_and_warm_up_default_to_five_minutes() -> None:
    default = RULES["AWSMachinePool"].default
    assert default is not None
    given = {"spec": {"defaultCoolDown": "10s"}}
    made = default(Admit(operation="CREATE", resource=AWSMachinePool.RESOURCE, object=given))
    assert made["spec"] == {"defaultCoolDown": "10s", "defaultInstanceWarmup": "5m0s"}
    assert given == {"spec": {"defaultCoolDown": "10s"}}


ACTED_ON = {
    *("additionalTags", "controlPlaneEndpoint", "identityRef", "imageLookupBaseOS", "imageLookupFormat"),
    *("imageLookupOrg", "network", "region", "s3Bucket", "network.vpc", "network.subnets", "network.vpc.id"),
    *("network.securityGroupOverrides", "s3Bucket.name", "s3Bucket.bestEffortDeleteObjects"),
    "sshKeyName",  # by single machines
}
"""Fields of an AWSCluster that somebody acts on."""


def test_every_field_of_a_cluster_is_acted_on_or_warned_of() -> None:
    parts: dict[str, Any] = {"": AWSClusterSpec, "network.": Network, "network.vpc.": VPC, "s3Bucket.": S3Bucket}
    every = {f"{at}{f.encode_name}" for at, part in parts.items() for f in msgspec.structs.fields(part)}
    warned = {".".join(path) for path in admission._IGNORED_CLUSTER}
    assert every == warned | ACTED_ON
    assert not warned & ACTED_ON


def test_what_is_there_by_default_is_no_reason_to_warn() -> None:
    vpc = {"id": "vpc-1", "availabilityZoneUsageLimit": 3, "availabilityZoneSelection": "Ordered", "ipamPool": {}}
    spec = {"region": "us-east-1", "network": {"vpc": vpc}, "bastion": {"enabled": False}}
    assert judge(AWSCluster.RESOURCE, spec) == Verdict()


@pytest.mark.parametrize(("name", "refused"), [("ab", True), ("abc", False), ("a" * 128, False), ("a" * 129, True)])
def test_a_name_that_no_template_can_have_is_refused_at_first(name: str, refused: bool) -> None:
    validate = RULES["AWSMachinePool"].validate
    assert validate is not None
    raw = {"metadata": {"name": name}, "spec": {}}
    made = Admit(operation="CREATE", resource=AWSMachinePool.RESOURCE, object=raw)
    assert [e.path for e in validate(made).errors] == (["metadata.name"] if refused else [])
    changed = Admit(operation="UPDATE", resource=AWSMachinePool.RESOURCE, object=raw, old=raw)
    assert validate(changed).errors == ()
