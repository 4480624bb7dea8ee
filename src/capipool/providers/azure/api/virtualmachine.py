"""What a virtual machine is made of, alone or as an instance of a scale set. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated

import msgspec

from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int32, Limits
from capipool.providers.azure.api.shared import Quantity

CachingType = Annotated[str, Limits(enum=("None", "ReadOnly", "ReadWrite"))]
IdentityType = Annotated[str, Limits(enum=("None", "SystemAssigned", "UserAssigned"), default="None")]


class AdditionalCapabilities(Model):
    """What a size of machine may do beyond the usual."""

    ultra_ssd_enabled: bool | None = msgspec.field(default=None, name="ultraSSDEnabled")


class DiskEncryptionSet(Model):
    """A set of keys, by its resource ID."""

    id: str = ""


class DiskSecurityProfile(Model):
    """How the disk of a confidential machine is encrypted."""

    disk_encryption_set: DiskEncryptionSet | None = None
    security_encryption_type: Annotated[str, Limits(enum=("VMGuestStateOnly", "DiskWithVMGuestState"))] = ""


class ManagedDisk(Model):
    """What kind of disk, and how it is encrypted."""

    disk_encryption_set: DiskEncryptionSet | None = None
    security_profile: DiskSecurityProfile | None = None
    storage_account_type: str = ""


class DiffDiskSettings(Model):
    """An ephemeral disk: on the host, and gone with the machine."""

    option: Annotated[str, Limits(enum=("Local",))]
    placement: Annotated[str, Limits(enum=("CacheDisk", "NvmeDisk", "ResourceDisk"))] = ""


class OSDisk(Model):
    """The disk with the operating system."""

    os_type: Annotated[str, Limits(default="Linux", required=True)] = "Linux"
    caching_type: Annotated[CachingType, Limits(default="None")] = "None"
    diff_disk_settings: DiffDiskSettings | None = None
    disk_size_gb: Int32 | None = msgspec.field(default=None, name="diskSizeGB")
    managed_disk: ManagedDisk | None = None


class DataDisk(Model):
    """A further disk, empty at first."""

    disk_size_gb: Int32 = msgspec.field(name="diskSizeGB")
    name_suffix: str
    caching_type: CachingType = ""
    lun: Int32 | None = None
    managed_disk: ManagedDisk | None = None


class UserManagedBootDiagnostics(Model):
    """A storage account of one's own for what the console says."""

    storage_account_uri: Annotated[str, Limits(max_length=1024, pattern="^https://")] = msgspec.field(
        name="storageAccountURI"
    )


class BootDiagnostics(Model):
    """Where what the console says is kept."""

    storage_account_type: Annotated[str, Limits(enum=("Managed", "UserManaged", "Disabled"))]
    user_managed: UserManagedBootDiagnostics | None = None


class Diagnostics(Model):
    """What Azure records of a machine."""

    boot: BootDiagnostics | None = None


class NetworkInterface(Model):
    """A network interface; the first is the primary one."""

    accelerated_networking: bool | None = None
    private_ip_configs: int | None = None
    subnet_name: str = ""


class UEFISettings(Model):
    """Secure boot and the virtual TPM."""

    secure_boot_enabled: bool | None = None
    v_tpm_enabled: bool | None = None


class SecurityProfile(Model):
    """Encryption on the host, trusted launch, confidential machines."""

    encryption_at_host: bool | None = None
    security_type: Annotated[str, Limits(enum=("ConfidentialVM", "TrustedLaunch"))] = ""
    uefi_settings: UEFISettings | None = None


class SpotVMOptions(Model):
    """Asks for spot machines; without a price the on-demand price is the limit."""

    eviction_policy: Annotated[str, Limits(enum=("Deallocate", "Delete"))] = ""
    max_price: Quantity | None = None


class VMExtension(Model):
    """A program that Azure's agent installs."""

    name: str
    publisher: str
    version: str
    protected_settings: dict[str, str] = msgspec.field(default_factory=dict)
    """Secret by nature: they go to Azure alone."""
    settings: dict[str, str] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        return f"VMExtension(name={self.name!r}, publisher={self.publisher!r}, version={self.version!r})"
