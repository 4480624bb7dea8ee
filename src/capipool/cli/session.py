"""A command's connection: which API server, which namespace, and how its kinds are called."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from capipool.cli import console, kinds
from capipool.cli.kinds import Kind
from capipool.cli.options import default_data_dir
from capipool.client import credentials, kubeconfig
from capipool.client.client import Client
from capipool.client.http import HttpTransport, Unreached
from capipool.client.kubeconfig import Endpoint
from capipool.machinery import codec, objects
from capipool.machinery.clock import SystemClock
from capipool.machinery.errors import NotFound
from capipool.machinery.resource import ObjectKey, Resource

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
SECRETS = Resource("", "v1", "Secret", "secrets")


class Session:
    """An open connection to one API server, as one user."""

    def __init__(self, client: Client, transport: HttpTransport, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self._transport = transport

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.close()

    async def kinds(self) -> list[Kind]:
        """Every kind the server has, with the names it goes by."""
        found = [await self._transport.get_path(root, accept=kinds.DISCOVERY) for root in ("/api", "/apis")]
        return kinds.read(codec.decode_json_object(body) for body in found)

    async def fetch(self, path: str, *, labels: str = "", as_table: bool = False) -> dict[str, Any]:
        """Read an object or a collection as the server has it, or as the table it would print."""
        query = {"labelSelector": labels} if labels else {}
        accept = TABLE if as_table else "application/json"
        return codec.decode_json_object(await self._transport.get_path(path, accept=accept, query=query))

    async def workload(self, cluster: ObjectKey) -> Session | None:
        """A connection to a workload cluster, by the kubeconfig that the management cluster keeps; None without one."""
        try:
            secret = await self.client.get(SECRETS, f"{cluster.name}-kubeconfig", cluster.namespace)
        except NotFound:
            return None
        data = objects.to_raw(secret).get("data") or {}
        source = f"secret {cluster}-kubeconfig"
        return _open(kubeconfig.parse(base64.b64decode(data.get("value", "")), source=source))


def find_kubeconfig(explicit: Path | None) -> Path:
    """Which kubeconfig to use: the option, KUBECONFIG, or the one in the data directory.

    Raises FileNotFoundError with the way out where there is none.
    """
    if explicit is not None:
        return explicit
    if named := os.environ.get("KUBECONFIG"):
        return Path(named.split(os.pathsep)[0])
    path = default_data_dir() / "kubeconfig"
    if not path.exists():
        raise FileNotFoundError(
            f"no API server to talk to: start one with `capipool up`, or say --kubeconfig ({path} is not there)"
        )
    return path


@contextlib.asynccontextmanager
async def connect(explicit: Path | None) -> AsyncIterator[Session]:
    """Open a session on the server that the options and the environment name. Raises KubeconfigError, OSError.

    Where that server is away, the block ends with a Failure that says which kubeconfig led there.
    """
    path = find_kubeconfig(explicit)
    async with _open(credentials.load(path)) as session:
        try:
            yield session
        except Unreached as error:
            raise console.Failure(f"{error} (is it running? its address is from {path})") from None


def _open(endpoint: Endpoint) -> Session:
    transport = HttpTransport(endpoint, credentials.credentials_of(endpoint, clock=SystemClock()))
    client = Client(transport, field_manager="capipool-cli", warn=lambda text: console.note(f"warning: {text}"))
    return Session(client, transport, endpoint.namespace or "default")
