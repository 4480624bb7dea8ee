"""AzureClusters and their identities: facts that are found, and who may ask for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest

from capipool.api.builtin import Secret
from capipool.api.core import Cluster, MachineDeployment
from capipool.client import kubeconfig
from capipool.machinery.objects import Raw
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.clusteridentity import AzureClusterIdentity
from tests.server.azure.machines import world as worlds
from tests.server.azure.machines.world import NAME, Region
from tests.server.clouds.world import NS

WITHOUT_MACHINES = ("MachineDeployment", "MachineHealthCheck", "AzureMachineTemplate", "KubeadmConfigTemplate")


@pytest.fixture
async def region() -> AsyncIterator[Region]:
    async with worlds.region() as made:
        yield made


async def until(region: Region, so: Callable[[AzureCluster], bool]) -> AzureCluster:
    async def is_so() -> bool:
        return so(await region.world.client.get(AzureCluster, NAME, NS))

    async def why() -> str:
        return str((await region.world.client.get(AzureCluster, NAME, NS)).status)

    await region.world.until(is_so, why=why)
    return await region.world.client.get(AzureCluster, NAME, NS)


def said(obj: AzureCluster, type_: str) -> tuple[str, str, str]:
    found = [c for c in obj.status.conditions if c.type == type_]
    return (found[0].status, found[0].reason, found[0].message) if found else ("", "", "")


async def apply(region: Region, *edits: tuple[str, str], without: tuple[str, ...] = ()) -> None:
    await region.world.load(worlds.example(), edits=edits, without=(*WITHOUT_MACHINES, *without))


async def test_a_cluster_is_taken_as_it_is(region: Region) -> None:
    await apply(region)
    obj = await until(region, lambda c: bool(c.status.ready))
    secret = await region.world.client.get(Secret, f"{NAME}-kubeconfig", NS)
    assert urlsplit(kubeconfig.parse(secret.data["value"]).server).hostname == obj.spec.control_plane_endpoint.host
    assert sorted(obj.status.failure_domains) == ["1", "2", "3"]
    assert said(obj, "Ready")[0] == "True"
    assert said(obj, "NetworkCreated")[1] == "OutOfScope"

    async def provisioned() -> bool:
        return (
            await region.world.client.get(Cluster, NAME, NS)
        ).status.initialization.infrastructure_provisioned is True

    await region.world.until(provisioned)
    assert region.arm.log.mutating == []


async def test_zones_of_the_spec_come_first(region: Region) -> None:
    await apply(
        region, ("  location: eastus\n", "  location: eastus\n  failureDomains: {'2': {controlPlane: false}}\n")
    )
    obj = await until(region, lambda c: bool(c.status.ready))
    assert list(obj.status.failure_domains) == ["2"]
    assert region.arm.log.of("skus/read") == []


async def test_who_may_not_list_sizes_has_no_zones(region: Region) -> None:
    region.arm.faults.refuse("skus/read", "AuthorizationFailed", "no", status=403)
    await apply(region)
    assert (await until(region, lambda c: bool(c.status.ready))).status.failure_domains == {}


@pytest.mark.parametrize("late", ["AzureClusterIdentity", "Secret"])
async def test_a_cluster_goes_on_when_what_it_lacked_comes(region: Region, late: str) -> None:
    await apply(region, without=(late,))
    missing = f"there is no {'such ' if late == 'Secret' else ''}{late}"
    await until(region, lambda c: missing in said(c, "Ready")[2])
    await apply(region)
    await until(region, lambda c: bool(c.status.ready))


async def test_an_identity_is_for_the_namespaces_that_it_names(region: Region) -> None:
    await apply(region, ("    list: [default]", "    list: [elsewhere]"))
    obj = await until(region, lambda c: said(c, "Ready")[1] == "PermissionDenied")
    assert "its allowedNamespaces do not name default" in said(obj, "Ready")[2]
    patch: Raw = {"spec": {"allowedNamespaces": {"list": None, "selector": {"matchLabels": {"team": "a"}}}}}
    await region.world.patch(AzureClusterIdentity, NAME, patch)
    await until(region, lambda c: said(c, "Ready")[0] == "False")
    await region.world.patch(AzureClusterIdentity, NAME, {"spec": {"allowedNamespaces": {"selector": None}}})
    await until(region, lambda c: bool(c.status.ready))


async def test_a_wrong_password_is_not_shown_and_a_right_one_is_taken_at_once(region: Region) -> None:
    await apply(region, ("clientSecret: replace-me", "clientSecret: not-the-one"))
    obj = await until(region, lambda c: said(c, "Ready")[1] == "PermissionDenied")
    assert "not-the-one" not in str(obj.status)
    assert "Entra ID refuses the identity: AADSTS7000215: Invalid client secret provided" in said(obj, "Ready")[2]
    await region.world.client.patch(Secret, "workers-azure", NS, patch={"stringData": {"clientSecret": "replace-me"}})
    await until(region, lambda c: bool(c.status.ready))


async def test_an_identity_that_entra_id_does_not_know_is_no_fault_of_the_spec(region: Region) -> None:
    await apply(region, ("clientID: ", "clientID: un"))
    obj = await until(region, lambda c: said(c, "Ready")[1] == "PermissionDenied")
    assert "AADSTS700016" in said(obj, "Ready")[2]


async def test_a_cluster_that_another_manages_is_left_alone(region: Region) -> None:
    mark = ("kind: AzureCluster\nmetadata:\n", "kind: AzureCluster\nmetadata:\n  annotations: {MANAGED: terraform}\n")
    edit = (mark[0], mark[1].replace("MANAGED", "cluster.x-k8s.io/managed-by"))
    await apply(region, edit)

    async def owned() -> bool:
        return bool((await region.world.client.get(AzureCluster, NAME, NS)).metadata.owner_references)

    await region.world.until(owned)
    await region.world.patch(AzureCluster, NAME, {"status": {}})
    obj = await region.world.client.get(AzureCluster, NAME, NS)
    assert obj.status.conditions == ()
    assert region.arm.log.all == []


async def test_a_cluster_goes_and_nothing_of_azure_with_it(region: Region) -> None:
    await apply(region)
    await until(region, lambda c: bool(c.status.ready))
    upstreams: Raw = {"metadata": {"finalizers": ["azurecluster.infrastructure.cluster.x-k8s.io"]}}
    await region.world.patch(AzureCluster, NAME, upstreams)
    await region.world.client.delete(Cluster, NAME, NS)

    async def gone() -> bool:
        return not await region.world.client.list(AzureCluster, NS)

    await region.world.until(gone)
    assert region.arm.log.mutating == []


async def test_what_is_deleted_all_at_once_goes_in_order_and_leaves_nothing_in_azure(region: Region) -> None:
    """As `kubectl delete -f` has it: the identity and its Secret before what was made with them."""
    await region.apply(edits=(("replicas: 2", "replicas: 1"),), checked=False)
    await region.running(1)
    client, kinds = region.world.client, (AzureCluster, AzureClusterIdentity, Cluster, MachineDeployment)
    await client.delete(Secret, "workers-azure", NS)
    for kind in kinds:
        await client.delete(kind, NAME, NS)

    async def gone() -> bool:
        return not any([await client.list(kind, NS) for kind in kinds])

    await region.world.until(gone, why=region.described)
    assert (region.virtual_machines(), region.arm.state.interfaces) == ({}, {})


async def test_an_identity_that_nobody_names_any_more_goes(region: Region) -> None:
    client = region.world.client
    await apply(region)
    await until(region, lambda c: bool(c.status.ready))
    await client.delete(AzureClusterIdentity, NAME, NS)
    assert (await client.get(AzureClusterIdentity, NAME, NS)).deleting
    await region.world.patch(AzureCluster, NAME, {"spec": {"identityRef": None}})

    async def gone() -> bool:
        return not await client.list(AzureClusterIdentity, NS)

    await region.world.until(gone)


async def test_machines_that_wait_for_an_identity_go_on_as_soon_as_it_is_right(region: Region) -> None:
    await region.apply(edits=(("replicas: 2", "replicas: 1"),), checked=False)
    await region.running(1)
    await region.world.client.delete(Secret, "workers-azure", NS)
    await region.scale(2)
    await region.until(lambda m: any("there is no such Secret" in c.message for c in m.status.conditions))
    await region.world.load(worlds.example(), without=("MachineHealthCheck",))
    await region.running(2)
