"""Reach a real API server: kubeconfig files, service accounts, exec plugins, logins.

The only importer of the official client, and only where it is needed: it takes a second to import, and a kubeconfig
with a certificate or a token does without it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from capipool.client import identity as identities
from capipool.client import kubeconfig
from capipool.client.client import Client
from capipool.client.http import CountRequest, HttpTransport, Limits
from capipool.client.identity import Credentials, Identity
from capipool.client.kubeconfig import Endpoint, KubeconfigError
from capipool.machinery import clock as clocks
from capipool.machinery import codec, errors
from capipool.machinery.clock import Clock

_EXPIRES_EARLY = dt.timedelta(seconds=30)
"""Credentials are renewed this long before they run out, so that none runs out on the way."""


def connect(
    endpoint: Endpoint,
    *,
    clock: Clock,
    rng: random.Random | None = None,
    limits: Limits | None = None,
    on_request: CountRequest | None = None,
    field_manager: str = "capipool",
) -> Client:
    """A client of an endpoint. Nothing is dialled before the first call."""
    transport = HttpTransport(
        endpoint, credentials_of(endpoint, clock=clock), rng=rng, limits=limits, on_request=on_request
    )
    return Client(transport, field_manager=field_manager)


def credentials_of(endpoint: Endpoint, *, clock: Clock) -> Credentials:
    """Where the identity of an endpoint comes from, as kubectl picks it: plugin, login, token file, or inline."""
    if endpoint.exec is not None:
        return Renewed(_exec_plugin(endpoint.exec), endpoint, clock)
    if endpoint.auth_provider is not None:
        return Renewed(_auth_provider(endpoint), endpoint, clock)
    if endpoint.token_file:
        path = Path(endpoint.token_file)
        return identities.TokenFile(path.read_bytes, Identity("", endpoint.cert, endpoint.key))
    return identities.fixed(endpoint)


def load(path: str | Path, *, context: str = "") -> Endpoint:
    """Read a kubeconfig file; files that it names stand relative to it. Raises KubeconfigError."""
    return load_all([Path(path)], context=context)


def load_all(paths: list[Path], *, context: str = "") -> Endpoint:
    """Read several kubeconfig files as one, as `KUBECONFIG` may name them. Raises KubeconfigError."""
    present = [path for path in paths if path.is_file()]
    if not present:
        raise KubeconfigError(", ".join(map(str, paths)) or "kubeconfig", "", "no such file")
    configs = [_absolute(_read_config(path), path.parent) for path in present]
    source = ", ".join(map(str, present))
    return kubeconfig.endpoint(
        kubeconfig.merge(configs), source=source, context=context, read_file=lambda name: Path(name).read_bytes()
    )


def find(environ: Mapping[str, str], *, explicit: str = "", context: str = "") -> Endpoint:
    """The endpoint that kubectl would take. Raises KubeconfigError.

    That is the file given, else `KUBECONFIG`, else the service account of a pod that this runs in, else
    `~/.kube/config`.
    """
    if explicit:
        return load(explicit, context=context)
    named = [Path(p) for p in environ.get("KUBECONFIG", "").split(":") if p]
    if named:
        return load_all(named, context=context)
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return in_cluster(environ)
    return load(Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config", context=context)


def in_cluster(environ: Mapping[str, str]) -> Endpoint:
    """The API server of the cluster that this process is a pod of. Raises KubeconfigError."""
    from kubernetes.aio.config import ConfigException, incluster_config

    new_loader: Any = incluster_config.InClusterConfigLoader
    loader = new_loader(
        token_filename=incluster_config.SERVICE_TOKEN_FILENAME,
        cert_filename=incluster_config.SERVICE_CERT_FILENAME,
        environ=environ,
    )
    found = SimpleNamespace(api_key={})
    try:
        loader.load_and_set(found)
    except ConfigException as error:
        raise KubeconfigError("the service account of this pod", "", str(error)) from error
    namespace = Path(incluster_config.SERVICE_TOKEN_FILENAME).with_name("namespace")
    return Endpoint(
        server=found.host,
        ca=Path(found.ssl_ca_cert).read_bytes(),
        token_file=incluster_config.SERVICE_TOKEN_FILENAME,
        namespace=namespace.read_text().strip() if namespace.is_file() else "",
        source="the service account of this pod",
    )


class Renewed:
    """An identity that a plugin or a login gives out for a while. One renewal at a time, whoever asks."""

    def __init__(self, renew: Callable[[], Any], endpoint: Endpoint, clock: Clock) -> None:
        self._renew = renew
        self._endpoint = endpoint
        self._clock = clock
        self._lock = asyncio.Lock()
        self._current: Identity | None = None
        self._until: dt.datetime | None = None

    async def identity(self) -> Identity:
        """The identity; renewed where it runs out. Raises Unauthorized where it cannot be."""
        if self._is_fresh() and self._current is not None:
            return self._current
        async with self._lock:
            if not self._is_fresh() or self._current is None:
                status = await self._renew()
                self._current = self._read(status)
                self._until = _expiry(status)
            return self._current

    def expire(self) -> bool:
        """Ask the plugin again."""
        self._current = None
        return True

    def _is_fresh(self) -> bool:
        return self._current is not None and (self._until is None or self._clock.now() < self._until - _EXPIRES_EARLY)

    def _read(self, status: Mapping[str, Any]) -> Identity:
        token, cert = status.get("token"), status.get("clientCertificateData")
        if not token and not cert:
            raise errors.Unauthorized(
                f"{self._endpoint.source}: the credential plugin gave no token and no certificate"
            )
        return Identity(
            f"Bearer {token}" if token else "",
            str(cert).encode() if cert else self._endpoint.cert,
            str(status.get("clientKeyData", "")).encode() if cert else self._endpoint.key,
        )


def _expiry(status: Mapping[str, Any]) -> dt.datetime | None:
    text = status.get("expirationTimestamp")
    return clocks.parse_time(text) if isinstance(text, str) else None


def _exec_plugin(config: Mapping[str, Any]) -> Callable[[], Any]:
    async def run() -> Any:
        from kubernetes.aio.config import ConfigException, exec_provider, kube_config

        new_provider: Any = exec_provider.ExecProvider
        new_node: Any = kube_config.ConfigNode
        try:
            return await new_provider(new_node("exec", dict(config))).run()
        except (ConfigException, OSError) as error:
            raise errors.Unauthorized(f"the credential plugin {config.get('command')!r} failed: {error}") from error

    return run


def _auth_provider(endpoint: Endpoint) -> Callable[[], Any]:
    """A login (OIDC) that the official client knows how to renew."""
    config = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": endpoint.server}}],
        "users": [{"name": "it", "user": {"auth-provider": dict(endpoint.auth_provider or {})}}],
    }

    async def run() -> Any:
        from kubernetes.aio.config import ConfigException, kube_config

        new_loader: Any = kube_config.KubeConfigLoader
        found = SimpleNamespace(api_key={})
        try:
            await new_loader(config).load_and_set(found)
        except ConfigException as error:
            raise errors.Unauthorized(f"the login of {endpoint.source} failed: {error}") from error
        return {"token": str(found.api_key.get("BearerToken", "")).removeprefix("Bearer ")}

    return run


_PATHS = (
    ("clusters", "cluster", "certificate-authority"),
    ("users", "user", "client-certificate"),
    ("users", "user", "client-key"),
    ("users", "user", "tokenFile"),
)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        documents = list(codec.decode_yaml(path.read_bytes(), str(path)))
    except OSError as error:
        raise KubeconfigError(str(path), "", error.strerror or str(error)) from error
    except errors.BadRequest as error:
        raise KubeconfigError("kubeconfig", "", error.message) from error
    if len(documents) > 1:
        raise KubeconfigError(str(path), "", "holds more than one document")
    return documents[0] if documents else {}


def _absolute(config: dict[str, Any], directory: Path) -> dict[str, Any]:
    """The kubeconfig with every file that it names given from the root, since it is read beside others."""
    for section, part, name in _PATHS:
        for entry in config.get(section) or ():
            value = entry.get(part) if isinstance(entry, dict) else None
            if isinstance(value, dict) and isinstance(value.get(name), str) and value[name]:
                value[name] = str(directory / value[name])
    return config
