"""A whole file of single machines deleted at once, where the process itself is nobody in AWS."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from capipool.api.builtin import Secret
from capipool.api.core import Cluster, Machine, MachineDeployment
from capipool.machinery import errors
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.calls import Clients
from capipool.providers.aws.identities import accounts
from capipool.providers.aws.identities.api import AWSClusterRoleIdentity, AWSClusterStaticIdentity
from capipool.providers.aws.identities.finding import SECRETS_NAMESPACE
from tests.server.aws import cloud
from tests.server.aws.machines import gaps
from tests.server.aws.machines.watching import Watched
from tests.server.aws.machines.world import CLUSTER, Region, region
from tests.server.aws.nobody import be_nobody
from tests.server.aws.world import IDENTITY
from tests.server.clouds.world import NS

SOURCE = ("kind: AWSClusterControllerIdentity\n    name: default", "kind: AWSClusterStaticIdentity\n    name: team")


class Strangers(Watched):
    """Calls of a process that looks for credentials itself: those that all tests share know the first one's."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint)
        self._shared.make_client = Clients(endpoint).make


@pytest.fixture
async def aws(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Region]:
    monkeypatch.setattr(accounts, "SECRET_SECONDS", 0.0)  # a Secret that is gone is missed at the next call
    with cloud.running() as running, gaps.closed():
        be_nobody(monkeypatch)
        async with region(running, make_calls=Strangers) as made:
            yield made


async def test_machines_that_are_deleted_with_who_calls_for_them_go_and_leave_nothing(aws: Region) -> None:
    """The example's role, which a user with keys assumes; user, keys and role are deleted before the machines."""
    for raw in IDENTITY:
        await aws.world.client.apply(raw)
    await aws.begin(replicas=1, edits=(SOURCE, ("replicas: 3", "replicas: 1")))
    machine, (obj,) = (await aws.machines())[0], await aws.aws_machines()
    client = aws.world.client
    await client.delete(AWSClusterStaticIdentity, "team")
    await client.delete(Secret, "keys", SECRETS_NAMESPACE)
    await client.delete(AWSClusterRoleIdentity, "workers")
    await client.delete(AWSCluster, CLUSTER, NS)
    await client.delete(Cluster, CLUSTER, NS)
    for kind, name in (
        (type(obj), obj.metadata.name),
        (Machine, machine.metadata.name),
        (MachineDeployment, "workers"),
    ):
        with contextlib.suppress(errors.NotFound):  # its Cluster's deletion may be faster
            await client.delete(kind, name, NS)

    async def ended() -> bool:
        left = [await client.list(kind, NS) for kind in (AWSCluster, Cluster, MachineDeployment, Machine)]
        left += [await client.list(kind) for kind in (AWSClusterStaticIdentity, AWSClusterRoleIdentity)]
        return not any(left) and not await aws.aws_machines()

    await aws.world.until(ended, why=aws.described)
    assert aws.instances() == []


async def test_an_identity_that_the_cluster_names_no_more_goes_though_machines_remember_it(aws: Region) -> None:
    for raw in IDENTITY:
        await aws.world.client.apply(raw)
    await aws.begin(replicas=1, edits=(SOURCE, ("replicas: 3", "replicas: 1")))
    assert "AWSClusterRoleIdentity/workers" in (await aws.aws_machines())[0].metadata.annotations.values()
    reference = {"kind": "AWSClusterStaticIdentity", "name": "team"}
    await aws.world.client.delete(AWSClusterRoleIdentity, "workers")
    assert (await aws.world.client.get(AWSClusterRoleIdentity, "workers")).deleting
    await aws.world.patch(AWSCluster, CLUSTER, {"spec": {"identityRef": reference}})

    async def gone() -> bool:
        return not await aws.world.client.list(AWSClusterRoleIdentity)

    await aws.world.until(gone, why=aws.described)
    assert len(aws.instances()) == 1
