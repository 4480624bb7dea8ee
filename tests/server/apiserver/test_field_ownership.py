"""Applies through the server: ownership is stored with the object and decides what the next write may do."""

import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.machinery import calls, errors
from capipool.machinery.calls import ADMIN, Call
from capipool.machinery.clock import SystemClock
from capipool.machinery.resource import Resource

DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments")


def deployment(**spec: Any) -> dict[str, Any]:
    labels = {"a": "b"}
    pod = {"containers": [{"name": "c", "image": "i"}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


class Client:
    """Calls on one Deployment."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def patch(
        self, body: Any, manager: str, content_type: str, subresource: str = "", force: bool = False
    ) -> Any:
        call = Call(
            verb="patch",
            resource=DEPLOYMENTS,
            namespace="default",
            name="d",
            subresource=subresource,
            query={"fieldManager": manager, "force": str(force).lower()},
            body=msgspec.json.encode(body),
            content_type=content_type,
        )
        return msgspec.json.decode((await self._server.handle("", ADMIN, call)).body)

    async def apply(self, body: Any, manager: str, subresource: str = "", force: bool = False) -> Any:
        return await self.patch(body, manager, calls.APPLY_PATCH, subresource, force)

    async def merge(self, body: Any, manager: str) -> Any:
        return await self.patch(body, manager, calls.MERGE_PATCH)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    server = Server(journal=MemoryJournal(), clock=SystemClock(), rng=random.Random(0))
    await server.start()
    yield Client(server)
    await server.stop()


def managers(obj: dict[str, Any]) -> set[tuple[str, str]]:
    return {(e["manager"], e.get("subresource", "")) for e in obj["metadata"].get("managedFields", ())}


async def test_a_second_manager_of_the_same_values_is_remembered(client: Client) -> None:
    await client.apply(deployment(paused=True), "one")
    both = await client.apply(deployment(paused=True), "two")
    assert managers(both) == {("one", ""), ("two", "")}
    left = await client.apply(deployment(), "one")
    assert left["spec"]["paused"] is True
    gone = await client.apply(deployment(), "two")
    assert "paused" not in gone["spec"]


async def test_an_apply_that_changes_nothing_writes_nothing(client: Client) -> None:
    first = await client.apply(deployment(paused=True), "one")
    again = await client.apply(deployment(paused=True), "one")
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_patch_by_another_is_in_conflict_with_the_next_apply(client: Client) -> None:
    await client.apply(deployment(replicas=3), "gitops")
    scaled = await client.merge({"spec": {"replicas": 7}}, "autoscaler")
    assert managers(scaled) == {("gitops", ""), ("autoscaler", "")}
    with pytest.raises(errors.Conflict) as caught:
        await client.apply(deployment(replicas=3), "gitops")
    assert caught.value.details["causes"][0]["field"] == ".spec.replicas"
    kept = await client.apply(deployment(), "gitops")
    assert kept["spec"]["replicas"] == 7


async def test_who_patches_an_object_that_nobody_applied_is_not_tracked(client: Client) -> None:
    create = Call(
        verb="create", resource=DEPLOYMENTS, namespace="default", body=msgspec.json.encode(deployment(replicas=1))
    )
    await client._server.handle("", ADMIN, create)
    assert managers(await client.merge({"spec": {"replicas": 2}}, "someone")) == set()
    applied = await client.apply(deployment(replicas=2), "gitops")
    assert managers(applied) == {("gitops", ""), ("before-first-apply", "")}


async def test_status_is_applied_and_owned_apart(client: Client) -> None:
    await client.apply(deployment(replicas=3), "gitops")
    status = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "status": {"replicas": 2}}
    applied = await client.apply(status, "controller", "status")
    assert applied["status"]["replicas"] == 2
    assert managers(applied) == {("gitops", ""), ("controller", "status")}
