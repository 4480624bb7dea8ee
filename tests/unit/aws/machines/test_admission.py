"""What admission says to machines and identities of AWS: upstream's rules, and what only EC2 or STS would say."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.machinery.admission import Admit, Operation, Verdict
from capipool.machinery.resource import Resource
from capipool.providers.aws.identities import admission as identities
from capipool.providers.aws.identities.api import (
    AWSClusterControllerIdentity,
    AWSClusterRoleIdentity,
    AWSClusterStaticIdentity,
)
from capipool.providers.aws.machines import admission as machines
from capipool.providers.aws.machines.api import AWSMachine, AWSMachineTemplate

RULES = {rules.resource.kind: rules for rules in (*machines.rules(), *identities.rules())}
HOST = "h-0123456789abcdef0"


def judge(resource: Resource, spec: dict[str, Any], old: dict[str, Any] | None = None, **meta: Any) -> Verdict:
    validate = RULES[resource.kind].validate
    assert validate is not None
    operation: Operation = "CREATE" if old is None else "UPDATE"
    before = None if old is None else {"spec": old}
    dry = bool(meta.pop("dry_run", False))
    obj = {"metadata": meta, "spec": spec}
    return validate(Admit(operation=operation, resource=resource, object=obj, old=before, dry_run=dry))


def paths(**spec: Any) -> list[str]:
    return [
        e.path.removeprefix("spec.") for e in judge(AWSMachine.RESOURCE, {"instanceType": "t3.large"} | spec).errors
    ]


def templated(**spec: Any) -> dict[str, Any]:
    return {"template": {"spec": {"instanceType": "t3.large", **spec}}}


def test_a_plain_machine_is_let_in() -> None:
    skip = {"insecureSkipSecretsManager": True}
    assert judge(AWSMachine.RESOURCE, {"instanceType": "t3.large", "cloudInit": skip}) == Verdict()
    assert judge(AWSMachineTemplate.RESOURCE, templated(cloudInit=skip)) == Verdict()


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"rootVolume": {"size": 8, "type": "io2"}}, "rootVolume.iops"),
        ({"nonRootVolumes": [{"size": 8}]}, "nonRootVolumes[0].deviceName"),
        ({"nonRootVolumes": [{"size": 8, "deviceName": "/dev/b"}] * 2}, "nonRootVolumes[1].deviceName"),
        ({"marketType": "OnDemand", "spotMarketOptions": {}}, "spotMarketOptions"),
        ({"marketType": "CapacityBlock"}, "capacityReservationId"),
        (
            {"marketType": "Spot", "capacityReservationPreference": "CapacityReservationsOnly"},
            "capacityReservationPreference",
        ),
        ({"additionalSecurityGroups": [{"id": "sg", "filters": [{}]}]}, "additionalSecurityGroups[0].filters"),
        ({"subnet": {"id": "subnet-1", "filters": [{}]}}, "subnet.filters"),
        ({"additionalTags": {"aws:x": "1"}}, "additionalTags[aws:x]"),
        ({"sshKeyName": " mine"}, "sshKeyName"),
        ({"cloudInit": {"insecureSkipSecretsManager": True, "secretPrefix": "a", "secretCount": 1}}, None),
        ({"cloudInit": {"secretPrefix": "a"}}, "cloudInit.secretCount"),
        ({"ignition": {}, "cloudInit": {"insecureSkipSecretsManager": True}}, "cloudInit"),
        ({"ignition": {"version": "2.3", "proxy": {}}}, "ignition.proxy"),
        ({"placementGroupPartition": 2}, "placementGroupName"),
        ({"hostID": HOST, "tenancy": "dedicated"}, "tenancy"),
        ({"hostID": HOST, "dynamicHostAllocation": {}}, "dynamicHostAllocation"),
        ({"hostAffinity": "host"}, "hostID"),
        ({"networkInterfaces": ["eni-1", "eni-1"]}, "networkInterfaces"),
        ({"networkInterfaces": ["eni-1"], "publicIP": True}, "publicIP"),
        ({"elasticIpPool": {}}, "publicIP"),
        ({"publicIP": True, "elasticIpPool": {"publicIpv4Pool": "ipv4pool-ec2-1"}}, None),
        (
            {"publicIP": True, "elasticIpPool": {"publicIpv4Pool": "mine", "publicIpv4PoolFallbackOrder": "none"}},
            "elasticIpPool.publicIpv4Pool",
        ),
    ],
)
def test_a_machine_that_ec2_would_refuse_is_refused(spec: dict[str, Any], path: str | None) -> None:
    found = paths(**spec)
    assert found == [path] if path is not None else found
    in_template = [e.path for e in judge(AWSMachineTemplate.RESOURCE, templated(**spec)).errors]
    assert set(found) <= {p.removeprefix("spec.template.spec.") for p in in_template}


def test_a_machine_changes_in_its_ids_tags_and_groups_alone() -> None:
    old: dict[str, Any] = {"instanceType": "t3.large", "hostAffinity": "default", "ami": {}}
    fine: dict[str, Any] = {"providerID": "aws:///a/i-1", "instanceID": "i-1", "additionalTags": {"a": "b"}}
    fine |= {"additionalSecurityGroups": [{"id": "sg-1"}], "instanceType": "t3.large"}
    assert judge(AWSMachine.RESOURCE, fine, old).errors == ()
    other = judge(AWSMachine.RESOURCE, {"instanceType": "t3.small", "tenancy": "host"}, old).errors
    assert [e.path for e in other] == ["spec.instanceType", "spec.tenancy"]


def test_a_template_is_immutable() -> None:
    old = templated()
    assert judge(AWSMachineTemplate.RESOURCE, templated(hostAffinity="default"), old).errors == ()
    assert [e.path for e in judge(AWSMachineTemplate.RESOURCE, templated(sshKeyName="a"), old).errors] == ["spec"]
    asked = {"dry_run": True, "annotations": {machines.TOPOLOGY_DRY_RUN: ""}}
    assert judge(AWSMachineTemplate.RESOURCE, templated(sshKeyName="a"), old, **asked).errors == ()


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"providerID": "aws:///a/i-1"}, "providerID"),
        ({"instanceID": "i-1"}, "instanceID"),
        ({"rootVolume": {"size": 8, "deviceName": "/dev/sda1"}}, "rootVolume.deviceName"),
        ({"cloudInit": {"secretPrefix": "a", "secretCount": 1}}, "cloudInit.secretPrefix"),
    ],
)
def test_what_belongs_to_one_machine_is_in_no_template(spec: dict[str, Any], path: str) -> None:
    found = [e.path for e in judge(AWSMachineTemplate.RESOURCE, templated(**spec)).errors]
    assert found[0] == f"spec.template.spec.{path}"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "cloudInit"),
        ({"cloudInit": {"secureSecretsBackend": "secrets-manager"}}, "cloudInit.secureSecretsBackend"),
        ({"ignition": {"storageType": "ClusterObjectStore"}}, "ignition.storageType"),
        ({"ignition": {"storageType": "UnencryptedUserData", "version": "3.1", "tls": {"x": 1}}}, "ignition.tls"),
        ({"dynamicHostAllocation": {"tags": {"a": "b"}}, "ignition": {"storageType": "x"}}, "dynamicHostAllocation"),
    ],
)
def test_a_field_that_nothing_acts_on_is_named_in_a_warning(spec: dict[str, Any], field: str) -> None:
    warnings = judge(AWSMachineTemplate.RESOURCE, templated(**spec)).warnings
    assert [w.split(": ")[0] for w in warnings] == [f"spec.template.spec.{field}"]


def test_ignition_has_upstreams_defaults() -> None:
    default = RULES["AWSMachine"].default
    assert default is not None
    made = default(Admit(operation="CREATE", resource=AWSMachine.RESOURCE, object={"spec": {"ignition": {}}}))
    assert made["spec"]["ignition"] == {"storageType": "ClusterObjectStore", "version": "2.3"}


SOURCE = {"kind": "AWSClusterControllerIdentity", "name": "default"}
ROLE = {"roleARN": "arn:aws:iam::123456789012:role/capi", "sourceIdentityRef": SOURCE}


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"sourceIdentityRef": None}, "spec.sourceIdentityRef"),
        ({"roleARN": "capi"}, "spec.roleARN"),
        ({"sessionName": "a b"}, "spec.sessionName"),
        ({"externalID": "!"}, "spec.externalID"),
        ({"allowedNamespaces": {"selector": {"matchLabels": {"a b": "c"}}}}, "spec.allowedNamespaces.selector"),
    ],
)
def test_a_role_that_sts_would_refuse_is_refused(spec: dict[str, Any], path: str) -> None:
    assert judge(AWSClusterRoleIdentity.RESOURCE, ROLE).errors == ()
    assert [e.path for e in judge(AWSClusterRoleIdentity.RESOURCE, ROLE | spec).errors] == [path]


def test_the_process_has_one_identity() -> None:
    assert judge(AWSClusterControllerIdentity.RESOURCE, {}, name="default").errors == ()
    assert [e.path for e in judge(AWSClusterControllerIdentity.RESOURCE, {}, name="a").errors] == ["metadata.name"]


def test_a_static_identity_keeps_its_secret() -> None:
    found = judge(AWSClusterStaticIdentity.RESOURCE, {"secretRef": "b"}, {"secretRef": "a"}).errors
    assert [e.path for e in found] == ["spec.secretRef"]


def test_identities_move_with_the_clusters() -> None:
    default = RULES["AWSClusterStaticIdentity"].default
    assert default is not None
    made = default(Admit(operation="CREATE", resource=AWSClusterStaticIdentity.RESOURCE, object={"metadata": {}}))
    assert identities.MOVE_LABEL in made["metadata"]["labels"]
