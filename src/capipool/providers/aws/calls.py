"""Calls to AWS: off the event loop, bounded, limited in rate, retried where that is safe, with errors translated.

Used by all of the provider; the only place that imports AWS's library, and only when the first call is made: a start of
the process must not wait for it. Knows nothing of pools, and not where an account's keys come from (`identities`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from capipool.machinery.objects import Raw
from capipool.providers.aws import failures
from capipool.providers.aws.failures import BadCredentials
from capipool.sdk.errors import CloudUnavailable, ProviderError, Throttled
from capipool.sdk.pacing import Bucket

ResultT = TypeVar("ResultT")

THREADS = 8
"""Calls under way at once of one account in one region: each waits on the network in a thread of its own."""
ALL_THREADS = 32
"""Calls under way at once altogether: a region that does not answer does not keep the others waiting."""
_ATTEMPTS = 4
_BACKOFF_SECONDS = 0.5
_TIMEOUTS = {"connect_timeout": 5, "read_timeout": 30}
_RENEWAL_SECONDS = 30.0
"""How often the process's own credentials are looked for anew, at most, while AWS does not take them."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """An access key. Its text shows nothing of the secret."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""

    def __repr__(self) -> str:
        return f"Keys({self.access_key_id})"


class Account(Protocol):
    """Who calls, where that is not the process itself."""

    name: str
    """Tells accounts apart: rates, threads and what was seen are kept by it and the region."""

    async def keys(self, region: str) -> Keys:
        """The keys that are good now: the same object as long as they are. Raises ProviderError, ApiError."""
        ...

    def forget(self, keys: Keys) -> None:
        """AWS took these keys no more: get others next time, if there are others."""
        ...


MakeClient = Callable[[str, str], Any]
"""Makes a client of a service in a region, for who makes the calls by other means: an account's keys are not its."""


@dataclass(slots=True)
class _Shared:
    """What the calls of all accounts have in common."""

    make_client: Callable[[str, str, Keys | None], Any]
    renew: Callable[[], None]
    """Has clients be made with credentials that are looked for anew."""
    rng: random.Random
    rate: float
    burst: int
    pool: ThreadPoolExecutor
    starting: asyncio.Lock
    accounts: dict[str, Calls]
    origins: dict[str, object]
    """By account: what it was made from."""


@dataclass(slots=True)
class _Made:
    """A client, and the keys that it was made with."""

    client: Any
    keys: Keys | None


class Calls:
    """Calls of one account; at first the process's own, whose credentials come by the library's own chain.

    `of` gives those of others. The endpoint may be another's than AWS's own. `rate` and `burst` hold for one account in
    one region.
    """

    def __init__(
        self,
        *,
        rng: random.Random,
        make_client: MakeClient | None = None,
        endpoint: str = "",
        rate: float = 10.0,
        burst: int = 50,
    ) -> None:
        pool = ThreadPoolExecutor(ALL_THREADS, thread_name_prefix="aws")
        clients = Clients(endpoint)
        make = _without_keys(make_client) if make_client is not None else clients.make
        shared = _Shared(make, clients.renew, rng, rate, burst, pool, asyncio.Lock(), {"": self}, {})
        self._begin(shared, None)

    def _begin(self, shared: _Shared, account: Account | None) -> None:
        self._shared = shared
        self._account = account
        self._clients: dict[tuple[str, str], _Made] = {}
        self._buckets: dict[str, Bucket] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._renewed = float("-inf")
        """When the process's own credentials were looked for anew last (loop time)."""

    @property
    def account(self) -> str:
        """Whose calls these are: what was seen by them is kept by this and the region. Empty: the process's own."""
        return self._account.name if self._account is not None else ""

    def of(self, account: Account | None) -> Calls:
        """The calls of an account: the same ones at each call. None: the process's own."""
        if account is None:
            return self._shared.accounts[""]
        made = self._shared.accounts.get(account.name)
        if made is None:
            made = self._shared.accounts[account.name] = Calls.__new__(Calls)
            made._begin(self._shared, account)
        made._account = account
        return made

    def once(self, name: str, origin: object, make: Callable[[], Account]) -> Calls:
        """The calls of an account of this name, which is made where there is none yet of this origin.

        Whoever asks with an equal origin gets the same ones: its keys are fetched once.
        """
        if name not in self._shared.accounts or self._shared.origins.get(name) != origin:
            self._shared.origins[name] = origin
            return self.of(make())
        return self._shared.accounts[name]

    async def call(self, region: str, service: str, operation: str, **parameters: Any) -> Raw:
        """Make one call, and again while AWS throttles it: nothing was done then.

        Raises ProviderError: what went wrong, in the words of `sdk.errors` and `failures`.
        """
        attempt = 0
        while True:
            await self._turn(region)
            try:
                return await self._with_keys(region, service, operation, parameters)
            except Throttled:
                attempt += 1
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(_BACKOFF_SECONDS * 2**attempt * self._shared.rng.uniform(0.5, 1))

    async def use(self, region: str, service: str, function: Callable[[Any], ResultT]) -> ResultT:
        """Have a function use the library's client of a service, for what is no call: signing something, for instance.

        Off the event loop, with the account's keys. Raises ProviderError.
        """
        keys = await self._account.keys(region) if self._account is not None else None
        try:
            library = await self._client(service, region, keys)
            return await asyncio.get_running_loop().run_in_executor(self._shared.pool, function, library)
        except ProviderError:
            raise
        except Exception as error:
            raise self._translated(f"use {service}", error) from error

    async def close(self) -> None:
        """Take no more calls, of no account. Those under way end by their timeouts."""
        self._shared.pool.shutdown(wait=False, cancel_futures=True)

    async def _turn(self, region: str) -> None:
        if (bucket := self._buckets.get(region)) is None:
            bucket = self._buckets[region] = Bucket(rate=self._shared.rate, burst=self._shared.burst)
        delay = bucket.reserve(asyncio.get_running_loop().time())
        if delay > 0:
            await asyncio.sleep(delay)

    async def _with_keys(self, region: str, service: str, operation: str, parameters: dict[str, Any]) -> Raw:
        """One call with the keys that are good now, and once more with new ones where AWS says that they are not."""
        keys = await self._account.keys(region) if self._account is not None else None
        try:
            return await self._once(region, service, operation, parameters, keys)
        except BadCredentials:
            if self._account is None or keys is None:
                raise
            self._account.forget(keys)
            fresh = await self._account.keys(region)
            if fresh == keys:
                raise
            return await self._once(region, service, operation, parameters, fresh)

    async def _once(
        self, region: str, service: str, operation: str, parameters: dict[str, Any], keys: Keys | None
    ) -> Raw:
        slots = self._slots.setdefault(region, asyncio.Semaphore(THREADS))
        async with slots:
            loop = asyncio.get_running_loop()
            try:
                library = await self._client(service, region, keys)
                method = getattr(library, operation)
                answer: Raw = await loop.run_in_executor(self._shared.pool, lambda: method(**parameters))
            except ProviderError:
                raise
            except Exception as error:
                raise self._translated(operation, error) from error
            return answer

    def _translated(self, operation: str, error: Exception) -> ProviderError:
        """A typed error. After one about the process's own credentials they are looked for anew the next time.

        Somebody may have signed in meanwhile, or written other keys into the profile.
        """
        made = failures.translate(operation, error)
        now = asyncio.get_running_loop().time()
        if isinstance(made, BadCredentials) and self._account is None and now >= self._renewed + _RENEWAL_SECONDS:
            self._renewed = now
            self._clients.clear()
            self._shared.renew()
        return made

    async def _client(self, service: str, region: str, keys: Keys | None) -> Any:
        """The library's clients are safe to share between threads; making them is not, and takes a while."""
        async with self._shared.starting:
            made = self._clients.get((service, region))
            if made is None or made.keys is not keys:
                loop = asyncio.get_running_loop()
                make = self._shared.make_client
                try:
                    client = await loop.run_in_executor(self._shared.pool, make, service, region, keys)
                except ImportError as error:
                    raise CloudUnavailable("any call", detail="install capipool with the extra `aws`") from error
                made = self._clients[service, region] = _Made(client, keys)
            return made.client


def _without_keys(make_client: MakeClient) -> Callable[[str, str, Keys | None], Any]:
    return lambda service, region, keys: make_client(service, region)


class Clients:
    """Makes clients of AWS's library that retry nothing by themselves: what to do next is decided here.

    They share one session of the library, which reads the description of a service once. Not for two threads at once.
    """

    def __init__(self, endpoint: str = "") -> None:
        self._endpoint = endpoint
        self._session: Any = None

    def renew(self) -> None:
        """Forget the session: the next client looks for credentials anew."""
        self._session = None

    def make(self, service: str, region: str, keys: Keys | None, /) -> Any:
        """Make a client. Raises ImportError where the library is not installed, and what the library does."""
        import boto3
        from botocore.config import Config

        if (session := self._session) is None:
            session = self._session = boto3.session.Session()
        config = Config(
            retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=THREADS, **_TIMEOUTS
        )
        named: Raw = {}
        if keys is not None:
            named = {"aws_access_key_id": keys.access_key_id, "aws_secret_access_key": keys.secret_access_key}
            named["aws_session_token"] = keys.session_token or None
        return session.client(service, region_name=region, endpoint_url=self._endpoint or None, config=config, **named)
