"""Defaults and rules of the kinds of AKS: agent pools, and clusters that exist already. Pure.

The last pool of mode System is not guarded here: that needs the other pools, which admission does not see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from capipool.api.admission.checks import part, version
from capipool.machinery import errors
from capipool.machinery.admission import Admit, Rules
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource
from capipool.providers.azure.admission import judging
from capipool.providers.azure.admission.clusters import CLOUDS
from capipool.providers.azure.admission.judging import EMPTY, fixed, set_once, specs
from capipool.providers.azure.api.managedcluster import AzureManagedCluster
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool

MODE_LABEL = "azuremanagedmachinepool.infrastructure.cluster.x-k8s.io/agentpoolmode"
"""On an AzureManagedMachinePool: its mode, so that pools can be selected by it. Upstream's."""
NAME = {"Linux": 12, "Windows": 6}
"""How long the name of an agent pool may be."""
_RESERVED = "kubernetes.azure.com"
_WHY = "an agent pool keeps it; make another pool"
_FIXED = dict.fromkeys(
    (
        *("availabilityZones", "enableNodePublicIP", "enableUltraSSD", "kubeletConfig", "kubeletDiskType"),
        *("linuxOSConfig", "maxPods", "name", "nodePublicIPPrefixID", "osDiskSizeGB", "osDiskType", "osType"),
        *("scaleSetPriority", "sku"),
    ),
    _WHY,
)
_SET_ONCE = dict.fromkeys(("enableEncryptionAtHost", "enableFIPS", "subnetName"), _WHY)
_PREFIX_ID = re.compile(
    r"/?subscriptions/[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}/resourcegroups/[^/]+/providers"
    r"/microsoft\.network/publicipprefixes/[^/]+",
    re.IGNORECASE,
)
_SUBNET = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,78}[a-zA-Z0-9]")
_SYSCTL = re.compile(r"kernel\.shm.+|kernel\.msg.+|kernel\.sem|fs\.mqueue\..+|net\..+")
_PORTS = re.compile(r"([0-9]+) ([0-9]+)")
_READ = (
    *("azureEnvironment", "controlPlaneEndpoint", "identityRef", "location", "resourceGroupName", "subscriptionID"),
    "version",
)
"""What of an AzureManagedControlPlane is acted on: which cluster it is, and who asks for it."""
_DEFAULTED: Mapping[str, Any] = {
    "enablePreviewFeatures": False,
    "loadBalancerSKU": "Standard",
    "networkPlugin": "azure",
    "machineTemplate": {},
}
"""What the server fills in: no wish of anybody."""
_SAME_CLUSTER = {
    "location": "a cluster of AKS does not move",
    "resourceGroupName": "a cluster of AKS does not move",
    "subscriptionID": "a cluster of AKS does not move",
    "azureEnvironment": "a cluster of AKS does not move",
}


def rules() -> list[Rules]:
    """The rules of every kind."""
    pool, cluster = AzureManagedMachinePool.RESOURCE, AzureManagedControlPlane.RESOURCE
    return [
        _labelled(pool),
        judging.rules(cluster, check=_control_plane, warn=_warn_control_plane),
        judging.rules(AzureManagedCluster.RESOURCE, check=_cluster),
    ]


def _labelled(resource: Resource) -> Rules:
    made = judging.rules(resource, check=_pool, warn=_warn_pool)
    return Rules(resource=resource, default=_default_pool, validate=made.validate)


def _default_pool(admit: Admit) -> Raw:
    """The agent pool's name is the object's; the mode becomes a label."""
    made = dict(admit.object or {})
    spec, metadata = dict(part(made, "spec")), part(made, "metadata")
    spec["name"] = spec.get("name") or part(admit.old, "spec").get("name") or metadata.get("name", "")
    labels = {**part(metadata, "labels"), MODE_LABEL: spec.get("mode") or ""}
    return made | {"spec": spec, "metadata": {**metadata, "labels": labels}}


def _pool(admit: Admit) -> Iterator[FieldError]:
    spec, old = specs(admit)
    yield from _name(spec)
    if spec.get("mode") == "System" and spec.get("osType") == "Windows":
        yield errors.invalid("spec.osType", "Windows", "must be Linux for a pool of mode System")
    if (pods := spec.get("maxPods")) is not None and not 10 <= pods <= 250:
        yield errors.invalid("spec.maxPods", pods, "must be 10 to 250")
    for key in part(spec, "nodeLabels"):
        if key.partition("/")[0].endswith(_RESERVED):
            yield errors.invalid("spec.nodeLabels", key, f"labels of {_RESERVED} are AKS's own")
    yield from _public_ip(spec)
    yield from _scaling(part(spec, "scaling"), "spec.scaling")
    yield from _kubelet(part(spec, "kubeletConfig"), "spec.kubeletConfig")
    yield from _linux(spec, "spec.linuxOSConfig")
    if (subnet := spec.get("subnetName")) and not _SUBNET.fullmatch(subnet):
        yield errors.invalid("spec.subnetName", subnet, "must be the name of a subnet: letters, digits and ._-")
    if spec.get("spotMaxPrice") is not None and spec.get("scaleSetPriority") != "Spot":
        yield errors.forbidden("spec.spotMaxPrice", "only with scaleSetPriority Spot")
    if spec.get("mode") == "System" and spec.get("scaleSetPriority") == "Spot":
        yield errors.invalid("spec.scaleSetPriority", "Spot", "must be Regular for a pool of mode System")
    if admit.operation == "UPDATE":
        yield from fixed(spec, old, "spec", _FIXED)
        yield from set_once(spec, old, "spec", _SET_ONCE)


def _name(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    name, system = spec.get("name") or "", spec.get("osType") or "Linux"
    if len(name) > NAME[system]:
        said = f"must have at most {NAME[system]} characters for {system}: give one, metadata.name may stay"
        yield errors.invalid("spec.name", name, said)
    if not re.fullmatch(r"[a-z][a-z0-9]*", name):
        said = "must begin with a lower-case letter, and have only those and digits: give one, metadata.name may stay"
        yield errors.invalid("spec.name", name, said)


def _public_ip(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    prefix = spec.get("nodePublicIPPrefixID")
    if not prefix:
        return
    if not _PREFIX_ID.fullmatch(prefix):
        yield errors.invalid("spec.nodePublicIPPrefixID", prefix, "must be the resource ID of a public IP prefix")
    if not spec.get("enableNodePublicIP"):
        yield errors.required("spec.enableNodePublicIP", "must be true where nodePublicIPPrefixID is given")


def _scaling(scaling: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    least, most = scaling.get("minSize"), scaling.get("maxSize")
    if not scaling:
        return
    for name, value in (("minSize", least), ("maxSize", most)):
        if value is None:
            yield errors.required(f"{path}.{name}", "AKS's autoscaler needs both bounds")
        elif value < 0:
            yield errors.invalid(f"{path}.{name}", value, "must not be negative")
    if least is not None and most is not None and least > most:
        yield errors.invalid(f"{path}.minSize", least, f"must not be over maxSize ({most})")


def _kubelet(config: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    period, low, high = (config.get(n) for n in ("cpuCfsQuotaPeriod", "imageGcLowThreshold", "imageGcHighThreshold"))
    if period and not period.endswith("ms"):
        yield errors.invalid(f"{path}.cpuCfsQuotaPeriod", period, "must be in milliseconds, like 100ms")
    if low is not None and high is not None and low > high:
        yield errors.invalid(f"{path}.imageGcLowThreshold", low, f"must not be over imageGcHighThreshold ({high})")
    for index, sysctl in enumerate(config.get("allowedUnsafeSysctls") or ()):
        if not _SYSCTL.fullmatch(sysctl):
            yield errors.invalid(f"{path}.allowedUnsafeSysctls[{index}]", sysctl, "is none that AKS allows")


def _linux(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    config = part(spec, "linuxOSConfig")
    swap = config.get("swapFileSizeMB")
    if swap is not None and part(spec, "kubeletConfig").get("failSwapOn") is not False:
        yield errors.invalid(f"{path}.swapFileSizeMB", swap, "needs kubeletConfig.failSwapOn: false")
    ports = part(config, "sysctls").get("netIpv4IPLocalPortRange")
    where, found = f"{path}.sysctls.netIpv4IPLocalPortRange", _PORTS.fullmatch(ports or "")
    if ports and found is None:
        yield errors.invalid(where, ports, "must be two numbers with a space between, like 32768 60999")
    elif found is not None:
        first, last = int(found[1]), int(found[2])
        if not (1024 <= first <= 60999 and 32768 <= last <= 65000 and first <= last):
            yield errors.invalid(
                where, ports, "must be 1024 to 60999, then 32768 to 65000, and not less than the first"
            )


def _warn_pool(raw: Raw) -> Iterator[str]:
    spec = part(raw, "spec")
    if spec.get("asoManagedClustersAgentPoolPatches"):
        yield "spec.asoManagedClustersAgentPoolPatches: accepted, but AKS is called directly: there is nothing to patch"


def _control_plane(admit: Admit) -> Iterator[FieldError]:
    spec, old = specs(admit)
    said: str = spec.get("version") or ""
    yield from version("spec.version", said if said.startswith("v") else f"v{said}")
    cloud = spec.get("azureEnvironment")
    if cloud not in (None, "", *CLOUDS):
        yield errors.not_supported("spec.azureEnvironment", cloud, CLOUDS)
    if not part(spec, "identityRef").get("name"):
        yield errors.required("spec.identityRef.name", "the AzureClusterIdentity that asks for the cluster")
    if admit.operation == "UPDATE":
        yield from set_once(spec, old, "spec", _SAME_CLUSTER)


def _warn_control_plane(raw: Raw) -> Iterator[str]:
    spec = part(raw, "spec")
    yield "capipool creates no cluster of AKS: it reads the one of this name, and manages its agent pools"
    for name in sorted(spec.keys() - set(_READ)):
        if spec[name] not in (*EMPTY, _DEFAULTED.get(name)):
            yield f"spec.{name}: accepted, but clusters of AKS are not changed"


def _cluster(admit: Admit) -> Iterator[FieldError]:
    spec, old = specs(admit)
    endpoint: Sequence[str] = [str(part(old, "controlPlaneEndpoint").get(n) or "") for n in ("host", "port")]
    why = {"controlPlaneEndpoint": "kubeconfigs name it"}
    yield from set_once(spec, old, "spec", why if all(endpoint) else {})
