"""What admission says to the kinds of AKS."""

from typing import Any

import pytest

from capipool.machinery.objects import Raw
from tests.unit.azure.admission.asking import ask, merged, paths

POOL: Raw = {"metadata": {"name": "pool0"}, "spec": {"mode": "User", "sku": "Standard_D2s_v3"}}
PLANE: Raw = {
    "metadata": {"name": "aks"},
    "spec": {
        "identityRef": {"kind": "AzureClusterIdentity", "name": "i"},
        "location": "eastus",
        "resourceGroupName": "g",
        "version": "1.31.2",
    },
}
GROUP = "/subscriptions/12345678-1234-1234-1234-123456789012/resourceGroups/g"
PREFIX = f"{GROUP}/providers/Microsoft.Network/publicIPPrefixes/p"


def pool(**spec: Any) -> Raw:
    return merged(POOL, {"spec": spec})


def test_a_plain_pool_is_let_in_named_and_labelled() -> None:
    made, verdict = ask("AzureManagedMachinePool", POOL)
    assert (verdict.errors, verdict.warnings) == ((), ())
    assert made["spec"]["name"] == "pool0"
    label = "azuremanagedmachinepool.infrastructure.cluster.x-k8s.io/agentpoolmode"
    assert made["metadata"]["labels"] == {label: "User"}


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"name": "toolongforlinux"}, "spec.name"),
        ({"name": "toolong", "osType": "Windows"}, "spec.name"),
        ({"name": "0pool"}, "spec.name"),
        ({"name": "po-ol"}, "spec.name"),
        ({"name": "Pool"}, "spec.name"),
        ({"mode": "System", "osType": "Windows", "name": "win"}, "spec.osType"),
        ({"mode": "System", "scaleSetPriority": "Spot"}, "spec.scaleSetPriority"),
        ({"maxPods": 9}, "spec.maxPods"),
        ({"maxPods": 251}, "spec.maxPods"),
        ({"nodeLabels": {"kubernetes.azure.com/mode": "x"}}, "spec.nodeLabels"),
        ({"nodePublicIPPrefixID": PREFIX}, "spec.enableNodePublicIP"),
        ({"nodePublicIPPrefixID": "mine", "enableNodePublicIP": True}, "spec.nodePublicIPPrefixID"),
        ({"scaling": {"minSize": 3, "maxSize": 1}}, "spec.scaling.minSize"),
        ({"scaling": {"minSize": 3}}, "spec.scaling.maxSize"),
        ({"scaling": {"minSize": -1, "maxSize": 1}}, "spec.scaling.minSize"),
        ({"kubeletConfig": {"cpuCfsQuotaPeriod": "1s"}}, "spec.kubeletConfig.cpuCfsQuotaPeriod"),
        (
            {"kubeletConfig": {"imageGcLowThreshold": 90, "imageGcHighThreshold": 80}},
            "spec.kubeletConfig.imageGcLowThreshold",
        ),
        ({"kubeletConfig": {"allowedUnsafeSysctls": ["vm.swappiness"]}}, "spec.kubeletConfig.allowedUnsafeSysctls[0]"),
        ({"linuxOSConfig": {"swapFileSizeMB": 100}}, "spec.linuxOSConfig.swapFileSizeMB"),
        (
            {"linuxOSConfig": {"sysctls": {"netIpv4IPLocalPortRange": "1024"}}},
            "spec.linuxOSConfig.sysctls.netIpv4IPLocalPortRange",
        ),
        (
            {"linuxOSConfig": {"sysctls": {"netIpv4IPLocalPortRange": "60000 40000"}}},
            "spec.linuxOSConfig.sysctls.netIpv4IPLocalPortRange",
        ),
        ({"subnetName": "-a"}, "spec.subnetName"),
        ({"spotMaxPrice": "0.5"}, "spec.spotMaxPrice"),
    ],
)
def test_what_aks_would_refuse_is_refused(spec: Raw, path: str) -> None:
    assert paths(ask("AzureManagedMachinePool", pool(**spec))[1]) == [path]


@pytest.mark.parametrize(
    "spec",
    [
        {"kubeletConfig": {"failSwapOn": False}, "linuxOSConfig": {"swapFileSizeMB": 100}},
        {"linuxOSConfig": {"sysctls": {"netIpv4IPLocalPortRange": "32768 60999"}}},
        {"enableNodePublicIP": True, "nodePublicIPPrefixID": PREFIX},
        {"kubeletConfig": {"allowedUnsafeSysctls": ["net.core.somaxconn", "kernel.sem"]}},
        {"scaleSetPriority": "Spot", "spotMaxPrice": "0.5"},
        {"scaling": {"minSize": 0, "maxSize": 3}},
    ],
)
def test_what_aks_takes_is_let_in(spec: Raw) -> None:
    assert paths(ask("AzureManagedMachinePool", pool(**spec))[1]) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"sku": "Standard_D4s_v3"}, "spec.sku"),
        ({"osDiskSizeGB": 64}, "spec.osDiskSizeGB"),
        ({"osDiskType": "Ephemeral"}, "spec.osDiskType"),
        ({"maxPods": 30}, "spec.maxPods"),
        ({"availabilityZones": ["1"]}, "spec.availabilityZones"),
        ({"name": "other"}, "spec.name"),
        ({"subnetName": "other"}, "spec.subnetName"),
        ({"kubeletDiskType": "OS"}, "spec.kubeletDiskType"),
    ],
)
def test_what_an_agent_pool_keeps_cannot_change(change: Raw, path: str) -> None:
    old = ask("AzureManagedMachinePool", pool(subnetName="nodes"))[0]
    assert paths(ask("AzureManagedMachinePool", merged(old, {"spec": change}), old=old)[1]) == [path]


@pytest.mark.parametrize(
    "change", [{"mode": "System"}, {"enableFIPS": True}, {"scaling": {"minSize": 1, "maxSize": 2}}]
)
def test_the_rest_of_a_pool_may_change(change: Raw) -> None:
    old = ask("AzureManagedMachinePool", POOL)[0]
    assert paths(ask("AzureManagedMachinePool", merged(old, {"spec": change}), old=old)[1]) == []


def test_a_control_plane_says_that_it_is_not_made() -> None:
    verdict = ask("AzureManagedControlPlane", PLANE)[1]
    assert verdict.errors == ()
    assert verdict.warnings == (
        "capipool creates no cluster of AKS: it reads the one of this name, and manages its agent pools",
    )


def test_what_would_change_a_cluster_of_aks_is_named() -> None:
    obj = merged(PLANE, {"spec": {"dnsPrefix": "a", "sku": {"tier": "Standard"}, "networkPlugin": "kubenet"}})
    named = [w.partition(":")[0] for w in ask("AzureManagedControlPlane", obj)[1].warnings[1:]]
    assert named == ["spec.dnsPrefix", "spec.networkPlugin", "spec.sku"]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"version": "one"}, "spec.version"),
        ({"azureEnvironment": "AzureMoonCloud"}, "spec.azureEnvironment"),
        ({"identityRef": {"kind": "AzureClusterIdentity"}}, "spec.identityRef.name"),
    ],
)
def test_a_control_plane_that_cannot_be_found_is_refused(spec: Raw, path: str) -> None:
    obj = {**PLANE, "spec": PLANE["spec"] | spec}
    assert paths(ask("AzureManagedControlPlane", obj)[1]) == [path]


def test_a_cluster_of_aks_does_not_move() -> None:
    new = merged(PLANE, {"spec": {"resourceGroupName": "other", "version": "v1.32.0"}})
    assert paths(ask("AzureManagedControlPlane", new, old=PLANE)[1]) == ["spec.resourceGroupName"]


def test_an_address_stays() -> None:
    old: Raw = {"spec": {"controlPlaneEndpoint": {"host": "a", "port": 443}}}
    new = merged(old, {"spec": {"controlPlaneEndpoint": {"host": "b"}}})
    assert paths(ask("AzureManagedCluster", new, old=old)[1]) == ["spec.controlPlaneEndpoint"]
    assert paths(ask("AzureManagedCluster", old, old={"spec": {}})[1]) == []
