"""One managed cluster, and one agent pool of it: what they are. `pools` and `clusters` change them."""

from __future__ import annotations

import base64
import json

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.failures import ArmError
from capipool.testing.azure.model.machines import Machine, Power
from capipool.testing.azure.model.scalesets.scaleset import ScaleSet
from capipool.testing.azure.model.world import World

KIND = "Microsoft.ContainerService/managedClusters"


class AgentPool:
    """One agent pool. `properties` holds what was written, completed with defaults."""

    def __init__(self, *, name: str, properties: Raw) -> None:
        self.name = name
        self.properties = properties
        self.state = "Creating"
        self.failure: ArmError | None = None
        self.generation = 1
        self.node_image = ""
        self.current_version = ""
        """The version that its nodes run; `orchestratorVersion` is the wish."""
        self.scale_set: ScaleSet | None = None
        """None until the pool's operation has made it."""

    @property
    def running(self) -> list[Machine]:
        """The machines that are neither going nor deallocated."""
        if self.scale_set is None:
            return []
        return [m for m in self.scale_set.live if m.power is not Power.DEALLOCATED]

    @property
    def count(self) -> int:
        """How many nodes there are; before there is a scale set, how many were asked for."""
        return len(self.running) if self.scale_set is not None else int(self.properties.get("count", 0))

    @property
    def etag(self) -> str:
        """Changes with every write."""
        return f'"{self.generation}"'

    @property
    def system(self) -> bool:
        """Whether it may hold what the cluster itself needs."""
        return str(self.properties.get("mode", "User")) == "System"


class ManagedCluster:
    """One cluster. Its kubeconfig is whatever a test sets: with one of its own, clients reach a real API server."""

    def __init__(self, world: World, *, group: str, name: str, location: str, properties: Raw) -> None:
        self._world = world
        self.group = group
        self.name = name
        self.location = location
        self.properties = properties
        self.tags: dict[str, str] = {}
        self.identity: Raw | None = None
        self.sku: Raw = {"name": "Base", "tier": "Free"}
        self.state = "Creating"
        self.current_version = str(properties["kubernetesVersion"])
        self.generation = 1
        self.pools: dict[str, AgentPool] = {}
        self.kubeconfig: bytes = _kubeconfig(self.fqdn, name, world.hexadecimal(32))

    @property
    def id(self) -> str:
        """The resource id."""
        return f"{self._world.group_path(self.group)}/providers/{KIND}/{self.name}"

    @property
    def version(self) -> str:
        """The Kubernetes version of the control plane."""
        return str(self.properties["kubernetesVersion"])

    @property
    def node_group(self) -> str:
        """The resource group that holds the scale sets."""
        return str(self.properties.get("nodeResourceGroup") or f"MC_{self.group}_{self.name}_{self.location}")

    @property
    def fqdn(self) -> str:
        """The API server's name."""
        prefix = self.properties.get("dnsPrefix") or self.name
        return f"{prefix}-00000000.hcp.{self.location}.azmk8s.io"

    @property
    def local_accounts(self) -> bool:
        """Whether kubeconfigs with certificates are given out."""
        return not self.properties.get("disableLocalAccounts")

    def pool_id(self, pool: AgentPool) -> str:
        """The resource id of one of its pools."""
        return f"{self.id}/agentPools/{pool.name}"


def _kubeconfig(fqdn: str, name: str, token: str) -> bytes:
    certificate = base64.b64encode(b"not a certificate: set ManagedCluster.kubeconfig to reach a server").decode()
    server = {"server": f"https://{fqdn}:443", "certificate-authority-data": certificate}
    user = f"clusterUser_{name}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": server}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
    }
    return json.dumps(config).encode()
