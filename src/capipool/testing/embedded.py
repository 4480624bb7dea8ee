"""A whole installation as a test fixture: API server, kinds, controllers and development cloud, in memory.

It is the real thing without a disk and without HTTP. On `testing.virtual` it runs on virtual time.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from capipool.app import gates
from capipool.app.embedded import Embedded
from capipool.app.settings import Settings
from capipool.machinery.clock import Clock


@asynccontextmanager
async def embedded(
    *,
    controllers: bool = True,
    clock: Clock | None = None,
    seed: int = 0,
    feature_gates: Mapping[str, bool] | None = None,
    namespace: str = "",
    watch_filter: str = "",
) -> AsyncIterator[Embedded]:
    """Run an installation while the context is open; `.client` reaches its API, `.server` is the server itself.

    Without `controllers` it is an API server with Cluster API's kinds, for controllers of your own. `clock` is the
    machine's unless given: on a virtual loop, give `virtual.clock()`. Chance follows from `seed`. The
    controllers see `namespace` alone, or all, and to objects with the label `watch_filter` alone, or to all.
    """
    enabled = dict(gates.DEFAULTS) | dict(feature_gates or {})
    settings = Settings(controllers=controllers, gates=enabled, namespace=namespace, watch_filter=watch_filter)
    async with Embedded(settings, clock=clock, rng=random.Random(seed)) as running:
        yield running
