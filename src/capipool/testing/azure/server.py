"""The server: a listener on loopback with a certificate of its own, and `Arm`, by which a test holds it in hand."""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from capipool.apiserver.pki import Authority
from capipool.machinery.clock import Clock, LoopClock, SystemClock
from capipool.testing.azure.http.application import Application
from capipool.testing.azure.http.routes import admin, table
from capipool.testing.azure.identity import LIFETIME, Credential, Tokens
from capipool.testing.azure.model.aks import pools
from capipool.testing.azure.model.aks.cluster import ManagedCluster
from capipool.testing.azure.model.faults import Faults
from capipool.testing.azure.model.machines import Machine
from capipool.testing.azure.model.operations import Operations
from capipool.testing.azure.model.requests import RequestLog
from capipool.testing.azure.model.scalesets.scaleset import ScaleSet
from capipool.testing.azure.model.subscription import Group, Subscription
from capipool.testing.azure.model.timing import Timing
from capipool.testing.azure.model.world import World

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-555555555555"
LOCATIONS = ("eastus", "westeurope")


@dataclass(frozen=True)
class Options:
    """How to serve; the defaults suit tests."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: a free one."""
    directory: Path | None = None
    """Where the certificate authority is kept; None: in a directory that goes with the server."""
    subscription: str = SUBSCRIPTION
    tenant: str = TENANT
    locations: tuple[str, ...] = LOCATIONS
    """The first is where `groups` are made."""
    groups: tuple[str, ...] = ("rg",)
    """Resource groups that are there from the start."""
    principals: Mapping[str, str] | None = field(default=None, repr=False)
    """Client ids with their secrets; None: everybody."""
    timing: Timing = field(default_factory=Timing)
    clock: Clock | None = None
    """None: the time of day, as the event loop counts it on."""
    seed: int = 0
    """Of names and ids, which are the same in every run."""


class Arm:
    """The server as a test sees it. Everything may be looked at and changed between two requests."""

    def __init__(self, options: Options) -> None:
        clock = options.clock or LoopClock(SystemClock().now())
        rng, self.faults, self.timing = random.Random(options.seed), Faults(), options.timing
        operations = Operations(clock=clock, timing=self.timing, faults=self.faults, rng=rng)
        self._world = World(
            subscription=options.subscription,
            tenant=options.tenant,
            clock=clock,
            rng=rng,
            timing=self.timing,
            faults=self.faults,
            operations=operations,
        )
        self.state = Subscription(self._world, options.locations)
        """What the subscription holds."""
        for name in options.groups:
            self.state.groups[name.lower()] = Group(name, options.locations[0])
        self.log = RequestLog()
        """Every request that came."""
        self.subscription = options.subscription
        self.tenant = options.tenant
        self.url = ""
        """`https://127.0.0.1:PORT`: the Resource Manager's endpoint, and the authority that gives tokens."""
        self.ca_file = Path()
        """The certificate authority's certificate, PEM, to trust."""
        self.tokens = Tokens(options.principals)

    def credential(self) -> Credential:
        """A credential for Azure's libraries that asks nobody."""
        expires = self._world.clock.now() + dt.timedelta(days=365)
        return Credential("a-token-for-tests", int((expires + LIFETIME).timestamp()))

    def client_options(self, *, keep: bool = False) -> dict[str, Any]:
        """Keyword arguments for a management client of Azure's libraries.

        With the path of a CA, which is what this gives, the library makes a TLS context and a connection for every
        request. `keep` gives a transport that keeps its connections, which is several times as fast; it belongs to the
        one client that it is passed to, and needs azure-core.
        """
        options: dict[str, Any] = {"base_url": self.url, "credential_scopes": [f"{self.url}/.default"]}
        if not keep:
            return {**options, "connection_verify": str(self.ca_file)}
        from azure.core.pipeline.transport import AioHttpTransport

        connector = aiohttp.TCPConnector(ssl=self.ssl_context())
        return {**options, "transport": AioHttpTransport(session=aiohttp.ClientSession(connector=connector))}

    def ssl_context(self) -> ssl.SSLContext:
        """A client's context that trusts this server alone."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def advance(self) -> None:
        """Bring the state up to the present, as a request would."""
        self._world.operations.advance()

    def release(self, pattern: str = "*") -> None:
        """Let operations go on that `faults.hold` holds, and hold no more of them."""
        self._world.operations.release(pattern)
        self.advance()

    def scale_set(self, name: str, group: str = "rg") -> ScaleSet:
        """A scale set as it is now. Raises KeyError where there is none."""
        self.advance()
        path = f"{self._world.group_path(group)}/providers/Microsoft.Compute/virtualMachineScaleSets/{name}"
        return self.state.scale_sets[path.lower()]

    def machine(self, scale_set: str, instance_id: str, group: str = "rg") -> Machine:
        """A machine of a scale set by its instance id, or by its name in a Flexible one. Raises KeyError."""
        return self.scale_set(scale_set, group).machines[instance_id]

    def cluster(self, name: str, group: str = "rg") -> ManagedCluster:
        """An AKS cluster as it is now. Raises KeyError where there is none."""
        self.advance()
        path = f"{self._world.group_path(group)}/providers/Microsoft.ContainerService/managedClusters/{name}"
        return self.state.clusters[path.lower()]

    def autoscale(self, cluster: str, pool: str, count: int, group: str = "rg") -> None:
        """Let the autoscaler of an agent pool want another count. Raises KeyError where there is none."""
        pools.autoscale(self.state, self.cluster(cluster, group).pools[pool], count)


@contextlib.asynccontextmanager
async def serve(options: Options | None = None, **given: Any) -> AsyncIterator[Arm]:
    """Serve on loopback as long as the block runs. Options are given as an object, or by name."""
    options = options or Options(**given)
    arm = Arm(options)
    application = Application(arm.state, (*arm.tokens.routes(), *admin.routes(arm.log), *table.routes()), arm.log)
    async with contextlib.AsyncExitStack() as stack:
        directory = options.directory
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="capipool-azure-")))
        authority = Authority(directory, now=SystemClock().now())
        arm.ca_file = directory / "ca.crt"
        runner = web.ServerRunner(web.Server(application.handle, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        context = authority.tls([options.host])
        site = web.TCPSite(runner, options.host, options.port, ssl_context=context)
        await site.start()
        port = runner.addresses[0][1]
        arm.url = f"https://{options.host}:{port}"
        yield arm
