"""The HTTP front as any client meets it: credentials, paths, media types, malformed requests, streams."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from capipool.apiserver import authn, pki
from capipool.apiserver.http import Listener, serve
from capipool.machinery.calls import ADMIN, User
from tests.server.apiserver import world as worlds
from tests.server.apiserver.world import World, config

TOKEN = "a-token-for-tests"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@dataclass
class Front:
    """A listener, its server, and a client with a token."""

    world: World
    listener: Listener
    session: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, Mapping[str, str]]:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **(headers or {})}
        async with self.session.request(method, self.listener.url + path, data=data, headers=given) as response:
            text = await response.read()
            is_json = response.content_type == "application/json" and text
            return response.status, json.loads(text) if is_json else text.decode(), response.headers

    async def raw(self, data: bytes) -> bytes:
        """What the server answers to bytes, up to its hanging up."""
        reader, writer = await asyncio.open_connection(self.listener.host, self.listener.port)
        try:
            writer.write(data)
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()
            await writer.wait_closed()


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    authenticator = authn.Authenticator({TOKEN: ADMIN, "bound": User("b", ("capipool:cluster:default/one",))})
    async with worlds.running() as world:
        listener = await serve(world.server, authenticator=authenticator, tls=None)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            yield Front(world, listener, session)
        await listener.close()


async def test_objects_are_created_read_changed_and_deleted(front: Front) -> None:
    code, made, _ = await front.ask("POST", CONFIGMAPS, config("a", x="1"))
    assert (code, made["data"]) == (201, {"x": "1"})
    assert (await front.ask("GET", f"{CONFIGMAPS}/a"))[1] == made
    patch = {"Content-Type": "application/merge-patch+json"}
    code, changed, _ = await front.ask("PATCH", f"{CONFIGMAPS}/a", {"data": {"x": "2"}}, patch)
    assert (code, changed["data"]) == (200, {"x": "2"})
    code, status, _ = await front.ask("PUT", f"{CONFIGMAPS}/a", made)
    assert (code, status["reason"]) == (409, "Conflict")
    assert (await front.ask("DELETE", f"{CONFIGMAPS}/a"))[0] == 200
    code, status, _ = await front.ask("GET", f"{CONFIGMAPS}/a")
    assert (code, status["kind"], status["reason"]) == (404, "Status", "NotFound")
    assert status["details"] == {"name": "a", "kind": "configmaps"}


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic YTpi", "Bearer", "Bearer "])
async def test_nobody_is_let_in_without_credentials(front: Front, authorization: str) -> None:
    headers = {"Authorization": authorization}
    for path in ("/api/v1/namespaces", "/apis", "/openapi/v2", "/nonsense"):
        code, status, answered = await front.ask("GET", path, headers=headers)
        assert (code, status["reason"], status["message"]) == (401, "Unauthorized", "Unauthorized")
        assert "WWW-Authenticate" in answered
    for path in ("/healthz", "/livez", "/readyz", "/readyz/ping", "/version"):
        assert (await front.ask("GET", path, headers=headers))[0] == 200


async def test_who_is_bound_to_a_cluster_uses_that_one_only(front: Front) -> None:
    await front.world.server.ensure_space("default/one")
    bound = {"Authorization": "Bearer bound"}
    assert (await front.ask("GET", "/workload/default/one/api/v1/nodes", headers=bound))[0] == 200
    code, status, _ = await front.ask("GET", "/api/v1/secrets", headers=bound)
    assert (code, status["reason"]) == (403, "Forbidden")
    assert (await front.ask("GET", "/workload/default/two/api/v1/nodes", headers=bound))[0] == 403


async def test_a_workload_cluster_has_a_path_of_its_own(front: Front) -> None:
    await front.world.server.ensure_space("default/one")
    prefix = "/workload/default/one"
    assert (await front.ask("POST", f"{prefix}/api/v1/nodes", {"metadata": {"name": "n"}}))[0] == 201
    assert len((await front.ask("GET", f"{prefix}/api/v1/nodes"))[1]["items"]) == 1
    assert (await front.ask("GET", "/api/v1/nodes"))[1]["items"] == []
    assert (await front.ask("GET", f"{prefix}/version"))[0] == 200
    assert (await front.ask("GET", f"{prefix}/apis"))[1]["kind"] == "APIGroupList"
    code, status, _ = await front.ask("GET", "/workload/default/none/api/v1/nodes")
    assert (code, status["reason"]) == (404, "NotFound")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nonsense", 404),
        ("GET", "/api/v1/nonsense", 404),
        ("GET", "/apis/nobody.org/v1/things", 404),
        ("GET", "/apis/apps/v9/deployments", 404),
        ("GET", f"{CONFIGMAPS}/a/b/c", 404),
        ("GET", f"{CONFIGMAPS}/a/scale", 404),
        ("POST", f"{CONFIGMAPS}/a", 405),
        ("PUT", CONFIGMAPS, 405),
        ("PATCH", CONFIGMAPS, 405),
        ("POST", "/version", 405),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405),
        ("GET", f"{CONFIGMAPS}?labelSelector=a%3Db%3Dc!", 400),
        ("GET", f"{CONFIGMAPS}?watch=1&resourceVersion=x", 400),
        ("GET", f"{CONFIGMAPS}?watch=1&resourceVersion=99999", 504),
    ],
)
async def test_what_is_not_there_is_answered_with_a_status(front: Front, method: str, path: str, code: int) -> None:
    answered, status, _ = await front.ask(method, path, {} if method != "GET" else None)
    assert (answered, status["kind"], status["status"], status["code"]) == (code, "Status", "Failure", code)


@pytest.mark.parametrize(
    ("method", "content_type", "body", "code"),
    [
        ("POST", "application/json", b"{", 400),
        ("POST", "application/json", b"", 400),
        ("POST", "application/json", b"\xff\xfe", 400),
        ("POST", "application/json", b'{"metadata":{"name":"a"},"data":{"a":' + b"[" * 5000 + b"]" * 5000 + b"}}", 400),
        ("POST", "application/yaml", b"a: [", 400),
        ("POST", "application/yaml", b"a: 1\n---\nb: 2\n", 400),
        ("POST", "application/vnd.kubernetes.protobuf", b"k8s\x00", 415),
        ("POST", "application/x-www-form-urlencoded", b"a=b", 415),
        ("PATCH", "application/json", b"{}", 415),
        ("PATCH", "application/merge-patch+json", b"[", 400),
        ("PATCH", "application/merge-patch+json", b"[]", 400),
        ("PATCH", "application/json-patch+json", b'[{"op":"fly"}]', 400),
    ],
)
async def test_malformed_bodies_are_refused_and_change_nothing(
    front: Front, method: str, content_type: str, body: bytes, code: int
) -> None:
    await front.ask("POST", CONFIGMAPS, config("there"))
    path = CONFIGMAPS if method == "POST" else f"{CONFIGMAPS}/there"
    answered, status, _ = await front.ask(method, path, body, {"Content-Type": content_type})
    assert (answered, status["code"]) == (code, code)
    assert await front.world.names(worlds.CONFIGMAPS) == ["there"]


async def test_too_large_a_body_is_refused(front: Front) -> None:
    size = 3 * 1024 * 1024 + 1
    head = f"POST {CONFIGMAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {size}\r\n\r\n"
    answer = await front.raw(head.encode() + b"x" * size)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"RequestEntityTooLarge" in answer


@pytest.mark.parametrize(
    ("data", "start"),
    [
        (b"NONSENSE\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"HTTP/1.1 431 "),
        (b"GET /healthz HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 "),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n", b"HTTP/1.1 200 "),
    ],
)
async def test_what_is_hardly_http_is_answered_and_hung_up_on(front: Front, data: bytes, start: bytes) -> None:
    assert (await front.raw(data)).startswith(start)


async def test_requests_sent_ahead_are_answered_in_order(front: Front) -> None:
    ahead = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n" * 50
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await front.raw(ahead + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 51
    assert answer.endswith(b"ok")


async def test_a_client_that_waits_for_leave_gets_it(front: Front) -> None:
    body = json.dumps(config("a")).encode()
    head = (
        f"POST {CONFIGMAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nExpect: 100-continue\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    reader, writer = await asyncio.open_connection(front.listener.host, front.listener.port)
    writer.write(head)
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 201 ")
    writer.close()
    await writer.wait_closed()


async def test_a_table_is_served_to_who_asks_for_one(front: Front) -> None:
    await front.ask("POST", CONFIGMAPS, config("a", x="1"))
    accept = {"Accept": TABLE}
    _, table, _ = await front.ask("GET", CONFIGMAPS, headers=accept)
    assert table["kind"] == "Table"
    assert [row["cells"][:2] for row in table["rows"]] == [["a", 1]]
    _, one, _ = await front.ask("GET", f"{CONFIGMAPS}/a", headers=accept)
    assert one["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert (await front.ask("GET", f"{CONFIGMAPS}/none", headers=accept))[1]["kind"] == "Status"
    partial = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    _, metadata, _ = await front.ask("GET", CONFIGMAPS, headers=partial)
    assert metadata["kind"] == "PartialObjectMetadataList"
    assert "data" not in metadata["items"][0]


async def test_yaml_can_be_asked_for_and_nonsense_cannot(front: Front) -> None:
    _, text, _ = await front.ask("GET", "/api/v1/namespaces/default", headers={"Accept": "application/yaml"})
    assert "kind: Namespace" in text
    code, status, _ = await front.ask("GET", "/api/v1/namespaces/default", headers={"Accept": "image/png"})
    assert (code, status["reason"]) == (406, "NotAcceptable")


async def test_warnings_are_headers(front: Front) -> None:
    _, _, headers = await front.ask("POST", CONFIGMAPS, config("a") | {"spec": {}})
    assert headers["Warning"] == '299 - "unknown field \\"spec\\""'
    code, status, _ = await front.ask("POST", f"{CONFIGMAPS}?fieldValidation=Strict", config("b") | {"spec": {}})
    assert code == 400
    assert 'strict decoding error: unknown field "spec"' in status["message"]


async def test_the_user_agent_manages_fields_where_nobody_is_named(front: Front) -> None:
    apply = {"Content-Type": "application/apply-patch+yaml"}
    await front.ask("PATCH", f"{CONFIGMAPS}/a?fieldManager=me", config("a", x="1"), apply)
    patch = {"Content-Type": "application/merge-patch+json", "User-Agent": "tester/1.0"}
    _, changed, _ = await front.ask("PATCH", f"{CONFIGMAPS}/a", {"data": {"y": "2"}}, patch)
    assert {m["manager"] for m in changed["metadata"]["managedFields"]} == {"me", "tester"}


async def test_reviews_are_answered(front: Front) -> None:
    spec = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    code, review, _ = await front.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", spec)
    assert (code, review["status"]["allowed"]) == (201, True)
    tokens = "/apis/authentication.k8s.io/v1/tokenreviews"
    _, review, _ = await front.ask("POST", tokens, {"spec": {"token": TOKEN}})
    assert review["status"]["user"]["username"] == ADMIN.name
    assert not (await front.ask("POST", tokens, {"spec": {"token": "?"}}))[1]["status"]["authenticated"]
    _, review, _ = await front.ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert review["status"]["userInfo"]["username"] == ADMIN.name


@asynccontextmanager
async def watching(front: Front, query: str, accept: str = "*/*") -> AsyncIterator[AsyncIterator[Any]]:
    path = f"{front.listener.url}{CONFIGMAPS}?watch=1&{query}"
    async with front.session.get(path, headers={"Accept": accept}) as response:
        assert response.status == 200

        async def lines() -> AsyncIterator[Any]:
            async for line in response.content:
                yield json.loads(line)

        yield lines()


async def test_a_watch_streams_lines(front: Front) -> None:
    await front.ask("POST", CONFIGMAPS, config("a"))
    async with watching(front, "") as lines:
        assert (await anext(lines))["object"]["metadata"]["name"] == "a"
        await front.ask("POST", CONFIGMAPS, config("b"))
        event = await asyncio.wait_for(anext(lines), 5)
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "b")


async def test_a_watched_table_has_its_headers_once(front: Front) -> None:
    await front.ask("POST", CONFIGMAPS, config("a"))
    async with watching(front, "", TABLE) as lines:
        first = (await anext(lines))["object"]
        await front.ask("POST", CONFIGMAPS, config("b"))
        second = (await asyncio.wait_for(anext(lines), 5))["object"]
    assert first["columnDefinitions"]
    assert not second["columnDefinitions"]
    assert second["rows"][0]["cells"][0] == "b"


async def test_a_watch_ends_well_with_the_listener(front: Front) -> None:
    async with watching(front, "") as lines:
        end = asyncio.ensure_future(anext(lines, "the end"))
        await front.world.settle()
        await front.listener.close()
        assert await asyncio.wait_for(end, 5) == "the end"


async def test_a_client_that_leaves_is_not_watched_for(front: Front) -> None:
    collection = front.world.server.context.store.collection("", "", "configmaps")
    async with watching(front, ""):
        await front.world.soon(lambda: collection.waiting == 1)
    await front.world.soon(lambda: collection.waiting == 0)


async def test_a_write_whose_client_left_is_done_all_the_same(front: Front) -> None:
    body = json.dumps(config("a")).encode()
    _, writer = await asyncio.open_connection(front.listener.host, front.listener.port)
    head = f"POST {CONFIGMAPS} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await front.world.soon(lambda: front.world.exists(worlds.CONFIGMAPS, "a"))


async def test_over_tls_a_client_certificate_is_enough_and_a_strangers_is_not(tmp_path: Path) -> None:
    async with worlds.running() as world:
        now = dt.datetime.now(dt.UTC)  # TLS goes by the real time
        authority = pki.Authority(tmp_path / "pki", now=now)
        stranger = pki.Authority(tmp_path / "other", now=now)
        listener = await serve(world.server, authenticator=authn.Authenticator(), tls=authority.tls())
        try:
            assert await status_of(listener, authority, authority.client("admin"), tmp_path) == 200
            assert await status_of(listener, authority, None, tmp_path) == 401
            with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
                await status_of(listener, authority, stranger.client("admin"), tmp_path)
        finally:
            await listener.close()


async def status_of(listener: Listener, authority: pki.Authority, pair: pki.Pair | None, directory: Path) -> int:
    context = ssl.create_default_context(cadata=authority.ca.certificate.decode())
    if pair is not None:
        file = directory / "client.pem"
        file.write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(file)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        session.get(f"{listener.url}/api/v1/namespaces") as response,
    ):
        return response.status
