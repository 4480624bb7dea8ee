"""The one process: an API server on a data directory, our kinds in it, and the controllers beside it.

`capipool up`, the demo and the tests all run this. What is not needed to answer the first request starts afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self

from capipool.api.builtin import CustomResourceDefinition
from capipool.apiserver.authn import Authenticator
from capipool.apiserver.http import Listener, serve
from capipool.apiserver.pki import Authority, make_ca
from capipool.apiserver.server import MANAGEMENT, Server
from capipool.apiserver.store.journal import Journal, MemoryJournal
from capipool.app import datadir, installing, kinds
from capipool.app.datadir import DataDir
from capipool.app.dialing import Dialer, Home
from capipool.app.settings import Settings
from capipool.app.spaces import Spaces
from capipool.app.transport import InProcessTransport
from capipool.client import kubeconfig
from capipool.client.client import Client
from capipool.contract import versions
from capipool.machinery.calls import ADMIN, User
from capipool.machinery.clock import Clock, SystemClock
from capipool.machinery.resource import GroupKind
from capipool.runtime.cache import Cache, Caches
from capipool.runtime.manager import Manager

CONTROLLERS = User("system:capipool", ("system:masters",))
"""Who the controllers are to the API server."""


class Embedded:
    """A running installation, from `async with` on. Everything acknowledged is durable when it ends."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None, rng: random.Random | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.rng = rng or random.SystemRandom()
        self._data_dir = DataDir(settings.data_dir) if settings.data_dir is not None else None
        self.authenticator = Authenticator()
        self.server = Server(journal=self._journal(), clock=self.clock, rng=self.rng)
        self.client = Client(self.transport())
        self.caches = Caches(self.client, rng=self.rng, namespace=settings.namespace)
        self.url = "https://capipool.invalid"
        """Where the API is served; in memory, a name under which nothing ever answers."""
        self.home: Home | None = None
        self.manager: Manager | None = None
        """What runs the controllers, once they were imported."""
        self._key = b""
        """What tokens of workload clusters follow from: the authority's key, which is as secret and as lasting."""
        self._listener: Listener | None = None
        self._stack = contextlib.AsyncExitStack()
        self._failed: asyncio.Future[None] | None = None

    @property
    def data_dir(self) -> DataDir:
        """Where the state is. Raises RuntimeError for an installation in memory."""
        if self._data_dir is None:
            raise RuntimeError("this installation keeps nothing on disk")
        return self._data_dir

    def transport(self, space: str = MANAGEMENT, user: User = CONTROLLERS) -> InProcessTransport:
        """The short way to an address space."""
        return InProcessTransport(self.server, space, user)

    async def failed(self) -> None:
        """Wait until a part of the process fails, and raise what it failed with."""
        assert self._failed is not None
        await asyncio.shield(self._failed)

    async def __aenter__(self) -> Self:
        self._failed = asyncio.get_running_loop().create_future()
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # -- in the order of things; the stack undoes it backwards

    async def _start(self) -> None:
        if self._data_dir is not None:
            self._data_dir.open()
            self._stack.callback(self._data_dir.close)
        await self._start_server()
        ca = await self._open_the_door() if self._data_dir is not None else self._stay_inside()
        spaces = Spaces(self.server, self.authenticator, url=self.url, ca=ca, secret=self._key)
        if self.settings.controllers:
            task = asyncio.create_task(self._run_controllers(spaces), name="controllers")
            self._stack.push_async_callback(self._stop_controllers, task)
            task.add_done_callback(self._controllers_ended)

    async def _start_server(self) -> None:
        for rules in kinds.rules(self.settings.gates, self.settings.providers):
            self.server.add_rules(rules)
        await self.server.start()
        self._stack.push_async_callback(self.server.stop)
        definitions = self.caches.of(CustomResourceDefinition)
        for converter in kinds.converters(_versions(definitions), self.settings.providers):
            self.server.add_converter(converter)
        await installing.install(self.client, kinds.crds(self.settings.providers))
        self.caches.start()
        self._stack.push_async_callback(self.caches.stop)
        await definitions.synced()

    async def _open_the_door(self) -> bytes:
        """Serve HTTPS, and say how to get in. Returns the certificate authority."""
        data_dir, settings = self.data_dir, self.settings
        authority = Authority(data_dir.pki, now=self.clock.now())
        admin = authority.client("admin", ADMIN)
        try:
            self._listener = await serve(
                self.server,
                authenticator=self.authenticator,
                tls=authority.tls([settings.host]),
                host=settings.host,
                port=settings.port,
            )
        except OSError as error:
            raise OSError(_cannot_listen(settings.host, settings.port, error)) from error
        self._stack.push_async_callback(self._listener.close)
        self.url = _reachable(self._listener.url)
        ca = authority.ca
        config = kubeconfig.build(
            server=self.url, ca=ca.certificate, cluster="capipool", user="admin", cert=admin.certificate, key=admin.key
        )
        datadir.write_private(data_dir.kubeconfig, config.decode())
        self.home = Home(self.server, self.authenticator, self.url, ca.certificate, admin)
        self._key = ca.key
        return ca.certificate

    def _stay_inside(self) -> bytes:
        """Serve in process only. There is an authority all the same: what machines boot with names its digest."""
        authority = make_ca(self.clock.now())
        self.home = Home(self.server, self.authenticator, self.url, authority.certificate, None)
        self._key = authority.key
        return authority.certificate

    def _journal(self) -> Journal:
        if self._data_dir is None:
            return MemoryJournal()
        from capipool.apiserver.store.sqlite import SQLiteJournal

        return SQLiteJournal(self._data_dir.store)

    async def _run_controllers(self, spaces: Spaces) -> None:
        """Import, compose and run what reconciles. Begins once the process serves."""
        from capipool.app import controllers
        from capipool.workload.connections import Connections

        manager = Manager(self.client, clock=self.clock, rng=self.rng, caches=self.caches)
        connections = Connections(Dialer(self.home, self.clock), self.caches, rng=self.rng)
        controllers.add_all(
            manager,
            connections,
            gates=self.settings.gates,
            chosen=self.settings.providers,
            clouds=self.settings.clouds,
            watch_filter=self.settings.watch_filter,
            spaces=spaces,
        )
        self.manager = manager
        await manager.run()

    async def _stop_controllers(self, task: asyncio.Task[None]) -> None:
        if self.manager is not None:
            await self.manager.stop()
        else:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def _controllers_ended(self, task: asyncio.Task[None]) -> None:
        failed = self._failed
        if failed is not None and not failed.done() and not task.cancelled() and (error := task.exception()):
            failed.set_exception(error)


def _versions(definitions: Cache[CustomResourceDefinition]) -> Callable[[GroupKind], str | None]:
    return lambda kind: versions.version_of(kind, definitions.list())


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    """What to do where an address cannot be served on."""
    why = error.strerror or str(error)
    if isinstance(error, socket.gaierror):
        return f"cannot listen on {host}: {why}: choose another with --host"
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {host} port {port}: it is in use: choose another with --port (0 takes a free one)"
    return f"cannot listen on {host} port {port}: {os.strerror(error.errno) if error.errno else why}"


def _reachable(url: str) -> str:
    """A URL that clients of this machine can use, also when the server listens on every address."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
