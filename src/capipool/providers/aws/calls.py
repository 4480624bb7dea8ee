"""Calls to AWS: off the event loop, bounded, limited in rate, retried where that is safe, with errors translated.

Used by all of the provider; the only place that imports AWS's library, and only when the first call is made: a start of
the process must not wait for it. Knows nothing of pools.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.aws import failures
from capipool.sdk.errors import CloudUnavailable, ProviderError, Throttled

THREADS = 8
"""Calls under way at once, over all regions: each waits on the network in a thread of its own."""
_ATTEMPTS = 4
_BACKOFF_SECONDS = 0.5
_TIMEOUTS = {"connect_timeout": 5, "read_timeout": 30}

MakeClient = Callable[[str, str], Any]
"""Makes the library's client of a service in a region."""


class Bucket:
    """Lets so many calls a second through, and a burst at first. Time is the event loop's."""

    def __init__(self, *, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._free_at = 0.0

    def reserve(self, now: float) -> float:
        """Take a turn; return in how many seconds it comes. All moments in seconds of one clock."""
        start = max(self._free_at, now - self._burst / self._rate)
        self._free_at = start + 1 / self._rate
        return max(self._free_at - now, 0.0)


class Calls:
    """Calls of one account. Credentials come by the library's own chain; the endpoint may be another's."""

    def __init__(
        self,
        *,
        rng: random.Random,
        make_client: MakeClient | None = None,
        endpoint: str = "",
        rate: float = 10.0,
        burst: int = 50,
    ) -> None:
        self._make_client = make_client or (lambda service, region: client(service, region, endpoint))
        self._rng = rng
        self._rate, self._burst = rate, burst
        self._clients: dict[tuple[str, str], Any] = {}
        self._buckets: dict[str, Bucket] = {}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="aws")
        self._starting = asyncio.Lock()

    async def call(self, region: str, service: str, operation: str, **parameters: Any) -> Raw:
        """Make one call, and again while AWS throttles it: nothing was done then.

        Raises ProviderError: what went wrong, in the words of `sdk.errors` and `failures`.
        """
        attempt = 0
        while True:
            await self._turn(region)
            try:
                return await self._once(region, service, operation, parameters)
            except Throttled:
                attempt += 1
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(_BACKOFF_SECONDS * 2**attempt * self._rng.uniform(0.5, 1))

    async def close(self) -> None:
        """Take no more calls. Those under way end by their timeouts."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _turn(self, region: str) -> None:
        bucket = self._buckets.setdefault(region, Bucket(rate=self._rate, burst=self._burst))
        delay = bucket.reserve(asyncio.get_running_loop().time())
        if delay > 0:
            await asyncio.sleep(delay)

    async def _once(self, region: str, service: str, operation: str, parameters: dict[str, Any]) -> Raw:
        library = await self._client(service, region)
        method = getattr(library, operation)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: method(**parameters))
        except ProviderError:
            raise
        except Exception as error:
            raise failures.translate(operation, error) from error

    async def _client(self, service: str, region: str) -> Any:
        """The library's clients are safe to share between threads; making them is not, and takes a while."""
        async with self._starting:
            if (service, region) not in self._clients:
                loop = asyncio.get_running_loop()
                try:
                    made = await loop.run_in_executor(self._pool, self._make_client, service, region)
                except ImportError as error:
                    raise CloudUnavailable("any call", detail="install capipool with the extra `aws`") from error
                self._clients[service, region] = made
            return self._clients[service, region]


def client(service: str, region: str, endpoint: str = "") -> Any:
    """Make a client of AWS's library that retries nothing by itself: what to do next is decided here."""
    import boto3
    from botocore.config import Config

    config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=THREADS, **_TIMEOUTS)
    return boto3.session.Session().client(service, region_name=region, endpoint_url=endpoint or None, config=config)
