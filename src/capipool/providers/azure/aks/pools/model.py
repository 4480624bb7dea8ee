"""An agent pool as AKS takes it: a new one out of the spec, and an old one with what is wanted of it. Pure.

What AKS put there itself stays: labels, taints and tags of its own, and every property that no field names.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.providers.azure.pools import marks
from capipool.sdk import InvalidConfiguration

OWN = "kubernetes.azure.com"
"""Labels and taints under it are AKS's own."""
READ_ONLY = frozenset(
    {"provisioningState", "powerState", "nodeImageVersion", "currentOrchestratorVersion", "eTag", "status"}
)
"""Properties that come from AKS and are not sent back."""
_SUFFIXES = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9}


def new(obj: AzureManagedMachinePool, *, count: int, version: str, subnet: str, key: str) -> Raw:
    """The properties of a pool that is made. `subnet`: of another pool of the cluster; empty where AKS made it."""
    spec = obj.spec
    fixed: Raw = {
        "type": "VirtualMachineScaleSets",
        "vmSize": spec.sku,
        "osType": spec.os_type,
        "osDiskType": spec.os_disk_type,
        "osDiskSizeGB": spec.os_disk_size_gb,
        "availabilityZones": list(spec.availability_zones) or None,
        "maxPods": spec.max_pods,
        "enableUltraSSD": spec.enable_ultra_ssd,
        "enableNodePublicIP": spec.enable_node_public_ip,
        "nodePublicIPPrefixID": spec.node_public_ip_prefix_id or None,
        "enableFIPS": spec.enable_fips,
        "enableEncryptionAtHost": spec.enable_encryption_at_host,
        "kubeletDiskType": spec.kubelet_disk_type or None,
        "kubeletConfig": _spelled(objects.part_to_raw(spec.kubelet_config)) if spec.kubelet_config else None,
        "linuxOSConfig": _spelled(objects.part_to_raw(spec.linux_os_config)) if spec.linux_os_config else None,
        "scaleSetPriority": spec.scale_set_priority or None,
        "vnetSubnetID": subnet_of(obj, subnet) or None,
        "orchestratorVersion": version or None,
        "count": within(obj, count),
    }
    return {k: v for k, v in {**fixed, **changeable(obj, {}, key=key, gone=())}.items() if v is not None}


def changeable(obj: AzureManagedMachinePool, there: Mapping[str, Any], *, key: str, gone: tuple[str, ...]) -> Raw:
    """What the spec says of what may change, beside count and version, given what is `there`.

    Only of what is different AKS is told. `gone`: tags that the spec had once.
    """
    spec, scaling = obj.spec, obj.spec.scaling
    tags = {k: v for k, v in (there.get("tags") or {}).items() if k not in gone}
    wanted: Raw = {
        "mode": spec.mode,
        "scaleDownMode": spec.scale_down_mode,
        "nodeLabels": _labels(spec.node_labels, there.get("nodeLabels") or {}),
        "nodeTaints": _taints(obj, there.get("nodeTaints") or []),
        "tags": {**tags, **spec.additional_tags, marks.POOL: key},
        "enableAutoScaling": scaling is not None,
        "minCount": scaling.min_size if scaling is not None else None,
        "maxCount": scaling.max_size if scaling is not None else None,
    }
    if spec.spot_max_price is not None:
        wanted["spotMaxPrice"] = float(_decimal(str(spec.spot_max_price)))
    return wanted


def differing(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> Raw:
    """Those wanted properties that are other than they are: order and what AKS fills in for nothing do not count."""
    return {k: v for k, v in wanted.items() if _plain(there.get(k)) != _plain(v)}


def whole(there: Mapping[str, Any], changes: Mapping[str, Any]) -> Raw:
    """The body of a change: all that is there, as AKS wants it, and what changes."""
    return {k: v for k, v in {**there, **changes}.items() if k not in READ_ONLY and v is not None}


def within(obj: AzureManagedMachinePool, count: int) -> int:
    """A number of nodes, within the bounds of AKS's autoscaler where it is on."""
    scaling = obj.spec.scaling
    if scaling is None:
        return count
    low, high = scaling.min_size or 0, scaling.max_size
    return max(low, min(count, high)) if high is not None else max(low, count)


def subnet_of(obj: AzureManagedMachinePool, known: str) -> str:
    """The ID of the subnet of a pool: like another pool's, or the one that its spec names, in the same network.

    Raises InvalidConfiguration for a name in a network that AKS made.
    """
    name = obj.spec.subnet_name
    if not name:
        return known
    if not known:
        said = "the AKS cluster has no network of its own, so that there are no subnets to choose from: leave it out"
        raise InvalidConfiguration("spec.subnetName", detail=said, value=name)
    return f"{known.rpartition('/')[0]}/{name}"


def _labels(wanted: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    return {**{k: v for k, v in there.items() if _is_own(k)}, **wanted}


def _taints(obj: AzureManagedMachinePool, there: list[str]) -> list[str]:
    own = [taint for taint in there if _is_own(taint.partition("=")[0].partition(":")[0])]
    mine = [f"{t.key}={t.value}:{t.effect}" if t.value else f"{t.key}:{t.effect}" for t in obj.spec.taints]
    return [*own, *(taint for taint in mine if taint not in own)]


def _is_own(key: str) -> bool:
    domain = key.partition("/")[0]
    return domain == OWN or domain.endswith(f".{OWN}")


def _plain(value: Any) -> Any:
    """For comparison: nothing, off, and no entries are the same to AKS; the number 0 is none of these."""
    if isinstance(value, list):
        return sorted(value) or None
    return value if type(value) is int else value or None


def _spelled(raw: Raw) -> Raw:
    """Settings as AKS spells them, where upstream has its abbreviations in capitals."""
    return {_of_aks(k): _spelled(v) if isinstance(v, dict) else v for k, v in raw.items()}


def _of_aks(name: str) -> str:
    return name.replace("netIpv4TCP", "netIpv4Tcp").replace("netIpv4IP", "netIpv4Ip")


def _decimal(text: str) -> Decimal:
    """A quantity, as far as prices have suffixes."""
    return Decimal(text[:-1]).scaleb(_SUFFIXES[text[-1]]) if text[-1] in _SUFFIXES else Decimal(text)
