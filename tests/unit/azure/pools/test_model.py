"""The model of a scale set: every field of the spec, in ARM's words; what makes a revision, and what does not."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.pools import model
from capipool.providers.azure.pools.model import Resolved, Scope
from capipool.providers.azure.pools.parts import ssh_key
from capipool.sdk import InvalidConfiguration
from tests.server.azure.pools.lab import machine_pool

IMAGE = {"publisher": "p", "offer": "o", "sku": "s", "version": "1.2.3"}
NET = "/subscriptions/S/resourceGroups/rg/providers/Microsoft.Network"


def azure_cluster(**network: Any) -> AzureCluster:
    subnets = [{"name": "control", "role": "control-plane"}, {"name": "nodes", "role": "node"}]
    spec: Raw = {"location": "eastus", "resourceGroup": "rg", "subscriptionID": "S"}
    spec["networkSpec"] = {"vnet": {"name": "net"}, "subnets": subnets, **network}
    meta = {"name": "c", "namespace": "default"}
    resource = AzureCluster.RESOURCE
    raw = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, "spec": spec}
    return objects.from_raw(AzureCluster, raw)


def scope(spec: Raw | None = None, *, name: str = "mp", zones: tuple[str, ...] = (), **network: Any) -> Scope:
    pool = objects.from_raw(AzureMachinePool, machine_pool(name, spec))
    cluster = azure_cluster(**network)
    return Scope(pool=pool, cluster=cluster, cluster_name="c", subscription="S", zones=zones)


def body(spec: Raw | None = None, *, accelerated: bool = False, **about: Any) -> Raw:
    return model.body(scope(spec, **about), Resolved(image=IMAGE, accelerated=accelerated, ssh_key="ssh-rsa A"))


def profile(template: Raw | None = None, **about: Any) -> Raw:
    found: Raw = body({"template": template or {}}, **about)["properties"]["virtualMachineProfile"]
    return found


def interfaces(template: Raw | None = None, **about: Any) -> list[Any]:
    found = profile(template, **about)["networkProfile"]["networkInterfaceConfigurations"]
    return list(found)


def test_a_uniform_scale_set_is_made_so_that_azure_replaces_nothing_by_itself() -> None:
    made = body()
    assert made["sku"] == {"name": "Standard_D2s_v3", "tier": "Standard"}
    properties = {k: v for k, v in made["properties"].items() if k != "virtualMachineProfile"}
    assert properties == {"singlePlacementGroup": False, "orchestrationMode": "Uniform", "overprovision": False}


def test_a_flexible_one_spreads_over_one_fault_domain_unless_told_otherwise() -> None:
    properties = body({"orchestrationMode": "Flexible"})["properties"]
    assert (properties["orchestrationMode"], properties["platformFaultDomainCount"]) == ("Flexible", 1)
    assert properties["virtualMachineProfile"]["networkProfile"]["networkApiVersion"] == model.NETWORK_API
    more = body({"orchestrationMode": "Flexible", "platformFaultDomainCount": 3})["properties"]
    assert more["platformFaultDomainCount"] == 3


def test_logins_are_by_key_on_linux_and_the_computer_is_named_after_the_set() -> None:
    system = profile()["osProfile"]
    assert system["computerNamePrefix"] == "mp"
    assert system["linuxConfiguration"]["disablePasswordAuthentication"] is True
    assert system["linuxConfiguration"]["ssh"]["publicKeys"][0]["keyData"] == "ssh-rsa A"


def test_windows_names_are_short_and_have_no_key() -> None:
    system = profile({"osDisk": {"osType": "Windows"}}, name="a-long-pool-name")["osProfile"]
    assert system["computerNamePrefix"] == "win--name"
    assert "linuxConfiguration" not in system


def test_disks_are_said_whole() -> None:
    encryption = {"id": "/subscriptions/S/d"}
    template = {
        "osDisk": {
            "osType": "Linux",
            "diskSizeGB": 30,
            "cachingType": "ReadWrite",
            "managedDisk": {
                "storageAccountType": "Premium_LRS",
                "diskEncryptionSet": encryption,
                "securityProfile": {"securityEncryptionType": "VMGuestStateOnly", "diskEncryptionSet": encryption},
            },
        },
        "dataDisks": [
            {"nameSuffix": "a", "diskSizeGB": 10, "cachingType": "ReadOnly"},
            {"nameSuffix": "b", "diskSizeGB": 20, "lun": 0},
        ],
    }
    storage = profile(template)["storageProfile"]
    assert storage["osDisk"] == {
        "osType": "Linux",
        "createOption": "FromImage",
        "caching": "ReadWrite",
        "diskSizeGB": 30,
        "managedDisk": {
            "storageAccountType": "Premium_LRS",
            "diskEncryptionSet": encryption,
            "securityProfile": {"securityEncryptionType": "VMGuestStateOnly", "diskEncryptionSet": encryption},
        },
    }
    first, second = storage["dataDisks"]
    assert (first["name"], first["lun"], first["caching"]) == ("mp_a", 1, "ReadOnly")
    assert (second["name"], second["lun"], second["diskSizeGB"]) == ("mp_b", 0, 20)


def test_an_ephemeral_disk_is_cached_for_reading_and_spot_machines_with_one_are_deleted_on_eviction() -> None:
    template = {
        "osDisk": {"osType": "Linux", "diffDiskSettings": {"option": "Local", "placement": "NvmeDisk"}},
        "spotVMOptions": {},
    }
    made = profile(template)
    assert made["storageProfile"]["osDisk"]["diffDiskSettings"] == {"option": "Local", "placement": "NvmeDisk"}
    assert made["storageProfile"]["osDisk"]["caching"] == "ReadOnly"
    assert (made["priority"], made["evictionPolicy"]) == ("Spot", "Delete")


@pytest.mark.parametrize(("price", "wanted"), [("0.05", 0.05), ("50m", 0.05), (-1, -1.0), ("1e-1", 0.1)])
def test_a_spot_price_is_a_number_of_dollars(price: int | str, wanted: float) -> None:
    made = profile({"spotVMOptions": {"maxPrice": price, "evictionPolicy": "Deallocate"}})
    assert made["billingProfile"]["maxPrice"] == pytest.approx(wanted)
    assert made["evictionPolicy"] == "Deallocate"


def test_an_interface_is_in_the_only_subnet_for_nodes_and_accelerated_where_the_size_can_do_it() -> None:
    (only,) = interfaces(accelerated=True)
    assert only["name"] == "mp-nic-0"
    assert only["properties"]["enableAcceleratedNetworking"] is True
    address = only["properties"]["ipConfigurations"][0]["properties"]
    assert address["subnet"]["id"] == f"{NET}/virtualNetworks/net/subnets/nodes"


def test_interfaces_are_made_as_the_spec_says_and_the_first_is_primary() -> None:
    wanted = [{"privateIPConfigs": 2, "acceleratedNetworking": False}, {"subnetName": "control"}]
    first, second = interfaces({"networkInterfaces": wanted}, accelerated=True)
    assert [c["name"] for c in first["properties"]["ipConfigurations"]] == ["ipConfig0", "ipConfig1"]
    assert (first["properties"]["primary"], second["properties"]["primary"]) == (True, False)
    assert first["properties"]["enableAcceleratedNetworking"] is False
    assert second["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"].endswith("/control")


def test_the_deprecated_fields_make_one_interface() -> None:
    (only,) = interfaces({"subnetName": "control", "acceleratedNetworking": True})
    assert only["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"].endswith("/control")
    assert only["properties"]["enableAcceleratedNetworking"] is True


def test_the_first_address_joins_the_outbound_load_balancer_that_the_cluster_names() -> None:
    (only,) = interfaces(nodeOutboundLB={"name": "out"})
    pools = only["properties"]["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"]
    assert pools == [{"id": f"{NET}/loadBalancers/out/backendAddressPools/out-outboundBackendPool"}]


def test_a_subnet_with_both_families_gives_an_address_of_each() -> None:
    subnets = [{"name": "nodes", "role": "node", "cidrBlocks": ["10.0.0.0/16", "fd00::/64"]}]
    (only,) = interfaces(subnets=subnets)
    found = {c["name"]: c["properties"]["privateIPAddressVersion"] for c in only["properties"]["ipConfigurations"]}
    assert found == {"ipConfig0": "IPv4", "ipConfigv6": "IPv6"}


@pytest.mark.parametrize(
    ("template", "said"),
    [({"networkInterfaces": [{"subnetName": "nowhere"}]}, "no subnet of that name"), ({}, "2 subnets for nodes")],
)
def test_a_subnet_that_is_not_clear_is_asked_for(template: Raw, said: str) -> None:
    subnets = [{"name": "a", "role": "node"}, {"name": "b", "role": "node"}]
    with pytest.raises(InvalidConfiguration, match=said):
        interfaces(template, subnets=subnets)


def test_extensions_go_without_what_is_secret_which_is_added_last() -> None:
    extension = {"name": "E", "publisher": "P", "version": "1", "settings": {"a": "b"}, "protectedSettings": {"k": "v"}}
    spec = {"template": {"vmExtensions": [extension]}}
    made = body(spec)
    assert "protectedSettings" not in str(made)
    whole = model.merged(made, model.secret_parts(scope(spec).pool, "data"))
    (sent,) = whole["properties"]["virtualMachineProfile"]["extensionProfile"]["extensions"]
    assert sent["properties"] == {
        "publisher": "P",
        "type": "E",
        "typeHandlerVersion": "1",
        "settings": {"a": "b"},
        "protectedSettings": {"k": "v"},
    }
    assert whole["properties"]["virtualMachineProfile"]["osProfile"]["customData"] == "data"


@pytest.mark.parametrize(("disabled", "count"), [(None, 0), (True, 0), (False, 1)])
def test_the_bootstrap_extension_is_installed_only_where_it_is_asked_for(disabled: bool | None, count: int) -> None:
    made = profile({"disableVMBootstrapExtension": disabled} if disabled is not None else {})
    assert len((made.get("extensionProfile") or {}).get("extensions") or []) == count


def test_the_rest_of_the_template_is_passed_on() -> None:
    made = body(
        {
            "template": {
                "securityProfile": {
                    "encryptionAtHost": True,
                    "securityType": "TrustedLaunch",
                    "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
                },
                "terminateNotificationTimeout": 7,
                "diagnostics": {"boot": {"storageAccountType": "Disabled"}},
                "additionalCapabilities": {"ultraSSDEnabled": True},
            },
            "zoneBalance": True,
        },
        zones=("1", "2"),
    )
    found = made["properties"]["virtualMachineProfile"]
    assert found["securityProfile"]["uefiSettings"] == {"secureBootEnabled": True, "vTpmEnabled": True}
    assert found["scheduledEventsProfile"]["terminateNotificationProfile"]["notBeforeTimeout"] == "PT7M"
    assert found["diagnosticsProfile"]["bootDiagnostics"] == {"enabled": False}
    assert made["properties"]["additionalCapabilities"] == {"ultraSSDEnabled": True}
    assert (made["zones"], made["properties"]["zoneBalance"]) == (["1", "2"], True)


def test_balance_over_one_zone_says_nothing() -> None:
    assert "zoneBalance" not in body({"zoneBalance": True}, zones=("1",))["properties"]


def test_identities_are_named_by_their_resource_ids() -> None:
    spec = {"identity": "UserAssigned", "userAssignedIdentities": [{"providerID": "azure:///subscriptions/S/i"}]}
    assert body(spec)["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {"/subscriptions/S/i": {}}}


def test_a_key_that_is_not_in_base64_is_refused_by_its_field() -> None:
    assert ssh_key(base64.b64encode(b"ssh-rsa A\n").decode()) == "ssh-rsa A"
    with pytest.raises(InvalidConfiguration, match=r"spec\.template\.sshPublicKey"):
        ssh_key("ssh-rsa A")


@pytest.mark.parametrize(
    "change",
    [
        {"template": {"vmSize": "Standard_D4s_v3"}},
        {"template": {"image": {"id": "/subscriptions/S/other"}}},
        {"template": {"osDisk": {"osType": "Linux", "diskSizeGB": 31}}},
        {"template": {"dataDisks": [{"nameSuffix": "a", "diskSizeGB": 1}]}},
        {"template": {"networkInterfaces": [{"subnetName": "control"}]}},
        {"template": {"networkInterfaces": [{"acceleratedNetworking": True}]}},
        {"template": {"spotVMOptions": {}}},
        {"template": {"sshPublicKey": "QQ=="}},
        {"template": {"securityProfile": {"encryptionAtHost": True}}},
        {"template": {"vmExtensions": [{"name": "E", "publisher": "P", "version": "1"}]}},
        {"template": {"terminateNotificationTimeout": 6}},
        {"template": {"diagnostics": {"boot": {"storageAccountType": "Disabled"}}}},
        {"identity": "SystemAssigned"},
    ],
)
def test_any_change_of_what_instances_are_made_from_is_another_content(change: Raw) -> None:
    assert model.content(scope(change)) != model.content(scope())


def test_a_protected_setting_that_changes_is_another_content() -> None:
    one, other = (
        {"template": {"vmExtensions": [{"name": "E", "publisher": "P", "version": "1", "protectedSettings": {"k": v}}]}}
        for v in "ab"
    )
    assert model.content(scope(one)) != model.content(scope(other))


@pytest.mark.parametrize(
    "change",
    [
        {"additionalTags": {"team": "a"}},
        {"zoneBalance": True},
        {"strategy": {"rollingUpdate": {"maxSurge": 5}}},
        {"template": {"vmSize": "standard_d2s_V3"}},
        {"template": {"networkInterfaces": [{"subnetName": "nodes"}]}},
        {"providerID": "azure:///x"},
    ],
)
def test_sizes_tags_policies_and_spelling_are_no_other_content(change: Raw) -> None:
    assert model.content(scope(change)) == model.content(scope())


def test_an_image_in_another_letter_case_is_the_same_content() -> None:
    one, other = ({"template": {"image": {"id": id}}} for id in ("/subscriptions/S/i", "/Subscriptions/s/I"))
    assert model.content(scope(one)) == model.content(scope(other))
