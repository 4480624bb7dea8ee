"""The transport over HTTPS, on aiohttp: connections reused, errors typed, and repeated only what is safe to repeat.

Made by `client.credentials` for a kubeconfig or a service account. Who reads in process never imports this.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

from capipool.client.identity import Credentials, Identity
from capipool.client.kubeconfig import Endpoint
from capipool.machinery import errors
from capipool.machinery.calls import Call, Reply, WatchEvent, WatchType

CountRequest = Callable[[str, str, str], None]
"""Told of each request: HTTP code (or `<error>`), method, host."""

_METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
_READS = frozenset({"get", "list", "watch"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient the transport is. In seconds, where it is time."""

    call: float = 30.0
    """For one attempt of one call, from sending to the last byte. A watch is not limited: see its `timeoutSeconds`."""
    connect: float = 10.0
    attempts: int = 5
    """How often a call is tried in all, where trying again is safe."""
    first_retry: float = 0.1
    """Doubled each time, and longer by chance; what the server asks for with Retry-After goes before it."""
    longest_wait: float = 30.0
    """A server that asks for more patience than this gets its answer passed on instead."""
    concurrent_calls: int = 64
    """Calls under way at once; more wait here, where that costs least. Watches are not counted."""


class Unreached(errors.ServiceUnavailable):
    """The server was not reached, so nothing has happened: safe to try again, whatever the call."""


class _Frame(msgspec.Struct):
    """A line of a watch, its object not decoded."""

    type: WatchType
    object: msgspec.Raw


_frames = msgspec.json.Decoder(_Frame)


class HttpTransport:
    """One API server over HTTP. Must be used within one event loop, and closed."""

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials,
        *,
        rng: random.Random | None = None,
        limits: Limits | None = None,
        on_request: CountRequest | None = None,
        initial_events: bool = True,
    ) -> None:
        self.initial_events = initial_events
        """Streaming lists are tried; a server that knows none says so, and the reflector lists instead."""
        self._endpoint = endpoint
        self._credentials = credentials
        self._rng = rng or random.Random()
        self._limits = limits or Limits()
        self._count = on_request
        self._host = URL(endpoint.server).host or ""
        self._room = asyncio.Semaphore(self._limits.concurrent_calls)
        self._session: aiohttp.ClientSession | None = None
        self._identity = Identity()
        self._closed = False

    async def call(self, call: Call) -> Reply:
        """Make one call. See `Transport.call`."""
        method = _METHODS[call.verb]
        headers = {"Accept": "application/json"}
        if call.body:
            headers["Content-Type"] = call.content_type
        url = self._url(_path(call), call.query)
        repeatable = call.verb in _READS
        overload_passes = call.subresource != "eviction"  # there, 429 says that a disruption budget forbids it
        return await self._patiently(
            lambda: self._once(method, url, headers, call.body), repeatable, retry_overload=overload_passes
        )

    async def get_path(
        self, path: str, *, accept: str = "application/json", query: Mapping[str, str] | None = None
    ) -> bytes:
        """Read a document. See `Transport.get_path`. `accept` asks for another form of it, a Table for instance."""
        url = self._url(path, query or {})
        reply = await self._patiently(
            lambda: self._once("GET", url, {"Accept": accept}, b""), True, retry_overload=True
        )
        return reply.body

    async def watch(self, call: Call) -> AsyncIterator[Sequence[WatchEvent]]:
        """Follow changes. See `Transport.watch`."""
        url = self._url(_path(call), {**call.query, "watch": "true"})
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect)
        response = await self._open("GET", url, {"Accept": "application/json"}, b"", timeout)
        try:
            if response.status >= 400:
                raise _failure(response, await response.read())
            async for batch in _batches(response):
                yield batch
        except (aiohttp.ClientError, OSError) as error:
            raise errors.ServiceUnavailable(f"the watch of {self._host} broke: {_why(error)}") from error
        finally:
            response.close()

    def take_credentials(self, other: object) -> bool:
        """Be from now on who another transport is. Returns whether both reach the same server, in the same way.

        What is under way, a watch for instance, goes on as it began.
        """
        if not isinstance(other, HttpTransport) or _way(other._endpoint) != _way(self._endpoint):
            return False
        self._credentials = other._credentials
        return True

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- one attempt, and several

    async def _patiently(self, attempt: Callable[[], Any], repeatable: bool, *, retry_overload: bool) -> Reply:
        for number in itertools.count(1):
            try:
                async with self._room:
                    return cast(Reply, await attempt())
            except errors.ApiError as error:
                wait = self._wait_before_retry(error, number, repeatable, retry_overload)
                if wait is None:
                    raise
            await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    def _wait_before_retry(
        self, error: errors.ApiError, number: int, repeatable: bool, retry_overload: bool
    ) -> float | None:
        """Seconds to wait before another attempt; None where the error is the answer."""
        if number >= self._limits.attempts:
            return None
        asked = error.retry_after_seconds
        if isinstance(error, errors.TooManyRequests):
            safe = retry_overload and asked is not None  # refused before anything was done
        elif isinstance(error, Unreached):
            safe = True
        else:
            safe = repeatable and isinstance(error, errors.ServiceUnavailable | errors.Timeout)
        if not safe:
            return None
        doubled: float = self._limits.first_retry * 2.0 ** (number - 1)
        wait = max(doubled * (1 + self._rng.random()), asked or 0.0)
        return wait if wait <= self._limits.longest_wait else None

    async def _once(self, method: str, url: URL, headers: Mapping[str, str], body: bytes) -> Reply:
        timeout = aiohttp.ClientTimeout(total=self._limits.call, sock_connect=self._limits.connect)
        response = await self._open(method, url, headers, body, timeout)
        try:
            content = await response.read()
        except TimeoutError as error:
            raise errors.Timeout(f"{self._host} did not answer within {self._limits.call:.0f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise errors.Timeout(f"the connection to {self._host} broke: {_why(error)}") from error
        finally:
            response.release()
        if response.status >= 400:
            raise _failure(response, content)
        return Reply(content, response.status, _warnings(response))

    async def _open(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """Send a request, and once more with fresh credentials where the server does not know these any more."""
        response = await self._send(method, url, headers, body, timeout)
        if response.status == 401 and self._credentials.expire():
            response.release()
            response = await self._send(method, url, headers, body, timeout)
        return response

    async def _send(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        session = await self._connected()
        if self._identity.authorization:
            headers = {**headers, "Authorization": self._identity.authorization}
        code = "<error>"
        try:
            response = await session.request(
                method,
                url,
                headers=headers,
                data=body or None,
                timeout=timeout,
                allow_redirects=False,
                server_hostname=self._endpoint.tls_server_name or None,
                proxy=self._endpoint.proxy_url or None,
            )
            code = str(response.status)
            return response
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _unreached(self._host, error) from error
        except TimeoutError as error:
            raise errors.Timeout(f"{self._host} did not answer within {timeout.total or 0:.0f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise errors.Timeout(f"the connection to {self._host} broke: {_why(error)}") from error
        finally:
            if self._count is not None:
                self._count(code, method, self._host)

    async def _connected(self) -> aiohttp.ClientSession:
        """The session; a new one where the client certificate changed."""
        if self._closed:
            raise errors.ServiceUnavailable(f"the client of {self._host} is closed")
        identity = await self._credentials.identity()
        if self._session is None or identity.cert != self._identity.cert:
            stale, self._session = self._session, self._make_session(identity)
            if stale is not None:
                await stale.close()
        self._identity = identity
        return self._session

    def _make_session(self, identity: Identity) -> aiohttp.ClientSession:
        secure = self._endpoint.server.startswith("https:")
        connector = aiohttp.TCPConnector(
            ssl=tls_context(self._endpoint, identity) if secure else False,
            limit=0,  # watches hold theirs for as long as they last: a limit would starve calls
            limit_per_host=0,
            ttl_dns_cache=60,
        )
        return aiohttp.ClientSession(connector=connector, auto_decompress=True, cookie_jar=aiohttp.DummyCookieJar())

    def _url(self, path: str, query: Mapping[str, str]) -> URL:
        text = self._endpoint.server + path
        if query:
            text += "?" + urlencode(query)
        return URL(text, encoded=True)


def tls_context(endpoint: Endpoint, identity: Identity) -> ssl.SSLContext:
    """How to trust the server and be known to it. Raises errors.BadRequest where a certificate cannot be read."""
    try:
        context = ssl.create_default_context(cadata=endpoint.ca.decode("ascii") if endpoint.ca else None)
    except (ssl.SSLError, ValueError) as error:
        raise errors.BadRequest(f"{endpoint.source}: the certificate authority cannot be read: {error}") from error
    if endpoint.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if identity.cert:
        _load_certificate(context, endpoint.source, identity)
    return context


def _load_certificate(context: ssl.SSLContext, source: str, identity: Identity) -> None:
    """Python reads keys from files only: one that nobody else can read, for as long as it takes."""
    with tempfile.NamedTemporaryFile(prefix="capipool-") as file:
        file.write(identity.cert + b"\n" + identity.key)
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except (ssl.SSLError, ValueError) as error:
            raise errors.BadRequest(f"{source}: the client certificate or its key cannot be read: {error}") from error


def _path(call: Call) -> str:
    """The path of a call, its variable parts quoted: no name can step out of its place."""
    parts = (call.namespace, call.name, call.subresource)
    return call.resource.path(*(quote(part, safe=":") or None for part in parts))


async def _batches(response: aiohttp.ClientResponse) -> AsyncIterator[list[WatchEvent]]:
    """The events of a watch, as many at a time as came together."""
    rest: list[bytes] = []
    async for chunk in response.content.iter_any():
        head, newline, tail = chunk.rpartition(b"\n")
        if not newline:
            rest.append(chunk)
            continue
        rest.append(head)
        lines = b"".join(rest).split(b"\n")
        rest = [tail] if tail else []
        batch = [_event(line) for line in lines if line.strip()]
        if batch:
            yield batch


def _event(line: bytes) -> WatchEvent:
    try:
        frame = _frames.decode(line)
    except msgspec.MsgspecError as error:
        raise errors.InternalError(f"the server sent a watch event that cannot be read: {error}") from error
    return WatchEvent(frame.type, bytes(frame.object))


def _failure(response: aiohttp.ClientResponse, body: bytes) -> errors.ApiError:
    """The typed error of a reply that failed; proxies in between answer in prose."""
    try:
        status = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        text = body.decode("utf-8", "replace").strip()
        status = {"message": text[:512] or f"the server answered {response.status} {response.reason}"}
    if status.get("kind") != "Status":
        status = {"message": str(status.get("message") or f"the server answered {response.status}")}
    error = errors.from_status(status, response.status)
    retry_after = response.headers.get("Retry-After", "")
    if error.retry_after_seconds is None and retry_after.isdecimal():
        error.details["retryAfterSeconds"] = int(retry_after)
    return error


def _warnings(response: aiohttp.ClientResponse) -> tuple[str, ...]:
    """The text of `Warning: 299 - "text"` headers."""
    if "Warning" not in response.headers:
        return ()
    found = []
    for header in response.headers.getall("Warning"):
        _, quotation, rest = header.partition('"')
        text = rest.rpartition('"')[0] if quotation else header
        found.append(text.replace('\\"', '"').replace("\\\\", "\\"))
    return tuple(found)


def _way(endpoint: Endpoint) -> tuple[object, ...]:
    """How a server is reached and trusted, whoever reaches it."""
    return (endpoint.server, endpoint.ca, endpoint.insecure, endpoint.tls_server_name, endpoint.proxy_url)


def _unreached(host: str, error: Exception) -> errors.ApiError:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = error.certificate_error
        return errors.ServiceUnavailable(f"{host} shows a certificate that is not trusted: {why}")
    if isinstance(error, aiohttp.ClientSSLError):
        return errors.ServiceUnavailable(f"no secure connection to {host}: {_why(error)}")
    return Unreached(f"{host} cannot be reached: {_why(error)}")


def _why(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError) and (error.errno or 0) > 0:
        return f"port {error.port}: {os.strerror(error.errno or 0)}"
    return str(error) or type(error).__name__
