"""The HTTPS transport against a server that answers as a test says: errors, retries, watches, TLS, logins."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from capipool.client import credentials, identity
from capipool.client.http import HttpTransport, Limits, Unreached
from capipool.client.kubeconfig import Endpoint
from capipool.machinery import errors
from capipool.machinery.calls import Call, WatchEvent
from capipool.machinery.clock import SystemClock
from capipool.machinery.resource import Resource

PODS = Resource("", "v1", "Pod", "pods")
GET = Call(verb="get", resource=PODS, namespace="ns", name="p")
CREATE = Call(verb="create", resource=PODS, namespace="ns", body=b"{}")
QUICK = Limits(call=2, connect=1, first_retry=0.001)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def dialled(server: str, **options: Any) -> AsyncIterator[HttpTransport]:
    endpoint = options.pop("endpoint", None) or Endpoint(server=server, token="t0ken")
    who = options.pop("credentials", None) or identity.fixed(endpoint)
    transport = HttpTransport(endpoint, who, rng=random.Random(1), limits=options.pop("limits", QUICK), **options)
    try:
        yield transport
    finally:
        await transport.close()


async def watched(transport: HttpTransport) -> list[WatchEvent]:
    call = Call(verb="watch", resource=PODS, query={"resourceVersion": "1"})
    return [event async for batch in transport.watch(call) for event in batch]


class Answers:
    """Answers one after the other, the last one for ever; keeps what was asked."""

    def __init__(self, *answers: tuple[int, Any] | tuple[int, Any, dict[str, str]]) -> None:
        self._answers = itertools.chain(answers, itertools.repeat(answers[-1]))
        self.asked: list[web.Request] = []

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(request)  # type: ignore[arg-type]
        code, body, *headers = next(self._answers)
        return web.json_response(body, status=code, headers=headers[0] if headers else None)


def status(code: int, reason: str, **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "reason": reason, "message": f"said {reason}", "details": details}


async def test_a_call_is_sent_as_the_api_has_it() -> None:
    answers = Answers((200, {"ok": True}, {"Warning": '299 - "field x is \\"old\\""'}))
    call = Call(verb="list", resource=PODS, namespace="a b", query={"labelSelector": "a in (b,c)", "limit": "5"})
    async with serving(answers) as server, dialled(server) as transport:
        reply = await transport.call(call)
    assert (reply.body, reply.warnings) == (b'{"ok": true}', ('field x is "old"',))
    request = answers.asked[0]
    assert (request.method, request.path) == ("GET", "/api/v1/namespaces/a b/pods")
    assert dict(request.query) == {"labelSelector": "a in (b,c)", "limit": "5"}
    assert request.headers["Authorization"] == "Bearer t0ken"


async def test_a_name_cannot_step_out_of_its_place() -> None:
    answers = Answers((200, {}))
    call = Call(verb="get", resource=PODS, namespace="ns", name="../../secrets/s?x=")
    async with serving(answers) as server, dialled(server) as transport:
        await transport.call(call)
    assert answers.asked[0].rel_url.raw_path == "/api/v1/namespaces/ns/pods/..%2F..%2Fsecrets%2Fs%3Fx%3D"


@pytest.mark.parametrize(
    ("code", "body", "error", "message"),
    [
        (404, status(404, "NotFound"), errors.NotFound, "said NotFound"),
        (409, status(409, "AlreadyExists"), errors.AlreadyExists, "said AlreadyExists"),
        (422, status(422, "Invalid"), errors.Invalid, "said Invalid"),
        (403, {"message": "by a proxy"}, errors.Forbidden, "by a proxy"),
        (500, "no object", errors.InternalError, "no object"),
    ],
)
async def test_failures_come_back_as_typed_errors(code: int, body: Any, error: type[Exception], message: str) -> None:
    answers = Answers((code, body))
    async with serving(answers) as server, dialled(server) as transport:
        with pytest.raises(error, match=message):
            await transport.call(CREATE)
    assert len(answers.asked) == 1


async def test_reads_are_repeated_when_the_server_is_not_ready() -> None:
    answers = Answers((503, status(503, "ServiceUnavailable")), (504, status(504, "Timeout")), (200, {}))
    async with serving(answers) as server, dialled(server) as transport:
        await transport.call(GET)
    assert len(answers.asked) == 3


async def test_writes_are_not_repeated_when_they_may_have_happened() -> None:
    answers = Answers((503, status(503, "ServiceUnavailable")))
    async with serving(answers) as server, dialled(server) as transport:
        with pytest.raises(errors.ServiceUnavailable):
            await transport.call(CREATE)
    assert len(answers.asked) == 1


async def test_an_overloaded_server_gets_the_patience_it_asks_for_also_for_writes() -> None:
    answers = Answers((429, status(429, "TooManyRequests"), {"Retry-After": "1"}), (201, {}))
    loop = asyncio.get_running_loop()
    async with serving(answers) as server, dialled(server) as transport:
        began = loop.time()
        await transport.call(CREATE)
    assert len(answers.asked) == 2
    assert loop.time() - began >= 1


async def test_a_server_that_asks_for_too_much_patience_has_its_answer_passed_on() -> None:
    answers = Answers((429, status(429, "TooManyRequests", retryAfterSeconds=3600)))
    async with serving(answers) as server, dialled(server) as transport:
        with pytest.raises(errors.TooManyRequests) as caught:
            await transport.call(CREATE)
    assert caught.value.retry_after_seconds == 3600
    assert len(answers.asked) == 1


async def test_an_eviction_that_a_budget_forbids_is_never_repeated_here() -> None:
    answers = Answers((429, status(429, "TooManyRequests", retryAfterSeconds=1)))
    call = Call(verb="create", resource=PODS, namespace="ns", name="p", subresource="eviction", body=b"{}")
    async with serving(answers) as server, dialled(server) as transport:
        with pytest.raises(errors.TooManyRequests):
            await transport.call(call)
    assert len(answers.asked) == 1


async def test_a_server_that_is_not_there_was_not_reached_and_even_writes_are_tried_again() -> None:
    counted: list[tuple[str, str, str]] = []
    async with serving(Answers((200, {}))) as server:
        pass
    async with dialled(server, on_request=lambda *facts: counted.append(facts)) as transport:
        with pytest.raises(Unreached, match=r"127\.0\.0\.1 cannot be reached"):
            await transport.call(CREATE)
    assert counted == [("<error>", "POST", "127.0.0.1")] * QUICK.attempts


async def test_a_server_that_does_not_answer_in_time_is_a_timeout() -> None:
    async def sleepy(request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async with serving(sleepy) as server, dialled(server, limits=Limits(call=0.1, attempts=1)) as transport:
        with pytest.raises(errors.Timeout, match="did not answer within"):
            await transport.call(CREATE)


async def test_a_closed_transport_says_so() -> None:
    async with dialled("http://127.0.0.1:1", limits=Limits(attempts=1)) as transport:
        await transport.close()
        with pytest.raises(errors.ServiceUnavailable, match="closed"):
            await transport.call(GET)


async def test_watch_events_come_in_batches_however_the_bytes_are_cut() -> None:
    lines = (
        b'{"type":"ADDED","object":{"n":1}}\n{"type":"MODIFIED","object":{"n":2}}\n{"type":"BOOKMARK","object":{}}\n'
    )

    async def stream(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for start in range(0, len(lines), 50):
            await response.write(lines[start : start + 50])
            await asyncio.sleep(0.01)
        return response

    async with serving(stream) as server, dialled(server) as transport:
        events = await watched(transport)
    assert events == [
        WatchEvent("ADDED", b'{"n":1}'),
        WatchEvent("MODIFIED", b'{"n":2}'),
        WatchEvent("BOOKMARK", b"{}"),
    ]


async def test_a_watch_that_is_refused_raises_what_the_server_said() -> None:
    async with serving(Answers((410, status(410, "Expired")))) as server, dialled(server) as transport:
        with pytest.raises(errors.Expired):
            await watched(transport)


async def test_a_watch_that_is_cut_raises() -> None:
    async def cut(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type":"ADDED","object":{}}\n')
        assert request.transport is not None
        request.transport.abort()
        return response

    async with serving(cut) as server, dialled(server) as transport:
        with pytest.raises(errors.ServiceUnavailable, match="broke"):
            await watched(transport)


async def test_fresh_credentials_are_tried_once_where_the_old_are_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    async def strict(request: web.BaseRequest) -> web.Response:
        known = request.headers["Authorization"] == "Bearer new"
        return web.json_response({}) if known else web.json_response(status(401, "Unauthorized"), status=401)

    async with serving(strict) as server:
        endpoint = Endpoint(server=server, token_file=str(token))
        who = credentials.credentials_of(endpoint, clock=SystemClock())
        async with dialled(server, endpoint=endpoint, credentials=who) as transport:
            with pytest.raises(errors.Unauthorized):
                await transport.call(GET)
            token.write_text("new")
            await transport.call(GET)


async def test_a_credential_plugin_is_asked_once_for_as_long_as_its_token_lasts(tmp_path: Path) -> None:
    log, plugin = tmp_path / "log", tmp_path / "plugin"
    until = (SystemClock().now() + dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    version = "client.authentication.k8s.io/v1"
    answer = (
        f'{{"apiVersion":"{version}","kind":"ExecCredential",'
        f'"status":{{"token":"from-plugin","expirationTimestamp":"{until}"}}}}'
    )
    plugin.write_text(f"#!/bin/sh\necho run >> {log}\necho '{answer}'\n")
    plugin.chmod(0o700)
    answers = Answers((200, {}))
    async with serving(answers) as server:
        endpoint = Endpoint(server=server, exec={"apiVersion": version, "command": str(plugin)})
        who = credentials.credentials_of(endpoint, clock=SystemClock())
        async with dialled(server, endpoint=endpoint, credentials=who) as transport:
            await asyncio.gather(*(transport.call(GET) for _ in range(5)))
    assert {request.headers["Authorization"] for request in answers.asked} == {"Bearer from-plugin"}
    assert log.read_text() == "run\n"


async def test_a_credential_plugin_that_fails_is_named(tmp_path: Path) -> None:
    endpoint = Endpoint(server="https://x", exec={"apiVersion": "client.authentication.k8s.io/v1", "command": "/gone"})
    who = credentials.credentials_of(endpoint, clock=SystemClock())
    with pytest.raises(errors.Unauthorized, match="the credential plugin '/gone' failed"):
        await who.identity()


class Authority:
    """A certificate authority that signs for 127.0.0.1."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.certificate = self._sign(self._name, self._key.public_key(), authority=True)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, common_name: str) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        cert = self._sign(name, key.public_key(), authority=False)
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return cert.public_bytes(encoding), key.private_bytes(encoding, form, serialization.NoEncryption())

    def _sign(self, name: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool) -> x509.Certificate:
        import ipaddress

        now = SystemClock().now()
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .sign(self._key, hashes.SHA256())
        )


async def test_server_and_client_know_each_other_by_certificate(tmp_path: Path) -> None:
    authority = Authority()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.pem.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    files = [tmp_path / "cert", tmp_path / "key"]
    for file, content in zip(files, authority.issue("server"), strict=True):
        file.write_bytes(content)
    context.load_cert_chain(*files)

    async def who(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        subject = request.transport.get_extra_info("peercert")["subject"]
        return web.json_response({"user": subject[0][0][1]})

    cert, key = authority.issue("admin")
    async with serving(who, context) as server:
        known = Endpoint(server=server, ca=authority.pem, cert=cert, key=key)
        async with dialled(server, endpoint=known) as transport:
            assert (await transport.call(GET)).body == b'{"user": "admin"}'
        stranger = Endpoint(server=server, ca=Authority().pem, cert=cert, key=key)
        async with dialled(server, endpoint=stranger, limits=Limits(attempts=1)) as transport:
            with pytest.raises(errors.ServiceUnavailable, match="not trusted"):
                await transport.call(GET)


async def test_a_certificate_that_is_none_is_said_to_be() -> None:
    endpoint = Endpoint(server="https://127.0.0.1:1", ca=b"rubbish", source="secret ns/c-kubeconfig")
    async with dialled("", endpoint=endpoint) as transport:
        with pytest.raises(errors.BadRequest, match="secret ns/c-kubeconfig: the certificate authority cannot be read"):
            await transport.call(GET)
