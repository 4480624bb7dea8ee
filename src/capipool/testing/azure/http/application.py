"""From an HTTP request to a route and back: authentication, API version, faults, the log, errors as ARM writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from capipool.testing.azure.http.answers import Answer, Call, Route
from capipool.testing.azure.http.routing import Router
from capipool.testing.azure.model.failures import ArmError, group_not_found
from capipool.testing.azure.model.requests import Request, RequestLog
from capipool.testing.azure.model.subscription import Subscription

_GROUP = re.compile(r"(?<=/resourceGroups/)([^/?]+)", re.IGNORECASE)
_GROUP_IN_PATH = re.compile(r"/subscriptions/[^/]+/resourceGroups/([^/]+)/.+", re.IGNORECASE)
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)(?:/.*)?", re.IGNORECASE)
_REPEATED = re.compile("/{2,}")
_READS = ("GET", "HEAD")


class Application:
    """The whole server behind its listener. Every request is carried out in one go: none sees another half done."""

    def __init__(self, subscription: Subscription, routes: Sequence[Route], log: RequestLog) -> None:
        self._subscription = subscription
        self._router = Router(routes)
        self._log = log

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, or close its connection where a fault says so."""
        data = await request.read()
        method, path = request.method, _REPEATED.sub("/", request.path)  # as in ARM, double slashes are one
        found = self._router.find(method, path)
        if found is None and method == "HEAD":
            found = self._router.find("GET", path)
        route = found[0] if found else None
        action = route.action if route else ""
        loss = None if route is None or route.public else self._subscription.world.faults.take_loss(action)
        answer = Answer(0)
        if loss is None or loss.carried_out:
            answer = self._answer(request, path, found, data)
        mutating = method not in _READS and (route is None or route.mutating)
        if not path.startswith("/_capipool/"):
            self._log.add(Request(method, path, action, mutating, 0 if loss else answer.status))
        if loss is not None and request.transport is not None:
            request.transport.abort()
        if method == "HEAD" and answer.status == 200:
            answer = Answer(204)  # as ARM says that a resource is there
        return self._response(answer)

    def _answer(
        self, request: web.BaseRequest, path: str, found: tuple[Route, dict[str, str]] | None, data: bytes
    ) -> Answer:
        try:
            self._subscription.world.operations.advance()
            if found is None:
                self._check(request, path, public=False)
                raise self._nothing_there(path)
            route, params = found
            self._check(request, path, public=route.public)
            if not route.public and (refusal := self._subscription.world.faults.take_refusal(route.action)):
                raise refusal
            return route.handler(
                Call(
                    subscription=self._subscription,
                    method=request.method,
                    path=path,
                    base_url=f"{request.scheme}://{request.host}",
                    query=request.query,
                    headers=request.headers,
                    body=_parsed(request, data),
                    params=params,
                )
            )
        except ArmError as error:
            return Answer(error.status, error.body(), error.headers)

    def _check(self, request: web.BaseRequest, path: str, *, public: bool) -> None:
        """What ARM asks of every request before it looks at the resource."""
        if public:
            return
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise ArmError(
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing or holds no bearer token.",
                status=401,
                headers={"WWW-Authenticate": f'Bearer authorization_uri="{request.scheme}://{request.host}/"'},
            )
        if not request.query.get("api-version"):
            raise ArmError(
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        own = self._subscription.world.subscription
        if (match := _SUBSCRIPTION.fullmatch(path)) and match[1].lower() != own.lower():
            raise ArmError("SubscriptionNotFound", f"The subscription '{match[1]}' could not be found.", status=404)
        if match := _GROUP_IN_PATH.fullmatch(path):
            group = self._subscription.group(match[1])
            if group.state == "Deleting" and request.method in ("PUT", "PATCH"):
                raise ArmError(
                    "ResourceGroupBeingDeleted",
                    f"The resource group '{group.name}' is in deprovisioning state and cannot perform this operation.",
                    status=409,
                )

    def _nothing_there(self, path: str) -> ArmError:
        if self._router.knows(path):
            return ArmError("MethodNotAllowed", f"'{path}' does not take this method.", status=405)
        if (match := _GROUP_IN_PATH.fullmatch(path)) and match[1].lower() not in self._subscription.groups:
            return group_not_found(match[1])
        return ArmError("ResourceNotFound", f"The resource '{path}' was not found.", status=404)

    def _response(self, answer: Answer) -> web.Response:
        if answer.body is None:
            return web.Response(status=answer.status or 500, headers=answer.headers)
        text = json.dumps(self._recased(answer.body))
        return web.Response(status=answer.status, text=text, content_type="application/json", headers=answer.headers)

    def _recased(self, value: Any) -> Any:
        """Resource group names in another letter case, where a test wants to see them so."""
        recase = self._subscription.world.faults.group_case
        if recase is None:
            return value
        if isinstance(value, dict):
            return {key: self._recased(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._recased(item) for item in value]
        return _GROUP.sub(lambda m: recase(m[1]), value) if isinstance(value, str) else value


def _parsed(request: web.BaseRequest, data: bytes) -> Any:
    if not data:
        return None
    if request.content_type == "application/x-www-form-urlencoded" and data[:1] not in (
        b"{",
        b"[",
    ):  # `curl -d` says so
        return data.decode()
    try:
        return json.loads(data)
    except ValueError:
        raise ArmError("InvalidRequestContent", "The request content was invalid: it is no JSON.") from None
