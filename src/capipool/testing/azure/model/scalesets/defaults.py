"""What Azure writes into a scale set where its client wrote nothing: clients that compare models meet it again."""

from __future__ import annotations

from typing import Any

from capipool.machinery.objects import Raw


def completed(properties: Raw, *, flexible: bool, zonal: bool) -> Raw:
    """The properties with defaults filled in. The argument is not changed."""
    made = dict(properties)
    made.setdefault("singlePlacementGroup", not flexible)
    made.setdefault("platformFaultDomainCount", 1 if flexible or zonal else 5)
    if not flexible:
        made.setdefault("overprovision", True)
        made.setdefault("doNotRunExtensionsOnOverprovisionedVMs", False)
    if zonal:
        made.setdefault("zoneBalance", False)
    if made.get("virtualMachineProfile"):
        made["virtualMachineProfile"] = _profile(made["virtualMachineProfile"])
    return made


def _profile(profile: Raw) -> Raw:
    made = dict(profile)
    if made.get("osProfile"):
        made["osProfile"] = _os(made["osProfile"])
    if made.get("storageProfile"):
        made["storageProfile"] = _storage(made["storageProfile"])
    if "networkProfile" in made:
        network = dict(made["networkProfile"])
        given = network.get("networkInterfaceConfigurations") or []
        network["networkInterfaceConfigurations"] = [_interface(item) for item in given]
        made["networkProfile"] = network
    if "extensionProfile" in made:
        profile = dict(made["extensionProfile"])
        profile["extensions"] = [_extension(item) for item in profile.get("extensions") or []]
        made["extensionProfile"] = profile
    return made


def _os(given: Raw) -> Raw:
    made: Raw = {"secrets": [], "allowExtensionOperations": True, "requireGuestProvisionSignal": True, **given}
    if "linuxConfiguration" in made:
        made["linuxConfiguration"] = {
            "disablePasswordAuthentication": False,
            "provisionVMAgent": True,
            "enableVMAgentPlatformUpdates": False,
            **made["linuxConfiguration"],
        }
    if "windowsConfiguration" in made:
        made["windowsConfiguration"] = {
            "provisionVMAgent": True,
            "enableAutomaticUpdates": True,
            "enableVMAgentPlatformUpdates": False,
            **made["windowsConfiguration"],
        }
    return made


def _storage(given: Raw) -> Raw:
    made: Raw = {"diskControllerType": "SCSI", **given}
    disk: Raw = {"osType": "Linux", "createOption": "FromImage", "caching": "ReadWrite", **(made.get("osDisk") or {})}
    disk["managedDisk"] = {"storageAccountType": "Standard_LRS", **(disk.get("managedDisk") or {})}
    disk.setdefault("diskSizeGB", 30)
    made["osDisk"] = disk
    made["dataDisks"] = [{"caching": "None", **item} for item in made.get("dataDisks") or []]
    return made


def _interface(given: Raw) -> Raw:
    settings: Raw = {
        "enableAcceleratedNetworking": False,
        "disableTcpStateTracking": False,
        "enableIPForwarding": False,
        "dnsSettings": {"dnsServers": []},
        **(given.get("properties") or {}),
    }
    settings["ipConfigurations"] = [_address(item) for item in settings.get("ipConfigurations") or []]
    return {**given, "properties": settings}


def _address(given: Raw) -> Raw:
    return {**given, "properties": {"privateIPAddressVersion": "IPv4", **(given.get("properties") or {})}}


def _extension(given: Raw) -> Raw:
    usual: dict[str, Any] = {"autoUpgradeMinorVersion": True, "suppressFailures": False}
    return {**given, "properties": {**usual, **(given.get("properties") or {})}}
