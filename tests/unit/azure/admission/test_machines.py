"""What admission says to AzureMachines and their templates."""

from typing import Any

import pytest

from capipool.machinery.objects import Raw
from tests.unit.azure.admission.asking import ask, merged, paths

SPEC: Raw = {"vmSize": "Standard_D2s_v3", "osDisk": {"osType": "Linux"}}
MACHINE: Raw = {"metadata": {"name": "machine-0", "namespace": "default"}, "spec": SPEC}
IMAGE = {"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/i"}
GUID = "12345678-1234-1234-1234-123456789012"


def template(**spec: Any) -> Raw:
    return {"metadata": {"name": "t", "namespace": "default"}, "spec": {"template": {"spec": merged(SPEC, spec)}}}


def machine(**spec: Any) -> Raw:
    return merged(MACHINE, {"spec": spec})


def stored(obj: Raw) -> Raw:
    return ask("AzureMachine", obj)[0]


def test_a_plain_machine_is_let_in_and_filled_in() -> None:
    disks = [{"nameSuffix": "a", "diskSizeGB": 8}, {"nameSuffix": "b", "diskSizeGB": 8, "managedDisk": {}}]
    disks[1]["managedDisk"] = {"storageAccountType": "UltraSSD_LRS"}
    made, verdict = ask("AzureMachine", machine(dataDisks=disks, spotVMOptions={}))
    assert (verdict.errors, verdict.warnings) == ((), ())
    assert [(d["lun"], d["cachingType"]) for d in made["spec"]["dataDisks"]] == [(0, "ReadWrite"), (1, "None")]
    assert made["spec"]["spotVMOptions"] == {"evictionPolicy": "Deallocate"}
    assert made["spec"]["osDisk"]["cachingType"] == "None"
    assert stored(made) == made


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"capacityReservationGroupID": "mine"}, "capacityReservationGroupID"),
        ({"virtualMachineScaleSetID": "mine"}, "virtualMachineScaleSetID"),
        (
            {"disableExtensionOperations": True, "vmExtensions": [{"name": "a", "publisher": "p", "version": "1"}]},
            "vmExtensions",
        ),
        (
            {"disableExtensionOperations": True, "disableVMBootstrapExtension": False},
            "disableVMBootstrapExtension",
        ),
        ({"dataDisks": [{"nameSuffix": "a", "diskSizeGB": 1}]}, "dataDisks[0].diskSizeGB"),
        ({"identity": "UserAssigned"}, "userAssignedIdentities"),
    ],
)
def test_what_azure_would_refuse_is_refused_of_machines_and_of_templates(spec: Raw, path: str) -> None:
    assert paths(ask("AzureMachine", machine(**spec))[1]) == [f"spec.{path}"]
    assert paths(ask("AzureMachineTemplate", template(**spec))[1]) == [f"spec.template.spec.{path}"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"vmSize": "Standard_D4s_v3"}, "spec.vmSize"),
        ({"image": IMAGE}, "spec.image"),
        ({"osDisk": {"diskSizeGB": 64}}, "spec.osDisk"),
        ({"dataDisks": [{"nameSuffix": "a", "diskSizeGB": 8}]}, "spec.dataDisks"),
        ({"sshPublicKey": "c3NoLXJzYSBBQUFBQjNOemFDMXljMkVBQUFBREFRQUI="}, "spec.sshPublicKey"),
        ({"allocatePublicIP": True}, "spec.allocatePublicIP"),
        ({"enableIPForwarding": True}, "spec.enableIPForwarding"),
        ({"dnsServers": ["10.0.0.1"]}, "spec.dnsServers"),
        ({"spotVMOptions": {}}, "spec.spotVMOptions"),
        ({"securityProfile": {"encryptionAtHost": True}}, "spec.securityProfile"),
        ({"diagnostics": {"boot": {"storageAccountType": "Disabled"}}}, "spec.diagnostics"),
        ({"networkInterfaces": [{"subnetName": "a"}, {}]}, "spec.networkInterfaces"),
        ({"providerID": "azure:///b"}, "spec.providerID"),
        ({"failureDomain": "2"}, "spec.failureDomain"),
    ],
)
def test_a_machine_is_not_changed_but_replaced(change: Raw, path: str) -> None:
    old = stored(machine(providerID="azure:///a", failureDomain="1"))
    assert paths(ask("AzureMachine", merged(old, {"spec": change}), old=old)[1]) == [path]


@pytest.mark.parametrize(
    "change",
    [
        {"additionalTags": {"a": "b"}},
        {"networkInterfaces": [{"subnetName": "found", "privateIPConfigs": 1}]},
        {"providerID": "azure:///a"},
    ],
)
def test_what_the_controller_fills_in_and_tags_may_change(change: Raw) -> None:
    old = stored(MACHINE)
    assert paths(ask("AzureMachine", merged(old, {"spec": change}), old=old)[1]) == []


def test_a_machine_of_an_older_version_may_be_written_again() -> None:
    """Its deprecated fields become network interfaces now, which is no change."""
    old = machine(subnetName="nodes", sshPublicKey="c3NoLXJzYSBBQUFBQjNOemFDMXljMkVBQUFBREFRQUI=")
    old["spec"]["osDisk"] = {"osType": "Linux", "cachingType": "None"}
    old["spec"]["identity"] = "None"
    assert paths(ask("AzureMachine", old, old=old)[1]) == []


def test_a_name_is_no_longer_than_names_of_azure() -> None:
    obj = machine()
    obj["metadata"] = {"name": "m" * 65}
    assert paths(ask("AzureMachine", obj)[1]) == ["metadata.name"]


def test_a_template_cannot_be_changed() -> None:
    old = ask("AzureMachineTemplate", template())[0]
    assert paths(ask("AzureMachineTemplate", old, old=old)[1]) == []
    assert paths(ask("AzureMachineTemplate", template(), old=old)[1]) == []
    new = merged(old, {"spec": {"template": {"spec": {"vmSize": "other"}}}})
    assert paths(ask("AzureMachineTemplate", new, old=old)[1]) == ["spec.template.spec"]


def test_a_dry_run_of_a_topology_may_show_a_changed_template() -> None:
    old = ask("AzureMachineTemplate", template())[0]
    new = merged(old, {"spec": {"template": {"spec": {"vmSize": "other"}}}})
    new["metadata"] = {"name": "t", "annotations": {"topology.cluster.x-k8s.io/dry-run": ""}}
    assert paths(ask("AzureMachineTemplate", new, old=old, dry_run=True)[1]) == []
    assert paths(ask("AzureMachineTemplate", new, old=old)[1]) == ["spec.template.spec"]


def test_the_machines_of_a_template_each_have_a_role_assignment_of_their_own() -> None:
    made, verdict = ask("AzureMachineTemplate", template(identity="SystemAssigned"))
    assert verdict.errors == ()
    assert "name" not in made["spec"]["template"]["spec"].get("systemAssignedIdentityRole", {})
    named = template(identity="SystemAssigned", systemAssignedIdentityRole={"name": GUID})
    path = "spec.template.spec.systemAssignedIdentityRole.name"
    assert paths(ask("AzureMachineTemplate", named)[1]) == [path]


def test_a_template_names_no_machine() -> None:
    assert paths(ask("AzureMachineTemplate", template(providerID="azure:///a"))[1]) == ["spec.template.spec.providerID"]


def test_a_public_address_is_not_made_and_that_is_said() -> None:
    (said,) = ask("AzureMachine", machine(allocatePublicIP=True))[1].warnings
    assert said.startswith("spec.allocatePublicIP: accepted, but")
    (said,) = ask("AzureMachineTemplate", template(allocatePublicIP=True))[1].warnings
    assert said.startswith("spec.template.spec.allocatePublicIP: accepted, but")
