"""Everything deleted at once, as `kubectl delete -f` has it: what goes last is what the rest is deleted with."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from capipool.api.builtin import Secret
from capipool.api.core import Cluster, MachinePool
from capipool.machinery import errors
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.identities import accounts
from capipool.providers.aws.identities.api import AWSClusterRoleIdentity, AWSClusterStaticIdentity
from capipool.providers.aws.identities.finding import SECRETS_NAMESPACE
from tests.server.aws import cloud
from tests.server.aws.nobody import be_nobody
from tests.server.aws.wire import Wire
from tests.server.aws.world import IDENTITY, POOL, ROLE, Region, region, said
from tests.server.clouds.world import NS

IDENTITIES = (AWSClusterRoleIdentity, AWSClusterStaticIdentity)


@pytest.fixture
async def aws(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Region]:
    def calls(wire: Wire) -> Calls:
        return Calls(rng=random.Random(4), endpoint=running.endpoint, rate=1000)

    monkeypatch.setattr(accounts, "SECRET_SECONDS", 0.0)  # a Secret that is gone is missed at the next call
    with cloud.running() as running:
        be_nobody(monkeypatch)
        async with region(running, make_calls=calls) as made:
            yield made


async def begin(aws: Region, kind: str) -> None:
    """Apply upstream's manifest, with an identity of this kind that calls."""
    for raw in (*IDENTITY, ROLE):
        await aws.world.client.apply(raw)
    reference = f"  identityRef: {{kind: {kind}, name: team}}\n"
    await aws.begin(replicas=1, edits=(("  region: us-east-1\n", f"  region: us-east-1\n{reference}"),))


async def gone(aws: Region, *kinds: Any) -> bool:
    return not any([await aws.world.client.list(kind, NS if kind.RESOURCE.namespaced else "") for kind in kinds])


@pytest.mark.parametrize("kind", ["AWSClusterStaticIdentity", "AWSClusterRoleIdentity"])
async def test_what_is_deleted_all_at_once_goes_in_order_and_leaves_nothing(aws: Region, kind: str) -> None:
    await begin(aws, kind)
    client = aws.world.client
    for identity in IDENTITIES:
        await client.delete(identity, "team")
    await client.delete(Secret, "keys", SECRETS_NAMESPACE)
    await client.delete(AWSCluster, "demo", NS)
    await client.delete(Cluster, "demo", NS)
    for pool in (AWSMachinePool, MachinePool):
        with contextlib.suppress(errors.NotFound):  # its Cluster's deletion may be faster
            await client.delete(pool, POOL, NS)

    async def ended() -> bool:
        return await gone(aws, *IDENTITIES, AWSCluster, Cluster, AWSMachinePool, MachinePool)

    await aws.world.until(ended, why=aws.described)
    assert (aws.cloud.group(POOL), aws.templates()) == (None, [])
    await aws.eventually(lambda: aws.cloud.running() == [])


async def test_a_cluster_waits_for_its_pools_and_says_so(aws: Region) -> None:
    await begin(aws, "AWSClusterStaticIdentity")
    aws.cloud.scaling.slow_deletion = True
    await aws.world.client.delete(AWSCluster, "demo", NS)
    await aws.world.client.delete(AWSClusterStaticIdentity, "team")
    await aws.world.client.delete(Cluster, "demo", NS)
    await aws.eventually(lambda: aws.cloud.group(POOL).get("Status") == "Delete in progress")

    async def told() -> bool:
        conditions = (await aws.world.client.get(AWSCluster, "demo", NS)).status.conditions
        return said(conditions, "Ready") == ("False", "Deleting", f"waits for AWSMachinePool {POOL} to be deleted")

    await aws.world.until(told, why=aws.described)
    assert (await aws.world.client.get(AWSClusterStaticIdentity, "team")).deleting
    aws.cloud.finish_deletion(POOL)

    async def ended() -> bool:
        return await gone(aws, AWSCluster, Cluster)

    await aws.world.until(ended, why=aws.described)
    # The role that nobody calls with names it still.
    assert (await aws.world.client.get(AWSClusterStaticIdentity, "team")).deleting


async def test_an_identity_stays_for_a_pool_whose_cluster_went_by_force(aws: Region) -> None:
    await begin(aws, "AWSClusterRoleIdentity")
    await aws.lose("cluster")
    for identity in IDENTITIES:
        await aws.world.client.delete(identity, "team")
    await aws.world.client.delete(AWSMachinePool, POOL, NS)

    async def ended() -> bool:
        return await gone(aws, *IDENTITIES, AWSMachinePool)

    await aws.world.until(ended, why=aws.described)
    assert (aws.cloud.group(POOL), aws.templates()) == (None, [])


async def test_roles_that_name_each_other_do_not_keep_each_other(aws: Region) -> None:
    client, kind = aws.world.client, AWSClusterRoleIdentity
    for name, source in (("one", "two"), ("two", "one")):
        reference = {"kind": kind.RESOURCE.kind, "name": source}
        await client.apply(ROLE | {"metadata": {"name": name}, "spec": ROLE["spec"] | {"sourceIdentityRef": reference}})

    async def kept() -> bool:
        return all(role.metadata.finalizers for role in await client.list(kind))

    await aws.world.until(kept)
    for name in ("one", "two"):
        await client.delete(kind, name)

    async def ended() -> bool:
        return await gone(aws, kind)

    await aws.world.until(ended, seconds=5)
