"""What admission says to AzureMachinePools: on create and on update, before Azure would say it."""

import base64
from typing import Any

import pytest

from capipool.machinery.objects import Raw
from tests.unit.azure.admission.asking import ask, merged, paths

KEY_DATA = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + bytes(32)
KEY = base64.b64encode(b"ssh-ed25519 " + base64.b64encode(KEY_DATA) + b" me@here\n").decode()
POOL: Raw = {
    "metadata": {"name": "pool-0", "namespace": "default"},
    "spec": {"location": "eastus", "template": {"vmSize": "Standard_D2s_v3", "osDisk": {"osType": "Linux"}}},
}
IMAGE = {"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/i"}
IDENTITY = "azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/u"
GUID = "12345678-1234-1234-1234-123456789012"
DISK = {"nameSuffix": "data", "diskSizeGB": 64}
UEFI = {"vTpmEnabled": True, "secureBootEnabled": True}


def pool(**spec: Any) -> Raw:
    return merged(POOL, {"spec": spec})


def with_template(**template: Any) -> Raw:
    return pool(template=template)


def refused(obj: Raw, old: Raw | None = None) -> list[str]:
    return [path.removeprefix("spec.template.") for path in paths(ask("AzureMachinePool", obj, old=old)[1])]


def stored(obj: Raw) -> Raw:
    return ask("AzureMachinePool", obj)[0]


def test_a_plain_pool_is_let_in() -> None:
    made, verdict = ask("AzureMachinePool", POOL)
    assert (verdict.errors, verdict.warnings) == ((), ())
    template = made["spec"]["template"]
    assert template["networkInterfaces"] == [{"privateIPConfigs": 1}]
    assert template["diagnostics"] == {"boot": {"storageAccountType": "Managed"}}
    assert base64.b64decode(template["sshPublicKey"]).startswith(b"ssh-rsa ")
    assert made["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0, "deletePolicy": "Oldest"}


def test_defaults_are_made_once() -> None:
    made = stored(POOL)
    assert stored(made) == made


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ({"image": {}}, "image"),
        ({"image": {**IMAGE, "marketplace": dict.fromkeys(("offer", "publisher", "sku", "version"), "x")}}, "image"),
        (
            {"image": {"computeGallery": {"gallery": "g", "name": "n", "version": "1", "subscriptionID": "s"}}},
            "image.computeGallery.resourceGroup",
        ),
        ({"osDisk": {"diskSizeGB": 0}}, "osDisk.diskSizeGB"),
        ({"osDisk": {"diskSizeGB": 2049}}, "osDisk.diskSizeGB"),
        ({"osDisk": {"osType": "Solaris"}}, "osDisk.osType"),
        ({"osDisk": {"managedDisk": {"storageAccountType": "Fast"}}}, "osDisk.managedDisk.storageAccountType"),
        ({"osDisk": {"managedDisk": {}}}, "osDisk.managedDisk.storageAccountType"),
        ({"osDisk": {"managedDisk": {"storageAccountType": "UltraSSD_LRS"}}}, "osDisk.managedDisk.storageAccountType"),
        (
            {
                "osDisk": {
                    "diffDiskSettings": {"option": "Local"},
                    "managedDisk": {"storageAccountType": "Premium_LRS", "diskEncryptionSet": {"id": "x"}},
                }
            },
            "osDisk.managedDisk.diskEncryptionSet",
        ),
        (
            {
                "osDisk": {
                    "managedDisk": {
                        "storageAccountType": "Premium_LRS",
                        "securityProfile": {"diskEncryptionSet": {"id": "x"}},
                    }
                }
            },
            "osDisk.managedDisk.securityProfile.diskEncryptionSet",
        ),
        ({"dataDisks": [{**DISK, "diskSizeGB": 3}]}, "dataDisks[0].diskSizeGB"),
        ({"dataDisks": [{**DISK, "nameSuffix": ""}]}, "dataDisks[0].nameSuffix"),
        ({"dataDisks": [DISK, DISK]}, "dataDisks[1].nameSuffix"),
        ({"dataDisks": [{**DISK, "lun": 64}]}, "dataDisks[0].lun"),
        ({"dataDisks": [{**DISK, "lun": 1}, {"nameSuffix": "b", "diskSizeGB": 8, "lun": 1}]}, "dataDisks[1].lun"),
        (
            {
                "dataDisks": [
                    {**DISK, "managedDisk": {"storageAccountType": "UltraSSD_LRS"}, "cachingType": "ReadWrite"}
                ]
            },
            "dataDisks[0].cachingType",
        ),
        ({"sshPublicKey": "not base64!"}, "sshPublicKey"),
        ({"sshPublicKey": base64.b64encode(b"no key").decode()}, "sshPublicKey"),
        ({"sshPublicKey": base64.b64encode(b"ssh-rsa AAAA").decode()}, "sshPublicKey"),
        ({"networkInterfaces": [{"privateIPConfigs": -1}]}, "networkInterfaces[0].privateIPConfigs"),
        ({"networkInterfaces": [{"subnetName": "a"}], "subnetName": "b"}, "subnetName"),
        (
            {"networkInterfaces": [{"subnetName": "a"}], "acceleratedNetworking": True},
            "acceleratedNetworking",
        ),
        (
            {"diagnostics": {"boot": {"storageAccountType": "UserManaged"}}},
            "diagnostics.boot.userManaged.storageAccountURI",
        ),
        (
            {
                "diagnostics": {
                    "boot": {"storageAccountType": "Disabled", "userManaged": {"storageAccountURI": "https://x"}}
                }
            },
            "diagnostics.boot.userManaged",
        ),
        ({"terminateNotificationTimeout": 4}, "terminateNotificationTimeout"),
        ({"terminateNotificationTimeout": 16}, "terminateNotificationTimeout"),
        (
            {
                "osDisk": {"diffDiskSettings": {"option": "Local"}},
                "spotVMOptions": {"evictionPolicy": "Deallocate"},
            },
            "spotVMOptions.evictionPolicy",
        ),
        (
            {"vmExtensions": [{"name": "a", "publisher": "p", "version": "1"}] * 2},
            "vmExtensions[1].name",
        ),
    ],
)
def test_what_azure_would_refuse_is_refused_on_every_write(template: Raw, path: str) -> None:
    assert refused(with_template(**template)) == [path]
    assert refused(merged(stored(POOL), {"spec": {"template": template}}), stored(POOL)) == [path]


CONFIDENTIAL = {
    "osDisk": {
        "managedDisk": {
            "storageAccountType": "Premium_LRS",
            "securityProfile": {"securityEncryptionType": "DiskWithVMGuestState"},
        }
    }
}


@pytest.mark.parametrize(
    ("profile", "wrong"),
    [
        ({"securityType": "ConfidentialVM", "uefiSettings": UEFI}, []),
        ({"securityType": "TrustedLaunch", "uefiSettings": UEFI}, ["securityType"]),
        ({"securityType": "ConfidentialVM"}, ["uefiSettings.vTpmEnabled", "uefiSettings.secureBootEnabled"]),
        ({"securityType": "ConfidentialVM", "uefiSettings": UEFI, "encryptionAtHost": True}, ["encryptionAtHost"]),
    ],
)
def test_a_confidential_disk_needs_a_confidential_machine(profile: Raw, wrong: list[str]) -> None:
    obj = with_template(**CONFIDENTIAL, securityProfile=profile)
    assert refused(obj) == [f"securityProfile.{path}" for path in wrong]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"identity": "UserAssigned"}, "spec.userAssignedIdentities"),
        ({"userAssignedIdentities": [{"providerID": IDENTITY}]}, "spec.userAssignedIdentities"),
        (
            {"identity": "UserAssigned", "userAssignedIdentities": [{"providerID": "mine"}]},
            "spec.userAssignedIdentities[0].providerID",
        ),
        ({"systemAssignedIdentityRole": {"scope": "x"}}, "spec.systemAssignedIdentityRole"),
        ({"roleAssignmentName": GUID}, "spec.roleAssignmentName"),
        (
            {"identity": "SystemAssigned", "systemAssignedIdentityRole": {"name": "mine"}},
            "spec.systemAssignedIdentityRole.name",
        ),
        (
            {
                "identity": "SystemAssigned",
                "systemAssignedIdentityRole": {"name": GUID},
                "roleAssignmentName": GUID.replace("1", "2"),
            },
            "spec.roleAssignmentName",
        ),
    ],
)
def test_each_identity_has_what_it_needs_and_nothing_else(spec: Raw, path: str) -> None:
    assert paths(ask("AzureMachinePool", pool(**spec))[1]) == [path]


def test_an_identity_may_be_given_to_a_pool_that_has_none() -> None:
    """Upstream's webhook dies of this."""
    old = stored(POOL)
    assert paths(ask("AzureMachinePool", merged(old, {"spec": {"identity": "SystemAssigned"}}), old=old)[1]) == []


def test_a_role_assignment_gets_a_name_and_keeps_it() -> None:
    given = pool(identity="SystemAssigned")
    made = stored(given)
    name = made["spec"]["systemAssignedIdentityRole"]["name"]
    again, verdict = ask("AzureMachinePool", given, old=made)
    assert verdict.errors == ()
    assert again["spec"]["systemAssignedIdentityRole"]["name"] == name
    other = merged(made, {"spec": {"systemAssignedIdentityRole": {"name": GUID}}})
    assert paths(ask("AzureMachinePool", other, old=made)[1]) == ["spec.systemAssignedIdentityRole.name"]


def test_the_deprecated_name_of_a_role_assignment_is_moved() -> None:
    made = stored(pool(identity="SystemAssigned", roleAssignmentName=GUID))
    assert made["spec"]["systemAssignedIdentityRole"] == {"name": GUID}
    assert "roleAssignmentName" not in made["spec"]


@pytest.mark.parametrize(
    ("surge", "unavailable", "wrong"),
    [
        (1, 0, []),
        ("25%", 1, []),
        (0, "1%", []),
        (0, 0, ["maxUnavailable"]),
        ("0%", "0%", ["maxUnavailable"]),
        (0, "0%", ["maxUnavailable"]),
        ("1", 0, ["maxSurge"]),
        ("25", 1, ["maxSurge"]),
        (1, "some", ["maxUnavailable"]),
        (-1, 1, ["maxSurge"]),
        (1, -1, ["maxUnavailable"]),
        ("-5%", 1, ["maxSurge"]),
    ],
)
def test_a_rollout_must_be_able_to_move(surge: int | str, unavailable: int | str, wrong: list[str]) -> None:
    obj = pool(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}})
    assert paths(ask("AzureMachinePool", obj)[1]) == [f"spec.strategy.rollingUpdate.{name}" for name in wrong]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"location": "westus"}, "spec.location"),
        ({"orchestrationMode": "Flexible"}, "spec.orchestrationMode"),
        ({"template": {"disableVMBootstrapExtension": False}}, "spec.template.disableVMBootstrapExtension"),
        ({"template": {"disableVMBootstrapExtension": None}}, "spec.template.disableVMBootstrapExtension"),
    ],
)
def test_what_is_decided_once_cannot_change(change: Raw, path: str) -> None:
    old = stored(with_template(disableVMBootstrapExtension=True))
    assert paths(ask("AzureMachinePool", merged(old, {"spec": change}), old=old)[1]) == [path]


def test_the_bootstrap_extension_may_be_decided_later() -> None:
    old = stored(POOL)
    new = merged(old, {"spec": {"template": {"disableVMBootstrapExtension": True}}})
    assert paths(ask("AzureMachinePool", new, old=old)[1]) == []


@pytest.mark.parametrize(
    ("mode", "system", "length", "wrong"),
    [
        ("Uniform", "Linux", 58, []),
        ("Uniform", "Linux", 59, ["metadata.name"]),
        ("Flexible", "Linux", 56, ["metadata.name"]),
        ("Uniform", "Windows", 59, []),
    ],
)
def test_a_name_leaves_room_for_the_number_that_azure_appends(
    mode: str, system: str, length: int, wrong: list[str]
) -> None:
    obj = pool(orchestrationMode=mode, template={"osDisk": {"osType": system}})
    obj["metadata"] = {"name": "p" * length}
    assert paths(ask("AzureMachinePool", obj)[1]) == wrong


def test_a_long_name_of_a_windows_pool_may_be_another_pools() -> None:
    obj = with_template(osDisk={"osType": "Windows"})
    obj["metadata"] = {"name": "aaaa-pool1"}
    (said,) = ask("AzureMachinePool", obj)[1].warnings
    assert "win-pool1" in said
    obj["metadata"] = {"name": "pool1"}
    assert ask("AzureMachinePool", obj)[1].warnings == ()


def test_a_generated_key_stays_when_somebody_writes_without_one() -> None:
    old = stored(with_template(sshPublicKey=KEY))
    assert refused(old) == []
    assert ask("AzureMachinePool", POOL, old=old)[0]["spec"]["template"]["sshPublicKey"] == KEY


def test_deprecated_fields_become_the_first_network_interface() -> None:
    obj = with_template(subnetName="nodes", acceleratedNetworking=True)
    made, verdict = ask("AzureMachinePool", obj)
    assert verdict.errors == ()
    template = made["spec"]["template"]
    wanted = {"subnetName": "nodes", "acceleratedNetworking": True, "privateIPConfigs": 1}
    assert template["networkInterfaces"] == [wanted]
    assert "subnetName" not in template


def test_deprecated_fields_may_be_written_again() -> None:
    """As kubectl does: it compares with the manifest of the last time, and finds them missing."""
    made = stored(with_template(subnetName="nodes"))
    again = merged(made, {"spec": {"template": {"subnetName": "nodes"}}})
    assert ask("AzureMachinePool", again, old=made)[0] == made


def test_disks_without_a_number_get_the_lowest_that_is_free_and_keep_it() -> None:
    disks = [{**DISK, "nameSuffix": name} for name in "abc"]
    made = stored(with_template(dataDisks=[disks[0], {**disks[1], "lun": 0}, disks[2]]))
    assert [disk["lun"] for disk in made["spec"]["template"]["dataDisks"]] == [1, 0, 2]
    fewer = with_template(dataDisks=[disks[2], disks[0]])
    again = ask("AzureMachinePool", fewer, old=made)[0]
    assert [disk["lun"] for disk in again["spec"]["template"]["dataDisks"]] == [2, 1]


def test_spot_machines_with_an_ephemeral_disk_are_deleted_when_evicted() -> None:
    made = stored(with_template(osDisk={"diffDiskSettings": {"option": "Local"}}, spotVMOptions={"maxPrice": "0.5"}))
    assert made["spec"]["template"]["spotVMOptions"] == {"maxPrice": "0.5", "evictionPolicy": "Delete"}


def test_a_deprecated_gallery_is_let_in_with_a_warning() -> None:
    gallery = {"gallery": "g", "name": "n", "version": "1", "subscriptionID": "s", "resourceGroup": "r"}
    verdict = ask("AzureMachinePool", with_template(image={"sharedGallery": gallery}))[1]
    assert verdict.errors == ()
    assert "spec.template.image.sharedGallery" in verdict.warnings[0]


def test_a_pool_that_goes_is_let_go_whatever_it_is() -> None:
    old = pool(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}, template={"sshPublicKey": KEY})
    old = merged(stored(old), {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a"]}})
    assert paths(ask("AzureMachinePool", merged(old, {"metadata": {"finalizers": []}}), old=old)[1]) == []


def test_an_instance_stays_the_one_it_is() -> None:
    old: Raw = {"metadata": {"name": "a"}, "spec": {"providerID": "azure:///a"}}
    assert paths(ask("AzureMachinePoolMachine", old)[1]) == []
    assert paths(ask("AzureMachinePoolMachine", {"spec": {"providerID": ""}})[1]) == ["spec.providerID"]
    assert paths(ask("AzureMachinePoolMachine", {"spec": {"providerID": "b"}}, old=old)[1]) == ["spec.providerID"]
