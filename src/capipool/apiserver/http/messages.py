"""Requests and responses as data, between the connection and the application."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from capipool.machinery import codec
from capipool.machinery.calls import User
from capipool.machinery.errors import ApiError

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"


class Request:
    """One request, its body read. Header names are in lower case; only those that matter here are kept."""

    __slots__ = ("body", "headers", "method", "peer", "url")

    def __init__(self, peer: User | None) -> None:
        self.method = b""
        self.url = b""
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.peer = peer
        """Whom the connection's client certificate names."""


@dataclass(slots=True)
class Response:
    """An answer that is whole."""

    body: bytes
    code: int = 200
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class Stream:
    """An answer that goes on until its chunks end or the client goes away."""

    chunks: AsyncGenerator[bytes, None]
    content_type: bytes = JSON


def refusal(error: ApiError) -> Response:
    """The answer that an error is: a `Status`, and when to come again where the error says so."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if (seconds := error.retry_after_seconds) is not None:
        headers = ((b"Retry-After", str(max(1, round(seconds))).encode()),)
    if error.http_code == 401:
        headers = ((b"WWW-Authenticate", b'Bearer realm="capipool"'),)
    return Response(codec.encode_json(error.status), error.http_code, JSON, headers)
