"""One HTTP/1.1 connection: bytes in, requests out to the application, responses and streams back.

Written on httptools' parser rather than on an ASGI server, because that makes a whole get cost what an empty handler
costs there (head and body leave in one TLS write), an idle server nothing (no tick), and a start some 100 ms less; and
because the client's certificate is at hand. Requests of one connection are answered one after the other.
"""

from __future__ import annotations

import asyncio
import http
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import cast

import httptools

from capipool.apiserver.http.messages import TEXT, Request, Response, Stream, refusal
from capipool.machinery.calls import User
from capipool.machinery.errors import ApiError, InternalError, RequestTooLarge

_log = logging.getLogger(__name__)

Application = Callable[[Request], Awaitable[Response | Stream]]
Identify = Callable[[asyncio.BaseTransport], User | None]

MAX_HEAD_BYTES = 64 * 1024
_MAX_QUEUED = 32
"""Requests that a client may send ahead; beyond, the connection is not read until some are answered."""
_JOIN_BYTES = 128 * 1024
"""Up to this size, head and body leave in one write (and one TLS record or few)."""
_WANTED = frozenset({b"authorization", b"accept", b"content-type", b"user-agent", b"if-none-match", b"expect"})
_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\nContent-Type: ".encode() for s in http.HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """The server's side of one connection."""

    def __init__(
        self, application: Application, identify: Identify, connections: set[Connection], max_body_bytes: int
    ) -> None:
        self._application = application
        self._identify = identify
        self._connections = connections
        self._max_body = max_body_bytes
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._peer: User | None = None
        self._request = Request(None)
        self._chunks: list[bytes] = []
        self._size = 0
        self._queue: deque[tuple[Request, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._streaming = False
        self._writable: asyncio.Future[None] | None = None
        self.lost = asyncio.Event()
        """Set when the connection is gone."""
        self.active_at = 0.0
        """When bytes last came in, in the loop's time."""

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._peer = self._identify(transport)
        self._connections.add(self)
        self.active_at = asyncio.get_running_loop().time()

    def connection_lost(self, error: Exception | None) -> None:
        """The client went away: nobody waits for what is still being done."""
        self._connections.discard(self)
        self.lost.set()
        self._transport = None
        self._queue.clear()
        self.resume_writing()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client reads slower than it is answered."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def data_received(self, data: bytes) -> None:
        """Parse; whole requests go to the queue."""
        self.active_at = asyncio.get_running_loop().time()
        if self._closing:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._closing = True  # nothing here is upgraded: the request is answered, and what follows is not HTTP
        except httptools.HttpParserError as error:
            if not self._closing:
                self._refuse(Response(f"400 Bad Request: {error}".encode(), 400, TEXT))
        except ApiError as error:
            self._refuse(refusal(error))

    # -- the parser's side

    def on_message_begin(self) -> None:
        """A request begins."""
        self._request = Request(self._peer)
        self._chunks = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        """A piece of the URL."""
        self._head_grows(len(url))
        self._request.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._head_grows(len(name) + len(value))
        name = name.lower()
        if name in _WANTED:
            self._request.headers[name] = value

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._request.method = self._parser.get_method()
        self._size = 0
        if b"expect" in self._request.headers and self._task is None and self._transport is not None:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._size += len(body)
        if self._size > self._max_body:
            self._closing = True
            self._refuse(refusal(RequestTooLarge(f"Request entity too large: limit is {self._max_body}")))
        elif not self._closing:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._closing:
            return
        request = self._request
        request.body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        keep = self._parser.should_keep_alive()
        if not keep:
            self._closing = True
        self._queue.append((request, keep))
        if self._task is None:
            self._next()
        elif len(self._queue) > _MAX_QUEUED and self._transport is not None:
            self._transport.pause_reading()

    def _head_grows(self, size: int) -> None:
        self._size += size
        if self._size > MAX_HEAD_BYTES and not self._closing:
            self._closing = True
            self._refuse(Response(b"431 Request Header Fields Too Large", 431, TEXT))

    # -- answering

    @property
    def idle(self) -> bool:
        """Whether nothing is being answered."""
        return self._task is None

    def _next(self) -> None:
        request, keep = self._queue.popleft()
        self._task = asyncio.get_running_loop().create_task(self._serve(request, keep))

    async def _serve(self, request: Request, keep: bool) -> None:
        try:
            response = await self._application(request)
            if isinstance(response, Response):
                self._write(request, response, keep)
            else:
                await self._stream(response, keep)
        except asyncio.CancelledError:
            self._abort()
            return
        except Exception:
            _log.exception("answering %s failed", request.method.decode())
            self._write(request, refusal(InternalError("Internal error occurred: see the server's log")), keep=False)
            keep = False
        self._answered(keep)

    def _answered(self, keep: bool) -> None:
        self._task = None
        transport = self._transport
        if transport is None:
            return
        if not keep:
            transport.close()
        elif self._queue:
            self._next()
            if not transport.is_reading():
                transport.resume_reading()
        elif self._closing:
            transport.close()

    def _write(self, request: Request, response: Response, keep: bool) -> None:
        if self._transport is None:
            return
        head = [_STATUS_LINES[response.code], response.content_type]
        head.append(b"\r\nContent-Length: %d\r\n" % len(response.body))
        for name, value in response.headers:
            head += (name, b": ", value, b"\r\n")
        head.append(b"\r\n" if keep else b"Connection: close\r\n\r\n")
        body = b"" if request.method == b"HEAD" else response.body
        if len(body) <= _JOIN_BYTES:
            head.append(body)
            self._transport.write(b"".join(head))
        else:
            self._transport.write(b"".join(head))
            self._transport.write(body)

    async def _stream(self, stream: Stream, keep: bool) -> None:
        assert self._transport is not None
        end = b"\r\nTransfer-Encoding: chunked\r\n" + (b"\r\n" if keep else b"Connection: close\r\n\r\n")
        self._transport.write(_STATUS_LINES[200] + stream.content_type + end)
        self._streaming = True
        try:
            async with aclosing(stream.chunks) as chunks:
                async for chunk in chunks:
                    self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                    if self._writable is not None:
                        await self._writable
        except asyncio.CancelledError:
            if self._transport is None or not self._closing:
                raise  # the client went away; otherwise the server ends, and the stream ends well
        finally:
            self._streaming = False
        self._transport.write(b"0\r\n\r\n")

    def _refuse(self, response: Response) -> None:
        """Answer what is no request, and hang up."""
        self._closing = True
        self._queue.clear()
        if self._task is None and self._transport is not None:  # else it closes when that is answered
            self._write(self._request, response, keep=False)
            self._transport.close()

    def _abort(self) -> None:
        self._task = None
        if self._transport is not None:
            self._transport.close()

    # -- ending

    def end(self) -> asyncio.Task[None] | None:
        """Take no more requests, end a stream; gives what is still being answered."""
        self._closing = True
        if self._streaming and self._task is not None:
            self._task.cancel()
        if self._task is None and self._transport is not None:
            self._transport.close()
        return self._task

    def abort(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()
