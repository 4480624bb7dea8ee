"""What a machine is called in Azure, and what is asked for it."""

from typing import Any

import pytest

from capipool.machinery import objects
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.machine import AzureMachine
from capipool.providers.azure.calls import Caller
from capipool.providers.azure.machines import model
from capipool.providers.azure.machines.where import Where, disk_names, interface_names, machine_name, parse
from capipool.providers.azure.pools.model import Resolved, Scope

WHERE = Where(Caller("s"), "g", "m")
ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/m"


def machine(name: str = "m", **spec: Any) -> AzureMachine:
    return objects.from_raw(AzureMachine, {"metadata": {"name": name, "namespace": "n"}, "spec": spec})


def wanted(obj: AzureMachine, *, zones: tuple[str, ...] = (), network: dict[str, Any] | None = None) -> model.Wanted:
    subnets = [{"name": "nodes", "role": "node"}]
    spec = {"resourceGroup": "g", "networkSpec": {"vnet": {"name": "v"}, "subnets": subnets, **(network or {})}}
    cluster = objects.from_raw(AzureCluster, {"metadata": {"name": "c"}, "spec": spec})
    pool = model.as_pool(obj, "eastus")
    scope = Scope(pool=pool, cluster=cluster, cluster_name="c", subscription="s", zones=zones)
    return model.wanted(obj, scope, Resolved(image={"id": "i"}, ssh_key="ssh-rsa AAAA"), WHERE, {"a": "b"})


@pytest.mark.parametrize(
    ("name", "system", "called"),
    [
        ("workers-abcde-12345", "Linux", "workers-abcde-12345"),
        ("short", "Windows", "short"),
        ("workers-abcde-12345", "Windows", "workers-a-12345"),
        ("worker-s-abcde-12345", "Windows", "worker-s-12345"),
    ],
)
def test_names_of_windows_machines_are_short(name: str, system: str, called: str) -> None:
    assert machine_name(machine(name, osDisk={"osType": system})) == called


def test_what_belongs_to_a_machine_is_called_after_it() -> None:
    obj = machine(networkInterfaces=[{}, {}], dataDisks=[{"nameSuffix": "etcd", "diskSizeGB": 8}])
    assert interface_names(machine()) == ("m-nic",)
    assert interface_names(obj) == ("m-nic-0", "m-nic-1")
    assert disk_names(obj) == ("m_OSDisk", "m_etcd")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ID, ("s", "g", "m")),
        (f"azure://{ID}", ("s", "g", "m")),
        (ID.replace("virtualMachines", "VIRTUALMACHINES"), ("s", "g", "m")),
        (ID.replace("virtualMachines", "virtualMachineScaleSets"), None),
        (f"{ID}/extensions/x", None),
        ("", None),
    ],
)
def test_an_id_tells_where_a_machine_is(text: str, found: tuple[str, str, str] | None) -> None:
    assert parse(text) == found


def test_disks_and_interfaces_go_with_their_machine() -> None:
    made = wanted(machine(dataDisks=[{"nameSuffix": "etcd", "diskSizeGB": 8, "lun": 3}])).machine["properties"]
    assert made["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert [(d["name"], d["lun"], d["deleteOption"]) for d in made["storageProfile"]["dataDisks"]] == [
        ("m_etcd", 3, "Delete")
    ]
    (attached,) = made["networkProfile"]["networkInterfaces"]
    assert attached["id"] == WHERE.interface("m-nic")
    assert attached["properties"] == {"primary": True, "deleteOption": "Delete"}


def test_the_first_interface_joins_the_outbound_load_balancer() -> None:
    balancer = {"nodeOutboundLB": {"name": "lb", "backendPool": {"name": "pool"}}}
    made = wanted(machine(networkInterfaces=[{}, {}]), network=balancer)
    pools = [
        [c["properties"].get("loadBalancerBackendAddressPools") for c in body["properties"]["ipConfigurations"]]
        for _, body in made.interfaces
    ]
    assert pools[0][0][0]["id"].endswith("/loadBalancers/lb/backendAddressPools/pool")
    assert pools[1] == [None]


@pytest.mark.parametrize(
    ("spec", "path", "value"),
    [
        ({"vmSize": "Large"}, "properties.hardwareProfile.vmSize", "Large"),
        ({}, "properties.osProfile.computerName", "m"),
        ({"disableExtensionOperations": True}, "properties.osProfile.allowExtensionOperations", False),
        (
            {"additionalCapabilities": {"ultraSSDEnabled": True}},
            "properties.additionalCapabilities.ultraSSDEnabled",
            True,
        ),
        ({"capacityReservationGroupID": ID}, "properties.capacityReservation.capacityReservationGroup.id", ID),
        ({"virtualMachineScaleSetID": ID}, "properties.virtualMachineScaleSet.id", ID),
        ({"spotVMOptions": {"evictionPolicy": "Delete"}}, "properties.evictionPolicy", "Delete"),
        ({"spotVMOptions": {"maxPrice": "100m"}}, "properties.billingProfile.maxPrice", 0.1),
        (
            {"securityProfile": {"securityType": "TrustedLaunch"}},
            "properties.securityProfile.securityType",
            "TrustedLaunch",
        ),
        ({"identity": "SystemAssigned"}, "identity.type", "SystemAssigned"),
        (
            {"osDisk": {"managedDisk": {"storageAccountType": "Premium_LRS", "diskEncryptionSet": {"id": "set"}}}},
            "properties.storageProfile.osDisk.managedDisk.diskEncryptionSet.id",
            "set",
        ),
        (
            {
                "image": {
                    "marketplace": {
                        "publisher": "p",
                        "offer": "o",
                        "sku": "k",
                        "version": "1",
                        "thirdPartyImage": True,
                    }
                }
            },
            "plan.name",
            "k",
        ),
    ],
)
def test_each_field_of_the_spec_reaches_azure(spec: dict[str, Any], path: str, value: Any) -> None:
    there: Any = wanted(machine(**spec)).machine
    for step in path.split("."):
        there = there[step]
    assert there == value


def test_a_machine_without_a_zone_names_none() -> None:
    assert "zones" not in wanted(machine()).machine
    assert wanted(machine(), zones=("2",)).machine["zones"] == ["2"]


def test_nothing_secret_is_in_the_model() -> None:
    extension = {"name": "a", "publisher": "p", "version": "1", "protectedSettings": {"key": "hush-hush"}}
    assert "hush-hush" not in str(wanted(machine(vmExtensions=[extension])))


@pytest.mark.parametrize(
    ("tags", "spec", "mine"),
    [
        ({"capipool.io_machine": "n/m"}, {}, True),
        ({"capipool.io_machine": "n/other"}, {"providerID": ID}, False),
        ({"sigs.k8s.io_cluster-api-provider-azure_cluster_c": "owned"}, {}, True),
        ({"sigs.k8s.io_cluster-api-provider-azure_cluster_other": "owned"}, {}, False),
        ({}, {}, False),
        ({}, {"providerID": ID}, True),
    ],
)
def test_a_machine_is_ours_by_its_tags(tags: dict[str, str], spec: dict[str, Any], mine: bool) -> None:
    assert model.is_ours({"tags": tags}, machine(**spec), "c") is mine
