"""Calls to Azure: one client a caller, bounded, limited in rate, never waiting for long, with errors translated.

Used by all of the provider; the only place that imports Azure's libraries, and only when the first call is made: a
start of the process must not wait for it. Knows nothing of pools.

Nothing here sleeps for longer than a moment: where Azure (429, `Retry-After`) or the rate limit wants more patience,
`Throttled` says how much, and the worker is free meanwhile. Long-running operations are begun, never waited for.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from capipool.machinery import codec
from capipool.machinery.objects import Raw
from capipool.providers.azure import failures
from capipool.sdk.errors import CloudUnavailable, PermissionDenied, ProviderError, Throttled
from capipool.sdk.pacing import Bucket

CONCURRENCY = 16
"""Calls under way at once, over all callers."""
PATIENCE_SECONDS = 1.0
"""How long a call waits for its turn; beyond that it is put off."""
_TIMEOUTS: Mapping[str, Any] = {"connection_timeout": 10, "read_timeout": 60}


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where Azure is. `endpoint` and `authority` without a slash at their end."""

    endpoint: str = "https://management.azure.com"
    authority: str = "https://login.microsoftonline.com"
    audience: str = ""
    """Whom tokens are for; empty means the endpoint."""
    ca_file: str = ""
    """Authorities to trust instead of the usual ones, in PEM."""

    @property
    def scope(self) -> str:
        """What tokens are asked for."""
        return f"{self.audience or self.endpoint}/.default"


PUBLIC = "AzurePublicCloud"
CLOUDS = {
    PUBLIC: Cloud(),
    "AzureChinaCloud": Cloud("https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
    "AzureUSGovernmentCloud": Cloud("https://management.usgovcloudapi.net", "https://login.microsoftonline.us"),
}
"""By the names that `spec.azureEnvironment` takes."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and about which subscription. Holds no secret."""

    subscription: str
    environment: str = PUBLIC
    identity: str = ""
    """Names the identity, `<key>@<version>`, so that a changed one gets a client of its own; empty is the process's."""


Credentials = Callable[[Caller, Cloud], Awaitable[Any]]
"""Makes the library's asynchronous credential of a caller. Raises ProviderError."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Azure said to a call that begins an operation."""

    body: Raw
    operation: str = ""
    """Where to ask for the operation: path and query; empty where it is over already."""
    by_location: bool = False
    """Whether that is a `Location`, which answers 202 for as long as it runs."""
    again: dt.timedelta | None = None
    """When Azure wants to be asked."""


class Calls:
    """Calls to Azure, for any caller."""

    def __init__(
        self,
        *,
        credentials: Credentials | None = None,
        endpoint: str = "",
        authority: str = "",
        ca_file: str = "",
        rate: float = 10.0,
        burst: int = 100,
    ) -> None:
        """`endpoint`, `authority` and `ca_file` are another's than Azure's own. `rate`: calls a second and caller."""
        self._credentials = credentials or default_credential
        self._override = (endpoint.rstrip("/"), authority.rstrip("/"), ca_file)
        self._rate, self._burst = rate, burst
        self._clients: dict[Caller, Any] = {}
        self._proofs: dict[Caller, Any] = {}
        self._open: dict[Caller, tuple[Any, Any]] = {}
        """By caller: what is to be closed at the end, or one change of the identity after its own."""
        self._buckets: dict[Caller, Bucket] = {}
        self._starting = asyncio.Lock()
        self._slots = asyncio.Semaphore(CONCURRENCY)

    def cloud(self, environment: str) -> Cloud:
        """Where the Azure of that name is; what was given to this object goes before."""
        known = CLOUDS.get(environment or PUBLIC, CLOUDS[PUBLIC])
        endpoint, authority, ca_file = self._override
        return Cloud(
            endpoint=endpoint or known.endpoint,
            authority=authority or known.authority,
            audience=known.audience or (known.endpoint if endpoint else ""),
            ca_file=ca_file,
        )

    async def get(self, caller: Caller, operation: str, *arguments: Any, **named: Any) -> Raw:
        """Make one call that answers with one document. `operation`: `group.method` of the compute client."""

        def document(pipeline: Any, *_: Any) -> Any:
            return pipeline.http_response.json() if pipeline.http_response.content else {}

        return await self._run(caller, operation, lambda m: m(*arguments, cls=document, **named)) or {}

    async def pages(self, caller: Caller, operation: str, *arguments: Any, **named: Any) -> list[Raw]:
        """Make a call that answers with a list, and read all its pages."""

        async def read(method: Any) -> list[Raw]:
            listed = method(*arguments, cls=lambda items: [item.as_dict() for item in items], **named)
            return [item async for item in listed]

        found: list[Raw] = await self._run(caller, operation, read)
        return found

    async def begin(self, caller: Caller, operation: str, *arguments: Any, **named: Any) -> Answer:
        """Begin a long-running operation, and return at once."""
        from azure.core.polling import AsyncPollingMethod

        class First(AsyncPollingMethod[Any]):
            """Polls nothing: keeps the first answer."""

            def initialize(self, client: Any, initial_response: Any, deserialization_callback: Any) -> None:
                self.response = initial_response.http_response

        first = First()
        await self._run(caller, operation, lambda m: m(*arguments, polling=first, **named))
        response = first.response
        body = codec.decode_json(response.content) if response.content else {}
        return _begun(response.headers, body, response.status_code)

    async def request(
        self,
        caller: Caller,
        method: str,
        path: str,
        *,
        body: Raw | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Raw, Any]:
        """Make one call by its path and query, where the compute client has none. Returns status, document, headers."""
        endpoint = self.cloud(caller.environment).endpoint
        if urlsplit(path).netloc or not path.startswith("/"):
            raise CloudUnavailable(f"{method} {path}", detail="the path must not name a host")

        async def send(client: Any) -> tuple[int, Raw, Any]:
            from azure.core.exceptions import HttpResponseError, map_error
            from azure.core.rest import HttpRequest
            from azure.mgmt.core.exceptions import ARMErrorFormat

            # The library takes braces for places to fill in.
            url = endpoint + path.replace("{", "%7B").replace("}", "%7D")
            response = await client.send_request(HttpRequest(method, url, json=body, headers=dict(headers or {})))
            if response.status_code >= 400:
                map_error(response.status_code, response, {})
                raise HttpResponseError(response=response, error_format=ARMErrorFormat)
            return response.status_code, response.json() if response.content else {}, response.headers

        title = f"{method} {path.partition('?')[0]}"
        answer: tuple[int, Raw, Any] = await self._guard(caller, title, lambda: self._sent(caller, send))
        return answer

    async def order(
        self,
        caller: Caller,
        method: str,
        path: str,
        *,
        body: Raw | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Begin a long-running operation by its path and query, and return at once."""
        status, document, told = await self.request(caller, method, path, body=body, headers=headers)
        return _begun(told, document, status)

    async def token(self, caller: Caller, scope: str) -> tuple[str, dt.datetime]:
        """A token of the caller for another service than Azure's, and when it expires. The library keeps its own."""

        async def ask(_: Any) -> tuple[str, dt.datetime]:
            found = await self._proofs[caller].get_token(scope)
            return found.token, dt.datetime.fromtimestamp(found.expires_on, dt.UTC)

        answer: tuple[str, dt.datetime] = await self._guard(caller, "a token", lambda: self._sent(caller, ask))
        return answer

    async def close(self) -> None:
        """Take no more calls, and close what is open."""
        closing = [each for pair in self._open.values() for each in pair]
        self._open.clear()
        self._clients.clear()
        self._proofs.clear()
        for each in closing:
            await each.close()

    async def _run(self, caller: Caller, operation: str, use: Callable[[Any], Any]) -> Any:
        group, _, method = operation.partition(".")

        async def with_method(client: Any) -> Any:
            return await use(getattr(getattr(client, group), method))

        title = f"{method.removeprefix('begin_')} {group}".replace("_", " ")
        return await self._guard(caller, title, lambda: self._sent(caller, with_method))

    async def _sent(self, caller: Caller, use: Callable[[Any], Awaitable[Any]]) -> Any:
        async with self._slots:
            return await use(await self._client(caller))

    async def _guard(self, caller: Caller, title: str, send: Callable[[], Awaitable[Any]]) -> Any:
        if (bucket := self._buckets.get(caller)) is None:
            bucket = Bucket(rate=self._rate, burst=self._burst, patience=PATIENCE_SECONDS)
            self._buckets[caller] = bucket
        loop = asyncio.get_running_loop()
        delay = bucket.reserve(loop.time())
        if delay > PATIENCE_SECONDS:
            raise Throttled(title, retry_after=dt.timedelta(seconds=delay))
        if delay > 0:
            await asyncio.sleep(delay)
        try:
            return await send()
        except ProviderError:
            raise
        except Exception as error:
            translated = failures.translate(title, error)
            if isinstance(translated, Throttled) and translated.delay is not None:
                bucket.closed_until = loop.time() + translated.delay.total_seconds()
            raise translated from error

    async def _client(self, caller: Caller) -> Any:
        """The library's client of a caller. Making one reads certificates, and the first one imports the library."""
        async with self._starting:
            if caller not in self._clients:
                cloud = self.cloud(caller.environment)
                loop = asyncio.get_running_loop()
                try:
                    await loop.run_in_executor(None, _import)
                    credential = await self._credentials(caller, cloud)
                except ImportError as error:
                    raise CloudUnavailable("any call", detail="install capipool with the extra `azure`") from error
                await self._retire(caller)
                made = client(caller, cloud, credential)
                self._open[caller] = (made, credential)
                self._clients[caller], self._proofs[caller] = made, credential
            return self._clients[caller]

    async def _retire(self, caller: Caller) -> None:
        """Forget the clients of the same identity as it was before this change, and close those from before the last.

        Calls may be under way with the former; with the latter they ended long ago.
        """
        for known in [each for each in self._open if _is_earlier(each, caller)]:
            self._buckets.pop(known, None)
            self._proofs.pop(known, None)
            if self._clients.pop(known, None) is None:
                for each in self._open.pop(known):
                    await each.close()


def _is_earlier(known: Caller, caller: Caller) -> bool:
    """Whether a caller is another one only by the version of its identity."""
    about = (caller.subscription, caller.environment, caller.identity.partition("@")[0])
    return known != caller and about == (known.subscription, known.environment, known.identity.partition("@")[0])


@functools.cache
def _import() -> None:
    """Import the library. Who keeps no log of its own is not told what it says: errors carry that to conditions."""
    import azure.identity.aio
    import azure.mgmt.compute.aio  # noqa: F401

    logging.getLogger("azure").addHandler(logging.NullHandler())


def client(caller: Caller, cloud: Cloud, credential: Any) -> Any:
    """Make a client of Azure's library that retries nothing by itself: what to do next is decided here."""
    from azure.mgmt.compute.aio import ComputeManagementClient

    return ComputeManagementClient(
        credential,
        caller.subscription,
        cloud.endpoint,
        credential_scopes=[cloud.scope],
        retry_total=0,
        logging_enable=False,
        **_trust(cloud),
        **_TIMEOUTS,
    )


def _trust(cloud: Cloud) -> dict[str, Any]:
    """Whom to trust: the usual authorities, or those of a file.

    Told the file's name alone, the library makes a TLS context and a connection for every request.
    """
    if not cloud.ca_file:
        return {}
    from aiohttp import ClientSession, TCPConnector
    from azure.core.pipeline.transport import AioHttpTransport

    context = ssl.create_default_context(cafile=cloud.ca_file)
    return {"transport": AioHttpTransport(session=ClientSession(connector=TCPConnector(ssl=context)))}


async def default_credential(caller: Caller, cloud: Cloud) -> Any:
    """The library's own chain: environment, workload identity, managed identity, the developer's login."""
    from azure.identity.aio import DefaultAzureCredential

    if caller.identity:
        raise PermissionDenied("call Azure", detail=f"nobody here knows the identity {caller.identity}")
    return DefaultAzureCredential(authority=cloud.authority)


def _begun(headers: Mapping[str, str], body: Raw, status: int) -> Answer:
    """Read the first answer of an operation. Only path and query of where to ask are kept: a token goes to no other."""
    asynchronous, location = headers.get("Azure-AsyncOperation", ""), headers.get("Location", "")
    running = asynchronous or (location if status in (201, 202) else "")
    parts = urlsplit(running)
    return Answer(
        body=body,
        operation=parts.path + (f"?{parts.query}" if parts.query else "") if running else "",
        by_location=bool(running) and not asynchronous,
        again=failures.retry_after(headers),
    )
