"""An API server that lives on, and a process of all controllers that dies in the middle of things and is started anew.

Used by random histories: many deployments, each in a namespace with a cluster of its own, share one server.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from capipool.app import controllers
from capipool.app.clouds import Clouds
from capipool.app.dialing import Dialer
from capipool.app.embedded import Embedded
from capipool.app.settings import Settings
from capipool.app.spaces import Spaces
from capipool.client.client import Client
from capipool.machinery.calls import Call
from capipool.runtime.manager import Manager
from capipool.testing import virtual
from capipool.testing.faults import Fault, FaultyTransport
from capipool.workload.connections import Connections

_DEATHS = (Fault.DEATH_BEFORE, Fault.DEATH_AFTER)


class Lab:
    """The server, and the process that is to die."""

    def __init__(self, running: Embedded, rng: random.Random) -> None:
        self.running = running
        self.client = running.client
        self.deaths = 0
        self._rng = rng
        self._transport = FaultyTransport(running.transport(), counts=_is_write)
        self._transport.on_death = self._died
        self._dead = asyncio.Event()
        self._since: float | None = None
        self._lived = 0.0

    def workload(self, namespace: str) -> Client:
        """A client of the workload cluster of a namespace."""
        return Client(self.running.transport(f"{namespace}/machines"))

    def uptime(self) -> float:
        """For how many seconds the process has lived in all."""
        since = self._since
        return self._lived + (asyncio.get_running_loop().time() - since if since is not None else 0.0)

    def kill(self) -> None:
        """Have the process die at one of its next writes: before it, or once it was carried out."""
        self._transport.fail(self._rng.randrange(1, 40), self._rng.choice(_DEATHS))

    async def run(self) -> None:
        """Run one process after the other, until cancelled."""
        while True:
            await self._live()
            self.deaths += 1
            await asyncio.sleep(self._rng.choice((0.0, 1.0, 20.0)))

    async def _live(self) -> None:
        """From start to death. A dead process makes no call any more, and is cut off wherever it is."""
        self._transport.reset()
        self._dead.clear()
        manager = self._compose()
        task = asyncio.create_task(manager.run())
        self._since = asyncio.get_running_loop().time()
        try:
            await self._dead.wait()
        finally:
            self._lived, self._since = self.uptime(), None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _died(self) -> None:
        self._dead.set()

    def _compose(self) -> Manager:
        running, seed = self.running, self._rng.getrandbits(64)
        assert running.home is not None
        settings, clock = running.settings, running.clock
        manager = Manager(Client(self._transport), clock=clock, rng=random.Random(seed), grace=dt.timedelta(0))
        connections = Connections(Dialer(running.home, clock), manager.caches, rng=random.Random(seed))
        spaces = Spaces(running.server, running.authenticator, url=running.url, ca=running.home.ca, secret=b"secret")
        chosen = settings.providers
        controllers.add_all(manager, connections, gates=settings.gates, chosen=chosen, clouds=Clouds(), spaces=spaces)
        return manager


def _is_write(call: Call) -> bool:
    return call.verb not in ("get", "list", "watch")


@asynccontextmanager
async def laboratory(seed: int) -> AsyncIterator[Lab]:
    """A server on virtual time with a process that runs. Raises what the process failed with, if it did."""
    settings = Settings(controllers=False, providers=("kubeadm", "dev"))
    async with Embedded(settings, clock=virtual.clock(), rng=random.Random(seed)) as running:
        lab = Lab(running, random.Random(seed))
        process = asyncio.create_task(lab.run())
        try:
            yield lab
        finally:
            process.cancel()
            (failed,) = await asyncio.gather(process, return_exceptions=True)
            if isinstance(failed, Exception):
                raise failed
