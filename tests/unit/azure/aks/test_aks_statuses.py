"""What objects of AKS say of themselves, case by case."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from capipool.api.core import MachinePool
from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.providers.azure.aks import deciding, facts, kubeconfigs
from capipool.providers.azure.aks.pools import scaling, statuses
from capipool.providers.azure.aks.pools.ownership import ADOPT, is_ours
from capipool.providers.azure.aks.pools.progress import Progress
from capipool.providers.azure.aks.pools.scaling import MARK, TAGS, Managed
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.sdk import CloudUnavailable, PermissionDenied
from tests.unit.azure.aks.pictures import there, wanted

SPEC = {
    "clusterName": "demo",
    "template": {
        "spec": {
            "clusterName": "demo",
            "bootstrap": {},
            "infrastructureRef": {"apiGroup": "a", "kind": "b", "name": "c"},
        }
    },
}
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PLANE = objects.from_raw(
    AzureManagedControlPlane,
    {"metadata": {"name": "prod", "namespace": "default"}, "spec": {"resourceGroupName": "rg", "version": "v1.31.2"}},
)


def cluster(**properties: Any) -> facts.AKSCluster:
    made: Raw = {"provisioningState": "Succeeded", "currentKubernetesVersion": "1.31.2", "fqdn": "host"}
    return facts.read({"name": "prod", "properties": made | properties})


@pytest.mark.parametrize(
    ("properties", "ready", "reason"),
    [
        ({}, True, ""),
        ({"provisioningState": "Updating"}, True, ""),
        ({"provisioningState": "Upgrading"}, True, ""),
        ({"provisioningState": "Creating"}, False, "Creating"),
        ({"provisioningState": "Creating", "fqdn": None}, False, "Creating"),
        ({"provisioningState": "Deleting"}, False, "Deleting"),
        ({"provisioningState": "Failed"}, True, "Failed"),
        ({"powerState": {"code": "Stopped"}}, False, "Stopped"),
        ({"fqdn": None, "privateFQDN": "private"}, True, ""),
    ],
)
def test_a_cluster_is_ready_where_its_api_server_answers(properties: Raw, ready: bool, reason: str) -> None:
    plan = deciding.decide(PLANE, cluster(**properties), NOW, initialized=False)
    assert plan.status["ready"] is ready
    said = {c["type"]: c.get("reason", "") for c in plan.status["conditions"]}
    assert said == {"Ready": reason, "ManagedClusterRunning": reason, "ClusterCreated": "OutOfScope"}


@pytest.mark.parametrize(
    ("channel", "raised"), [("patch", True), ("stable", True), ("none", False), ("node-image", False)]
)
def test_a_version_counts_as_raised_by_aks_where_a_channel_does_so(channel: str, raised: bool) -> None:
    found = cluster(autoUpgradeProfile={"upgradeChannel": channel})
    plan = deciding.decide(PLANE, found, NOW, initialized=True)
    assert plan.status["autoUpgradeVersion"] == ("v1.31.2" if raised else None)


def test_where_nodes_are_is_kept_beside_the_cluster() -> None:
    found = cluster(nodeResourceGroup="MC", agentPoolProfiles=[{"name": "a"}, {"name": "b", "vnetSubnetID": "/s"}])
    plan = deciding.decide(PLANE, found, NOW, initialized=True)
    assert plan.annotations == {deciding.NODE_GROUP_ANNOTATION: "MC", deciding.SUBNET_ANNOTATION: "/s"}
    assert plan.spec == {"controlPlaneEndpoint": {"host": "host", "port": 443}}


def test_a_cluster_that_could_not_be_asked_for_is_as_ready_as_before() -> None:
    denied = deciding.failed(PLANE, PermissionDenied("read"), NOW)
    assert denied.status["ready"] is False
    assert {c.get("reason") for c in denied.status["conditions"]} == {"PermissionDenied", "OutOfScope"}
    raw = objects.to_raw(PLANE) | {"status": {"ready": True}}
    before = objects.from_raw(AzureManagedControlPlane, raw)
    assert deciding.failed(before, PermissionDenied("read"), NOW).status["ready"] is True
    assert deciding.missing(before, NOW).status["ready"] is False


@pytest.mark.parametrize(
    ("state", "was", "ready", "reason"),
    [
        ("Creating", None, False, "Creating"),
        ("Failed", None, False, "Failed"),
        ("Failed", True, True, "Failed"),
        ("Scaling", None, True, "Updating"),
        ("UpgradingNodeImageVersion", True, True, "Updating"),
        ("Succeeded", None, True, ""),
        ("Deleting", True, False, "Deleting"),
    ],
)
def test_a_pool_is_ready_from_its_first_success_until_it_goes(
    state: str, was: bool | None, ready: bool, reason: str
) -> None:
    obj = objects.from_raw(type(wanted()), objects.to_raw(wanted()) | {"status": {"ready": was}})
    pool = there(provisioningState=state)
    made = statuses.of_pool(obj, pool, notes=(), progress=Progress(), now=NOW)
    assert made["ready"] is ready
    assert {c.get("reason", "") for c in made["conditions"]} == {reason}


def test_nodes_that_go_or_are_parked_are_not_listed_and_only_the_group_is_in_small_letters() -> None:
    group = "/subscriptions/S/resourceGroups/MC_Rg"
    root = f"{group}/providers/Microsoft.Compute/virtualMachineScaleSets/aks-Work/virtualMachines"
    parked = {"instanceView": {"statuses": [{"code": "PowerState/deallocated"}]}}
    machines = [
        {"id": f"{root}/1", "properties": {"provisioningState": "Succeeded"}},
        {"id": f"{root}/0", "properties": {"provisioningState": "Failed"}},
        {"id": f"{root}/2", "properties": {"provisioningState": "Deleting"}},
        {"id": f"{root}/3", "properties": parked},
    ]
    small = root.replace("MC_Rg", "mc_rg")
    assert statuses.provider_ids(machines) == [f"azure://{small}/0", f"azure://{small}/1"]


@pytest.mark.parametrize(
    ("has_scaling", "marked", "annotation", "managed"),
    [
        (True, False, None, Managed(mark=True, annotation=True)),
        (True, False, "false", Managed(mark=True, annotation=True)),
        (True, True, "true", Managed()),
        (True, False, "somebody", Managed()),
        (False, False, None, Managed()),
        (False, False, "somebody", Managed()),
        (False, True, "true", Managed(mark=False, annotation=False)),
        (False, True, None, Managed(mark=False)),
    ],
)
def test_only_what_was_said_here_is_taken_back(
    has_scaling: bool, marked: bool, annotation: str | None, managed: Managed
) -> None:
    given: dict[str, Any] = {"scaling": {"minSize": 1, "maxSize": 2}} if has_scaling else {}
    obj = wanted({MARK: "true"} if marked else {}, **given)
    said = {"cluster.x-k8s.io/replicas-managed-by": annotation} if annotation else {}
    owner = objects.from_raw(
        MachinePool, {"metadata": {"name": "work", "namespace": "default", "annotations": said}, "spec": SPEC}
    )
    assert scaling.decide(obj, owner) == managed


def test_tags_that_were_wanted_once_are_known_until_they_are_gone() -> None:
    obj = wanted({TAGS: "a,b"}, additionalTags={"b": "1", "c": "2"})
    assert scaling.gone_tags(obj) == ("a",)
    assert scaling.tags_before(obj) == "a,b,c"
    assert scaling.settled_tags(obj, {"a": "1"}) == "a,b,c"
    assert scaling.settled_tags(obj, {}) == "b,c"
    assert scaling.settled_tags(wanted(), {}) is None


_NODE = "azure:///subscriptions/s/resourceGroups/mc/providers/Microsoft.Compute/virtualMachineScaleSets/{}/virtualMachines/0"


@pytest.mark.parametrize(
    ("tags", "annotations", "nodes", "ours"),
    [
        ({"capipool.io_pool": "default/work"}, {}, [], True),
        ({"capipool.io_pool": "default/other"}, {}, [], False),
        ({"capipool.io_pool": "default/other"}, {ADOPT: "true"}, ["aks-work-1-vmss"], False),
        ({}, {}, [], False),
        ({}, {}, ["aks-other-1-vmss"], False),
        ({}, {}, ["aks-work-1-vmss"], True),
        ({}, {ADOPT: "true"}, [], True),
        ({}, {ADOPT: "false"}, [], False),
    ],
)
def test_an_agent_pool_is_whose_it_says_or_of_the_object_that_has_its_nodes(
    tags: dict[str, str], annotations: dict[str, str], nodes: list[str], ours: bool
) -> None:
    obj = wanted(annotations, providerIDList=[_NODE.format(name) for name in nodes])
    assert is_ours(obj, there(tags=tags)) is ours


@pytest.mark.parametrize("given", [b"", b"secret: [", b"- secret", b"clusters: []", b"\xff\xfe"])
def test_a_credential_that_is_no_kubeconfig_is_an_error_that_shows_nothing_of_it(given: bytes) -> None:
    with pytest.raises(CloudUnavailable) as raised:
        kubeconfigs.with_token(given, "token", name="prod")
    assert "secret" not in str(raised.value)
