"""Admission of EKS's kinds: upstream's rules on create and update, names, and warnings for what is not acted on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from capipool.machinery.admission import Admit, Verdict
from capipool.providers.aws.eks import kinds, naming
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane, AWSManagedControlPlaneSpec

RULES = {rules.resource.kind: rules for rules in kinds.rules()}
ARN = "arn:aws:iam::123456789012:"


def judge(kind: str, spec: Any, old: Any = None) -> Verdict:
    rules = RULES[kind]
    assert rules.validate is not None
    before = {"spec": old} if old is not None else None
    return rules.validate(Admit(operation="UPDATE", resource=rules.resource, object={"spec": spec}, old=before))


def paths(kind: str, spec: Any, old: Any = None) -> list[str]:
    return [error.path for error in judge(kind, spec, old).errors]


def plane(old: Any = None, **spec: Any) -> list[str]:
    return paths("AWSManagedControlPlane", spec, old)


def config(kind: str, **spec: Any) -> list[str]:
    return paths(kind, spec)


def defaulted(spec: Any, name: str = "demo", *, old: Any = None) -> Any:
    default = RULES["AWSManagedControlPlane"].default
    assert default is not None
    raw = {"metadata": {"name": name, "namespace": "team-a"}, "spec": spec}
    return default(Admit(operation="CREATE", resource=AWSManagedControlPlane.RESOURCE, object=raw, old=old))["spec"]


def test_a_cluster_without_a_name_gets_upstreams() -> None:
    assert defaulted({})["eksClusterName"] == "team-a_demo"
    assert defaulted({}, "demo.example.org")["eksClusterName"] == "team-a_demo_example_org"
    assert defaulted({"eksClusterName": "mine"})["eksClusterName"] == "mine"


def test_a_name_that_is_too_long_becomes_a_hash_of_it() -> None:
    long = naming.generated("x" * 100, "team-a", limit=100)
    assert long.startswith("capa_")
    assert len(long) == 32
    assert long != naming.generated("y" * 100, "team-a", limit=100)


def test_the_identity_is_the_process_own_unless_it_is_given() -> None:
    given = {"kind": "AWSClusterRoleIdentity", "name": "other"}
    assert defaulted({})["identityRef"] == {"kind": "AWSClusterControllerIdentity", "name": "default"}
    assert defaulted({"identityRef": given})["identityRef"] == given
    assert "identityRef" not in defaulted({}, old={"spec": {}})


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"eksClusterName": "-x"}, "eksClusterName"),
        ({"eksClusterName": "x" * 101}, "eksClusterName"),
        ({"region": "Frankfurt"}, "region"),
        ({"additionalTags": {"aws:x": "1"}}, "additionalTags[aws:x]"),
        (
            {"bastion": {"disableIngressRules": True, "allowedCIDRBlocks": ["10.0.0.0/8"]}},
            "bastion.allowedCIDRBlocks",
        ),
        ({"bastion": {"allowedCIDRBlocks": ["10.0.0.0"]}}, "bastion.allowedCIDRBlocks[0]"),
        ({"version": "v1.17.0", "addons": [{"name": "coredns", "version": "v1"}]}, "addons"),
        ({"vpcCni": {"disable": True}, "addons": [{"name": "vpc-cni"}]}, "vpcCni.disable"),
        ({"kubeProxy": {"disable": True}, "addons": [{"name": "kube-proxy"}]}, "kubeProxy.disable"),
        ({"secondaryCidrBlock": "100.64.0.0/12"}, "secondaryCidrBlock"),
        ({"secondaryCidrBlock": "10.0.0.0/16"}, "secondaryCidrBlock"),
        ({"secondaryCidrBlock": "nonsense"}, "secondaryCidrBlock"),
        (
            {"secondaryCidrBlock": "100.64.0.0/16", "network": {"vpc": {"secondaryCidrBlocks": [{}]}}},
            "network.vpc.secondaryCidrBlocks",
        ),
        ({"network": {"vpc": {"ipv6": {"cidrBlock": "2001:db8::/56"}}}}, "network.vpc.ipv6.poolId"),
        ({"network": {"vpc": {"ipv6": {"poolId": "p", "ipamPool": {"id": "i"}}}}}, "network.vpc.ipv6.poolId"),
        ({"network": {"vpc": {"ipv6": {"ipamPool": {}}}}}, "network.vpc.ipv6.ipamPool.id"),
        ({"version": "1.31", "network": {"vpc": {"ipv6": {}}}}, "addons"),
        (
            {"network": {"vpc": {"ipv6": {}, "privateDnsHostnameTypeOnLaunch": "ip-name"}}},
            "network.vpc.privateDnsHostnameTypeOnLaunch",
        ),
        (
            {"accessConfig": {"bootstrapClusterCreatorAdminPermissions": False}},
            "accessConfig.bootstrapClusterCreatorAdminPermissions",
        ),
        ({"accessEntries": [{"principalARN": "a"}]}, "accessEntries"),
        (
            {
                "accessConfig": {"authenticationMode": "api"},
                "accessEntries": [{"type": "ec2_linux", "kubernetesGroups": ["a"]}],
            },
            "accessEntries[0].kubernetesGroups",
        ),
        (
            {
                "accessConfig": {"authenticationMode": "api"},
                "accessEntries": [{"accessPolicies": [{"accessScope": {"type": "namespace"}}]}],
            },
            "accessEntries[0].accessPolicies[0].accessScope.namespaces",
        ),
        (
            {"iamAuthenticatorConfig": {"mapRoles": [{"rolearn": f"{ARN}user/a", "username": "a", "groups": ["g"]}]}},
            "iamAuthenticatorConfig.mapRoles[0].rolearn",
        ),
        (
            {"iamAuthenticatorConfig": {"mapUsers": [{"userarn": f"{ARN}user/a", "username": "", "groups": ["g"]}]}},
            "iamAuthenticatorConfig.mapUsers[0].username",
        ),
    ],
)
def test_what_upstream_refuses_is_refused(spec: Any, where: str) -> None:
    assert plane(**spec) == [f"spec.{where}"]


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ({"eksClusterName": "a"}, {"eksClusterName": "b"}, "eksClusterName"),
        ({"region": "us-east-1"}, {"region": "us-east-2"}, "region"),
        ({"version": "v1.31.4"}, {"version": "v1.30.0"}, "version"),
        ({"identityRef": {"name": "default"}}, {}, "identityRef"),
        ({"encryptionConfig": {"provider": "a"}}, {}, "encryptionConfig"),
        ({"encryptionConfig": {"provider": "a"}}, {"encryptionConfig": {"provider": "b"}}, "encryptionConfig.provider"),
        ({"accessConfig": {"authenticationMode": "api"}}, {}, "accessConfig"),
        (
            {"accessConfig": {"authenticationMode": "api"}},
            {"accessConfig": {"authenticationMode": "api_and_config_map"}},
            "accessConfig.authenticationMode",
        ),
        ({"network": {"vpc": {"ipv6": {}}}}, {}, "network.vpc.ipv6"),
    ],
)
def test_what_may_not_be_changed_is_not_changed(old: Any, new: Any, where: str) -> None:
    assert plane(old, **new) == [f"spec.{where}"]


def test_an_older_patch_of_the_same_minor_is_no_step_back() -> None:
    assert plane({"version": "v1.31.4"}, version="1.31") == []


def test_fields_about_making_a_cluster_are_named_in_warnings() -> None:
    spec = {
        "version": "v1.31.0",
        "logging": {"audit": True},
        "roleName": "eks",
        "bastion": {"enabled": False},
        "network": {"cni": {"cniIngressRules": [{}]}},
        "bootstrapSelfManagedAddons": False,
    }
    warnings = judge("AWSManagedControlPlane", spec).warnings
    assert [w.split(":")[0] for w in warnings] == [
        "spec.logging",
        "spec.network.cni",
        "spec.roleName",
        "spec.bootstrapSelfManagedAddons",
    ]


def test_what_the_controller_fills_in_and_upstreams_defaults_draw_no_warning() -> None:
    spec = defaulted({"region": "us-east-1", "version": "v1.31.0", "tokenMethod": "aws-cli"})
    spec |= {"bootstrapSelfManagedAddons": True, "network": {"subnets": [{"id": "subnet-1"}], "vpc": {"id": "vpc-1"}}}
    assert judge("AWSManagedControlPlane", spec) == Verdict()


def test_a_new_version_is_answered_with_who_upgrades() -> None:
    told = judge("AWSManagedControlPlane", {"version": "v1.32.0"}, {"version": "v1.31.0"}).warnings
    assert len(told) == 1
    assert "capipool upgrades no control plane" in told[0]
    assert judge("AWSManagedControlPlane", {"version": "v1.31.9"}, {"version": "v1.31.0"}).warnings == ()


def test_a_network_to_be_made_is_warned_of_and_one_that_is_named_is_not() -> None:
    vpc = {"id": "vpc-1", "availabilityZoneSelection": "Ordered", "availabilityZoneUsageLimit": 2, "cidrBlock": "x"}
    told = judge("AWSManagedControlPlane", {"network": {"vpc": vpc}}).warnings
    assert [w.split(":")[0] for w in told] == [
        "spec.network.vpc.cidrBlock",
        "spec.network.vpc.availabilityZoneUsageLimit",
    ]


ACTED_ON = {
    *("additionalTags", "associateOIDCProvider", "controlPlaneEndpoint", "eksClusterName", "identityRef"),
    *("imageLookupBaseOS", "imageLookupFormat", "imageLookupOrg", "network", "region", "tokenMethod", "version"),
}
"""Fields of a control plane that make a difference; all others are in the table of warnings."""


def test_every_field_of_a_control_plane_is_acted_on_or_warned_of() -> None:
    from capipool.providers.aws.eks.admission import controlplane

    fields = {f.encode_name for f in msgspec.structs.fields(AWSManagedControlPlaneSpec)}
    warned = {path[0] for path in controlplane._IGNORED} | {"bootstrapSelfManagedAddons"}
    assert fields - warned - ACTED_ON == set()
    assert warned - fields == set()


@pytest.mark.parametrize("flag", ["node-labels=a=b", "--a b\n--c", "", "-v"])
def test_a_flag_of_the_kubelet_is_one_flag(flag: str) -> None:
    assert config("NodeadmConfig", kubelet={"flags": ["--v=2", flag]}) == ["spec.kubelet.flags[1]"]


def test_a_gate_that_nodeadm_may_not_know_is_warned_of() -> None:
    warnings = judge("NodeadmConfig", {"featureGates": {"InstanceIdNodeName": True, "Nonsense": True}}).warnings
    assert len(warnings) == 1
    assert "Nonsense" in warnings[0]


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"kubeletExtraArgs": {"--v": "2"}}, "kubeletExtraArgs"),
        ({"dockerConfigJson": "{"}, "dockerConfigJson"),
        ({"dnsClusterIP": "10.0.0.300"}, "dnsClusterIP"),
        ({"serviceIPV6Cidr": "10.0.0.0/8"}, "serviceIPV6Cidr"),
        ({"apiRetryAttempts": -1}, "apiRetryAttempts"),
    ],
)
def test_arguments_of_the_boot_script_that_it_could_not_take_are_refused(spec: Any, where: str) -> None:
    assert config("EKSConfig", **spec) == [f"spec.{where}"]


@pytest.mark.parametrize("kind", ["EKSConfig", "NodeadmConfig"])
@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"files": [{"path": "etc/x"}]}, "files[0].path"),
        ({"files": [{"path": "/x", "content": "a", "contentFrom": {}}]}, None),
        ({"files": [{"path": "/x", "content": "a", "contentFrom": {"secret": {}}}]}, "files[0].contentFrom"),
        ({"files": [{"path": "/x", "permissions": "rwx"}]}, "files[0].permissions"),
        ({"files": [{"path": "/x", "content": "&", "encoding": "base64"}]}, "files[0].content"),
        ({"users": [{"name": "a", "passwd": "h", "passwdFrom": {"secret": {}}}]}, "users[0].passwdFrom"),
        ({"diskSetup": {"partitions": [{"device": "/dev/x", "tableType": "bsd"}]}}, None),
        ({"mounts": [[]]}, "mounts[0]"),
    ],
)
def test_files_users_and_disks_that_cannot_be_rendered_are_refused(kind: str, spec: Any, where: str | None) -> None:
    expected = [f"spec.{where}"] if where else []
    if spec.get("diskSetup"):
        expected = ["spec.diskSetup.partitions[0].tableType"]
    assert paths(kind, spec) == expected
    inner = [path.replace("spec.", "spec.template.spec.", 1) for path in expected]
    assert paths(f"{kind}Template", {"template": {"spec": spec}}) == inner


def test_a_template_without_a_spec_is_fine() -> None:
    assert paths("NodeadmConfigTemplate", {"template": {"spec": None}}) == []
    assert paths("EKSConfigTemplate", {}) == []


def test_no_secret_is_quoted_in_an_error() -> None:
    hash_of_password = "$6$salt$hash"
    spec = {"users": [{"name": "a", "passwd": hash_of_password, "passwdFrom": {"secret": {}}}]}
    said = str(judge("EKSConfig", spec | {"dockerConfigJson": "{" + hash_of_password}).errors)
    assert hash_of_password not in said
