"""Kubeconfigs: read, checked field by field, and written. Pure: files are read by a function that the caller gives.

A kubeconfig that came out of a Secret is somebody else's input: read without `read_file`, it may name neither local
files nor programs to run. What only the official client can act on (exec plugins, auth providers) is kept as it is.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from capipool.machinery import codec, errors
from capipool.machinery.objects import Raw

ReadFile = Callable[[str], bytes]


class KubeconfigError(ValueError):
    """A kubeconfig cannot be used as it is: says which one, which field, and why. Never shows a value."""

    def __init__(self, source: str, path: str, why: str) -> None:
        super().__init__(f"{source}: {path}: {why}" if path else f"{source}: {why}")
        self.source = source
        self.path = path


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One API server and how to be let in: what a context of a kubeconfig comes to."""

    server: str
    """`https://host:port`, with a path where the server has one; no slash at the end."""
    ca: bytes = b""
    """PEM; empty means the system's certificate authorities."""
    insecure: bool = False
    """Do not verify the server. Only ever true where the file says so."""
    tls_server_name: str = ""
    proxy_url: str = ""
    cert: bytes = b""
    key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    token_file: str = ""
    """Read anew from time to time: service account tokens rotate."""
    username: str = ""
    password: str = field(default="", repr=False)
    exec: Raw | None = field(default=None, repr=False)
    auth_provider: Raw | None = field(default=None, repr=False)
    namespace: str = ""
    """The context's own namespace; empty where it names none."""
    context: str = ""
    source: str = "the kubeconfig"


def parse(
    data: bytes | str, *, source: str = "the kubeconfig", context: str = "", read_file: ReadFile | None = None
) -> Endpoint:
    """The endpoint of a context, the current one unless named. Raises KubeconfigError."""
    try:
        documents = list(codec.decode_yaml(data, source))
    except errors.BadRequest as error:
        raise KubeconfigError("kubeconfig", "", error.message) from error
    if len(documents) != 1:
        raise KubeconfigError(source, "", "is empty" if not documents else "holds more than one document")
    return endpoint(documents[0], source=source, context=context, read_file=read_file)


def endpoint(
    config: Mapping[str, Any], *, source: str = "the kubeconfig", context: str = "", read_file: ReadFile | None = None
) -> Endpoint:
    """The endpoint of a context of a decoded kubeconfig. Raises KubeconfigError."""
    return _Reader(config, source, read_file).endpoint(context)


def merge(configs: Iterable[Mapping[str, Any]]) -> Raw:
    """Several kubeconfigs as one, as kubectl reads a `KUBECONFIG` of several files: the first to name a thing wins."""
    merged: Raw = {"apiVersion": "v1", "kind": "Config"}
    for config in configs:
        if config.get("current-context"):
            merged.setdefault("current-context", config["current-context"])
        for section in ("clusters", "users", "contexts"):
            known = merged.setdefault(section, [])
            names = {entry.get("name") for entry in known}
            known.extend(e for e in config.get(section) or () if isinstance(e, dict) and e.get("name") not in names)
    return merged


def build(
    *,
    server: str,
    ca: bytes,
    cluster: str,
    user: str,
    cert: bytes = b"",
    key: bytes = b"",
    token: str = "",
    namespace: str = "",
) -> bytes:
    """A kubeconfig with one context, which is current, named `user@cluster`. Holds secrets where they are given."""
    credentials: Raw = {}
    if cert:
        credentials |= {"client-certificate-data": _base64(cert), "client-key-data": _base64(key)}
    if token:
        credentials["token"] = token
    name = f"{user}@{cluster}"
    context = {"cluster": cluster, "user": user} | ({"namespace": namespace} if namespace else {})
    config: Raw = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": cluster, "cluster": {"server": server, "certificate-authority-data": _base64(ca)}},
        ],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
    }
    return codec.encode_yaml(config).encode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class _Reader:
    """Reads one kubeconfig; remembers what it is called, for errors."""

    def __init__(self, config: Mapping[str, Any], source: str, read_file: ReadFile | None) -> None:
        self._config = config
        self._source = source
        self._read_file = read_file

    def endpoint(self, wanted: str) -> Endpoint:
        name = wanted or self._text(self._config, "", "current-context")
        if not name:
            raise self._error("current-context", "is not set: name a context")
        context, at = self._named("contexts", "context", name, "current-context" if not wanted else "")
        cluster, cluster_at = self._named("clusters", "cluster", self._text(context, at, "cluster"), f"{at}.cluster")
        user_name = self._text(context, at, "user")
        user, user_at = self._named("users", "user", user_name, f"{at}.user") if user_name else ({}, "user")
        cert, key = self._certificate(user, user_at)
        return Endpoint(
            server=self._server(cluster, cluster_at),
            ca=self._data(cluster, cluster_at, "certificate-authority"),
            insecure=cluster.get("insecure-skip-tls-verify") is True,
            tls_server_name=self._text(cluster, cluster_at, "tls-server-name"),
            proxy_url=self._text(cluster, cluster_at, "proxy-url"),
            cert=cert,
            key=key,
            token=self._text(user, user_at, "token"),
            token_file=self._local(user, user_at, "tokenFile"),
            username=self._text(user, user_at, "username"),
            password=self._text(user, user_at, "password"),
            exec=self._program(user, user_at, "exec"),
            auth_provider=self._program(user, user_at, "auth-provider"),
            namespace=self._text(context, at, "namespace"),
            context=name,
            source=self._source,
        )

    def _server(self, cluster: Mapping[str, Any], at: str) -> str:
        server = self._text(cluster, at, "server").rstrip("/")
        if not server:
            raise self._error(f"{at}.server", "is not set")
        try:
            parts = urlsplit(server)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable = False
        if not usable:
            raise self._error(f"{at}.server", f"{server!r} is not a URL like https://host:6443")
        return server

    def _certificate(self, user: Mapping[str, Any], at: str) -> tuple[bytes, bytes]:
        cert, key = self._data(user, at, "client-certificate"), self._data(user, at, "client-key")
        if bool(cert) != bool(key):
            missing = "client-key" if cert else "client-certificate"
            raise self._error(f"{at}.{missing}-data", "is not set, and a client certificate needs its key")
        return cert, key

    def _named(self, section: str, part: str, name: str, referred: str) -> tuple[Mapping[str, Any], str]:
        """An entry of a section by its name, and where it stands."""
        entries = self._config.get(section) or ()
        if not isinstance(entries, list):
            raise self._error(section, "is not a list")
        for number, entry in enumerate(entries):
            if isinstance(entry, dict) and entry.get("name") == name:
                at = f"{section}[{number}].{part}"
                found = entry.get(part)
                if not isinstance(found, dict):
                    raise self._error(at, "is not set" if found is None else "is not an object")
                return found, at
        known = ", ".join(str(e.get("name")) for e in entries if isinstance(e, dict)) or "none"
        raise self._error(referred or section, f"no {part} is named {name!r} (there are: {known})")

    def _text(self, part: Mapping[str, Any], at: str, name: str) -> str:
        value = part.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._error(f"{at}.{name}" if at else name, f"is not a string but {type(value).__name__}")
        return value

    def _data(self, part: Mapping[str, Any], at: str, name: str) -> bytes:
        """`<name>-data`, or else the content of the file that `<name>` names."""
        inline = self._text(part, at, f"{name}-data")
        if inline:
            try:
                return base64.b64decode(inline, validate=True)
            except binascii.Error as error:
                raise self._error(f"{at}.{name}-data", "is not valid base64") from error
        path = self._local(part, at, name)
        if not path or self._read_file is None:
            return b""
        try:
            return self._read_file(path)
        except OSError as error:
            raise self._error(f"{at}.{name}", f"{path}: {error.strerror or error}") from error

    def _local(self, part: Mapping[str, Any], at: str, name: str) -> str:
        path = self._text(part, at, name)
        if path and self._read_file is None:
            raise self._error(f"{at}.{name}", "names a local file, which is not allowed here: put the data inline")
        return path

    def _program(self, user: Mapping[str, Any], at: str, name: str) -> Raw | None:
        value = user.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._error(f"{at}.{name}", "is not an object")
        if self._read_file is None:
            raise self._error(f"{at}.{name}", "runs a program or a login, which is not allowed here: use a token")
        return value

    def _error(self, path: str, why: str) -> KubeconfigError:
        return KubeconfigError(self._source, path, why)
