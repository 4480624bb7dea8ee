"""What a request is, and what answers it: health, discovery, or a call on a resource. Errors become `Status` here."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

from capipool.apiserver.authn import Authenticator
from capipool.apiserver.builtin.definition import Definition
from capipool.apiserver.http import media, paths
from capipool.apiserver.http.messages import JSON, TEXT, Request, Response, Stream, refusal
from capipool.apiserver.http.paths import Document, Place
from capipool.apiserver.server import Server
from capipool.machinery import calls
from capipool.machinery.calls import Call, Reply, User, Verb, WatchEvent
from capipool.machinery.errors import ApiError, Forbidden, MethodNotAllowed, Unauthorized

_HEALTH = frozenset({"/healthz", "/readyz", "/livez"})
_WITH_NAME: dict[bytes, Verb] = {
    b"GET": "get",
    b"HEAD": "get",
    b"PUT": "update",
    b"PATCH": "patch",
    b"DELETE": "delete",
}
_WITHOUT_NAME: dict[bytes, Verb] = {b"GET": "list", b"HEAD": "list", b"POST": "create", b"DELETE": "deletecollection"}
_CONTENT_TYPES = {"json": JSON, "yaml": b"application/yaml", "table": JSON, "partial": JSON}


class Application:
    """The HTTP face of one server."""

    def __init__(self, server: Server, authenticator: Authenticator) -> None:
        self._server = server
        self._authenticator = authenticator

    async def __call__(self, request: Request) -> Response | Stream:
        """Answer a request. Raises only what nobody foresaw."""
        try:
            return await self._answer(request)
        except ApiError as error:
            return refusal(error)

    async def _answer(self, request: Request) -> Response | Stream:
        raw_path, _, raw_query = request.url.partition(b"?")
        path = raw_path.decode("latin-1")
        if path in _HEALTH or path.startswith(("/readyz/", "/livez/", "/healthz/")):
            return self._health()
        place = paths.parse(path)
        if isinstance(place, Document) and place.path in (*_HEALTH, "/version"):
            return self._document(request, place)
        user = self._authenticator.user(request.peer, request.headers.get(b"authorization", b""))
        if user is None:
            raise Unauthorized
        if not self._authenticator.may_use(user, place.space):
            raise Forbidden(f"{user.name} may not use this cluster")
        if isinstance(place, Document):
            return self._document(request, place)
        return await self._call(request, user, place, paths.query(raw_query))

    def _health(self) -> Response:
        return Response(b"ok", 200, TEXT) if self._server.ready else Response(b"not ready", 503, TEXT)

    def _document(self, request: Request, place: Document) -> Response:
        if place.path in _HEALTH:
            self._server.registry(place.space)
            return self._health()
        if request.method not in (b"GET", b"HEAD"):
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        accept = request.headers.get(b"accept", b"application/json").decode("latin-1")
        document = self._server.negotiated(place.space, place.path, accept)
        tag = document.etag.encode()
        if tag and request.headers.get(b"if-none-match") == tag:
            return Response(b"", 304, document.content_type.encode(), ((b"ETag", tag),))
        headers = ((b"ETag", tag), (b"Vary", b"Accept")) if tag else ()
        return Response(document.body, 200, document.content_type.encode(), headers)

    async def _call(self, request: Request, user: User, place: Place, query: Mapping[str, str]) -> Response | Stream:
        definition = self._server.definition(place.space, place.group, place.version, place.plural)
        form = media.accepted(request.headers.get(b"accept", b""))
        call = _call_of(request, place, definition, query)
        if call.verb == "watch":
            events = self._server.watch(place.space, user, call)
            lines = media.Lines(form, definition, media.include(query.get("includeObject", "")))
            return Stream(self._lines(events, lines))
        reply = await self._server.handle(place.space, user, call)
        body = reply.body
        if form != "json":
            rows = media.include(query.get("includeObject", ""))
            body = media.shaped(form, definition, body, now=self._server.context.clock.now(), rows=rows)
        return Response(body, reply.code, _CONTENT_TYPES[form], _warnings(reply) if reply.warnings else ())

    async def _lines(
        self, events: AsyncIterator[Sequence[WatchEvent]], lines: media.Lines
    ) -> AsyncGenerator[bytes, None]:
        clock = self._server.context.clock
        async for batch in events:
            now = clock.now()
            yield b"".join([lines.line(event, now) for event in batch])


def _call_of(request: Request, place: Place, definition: Definition, query: Mapping[str, str]) -> Call:
    verb = _verb(request, place, query)
    content_type = calls.PROTOCOL_JSON
    if request.body:
        given = request.headers.get(b"content-type", b"").decode("latin-1")
        content_type = media.check_content_type(given, patch=verb == "patch")
    if verb in ("create", "update", "patch") and "fieldManager" not in query:
        agent = request.headers.get(b"user-agent", b"").decode("latin-1").partition("/")[0]
        if agent and content_type != calls.APPLY_PATCH:
            query = {**query, "fieldManager": agent}
    return Call(
        verb=verb,
        resource=definition.resource,
        namespace=place.namespace,
        name=place.name,
        subresource=place.subresource,
        query=query,
        body=request.body,
        content_type=content_type,
    )


def _verb(request: Request, place: Place, query: Mapping[str, str]) -> Verb:
    table = _WITH_NAME if place.name else _WITHOUT_NAME
    verb = table.get(request.method)
    if verb is None and request.method == b"POST" and place.subresource:
        return "create"
    if verb is None:
        raise MethodNotAllowed("the server does not allow this method on the requested resource")
    watches = place.watch or query.get("watch") in ("1", "true", "True")
    return "watch" if watches and verb in ("get", "list") and not place.subresource else verb


def _warnings(reply: Reply) -> tuple[tuple[bytes, bytes], ...]:
    """Warnings as headers (RFC 7234)."""
    return tuple((b"Warning", f'299 - "{_quoted(text)}"'.encode()) for text in reply.warnings)


def _quoted(text: str) -> str:
    """Text that can stand between quotes in a header: what would break the line, or is no text, is not in it."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return printable.replace("\\", "\\\\").replace('"', '\\"')
