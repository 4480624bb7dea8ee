"""What is known of an AKS cluster that was looked at. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from capipool.machinery.objects import Raw

STOPPED = "Stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class AKSCluster:
    """A cluster of AKS."""

    name: str
    state: str
    """`provisioningState`, or `Stopped`."""
    host: str = ""
    """Where the API server is reached; empty until it is known."""
    version: str = ""
    """The version that it runs, with a `v`."""
    node_group: str = ""
    """The resource group of its nodes."""
    issuer: str = ""
    local_accounts: bool = True
    """Whether kubeconfigs with certificates are given out."""
    entra: bool = False
    """Whether people come as who they are in Entra ID."""
    auto_upgrade: bool = False
    """Whether AKS raises the version of Kubernetes by itself."""
    subnet: str = ""
    """The ID of a subnet of its nodes; empty where AKS made the network."""

    @property
    def up(self) -> bool:
        """Whether its API server answers. A change that failed, or is under way, is no reason against."""
        return bool(self.host) and self.state not in ("Creating", "Deleting", STOPPED)


def read(body: Raw) -> AKSCluster:
    """Understand Azure's answer."""
    properties = body.get("properties") or {}
    pools = properties.get("agentPoolProfiles") or []
    stopped = (properties.get("powerState") or {}).get("code") == STOPPED
    version = str(properties.get("currentKubernetesVersion") or properties.get("kubernetesVersion") or "")
    channel = (properties.get("autoUpgradeProfile") or {}).get("upgradeChannel") or "none"
    return AKSCluster(
        name=str(body.get("name", "")),
        state=STOPPED if stopped else str(properties.get("provisioningState") or "Unknown"),
        host=str(properties.get("fqdn") or properties.get("privateFQDN") or ""),
        version=f"v{version.removeprefix('v')}" if version else "",
        node_group=str(properties.get("nodeResourceGroup") or ""),
        issuer=str((properties.get("oidcIssuerProfile") or {}).get("issuerURL") or ""),
        local_accounts=not properties.get("disableLocalAccounts"),
        entra=bool((properties.get("aadProfile") or {}).get("managed")),
        auto_upgrade=channel.lower() in ("patch", "stable", "rapid"),
        subnet=next((str(p["vnetSubnetID"]) for p in pools if p.get("vnetSubnetID")), ""),
    )
