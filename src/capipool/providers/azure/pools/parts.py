"""The parts of a scale set's model, each from its part of the spec, in the words of ARM. Pure."""

from __future__ import annotations

import base64
import binascii
from decimal import Decimal, InvalidOperation
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.azure.api.machinepool import MachinePoolTemplate
from capipool.providers.azure.api.network import Subnet
from capipool.providers.azure.api.virtualmachine import (
    DataDisk,
    Diagnostics,
    ManagedDisk,
    NetworkInterface,
    OSDisk,
    SecurityProfile,
)
from capipool.sdk import InvalidConfiguration

BOOTSTRAP_EXTENSION = "CAPZ.Linux.Bootstrapping"
WINDOWS_BOOTSTRAP_EXTENSION = "CAPZ.Windows.Bootstrapping"
_BOOTSTRAP_PUBLISHER = "Microsoft.Azure.ContainerUpstream"
_WAIT = "for _ in $(seq 240); do test -f /run/cluster-api/bootstrap-success.complete && exit 0; sleep 5; done; exit 1"
_WAIT_WINDOWS = (
    'powershell.exe -Command "foreach ($i in 1..240) { if (Test-Path '
    "'C:\\ProgramData\\cluster-api\\bootstrap-success.complete') { exit 0 }; Start-Sleep 5 }; exit 1\""
)
_SUFFIXES = {"n": "1e-9", "u": "1e-6", "m": "1e-3", "": "1", "k": "1e3", "M": "1e6"}


def ssh_key(text: str) -> str:
    """The line of `authorized_keys` that the spec has in base64. Raises InvalidConfiguration."""
    try:
        return base64.b64decode(text, validate=True).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        detail = "must be a line of authorized_keys in base64"
        raise InvalidConfiguration("spec.template.sshPublicKey", detail=detail) from None


def os_profile(name: str, admin: str, key: str, windows: bool) -> Raw:
    """Names and logins."""
    made: Raw = {"computerNamePrefix": name, "adminUsername": admin}
    if windows:
        return made | {"windowsConfiguration": {"enableAutomaticUpdates": False}}
    keys = [{"path": f"/home/{admin}/.ssh/authorized_keys", "keyData": key}]
    return made | {"linuxConfiguration": {"disablePasswordAuthentication": True, "ssh": {"publicKeys": keys}}}


def storage(template: MachinePoolTemplate, image: Raw, name: str) -> Raw:
    """The image and the disks."""
    made: Raw = {"imageReference": image, "osDisk": _os_disk(template.os_disk)}
    if template.data_disks:
        made["dataDisks"] = _data_disks(template.data_disks, name)
    return made


def interfaces(template: MachinePoolTemplate) -> tuple[NetworkInterface, ...]:
    """The network interfaces; without any, one by the deprecated fields."""
    if template.network_interfaces:
        return template.network_interfaces
    return (
        NetworkInterface(
            subnet_name=template.subnet_name,
            accelerated_networking=template.accelerated_networking,
        ),
    )


def network_interface(
    interface: NetworkInterface,
    subnet: Subnet,
    *,
    name: str,
    accelerated: bool,
    primary: bool,
    backend_pool: str,
) -> Raw:
    """One interface with its addresses; the first of the first joins the outbound load balancer."""
    wanted = interface.accelerated_networking
    configs = [
        _address(subnet.id, f"ipConfig{index}", first=index == 0, backend_pool=backend_pool if index == 0 else "")
        for index in range(max(interface.private_ip_configs or 1, 1))
    ]
    if any(":" in block for block in subnet.cidr_blocks):
        configs.append(_address(subnet.id, "ipConfigv6", first=False, version="IPv6"))
    properties: Raw = {
        "primary": primary,
        "enableAcceleratedNetworking": accelerated if wanted is None else wanted,
        "enableIPForwarding": True,
        "ipConfigurations": configs,
    }
    return {"name": name, "properties": properties}


def security(profile: SecurityProfile | None) -> Raw | None:
    """Encryption at host, trusted launch, confidential machines."""
    if profile is None:
        return None
    made: Raw = {}
    if profile.encryption_at_host is not None:
        made["encryptionAtHost"] = profile.encryption_at_host
    if profile.security_type:
        made["securityType"] = profile.security_type
    if (uefi := profile.uefi_settings) is not None:
        said = {"secureBootEnabled": uefi.secure_boot_enabled, "vTpmEnabled": uefi.v_tpm_enabled}
        made["uefiSettings"] = {key: value for key, value in said.items() if value is not None}
    return made or None


def diagnostics(wanted: Diagnostics | None) -> Raw:
    """Where the console goes; by default to a storage account of Azure's own."""
    boot = wanted.boot if wanted is not None else None
    if boot is None or boot.storage_account_type == "Managed":
        return {"bootDiagnostics": {"enabled": True}}
    if boot.storage_account_type == "Disabled":
        return {"bootDiagnostics": {"enabled": False}}
    if boot.user_managed is None:
        raise InvalidConfiguration("spec.template.diagnostics.boot.userManaged", detail="must name a storage account")
    return {"bootDiagnostics": {"enabled": True, "storageUri": boot.user_managed.storage_account_uri}}


def extensions(template: MachinePoolTemplate) -> list[Raw]:
    """The extensions without what is secret of them."""
    made = [
        _extension(e.name, e.publisher, e.version, **({"settings": dict(e.settings)} if e.settings else {}))
        for e in template.vm_extensions
    ]
    if template.disable_vm_bootstrap_extension is False:
        made.append(_extension(_bootstrap_name(template), _BOOTSTRAP_PUBLISHER, "1.0"))
    return made


def protected_settings(template: MachinePoolTemplate) -> list[Raw]:
    """What is secret of the extensions, by name."""
    made = [_secret(e.name, dict(e.protected_settings)) for e in template.vm_extensions if e.protected_settings]
    if template.disable_vm_bootstrap_extension is False:
        wait = _WAIT_WINDOWS if template.os_disk.os_type == "Windows" else _WAIT
        made.append(_secret(_bootstrap_name(template), {"commandToExecute": wait}))
    return made


def scheduled_events(minutes: int | None) -> Raw | None:
    """Notice before an instance is terminated."""
    if minutes is None:
        return None
    return {"terminateNotificationProfile": {"enable": True, "notBeforeTimeout": f"PT{minutes}M"}}


def spot(template: MachinePoolTemplate) -> Raw:
    """What makes instances spot machines. With an ephemeral disk they can only be deleted when they are evicted."""
    options = template.spot_vm_options
    if options is None:
        return {}
    made: Raw = {"priority": "Spot"}
    ephemeral = template.os_disk.diff_disk_settings is not None
    if policy := options.eviction_policy or ("Delete" if ephemeral else ""):
        made["evictionPolicy"] = policy
    if options.max_price is not None:
        made["billingProfile"] = {"maxPrice": _price(options.max_price)}
    return made


def _price(quantity: int | str) -> float:
    text = str(quantity)
    suffix = text[-1] if text[-1] in "numkM" else ""
    try:
        return float(Decimal(text.removesuffix(suffix)) * Decimal(_SUFFIXES[suffix]))
    except (InvalidOperation, KeyError):
        detail = "must be a price in dollars like 0.05, or -1 for no limit"
        raise InvalidConfiguration("spec.template.spotVMOptions.maxPrice", value=text, detail=detail) from None


def _bootstrap_name(template: MachinePoolTemplate) -> str:
    return WINDOWS_BOOTSTRAP_EXTENSION if template.os_disk.os_type == "Windows" else BOOTSTRAP_EXTENSION


def _extension(name: str, publisher: str, version: str, **more: Any) -> Raw:
    properties = {"publisher": publisher, "type": name, "typeHandlerVersion": version, **more}
    return {"name": name, "properties": properties}


def _secret(name: str, settings: Raw) -> Raw:
    return {"name": name, "properties": {"protectedSettings": settings}}


def _address(subnet: str, name: str, *, first: bool, backend_pool: str = "", version: str = "IPv4") -> Raw:
    properties: Raw = {"subnet": {"id": subnet}, "primary": first, "privateIPAddressVersion": version}
    if backend_pool:
        properties["loadBalancerBackendAddressPools"] = [{"id": backend_pool}]
    return {"name": name, "properties": properties}


def _os_disk(disk: OSDisk) -> Raw:
    made: Raw = {
        "osType": disk.os_type,
        "createOption": "FromImage",
        "caching": disk.caching_type or None,
        "diskSizeGB": disk.disk_size_gb,
        "managedDisk": _managed(disk.managed_disk),
    }
    if (ephemeral := disk.diff_disk_settings) is not None:
        made["diffDiskSettings"] = {"option": ephemeral.option}
        made["caching"] = "ReadOnly" if disk.caching_type in ("", "None") else disk.caching_type
        if ephemeral.placement:
            made["diffDiskSettings"]["placement"] = ephemeral.placement
    return {key: value for key, value in made.items() if value is not None}


def _data_disks(disks: tuple[DataDisk, ...], name: str) -> list[Raw]:
    taken = {disk.lun for disk in disks if disk.lun is not None}
    free = iter(sorted(set(range(64)) - taken))
    return [_data_disk(disk, name, disk.lun if disk.lun is not None else next(free)) for disk in disks]


def _data_disk(disk: DataDisk, name: str, lun: int) -> Raw:
    made: Raw = {
        "name": f"{name}_{disk.name_suffix}",
        "createOption": "Empty",
        "lun": lun,
        "diskSizeGB": disk.disk_size_gb,
        "caching": disk.caching_type or None,
        "managedDisk": _managed(disk.managed_disk),
    }
    return {key: value for key, value in made.items() if value is not None}


def _managed(disk: ManagedDisk | None) -> Raw | None:
    if disk is None:
        return None
    made: Raw = {}
    if disk.storage_account_type:
        made["storageAccountType"] = disk.storage_account_type
    if disk.disk_encryption_set is not None:
        made["diskEncryptionSet"] = {"id": disk.disk_encryption_set.id}
    if (profile := disk.security_profile) is not None:
        said: Raw = {"securityEncryptionType": profile.security_encryption_type or None}
        if profile.disk_encryption_set is not None:
            said["diskEncryptionSet"] = {"id": profile.disk_encryption_set.id}
        made["securityProfile"] = {key: value for key, value in said.items() if value is not None}
    return made or None
