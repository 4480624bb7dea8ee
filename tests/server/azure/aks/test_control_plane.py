"""An AKS cluster that exists is read, shown, and kept reachable; nothing of it is ever changed."""

from __future__ import annotations

import datetime as dt
from typing import Any

from capipool.api.builtin import Secret
from capipool.api.core import Cluster
from capipool.client import kubeconfig
from capipool.machinery import objects
from capipool.machinery.resource import Resource
from capipool.providers.azure.aks import controlplane
from capipool.providers.azure.api.managedcluster import AzureManagedCluster
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.providers.azure.calls import Caller, Calls, Cloud
from capipool.testing.azure import Arm
from capipool.workload.connections import KUBECONFIG_KEY
from tests.server.azure.aks import world as worlds
from tests.server.azure.aks.world import AKS, CLUSTER, condition
from tests.server.clouds.world import NS

EVENTS = Resource("", "v1", "Event", "events")


async def test_a_cluster_that_exists_is_shown_with_its_facts() -> None:
    given = {"oidcIssuerProfile": {"enabled": True, "issuerURL": "https://issuer/1"}}
    async with worlds.installed(properties=given | {"autoUpgradeProfile": {"upgradeChannel": "patch"}}) as aks:
        plane = await aks.load()
        assert plane.spec.control_plane_endpoint.host == aks.cluster.fqdn
        assert plane.spec.control_plane_endpoint.port == 443
        assert (plane.status.version, plane.status.auto_upgrade_version) == ("v1.31.2", "v1.31.2")
        assert plane.status.oidc_issuer_profile is not None
        assert plane.status.oidc_issuer_profile.issuer_url == "https://issuer/1"
        assert condition(plane, "Ready") == condition(plane, "ManagedClusterRunning") == ("True", "")
        assert condition(plane, "ClusterCreated") == ("False", "OutOfScope")
        await the_cluster_of_cluster_api_follows(aks)
        assert aks.writes() == []


async def the_cluster_of_cluster_api_follows(aks: AKS) -> None:
    async def so() -> bool:
        found = await aks.world.client.get(Cluster, "demo", NS)
        done = found.status.initialization
        return bool(done.infrastructure_provisioned and done.control_plane_initialized)

    await aks.world.until(so)
    shown = await aks.world.client.get(AzureManagedCluster, "demo", NS)
    assert (shown.status.ready, shown.spec.control_plane_endpoint.host) == (True, aks.cluster.fqdn)


async def test_the_kubeconfig_that_aks_gives_out_is_kept_and_controllers_live_by_it() -> None:
    async with worlds.installed() as aks:
        await worlds.give_out_what_reaches(aks)
        await aks.load()
        kept = await until_secret(aks, aks.cluster.kubeconfig)
        assert (kept.type, kept.metadata.labels) == (
            "cluster.x-k8s.io/secret",
            {"cluster.x-k8s.io/cluster-name": "demo"},
        )
        assert [o.kind for o in kept.metadata.owner_references] == ["AzureManagedControlPlane"]
        await aks.begin()
        aks.cluster.kubeconfig += b"\n"  # certificates were rotated
        await until_secret(aks, aks.cluster.kubeconfig)


async def test_without_local_accounts_controllers_get_a_token_that_is_replaced_before_its_end() -> None:
    issued: list[str] = []
    entra = {"disableLocalAccounts": True, "aadProfile": {"managed": True}}
    async with worlds.installed(properties=entra, made=lambda arm: calls_with_tokens(arm, issued)) as aks:
        await worlds.give_out_what_reaches(aks)
        await aks.load()

        async def renewed() -> bool:
            try:
                found = await aks.secret("demo-kubeconfig")
            except Exception:
                return False
            return len(issued) > 2 and kubeconfig.parse(found.data[KUBECONFIG_KEY]).token == issued[-1]

        await aks.world.until(renewed)
        people = await aks.secret("demo-user-kubeconfig")
        assert people.data[KUBECONFIG_KEY] == aks.cluster.kubeconfig
        assert aks.writes() == []


def calls_with_tokens(arm: Arm, issued: list[str]) -> Calls:
    """Calls whose credential gives a new token of four minutes each time it is asked for an API server's."""

    class Credential:
        def __init__(self) -> None:
            self.inner = arm.credential()

        async def get_token(self, *scopes: str, **options: Any) -> Any:
            token = await self.inner.get_token(*scopes, **options)
            if scopes != ("6dae42f8-4368-4678-94ff-3960e28e3630/.default",):
                return token
            issued.append(f"token-{len(issued)}")
            ends = dt.datetime.now(dt.UTC) + controlplane.RENEW
            return token._replace(token=issued[-1], expires_on=int(ends.timestamp()))

        async def close(self) -> None:
            await self.inner.close()

    async def credential(caller: Caller, cloud: Cloud) -> Any:
        return Credential()

    return Calls(credentials=credential, endpoint=arm.url, ca_file=str(arm.ca_file), rate=1000)


async def until_secret(aks: AKS, wanted: bytes) -> Secret:
    async def so() -> bool:
        found = [s for s in await aks.world.client.list(Secret, NS) if s.metadata.name == "demo-kubeconfig"]
        return any(s.data[KUBECONFIG_KEY] == wanted for s in found)

    await aks.world.until(so)
    return await aks.secret("demo-kubeconfig")


async def test_a_credential_that_aks_does_not_give_is_said_and_makes_no_secret() -> None:
    async with worlds.installed() as aks:
        await worlds.give_out_what_reaches(aks)
        given, aks.cluster.kubeconfig = aks.cluster.kubeconfig, b""
        await aks.world.load(worlds.MANIFEST.replace("SUBSCRIPTION", aks.arm.subscription))
        await aks.until_plane(lambda p: condition(p, "Ready") == ("False", "CloudUnavailable"))
        assert "demo-kubeconfig" not in {s.metadata.name for s in await aks.world.client.list(Secret, NS)}
        aks.cluster.kubeconfig = given
        await aks.until_plane(lambda p: bool(p.status.ready))


async def test_a_kubeconfig_that_a_person_made_is_left_alone() -> None:
    async with worlds.installed() as aks:
        before = await aks.secret("demo-kubeconfig")
        await aks.load()
        assert (await aks.secret("demo-kubeconfig")).metadata.resource_version == before.metadata.resource_version


async def test_a_cluster_that_is_not_there_says_the_way_out_and_is_found_once_it_is() -> None:
    async with worlds.installed() as aks:
        hidden = aks.arm.state.clusters.pop(aks.cluster.id.lower())
        await aks.world.load(worlds.MANIFEST.replace("SUBSCRIPTION", aks.arm.subscription))
        plane = await aks.until_plane(lambda p: condition(p, "Ready") == ("False", "ClusterNotFound"))
        said = next(c.message for c in plane.status.conditions if c.type == "Ready")
        assert "spec.resourceGroupName" in said
        assert CLUSTER in said
        await aks.load_pool()
        await aks.until(lambda p: said in message(p, "Ready"))
        aks.arm.state.clusters[hidden.id.lower()] = hidden
        hidden.state = "Creating"
        await aks.until(lambda p: "is Creating" in message(p, "Ready"))
        hidden.state = "Succeeded"
        await aks.until_plane(lambda p: bool(p.status.ready))


async def test_the_object_goes_and_the_cluster_stays() -> None:
    async with worlds.installed() as aks:
        await aks.load()
        await aks.world.client.delete(AzureManagedControlPlane, CLUSTER, NS)

        async def gone() -> bool:
            return not await aks.world.client.list(AzureManagedControlPlane, NS)

        await aks.world.until(gone)
        assert aks.cluster.state == "Succeeded"
        assert aks.writes() == []

        async def told() -> bool:
            found = await aks.world.client.list(EVENTS, NS)
            return any(objects.to_raw(e).get("reason") == "AKSClusterKept" for e in found)

        await aks.world.until(told)


def message(obj: AzureManagedMachinePool, type_: str) -> str:
    return next((c.message for c in obj.status.conditions if c.type == type_), "")
