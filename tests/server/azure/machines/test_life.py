"""The example: its machines come, are replaced, and go, with everything that was made for them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest

from capipool.api.core import Cluster, Machine, MachineDeployment
from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.machine import AzureMachine, AzureMachineTemplate
from capipool.providers.azure.machines.reconciler import APPLIED_TAGS
from capipool.providers.azure.machines.where import ANNOTATION
from capipool.testing.azure import Power
from tests.server.azure.machines import world as worlds
from tests.server.azure.machines.world import NAME, SUBSCRIPTION, Region
from tests.server.clouds.world import NS

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{NAME}"


@pytest.fixture
async def region() -> AsyncIterator[Region]:
    async with worlds.region() as made:
        yield made


def conditions(obj: AzureMachine) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in obj.status.conditions}


async def test_the_example_runs_as_it_is(region: Region) -> None:
    await region.begin()
    for obj in await region.azure_machines():
        name = obj.metadata.name
        assert obj.spec.provider_id == f"azure://{GROUP}/providers/Microsoft.Compute/virtualMachines/{name}"
        assert {a.type for a in obj.status.addresses} == {"InternalDNS", "InternalIP"}
        assert conditions(obj) == dict.fromkeys(("Ready", "VMRunning", "NetworkInterfacesReady"), ("True", ""))
        assert (obj.status.failure_reason, obj.status.long_running_operation_states) == ("", ())
        made = region.virtual_machines()[name]
        data = base64.b64decode(made.custom_data)
        assert b"kubeadm join" in data
        assert b'"vnetName": "workers-vnet"' in data
        assert made.size == "Standard_D2s_v3"
        storage = made.properties["storageProfile"]
        assert storage["imageReference"]["communityGalleryImageId"].endswith("/Images/capi-ubun2-2404/Versions/1.31.0")
        assert (storage["osDisk"]["name"], storage["osDisk"]["deleteOption"]) == (f"{name}_OSDisk", "Delete")
        assert [(d["name"], d["lun"], d["deleteOption"]) for d in storage["dataDisks"]] == [
            (f"{name}_containers", 0, "Delete")
        ]
        assert made.tags["capipool.io_machine"] == f"{NS}/{name}"
        assert made.tags["sigs.k8s.io_cluster-api-provider-azure_cluster_workers"] == "owned"
        assert (made.tags["team"], made.tags["purpose"]) == ("platform", "workers")
        interface = region.arm.state.interfaces[region_id(f"{name}-nic")]
        assert interface["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"].endswith(
            "/virtualNetworks/workers-vnet/subnets/node-subnet"
        )
    machines = await region.world.client.list(Machine, NS)
    assert all(any(a.type == "InternalIP" for a in m.status.addresses) for m in machines)


def region_id(interface: str) -> str:
    return f"{GROUP}/providers/Microsoft.Network/networkInterfaces/{interface}".lower()


async def test_a_deployment_grows_and_shrinks_and_nothing_is_left_behind(region: Region) -> None:
    await region.begin()
    await region.scale(3)
    await region.running(3)
    await region.scale(1)
    await region.running(1)
    assert len(region.arm.state.interfaces) == 1
    await region.world.client.delete(MachineDeployment, NAME, NS)

    async def gone() -> bool:
        return not await region.azure_machines()

    await region.world.until(gone, why=region.described)
    assert (region.virtual_machines(), region.arm.state.interfaces) == ({}, {})


async def test_another_template_replaces_the_machines(region: Region) -> None:
    await region.begin()
    before = set(region.virtual_machines())
    old = objects.to_raw(await region.world.client.get(AzureMachineTemplate, NAME, NS))
    spec = old["spec"]
    spec["template"]["spec"]["vmSize"] = "Standard_D4s_v3"
    made: Raw = {**old, "metadata": {"name": "larger", "namespace": NS}, "spec": spec}
    await region.world.client.create(objects.from_raw(AzureMachineTemplate, made))
    reference = {"infrastructureRef": {"name": "larger"}}
    await region.world.patch(MachineDeployment, NAME, {"spec": {"template": {"spec": reference}}})

    async def replaced() -> bool:
        return {m.size for m in region.virtual_machines().values()} == {"Standard_D4s_v3"}

    await region.world.until(replaced, why=region.described)
    await region.running(2)
    assert not before & set(region.virtual_machines())


async def test_tags_change_and_the_machine_does_not(region: Region) -> None:
    await region.begin()
    obj = (await region.azure_machines())[0]
    name = obj.metadata.name
    region.arm.log.clear()
    tags = {"purpose": None, "shift": "night"}
    await region.world.patch(AzureMachine, name, {"spec": {"additionalTags": tags}})

    async def so() -> bool:
        there = region.virtual_machines()[name].tags
        return there.get("shift") == "night" and "purpose" not in there and there["team"] == "platform"

    await region.world.until(so, why=region.described)
    await region.world.patch(AzureCluster, NAME, {"spec": {"additionalTags": {"team": "other"}}})

    async def followed() -> bool:
        return all(m.tags["team"] == "other" for m in region.virtual_machines().values())

    await region.world.until(followed, why=region.described)
    assert region.arm.log.of("virtualMachines/write") == []
    await region.until(lambda m: '"team":"other"' in m.metadata.annotations.get(APPLIED_TAGS, ""))


async def test_a_machine_that_somebody_deleted_is_not_made_again(region: Region) -> None:
    await region.begin(checked=False)
    name = (await region.azure_machines())[0].metadata.name
    del region.arm.state.machines[f"{GROUP}/providers/microsoft.compute/virtualmachines/{name}".lower()]
    obj = await region.until(lambda m: m.status.failure_reason != "")
    assert (obj.metadata.name, obj.status.failure_reason, obj.status.vm_state) == (name, "UpdateError", "Deleted")
    assert conditions(obj)["VMRunning"] == ("False", "VMNotFound")
    assert name not in region.virtual_machines()


async def test_a_machine_that_does_not_boot_says_so_in_azures_words(region: Region) -> None:
    region.arm.faults.fail_boot("OSProvisioningTimedOut", "the image has no agent", times=1)
    await region.apply(checked=False)
    obj = await region.until(lambda m: m.status.failure_reason != "")
    assert (obj.status.failure_reason, obj.status.vm_state) == ("CreateError", "Failed")
    assert "OSProvisioningTimedOut" in obj.status.failure_message
    assert conditions(obj)["VMRunning"] == ("False", "VMProvisionFailed")
    assert not obj.status.ready


async def test_a_spot_machine_that_azure_took_back_says_so(region: Region) -> None:
    spot = ("vmSize: Standard_D2s_v3", "vmSize: Standard_D2s_v3\n      spotVMOptions: {maxPrice: '0.5'}")
    await region.begin(edits=(spot,), checked=False)
    machine = next(iter(region.virtual_machines().values()))
    assert machine.properties["billingProfile"] == {"maxPrice": 0.5}
    assert (machine.spot, machine.evicted_to) == (True, "Deallocate")
    machine.become(machine.provisioning, Power.DEALLOCATED)
    obj = await region.until(lambda m: conditions(m)["VMRunning"][0] == "False")
    assert obj.metadata.name == machine.name
    assert conditions(obj)["VMRunning"] == ("False", "VMStopped")
    assert obj.status.ready  # it was, once


async def test_another_ones_machine_of_the_same_name_is_left_alone(region: Region) -> None:
    await region.begin(replicas=2)
    obj = (await region.azure_machines())[0]
    made = region.virtual_machines()[obj.metadata.name]
    made.tags.clear()
    made.tags["capipool.io_machine"] = "elsewhere/other"
    refused = await region.until(lambda m: conditions(m)["Ready"][0] == "False")
    assert "elsewhere/other" in next(c.message for c in refused.status.conditions if c.type == "Ready")
    await region.world.client.delete(Machine, obj.metadata.owner_references[0].name, NS)

    async def gone() -> bool:
        return obj.metadata.name not in {m.metadata.name for m in await region.azure_machines()}

    await region.world.until(gone, why=region.described)
    assert made.name in region.virtual_machines()


async def test_a_paused_machine_is_left_alone(region: Region) -> None:
    await region.begin()
    obj = (await region.azure_machines())[0]
    await region.world.patch(
        AzureMachine, obj.metadata.name, {"metadata": {"annotations": {"cluster.x-k8s.io/paused": ""}}}
    )
    await region.world.client.delete(Machine, obj.metadata.owner_references[0].name, NS)
    going = await region.until(lambda m: m.deleting)
    assert going.metadata.name == obj.metadata.name
    await region.scale(1)
    assert obj.metadata.name in region.virtual_machines()
    patch: Raw = {"metadata": {"annotations": {"cluster.x-k8s.io/paused": None}}}
    await region.world.patch(AzureMachine, obj.metadata.name, patch)
    await region.running(1)


async def test_where_a_machine_is_gets_noted_before_it_is_made(region: Region) -> None:
    region.arm.faults.refuse("networkInterfaces/write", "Forbidden", "no network for you", status=403, times=1000)
    await region.apply()
    obj = await region.until(lambda m: "no network for you" in str(m.status.conditions))
    assert obj.metadata.annotations[ANNOTATION].startswith(f"{GROUP}/providers/Microsoft.Compute/virtualMachines/")
    assert obj.metadata.finalizers
    assert region.virtual_machines() == {}


EXTENDED = (
    (
        "      osDisk:\n        osType: Linux\n",
        "      disableVMBootstrapExtension: false\n"
        "      vmExtensions:\n"
        "        - {name: watcher, publisher: Acme.Watching, version: '1.2', settings: {level: high},\n"
        "           protectedSettings: {key: hush-hush}}\n"
        "      osDisk:\n        osType: Linux\n",
    ),
)


async def test_extensions_are_installed_one_after_the_other(region: Region) -> None:
    await region.begin(edits=EXTENDED)
    obj = await region.until(lambda m: conditions(m).get("BootstrapSucceeded") == ("True", ""))
    installed = region.virtual_machines()[obj.metadata.name].extensions
    assert set(installed) == {"watcher", "CAPZ.Linux.Bootstrapping"}
    assert installed["watcher"]["settings"] == {"level": "high"}
    assert installed["watcher"]["protectedSettings"] == {"key": "hush-hush"}
    for each in await region.azure_machines():
        assert "hush-hush" not in str(each.status)


async def test_a_zone_and_the_choices_of_a_spec_reach_azure(region: Region) -> None:
    more = (
        "vmSize: Standard_D2s_v3",
        "vmSize: Standard_D2s_v3\n"
        "      enableIPForwarding: true\n"
        "      dnsServers: [10.0.0.10]\n"
        "      diagnostics: {boot: {storageAccountType: Disabled}}\n"
        "      securityProfile: {encryptionAtHost: true}\n"
        "      networkInterfaces: [{subnetName: node-subnet, privateIPConfigs: 2}, {subnetName: node-subnet}]",
    )
    zone = ("      version: v1.31.0\n", "      version: v1.31.0\n      failureDomain: '2'\n")
    await region.begin(edits=(more, zone))
    made = next(iter(region.virtual_machines().values()))
    assert made.zone == "2"
    assert made.properties["diagnosticsProfile"] == {"bootDiagnostics": {"enabled": False}}
    assert made.properties["securityProfile"] == {"encryptionAtHost": True}
    attached = made.properties["networkProfile"]["networkInterfaces"]
    assert [(i["id"].rpartition("/")[2], i["properties"]["primary"]) for i in attached] == [
        (f"{made.name}-nic-0", True),
        (f"{made.name}-nic-1", False),
    ]
    first = region.arm.state.interfaces[region_id(f"{made.name}-nic-0")]["properties"]
    assert len(first["ipConfigurations"]) == 2
    assert first["enableIPForwarding"] is True
    assert first["dnsSettings"] == {"dnsServers": ["10.0.0.10"]}


async def test_the_identity_of_a_machine_gets_its_role_and_loses_it(region: Region) -> None:
    await region.begin(edits=(("vmSize: Standard_D2s_v3", "vmSize: Standard_D2s_v3\n      identity: SystemAssigned"),))

    async def given() -> bool:
        return len(region.arm.state.roles) == 2

    await region.world.until(given, why=region.described)
    principals = {m.identity["principalId"] for m in region.virtual_machines().values() if m.identity is not None}
    roles = list(region.arm.state.roles.values())
    assert {role.principal for role in roles} == principals
    contributor = "b24988ac-6180-42a0-ab88-20f7382dd24c"
    assert all(role.role.endswith(contributor) for role in roles)
    await region.scale(0)

    async def taken() -> bool:
        return not region.arm.state.roles and not region.virtual_machines()

    await region.world.until(taken, why=region.described)


async def test_a_windows_machine_has_a_short_name_and_the_server_that_is_asked_for(region: Region) -> None:
    windows = ("        osType: Linux\n", "        osType: Windows\n")
    server = (
        "spec:\n  template:\n    spec:\n      vmSize",
        "spec:\n  template:\n    metadata:\n      annotations: {windowsServerVersion: windows-2019}\n"
        "    spec:\n      vmSize",
    )
    await region.apply(edits=(windows, server))
    obj = await region.until(lambda m: bool(m.status.ready))
    name = obj.spec.provider_id.rpartition("/")[2]
    assert len(name) == 15
    made = region.virtual_machines()[name]
    assert made.properties["osProfile"]["computerName"] == name
    assert made.properties["osProfile"]["windowsConfiguration"] == {"enableAutomaticUpdates": False}
    assert len(made.properties["osProfile"]["adminPassword"]) > 20
    reference = made.properties["storageProfile"]["imageReference"]
    assert "/Images/capi-win-2019-containerd/" in reference["communityGalleryImageId"]
    assert made.properties["osProfile"]["adminPassword"] not in str(objects.to_raw(obj))


async def test_a_cluster_goes_whole(region: Region) -> None:
    await region.begin()
    await region.world.client.delete(Cluster, NAME, NS)

    async def gone() -> bool:
        left = [*await region.world.client.list(Cluster, NS), *await region.world.client.list(AzureCluster, NS)]
        return not left and not await region.azure_machines()

    await region.world.until(gone, why=region.described)
    assert (region.virtual_machines(), region.arm.state.interfaces) == ({}, {})
