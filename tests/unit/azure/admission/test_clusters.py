"""What admission says to AzureClusters and AzureClusterIdentities."""

from typing import Any

import pytest

from capipool.machinery.objects import Raw
from tests.unit.azure.admission.asking import ask, merged, paths

CLUSTER: Raw = {"metadata": {"name": "demo"}, "spec": {"location": "eastus", "subscriptionID": "s"}}
IDENTITY: Raw = {
    "metadata": {"name": "i"},
    "spec": {"type": "WorkloadIdentity", "clientID": "c", "tenantID": "t", "allowedNamespaces": {}},
}

RULE = {"name": "r", "description": "d", "direction": "Inbound", "protocol": "Tcp"}
GUARDED = {"name": "g", "securityRules": [RULE]}


def cluster(**spec: Any) -> Raw:
    return merged(CLUSTER, {"spec": spec})


def identity(**spec: Any) -> Raw:
    return merged(IDENTITY, {"spec": spec})


def test_names_are_filled_in_as_upstream_has_them() -> None:
    made, verdict = ask("AzureCluster", cluster(networkSpec={"nodeOutboundLB": {}}))
    assert (verdict.errors, verdict.warnings) == ((), ())
    spec = made["spec"]
    assert (spec["resourceGroup"], spec["azureEnvironment"]) == ("demo", "AzurePublicCloud")
    network = spec["networkSpec"]
    assert network["vnet"] == {"name": "demo-vnet", "resourceGroup": "demo"}
    assert {(s["role"], s["name"]) for s in network["subnets"]} == {
        ("control-plane", "demo-controlplane-subnet"),
        ("node", "demo-node-subnet"),
    }
    assert network["nodeOutboundLB"]["name"] == "demo"
    assert network["nodeOutboundLB"]["backendPool"] == {"name": "demo-outboundBackendPool"}
    assert ask("AzureCluster", made)[0] == made


def test_a_subnet_for_all_needs_no_others() -> None:
    made = ask("AzureCluster", cluster(networkSpec={"subnets": [{"name": "all", "role": "cluster"}]}))[0]
    assert [s["name"] for s in made["spec"]["networkSpec"]["subnets"]] == ["all"]


def test_subnets_that_are_given_stay_and_others_are_added() -> None:
    made = ask("AzureCluster", cluster(networkSpec={"subnets": [{"name": "mine", "role": "node"}]}))[0]
    assert [s["name"] for s in made["spec"]["networkSpec"]["subnets"]] == ["mine", "demo-controlplane-subnet"]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"azureEnvironment": "AzureMoonCloud"}, "spec.azureEnvironment"),
        ({"identityRef": {"kind": "Secret", "name": "a"}}, "spec.identityRef.kind"),
        (
            {"networkSpec": {"subnets": [{"name": n, "role": "control-plane"} for n in "ab"]}},
            "spec.networkSpec.subnets",
        ),
        ({"networkSpec": {"subnets": [{"name": "", "role": "cluster"}]}}, "spec.networkSpec.subnets[0].name"),
    ],
)
def test_what_cannot_be_is_refused(spec: Raw, path: str) -> None:
    assert paths(ask("AzureCluster", cluster(**spec))[1]) == [path]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"location": "westus"}, "spec.location"),
        ({"resourceGroup": "other"}, "spec.resourceGroup"),
        ({"subscriptionID": "other"}, "spec.subscriptionID"),
        ({"azureEnvironment": "AzureChinaCloud"}, "spec.azureEnvironment"),
        ({"networkSpec": {"vnet": {"name": "other"}}}, "spec.networkSpec.vnet.name"),
        ({"controlPlaneEndpoint": {"host": "other"}}, "spec.controlPlaneEndpoint"),
    ],
)
def test_a_cluster_does_not_move(change: Raw, path: str) -> None:
    old = ask("AzureCluster", cluster(controlPlaneEndpoint={"host": "a", "port": 6443}))[0]
    assert paths(ask("AzureCluster", merged(old, {"spec": change}), old=old)[1]) == [path]


def test_an_address_may_come_later() -> None:
    old = ask("AzureCluster", CLUSTER)[0]
    new = merged(old, {"spec": {"controlPlaneEndpoint": {"host": "a", "port": 6443}}})
    assert paths(ask("AzureCluster", new, old=old)[1]) == []


def test_a_long_name_is_refused_of_new_clusters() -> None:
    obj = cluster()
    obj["metadata"] = {"name": "c" * 45}
    assert paths(ask("AzureCluster", obj)[1]) == ["metadata.name"]
    assert paths(ask("AzureCluster", obj, old=ask("AzureCluster", obj)[0])[1]) == []


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"bastionSpec": {"azureBastion": {"name": "b"}}}, "spec.bastionSpec.azureBastion"),
        ({"extendedLocation": {"name": "e", "type": "EdgeZone"}}, "spec.extendedLocation"),
        (
            {"networkSpec": {"subnets": [{"name": "a", "role": "cluster", "securityGroup": GUARDED}]}},
            "spec.networkSpec.subnets[0].securityGroup.securityRules",
        ),
        ({"networkSpec": {"vnet": {"name": "v", "cidrBlocks": ["10.0.0.0/8"]}}}, "spec.networkSpec.vnet.cidrBlocks"),
        (
            {"networkSpec": {"vnet": {"name": "v", "peerings": [{"remoteVnetName": "w"}]}}},
            "spec.networkSpec.vnet.peerings",
        ),
        ({"networkSpec": {"apiServerLB": {"name": "l"}}}, "spec.networkSpec.apiServerLB"),
        (
            {"networkSpec": {"subnets": [{"name": "a", "role": "cluster", "cidrBlocks": ["10.0.0.0/16"]}]}},
            "spec.networkSpec.subnets[0].cidrBlocks",
        ),
        ({"resourceGroup": "demo}"}, "spec.resourceGroup"),
    ],
)
def test_what_is_accepted_and_not_made_is_named(spec: Raw, named: str) -> None:
    verdict = ask("AzureCluster", cluster(**spec))[1]
    assert verdict.errors == ()
    assert [w.partition(":")[0] for w in verdict.warnings] == [named]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"type": "ServicePrincipal"}, "spec.clientSecret.name"),
        ({"type": "ManualServicePrincipal", "clientSecret": {"namespace": "n"}}, "spec.clientSecret.name"),
        ({"type": "ServicePrincipalCertificate"}, "spec.certPath"),
        ({"resourceID": "/subscriptions/s"}, "spec.resourceID"),
        ({"userAssignedIdentityCredentialsPath": "/p"}, "spec.userAssignedIdentityCredentialsPath"),
        ({"userAssignedIdentityCredentialsCloudType": "public"}, "spec.userAssignedIdentityCredentialsCloudType"),
        ({"type": "UserAssignedIdentityCredential"}, "spec.userAssignedIdentityCredentialsPath"),
    ],
)
def test_an_identity_has_what_proves_it_and_nothing_of_another_type(spec: Raw, path: str) -> None:
    assert paths(ask("AzureClusterIdentity", identity(**spec))[1]) == [path]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"type": "ServicePrincipal", "clientSecret": {"name": "s"}},
        {"type": "ServicePrincipalCertificate", "certPath": "/cert"},
        {"type": "UserAssignedMSI", "resourceID": "/subscriptions/s"},
        {"type": "UserAssignedIdentityCredential", "userAssignedIdentityCredentialsPath": "/p"},
    ],
)
def test_an_identity_that_can_be_proved_is_let_in(spec: Raw) -> None:
    verdict = ask("AzureClusterIdentity", identity(**spec))[1]
    assert (verdict.errors, verdict.warnings) == ((), ())


def test_an_identity_stays_what_it_is() -> None:
    new = identity(type="UserAssignedMSI")
    assert paths(ask("AzureClusterIdentity", new, old=IDENTITY)[1]) == ["spec.type"]


def test_an_identity_that_nobody_may_use_says_so() -> None:
    (said,) = ask("AzureClusterIdentity", identity(allowedNamespaces=None))[1].warnings
    assert said.startswith("spec.allowedNamespaces")
