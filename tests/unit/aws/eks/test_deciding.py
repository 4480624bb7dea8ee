"""What a cluster that was looked at makes of its object, without AWS and without a server."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import pytest

from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.providers.aws import failures
from capipool.providers.aws.eks import deciding, facts, tokens
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.facts import EKSCluster, Network, Seen
from capipool.sdk import PermissionDenied, Throttled
from capipool.sdk.errors import Missing

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
SUBNETS = (
    {"id": "subnet-a", "availabilityZone": "us-east-1a", "isPublic": False},
    {"id": "subnet-b", "availabilityZone": "us-east-1b", "isPublic": True},
)


def plane(**status: Any) -> AWSManagedControlPlane:
    raw = {
        "apiVersion": AWSManagedControlPlane.RESOURCE.api_version,
        "kind": "AWSManagedControlPlane",
        "metadata": {"name": "p", "namespace": "default", "generation": 3},
        "spec": {"eksClusterName": "prod", "version": "v1.31.2"},
        "status": status,
    }
    return objects.from_raw(AWSManagedControlPlane, raw)


def seen(status: str = "ACTIVE", **changes: Any) -> Seen:
    told: Raw = {"name": "prod", "status": status, "endpoint": "https://x", "authority": "YQ==", "version": "1.31"}
    return Seen(cluster=EKSCluster(**(told | changes)), network=Network(subnets=SUBNETS, groups={}))


def ready(status: Raw) -> list[str]:
    return [f"{c['type']} {c['status']}" for c in status["conditions"]]


@pytest.mark.parametrize(
    ("state", "is_ready", "conditions"),
    [
        ("ACTIVE", True, ["Ready True", "EKSControlPlaneReady True"]),
        ("UPDATING", True, ["Ready True", "EKSControlPlaneReady True", "EKSControlPlaneUpdating True"]),
        ("FAILED", False, ["Ready False", "EKSControlPlaneReady False"]),
        ("DELETING", False, ["Ready False", "EKSControlPlaneReady False"]),
        ("PENDING", False, ["Ready False", "EKSControlPlaneReady False"]),
    ],
)
def test_a_state_of_the_cluster_is_a_state_of_the_object(state: str, is_ready: bool, conditions: list[str]) -> None:
    status = deciding.decide(plane(), seen(state), NOW, initialized=True).status
    assert status["ready"] is is_ready
    assert ready(status) == conditions


def test_a_cluster_that_is_being_created_has_no_endpoint_yet() -> None:
    plan = deciding.decide(plane(), seen("CREATING", endpoint="", authority=""), NOW, initialized=False)
    assert plan.spec == plan.annotations == {}
    assert not plan.status["initialized"]
    assert ready(plan.status) == ["Ready False", "EKSControlPlaneCreating True", "EKSControlPlaneReady False"]


def test_what_was_initialized_stays_so() -> None:
    plan = deciding.decide(plane(initialized=True), seen("CREATING", endpoint=""), NOW, initialized=False)
    assert plan.status["initialized"]


def test_what_eks_complains_of_is_quoted_and_does_not_make_it_unready() -> None:
    status = deciding.decide(plane(), seen(issues=("IamRoleNotFound: gone",)), NOW, initialized=True).status
    assert status["ready"]
    first = status["conditions"][0]
    assert (first["status"], first["reason"], first["message"]) == (
        "False",
        "EKSClusterUnhealthy",
        "IamRoleNotFound: gone",
    )


def test_zones_are_those_of_private_subnets_or_else_of_all() -> None:
    assert deciding.decide(plane(), seen(), NOW, initialized=True).status["failureDomains"] == {
        "us-east-1a": {"controlPlane": True}
    }
    only = Seen(cluster=seen().cluster, network=Network(subnets=SUBNETS[1:], groups={}))
    assert set(deciding.decide(plane(), only, NOW, initialized=True).status["failureDomains"]) == {"us-east-1b"}


def test_an_error_is_told_and_readiness_stays_unless_the_cluster_is_gone() -> None:
    one = plane(ready=True, initialized=True)
    for error in (
        Throttled("describe_cluster"),
        Missing("describe_subnets", detail="no"),
    ):
        told = deciding.failed(one, error, NOW).status
        assert told["ready"]
        assert told["conditions"][0]["reason"] == "EKSControlPlaneReconciliationFailed"
    missing = deciding.failed(one, facts.NoCluster("prod", "us-east-1"), NOW).status
    assert not missing["ready"]
    assert missing["conditions"][0]["reason"] == "EKSClusterNotFound"
    assert "no EKS cluster prod in us-east-1" in missing["conditions"][0]["message"]


@pytest.mark.parametrize(
    ("found", "wanted", "told"),
    [
        ("1.31", "v1.31.4", "v1.31.4"),
        ("1.31", "1.31.4", "v1.31.4"),
        ("1.31", "1.31", "v1.31.0"),
        ("1.31", "", "v1.31.0"),
        ("1.32", "v1.31.4", "v1.32.0"),
        ("1.3", "v1.31.4", "v1.3.0"),
        ("", "v1.31.4", ""),
    ],
)
def test_a_version_has_a_patch_though_eks_names_none(found: str, wanted: str, told: str) -> None:
    assert deciding.version(found, wanted) == told


def test_a_cluster_is_read_from_what_aws_answers() -> None:
    raw = {
        "name": "prod",
        "status": "ACTIVE",
        "arn": "arn:aws-cn:eks:cn-north-1:123456789012:cluster/prod",
        "version": "1.31",
        "endpoint": "https://x",
        "certificateAuthority": {"data": "YQ=="},
        "resourcesVpcConfig": {"vpcId": "vpc-1", "subnetIds": ["s"], "clusterSecurityGroupId": "sg-1"},
        "kubernetesNetworkConfig": {
            "ipFamily": "ipv6",
            "serviceIpv6Cidr": "fd00::/108",
            "serviceIpv4Cidr": "10.0.0.0/8",
        },
        "identity": {"oidc": {"issuer": "https://oidc.eks.cn-north-1.amazonaws.com.cn/id/ABC"}},
        "health": {"issues": [{"code": "A", "message": "b", "resourceIds": ["c"]}]},
    }
    found = facts.cluster(raw)
    assert found.service_cidr == "fd00::/108"
    assert found.issues == ("A: b (c)",)
    arn = facts.provider_arn(found)
    assert arn == "arn:aws-cn:iam::123456789012:oidc-provider/oidc.eks.cn-north-1.amazonaws.com.cn/id/ABC"
    assert '"oidc.eks.cn-north-1.amazonaws.com.cn/id/ABC:sub"' in facts.trust_policy(arn)
    assert "YQ==" not in repr(found)


def test_a_cluster_that_says_little_is_read_all_the_same() -> None:
    found = facts.cluster({"name": "prod"})
    assert not found.usable
    assert facts.provider_arn(found) == ""
    assert facts.groups(found, [], {"node": "sg-2"}) == {"node": {"id": "sg-2", "name": "node"}}


@pytest.mark.parametrize("token", ["", "x", "k8s-aws-v1.", "k8s-aws-v1.%%%", "k8s-aws-v1.aHR0cHM6Ly94"])
def test_what_is_no_token_has_no_age(token: str) -> None:
    assert tokens.signed_at(token) is None


def test_a_token_says_when_it_was_signed() -> None:
    url = b"https://sts/?X-Amz-Date=20260102T030405Z"
    assert tokens.signed_at(tokens.PREFIX + base64.urlsafe_b64encode(url).decode().rstrip("=")) == NOW


@pytest.mark.parametrize("name", ["NoCredentialsError", "TokenRetrievalError"])
def test_missing_credentials_are_told_as_what_they_are(name: str) -> None:
    error = failures.translate("describe_cluster", type(name, (Exception,), {})())
    assert isinstance(error, PermissionDenied)
    assert "no credentials of AWS are found" in str(error)
