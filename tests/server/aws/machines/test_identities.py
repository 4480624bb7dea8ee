"""Who calls AWS for a cluster, against moto's STS: keys out of a Secret, roles elsewhere, and who may use them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from capipool.api.builtin import Namespace, Secret
from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.app.transport import InProcessTransport
from capipool.client import Client
from capipool.machinery import objects
from capipool.machinery.calls import ADMIN
from capipool.machinery.objects import ObjectMeta, Raw, Unstructured
from capipool.providers.aws.api.cluster import IdentityReference
from capipool.providers.aws.calls import Calls, Keys
from capipool.providers.aws.identities import kinds
from capipool.providers.aws.identities.api import AWSClusterRoleIdentity, AWSClusterStaticIdentity
from capipool.providers.aws.identities.finding import SECRETS_NAMESPACE, Identities, NamespacesUnread
from capipool.runtime.cache import Caches
from capipool.sdk.errors import InvalidConfiguration, PermissionDenied
from capipool.testing import virtual
from tests.server.aws import cloud
from tests.server.aws.cloud import REGION
from tests.server.core_world import DEFINITIONS

GROUP = "infrastructure.cluster.x-k8s.io/v1beta2"
EVERYBODY: Raw = {"allowedNamespaces": {}}
CONTROLLER = {"kind": "AWSClusterControllerIdentity", "name": "default"}
OTHER = "111111111111"
"""An account that is not the process's own."""


class Counted(Calls):
    """The process's calls, which are counted."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(rng=random.Random(1), endpoint=endpoint, rate=1000)
        self.made: list[Raw] = []

    async def call(self, region: str, service: str, operation: str, **parameters: Any) -> Raw:
        """Make one call, and note it."""
        self.made.append({"operation": operation, **parameters})
        return await super().call(region, service, operation, **parameters)


class Bed:
    """A management cluster and a cloud."""

    def __init__(self, client: Client, endpoint: str) -> None:
        self.client = client
        self.calls = Counted(endpoint)
        self.caches = Caches(client, rng=random.Random(1))
        self.identities = Identities(client, self.caches, self.calls)

    async def make(self, kind: str, name: str, spec: Raw) -> None:
        raw = {"apiVersion": GROUP, "kind": kind, "metadata": {"name": name}, "spec": spec}
        await self.client.create(objects.from_raw(Unstructured, raw))
        await self.seen()

    async def role(self, name: str, source: Raw, account: str = OTHER, **spec: Any) -> None:
        arn = f"arn:aws:iam::{account}:role/{name}"
        said = {"roleARN": arn, "sourceIdentityRef": source, **EVERYBODY, **spec}
        await self.make("AWSClusterRoleIdentity", name, said)

    async def secret(self, name: str, **data: str) -> None:
        meta = ObjectMeta(name=name, namespace=SECRETS_NAMESPACE)
        made = objects.new(Secret, metadata=meta, data={k: v.encode() for k, v in data.items()})
        await self.client.create(made)

    async def seen(self) -> None:
        """Until the caches show what was written."""
        await asyncio.sleep(1)

    def of(self, kind: str, name: str, namespace: str = "default") -> Calls:
        return self.identities.calls(namespace, IdentityReference(kind=kind, name=name))

    async def whoami(self, kind: str, name: str) -> str:
        """In which account a call is made."""
        answer = await self.of(kind, name).call(REGION, "sts", "get_caller_identity")
        return str(answer["Account"])


@asynccontextmanager
async def bed() -> AsyncIterator[Bed]:
    with cloud.running() as running:
        server = Server(journal=MemoryJournal(), clock=virtual.clock(), rng=random.Random(1))
        await server.start()
        client = Client(InProcessTransport(server, "", ADMIN))
        for raw in kinds.crds():
            await client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)
        await client.create(objects.new(Namespace, metadata=ObjectMeta(name=SECRETS_NAMESPACE)))
        made = Bed(client, running.endpoint)
        made.caches.start()
        await made.caches.synced()
        try:
            yield made
        finally:
            await made.caches.stop()
            await made.calls.close()
            await server.stop()


def in_a_bed(test: Callable[[Bed], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on virtual time."""

    def run() -> None:
        async def main() -> None:
            async with bed() as made:
                await test(made)

        virtual.run(main(), limit=dt.timedelta(days=1))

    run.__name__ = test.__name__
    return run


@in_a_bed
async def test_without_a_reference_the_process_itself_calls(bed: Bed) -> None:
    assert bed.identities.calls("default", None) is bed.calls
    assert bed.of("AWSClusterControllerIdentity", "default") is bed.calls
    assert (bed.calls.account, await bed.whoami(**CONTROLLER)) == ("", "123456789012")


@in_a_bed
async def test_a_role_is_assumed_in_its_own_account_once_for_an_hour(bed: Bed) -> None:
    await bed.role("capi", CONTROLLER, externalID="secret-of-two", sessionName="mine", inlinePolicy="{}")
    assert {await bed.whoami("AWSClusterRoleIdentity", "capi") for _ in range(5)} == {OTHER}
    (asked,) = bed.calls.made
    assert asked == {
        "operation": "assume_role",
        "RoleArn": f"arn:aws:iam::{OTHER}:role/capi",
        "RoleSessionName": "mine",
        "DurationSeconds": 3600,
        "ExternalId": "secret-of-two",
        "Policy": "{}",
    }
    await asyncio.sleep(50 * 60)
    await bed.whoami("AWSClusterRoleIdentity", "capi")
    assert len(bed.calls.made) == 1
    await asyncio.sleep(6 * 60)
    await asyncio.gather(*(bed.whoami("AWSClusterRoleIdentity", "capi") for _ in range(5)))
    assert len(bed.calls.made) == 2


@in_a_bed
async def test_a_role_may_be_assumed_by_way_of_another(bed: Bed) -> None:
    await bed.role("hub", CONTROLLER)
    await bed.role("spoke", {"kind": "AWSClusterRoleIdentity", "name": "hub"}, account="222222222222")
    assert await bed.whoami("AWSClusterRoleIdentity", "spoke") == "222222222222"
    assert len(bed.calls.made) == 1  # the hub's role made the second one


@in_a_bed
async def test_a_changed_role_is_assumed_anew(bed: Bed) -> None:
    await bed.role("capi", CONTROLLER)
    assert await bed.whoami("AWSClusterRoleIdentity", "capi") == OTHER
    patch = {"spec": {"roleARN": "arn:aws:iam::333333333333:role/capi"}}
    await bed.client.patch(AWSClusterRoleIdentity, "capi", patch=patch)
    await bed.seen()
    assert await bed.whoami("AWSClusterRoleIdentity", "capi") == "333333333333"


@in_a_bed
async def test_keys_come_out_of_a_secret_and_may_be_changed_there(bed: Bed) -> None:
    sts = bed.calls
    keys = [
        (await sts.call(REGION, "sts", "assume_role", RoleArn=f"arn:aws:iam::{a}:role/r", RoleSessionName="rr"))
        for a in ("444444444444", "555555555555")
    ]
    one, two = (_data(answer["Credentials"]) for answer in keys)
    await bed.secret("user", **one)
    await bed.make("AWSClusterStaticIdentity", "user", {"secretRef": "user", **EVERYBODY})
    assert await bed.whoami("AWSClusterStaticIdentity", "user") == "444444444444"
    patch = {"stringData": two}
    await bed.client.patch(Secret, "user", SECRETS_NAMESPACE, patch=patch)
    assert await bed.whoami("AWSClusterStaticIdentity", "user") == "444444444444"
    await asyncio.sleep(61)
    assert await bed.whoami("AWSClusterStaticIdentity", "user") == "555555555555"


@in_a_bed
async def test_keys_outlive_their_secret_where_their_identity_is_deleted_as_well(bed: Bed) -> None:
    kind = "AWSClusterStaticIdentity"
    await bed.secret("user", AccessKeyID="test", SecretAccessKey="test")
    await bed.make(kind, "user", {"secretRef": "user", **EVERYBODY})
    await bed.client.patch(AWSClusterStaticIdentity, "user", patch={"metadata": {"finalizers": ["example.com/in-use"]}})
    await bed.whoami(kind, "user")
    await bed.client.delete(Secret, "user", SECRETS_NAMESPACE)
    await asyncio.sleep(61)
    with pytest.raises(InvalidConfiguration, match="there is no such Secret"):
        await bed.whoami(kind, "user")
    await bed.client.delete(AWSClusterStaticIdentity, "user")
    await bed.seen()
    await bed.whoami(kind, "user")
    await asyncio.sleep(24 * 60)
    await bed.whoami(kind, "user")


def _data(credentials: Raw) -> dict[str, str]:
    return {
        "AccessKeyID": credentials["AccessKeyId"],
        "SecretAccessKey": credentials["SecretAccessKey"],
        "SessionToken": credentials["SessionToken"],
    }


@in_a_bed
async def test_what_is_missing_is_named_and_nothing_secret_with_it(bed: Bed) -> None:
    with pytest.raises(InvalidConfiguration, match="there is no AWSClusterRoleIdentity/none"):
        bed.of("AWSClusterRoleIdentity", "none")
    await bed.make("AWSClusterStaticIdentity", "user", {"secretRef": "user", **EVERYBODY})
    calls = bed.of("AWSClusterStaticIdentity", "user")
    with pytest.raises(InvalidConfiguration, match="there is no such Secret"):
        await calls.call(REGION, "sts", "get_caller_identity")
    await bed.secret("user", AccessKeyID="AKIA", SessionToken="hidden")
    with pytest.raises(InvalidConfiguration, match="has no SecretAccessKey") as raised:
        await calls.call(REGION, "sts", "get_caller_identity")
    assert "hidden" not in str(raised.value)
    assert "hidden" not in repr(Keys("AKIA", "hidden", "hidden"))


@in_a_bed
async def test_roles_that_assume_each_other_are_an_error(bed: Bed) -> None:
    await bed.role("a", {"kind": "AWSClusterRoleIdentity", "name": "b"})
    await bed.role("b", {"kind": "AWSClusterRoleIdentity", "name": "a"})
    with pytest.raises(InvalidConfiguration, match="never end"):
        bed.of("AWSClusterRoleIdentity", "a")


@pytest.mark.parametrize(
    ("allowed", "may"),
    [
        (None, False),
        ({}, True),
        ({"list": []}, False),
        ({"list": ["team-a"]}, True),
        ({"list": ["team-b"]}, False),
        ({"selector": {"matchLabels": {"tier": "prod"}}}, True),
        ({"selector": {"matchLabels": {"tier": "test"}}}, False),
        ({"list": ["team-b"], "selector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}}, True),
        ({"list": ["team-b"], "selector": {}}, False),
    ],
)
def test_a_namespace_may_use_what_names_it(allowed: Raw | None, may: bool) -> None:
    async def test(bed: Bed) -> None:
        meta = ObjectMeta(name="team-a", labels={"tier": "prod"})
        await bed.client.create(objects.new(Namespace, metadata=meta))
        given = {"allowedNamespaces": allowed} if allowed is not None else {}
        await bed.make("AWSClusterStaticIdentity", "user", {"secretRef": "user", **given})
        with contextlib.suppress(NamespacesUnread, PermissionDenied):
            bed.of("AWSClusterStaticIdentity", "user", "team-a")
        await bed.seen()
        if may:
            assert bed.of("AWSClusterStaticIdentity", "user", "team-a").account == "AWSClusterStaticIdentity/user"
            return
        with pytest.raises(PermissionDenied, match="allowedNamespaces do not name team-a"):
            bed.of("AWSClusterStaticIdentity", "user", "team-a")

    in_a_bed(test)()


@in_a_bed
async def test_a_role_needs_its_source_to_be_allowed_as_well(bed: Bed) -> None:
    await bed.make("AWSClusterStaticIdentity", "user", {"secretRef": "user", "allowedNamespaces": {"list": ["b"]}})
    await bed.role("capi", {"kind": AWSClusterStaticIdentity.RESOURCE.kind, "name": "user"})
    with pytest.raises(PermissionDenied, match="AWSClusterStaticIdentity/user"):
        bed.of("AWSClusterRoleIdentity", "capi")


@in_a_bed
async def test_accounts_have_rates_of_their_own(bed: Bed) -> None:
    await bed.role("capi", CONTROLLER)
    calls = bed.of("AWSClusterRoleIdentity", "capi")
    assert bed.of("AWSClusterRoleIdentity", "capi") is calls is not bed.calls
    assert calls._buckets is not bed.calls._buckets
