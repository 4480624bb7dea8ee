"""What AKS demands of an agent pool: pure checks of what is written against what is there."""

from __future__ import annotations

import re
from typing import Any

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.failures import ArmError

_NAME = re.compile(r"[a-z][a-z0-9]*")
READ_ONLY = frozenset(
    {"eTag", "provisioningState", "powerState", "nodeImageVersion", "currentOrchestratorVersion", "status"}
)
"""Properties of a pool that clients may send back, and that change nothing."""
_UNCHANGEABLE = (
    "vmSize",
    "osDiskSizeGB",
    "osDiskType",
    "osType",
    "availabilityZones",
    "maxPods",
    "enableUltraSSD",
    "enableNodePublicIP",
    "nodePublicIPPrefixID",
    "scaleSetPriority",
    "scaleSetEvictionPolicy",
    "kubeletConfig",
    "linuxOSConfig",
    "kubeletDiskType",
    "vnetSubnetID",
    "enableFIPS",
    "enableEncryptionAtHost",
)


def completed(given: Raw, *, version: str) -> Raw:
    """A new pool's properties with AKS' defaults."""
    made: Raw = {
        "count": 1,
        "osType": "Linux",
        "osDiskSizeGB": 128,
        "osDiskType": "Managed",
        "kubeletDiskType": "OS",
        "maxPods": 110,
        "type": "VirtualMachineScaleSets",
        "mode": "User",
        "scaleDownMode": "Delete",
        "enableAutoScaling": False,
        "enableNodePublicIP": False,
        "enableFIPS": False,
        "orchestratorVersion": version,
        **{key: value for key, value in given.items() if value is not None},
    }
    made.setdefault("osSKU", "Ubuntu" if made["osType"] == "Linux" else "Windows2022")
    made["upgradeSettings"] = {"maxSurge": "10%", **(made.get("upgradeSettings") or {})}
    return made


def check(name: str, wanted: Raw, *, old: Raw | None, control_plane: str, versions: list[str]) -> None:
    """Raises ArmError for what AKS refuses. `wanted` is the whole outcome of the write."""
    windows = wanted["osType"] == "Windows"
    longest = 6 if windows else 12
    if not _NAME.fullmatch(name) or len(name) > longest:
        raise _bad(
            "InvalidParameter",
            f"The agent pool name '{name}' must be at most {longest} lowercase letters and digits, a letter first.",
            "name",
        )
    if not wanted.get("vmSize"):
        raise _bad("InvalidParameter", "Required parameter 'vmSize' is missing.", "properties.vmSize")
    if wanted["mode"] == "System" and windows:
        raise _bad("InvalidParameter", "System node pools must have OS type Linux.", "properties.osType")
    _check_size(wanted)
    _check_labels(wanted, old or {})
    if wanted.get("scaleSetEvictionPolicy") and wanted.get("scaleSetPriority") != "Spot":
        raise _bad("InvalidParameter", "An eviction policy needs priority Spot.", "properties.scaleSetEvictionPolicy")
    _check_version(str(wanted["orchestratorVersion"]), old, control_plane, versions)
    for field in _UNCHANGEABLE if old is not None else ():
        if _given(wanted, field) != _given(old or {}, field):
            raise _bad(
                "PropertyChangeNotAllowed",
                f"Changing property 'properties.{field}' is not allowed.",
                f"properties.{field}",
            )


def _given(properties: Raw, field: str) -> Any:
    return properties.get(field) or None


def _check_size(wanted: Raw) -> None:
    count, lowest = wanted["count"], 1 if wanted["mode"] == "System" else 0
    if wanted.get("enableAutoScaling"):
        least, most = wanted.get("minCount"), wanted.get("maxCount")
        if least is None or most is None or not lowest <= least <= most <= 1000:
            raise _bad(
                "InvalidParameter",
                f"With autoscaling, minCount ({least}) and maxCount ({most}) must be from {lowest} to 1000.",
                "properties.minCount",
            )
    elif wanted.get("minCount") is not None or wanted.get("maxCount") is not None:
        raise _bad("InvalidParameter", "minCount and maxCount need enableAutoScaling.", "properties.minCount")
    if not lowest <= count <= 1000:
        raise _bad("InvalidParameter", f"The count must be from {lowest} to 1000, and is {count}.", "properties.count")


def _check_labels(wanted: Raw, old: Raw) -> None:
    known = old.get("nodeLabels") or {}
    for name in (wanted.get("nodeLabels") or {}).keys() - known.keys():
        if name.split("/")[0].endswith("kubernetes.azure.com"):
            raise _bad("InvalidParameter", f"The label '{name}' is AKS' own.", "properties.nodeLabels")
    for taint in wanted.get("nodeTaints") or []:
        if not re.fullmatch(r"[^=:]+(=[^:]*)?:(NoSchedule|PreferNoSchedule|NoExecute)", taint):
            raise _bad("InvalidParameter", f"The taint '{taint}' is not KEY=VALUE:EFFECT.", "properties.nodeTaints")


def _check_version(version: str, old: Raw | None, control_plane: str, versions: list[str]) -> None:
    before = str((old or {}).get("orchestratorVersion", ""))
    if version == before:
        return
    if version not in versions:
        raise _bad(
            "AgentPoolK8sVersionNotSupported",
            f"Version {version} is not supported in this region. Offered are {', '.join(versions)}.",
            "properties.orchestratorVersion",
        )
    own, theirs = _parts(version), _parts(control_plane)
    if own > theirs or theirs[1] - own[1] > 3:
        raise _bad(
            "NodePoolMcVersionIncompatible",
            f"Node pool version {version} and control plane version {control_plane} are incompatible.",
            "properties.orchestratorVersion",
        )
    if before and own < _parts(before):
        raise _bad(
            "InvalidParameter",
            f"Downgrading from {before} to {version} is not allowed.",
            "properties.orchestratorVersion",
        )


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _bad(code: str, message: str, target: str) -> ArmError:
    return ArmError(code, message, status=400, target=target)
