"""What routes are given and what they return: plain values, which `application` turns into HTTP."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.failures import ArmError, patience
from capipool.testing.azure.model.operations import Operation
from capipool.testing.azure.model.subscription import Subscription


@dataclass(frozen=True)
class Call:
    """One request whose path matched a route."""

    subscription: Subscription
    method: str
    path: str
    base_url: str
    """Scheme, host and port as the client used them: what absolute URLs in answers begin with."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    params: Mapping[str, str]
    """The parts of the path that the route's template names."""

    @property
    def api_version(self) -> str:
        """As asked for; URLs in answers repeat it."""
        return self.query.get("api-version", "")

    def resource_id(self, kind: str) -> str:
        """The ID of the resource of a kind that the path names. Raises ArmError where its group is not there."""
        group = self.subscription.group(self.params["group"])
        return f"{self.subscription.world.group_path(group.name)}/providers/{kind}/{self.params['name']}"

    def flag(self, name: str) -> bool:
        """A true or false of the query."""
        return self.query.get(name, "").lower() == "true"

    def document(self) -> Raw:
        """The body, which must be an object."""
        if not isinstance(self.body, dict):
            raise ArmError("InvalidRequestContent", "The request content was invalid: a JSON object is needed.")
        return self.body

    def url(self, path: str, **query: str) -> str:
        """An absolute URL of this server, in the request's API version."""
        return f"{self.base_url}{path}?{urlencode({**query, 'api-version': self.api_version})}"

    def check_etag(self, etag: str | None) -> None:
        """Hold to If-Match and If-None-Match; None where the resource is not there. Raises ArmError (412)."""
        wanted, unwanted = self.headers.get("If-Match"), self.headers.get("If-None-Match")
        if unwanted and etag is not None and unwanted in ("*", etag):
            raise ArmError("PreconditionFailed", "The resource exists already, and If-None-Match was given.")
        if wanted and (etag is None or wanted not in ("*", etag)):
            raise ArmError("PreconditionFailed", f"The etag {wanted} is not the resource's, which is {etag}.")


@dataclass(frozen=True)
class Answer:
    """What a route returns."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """A path with what is done there. `template` names parts in braces; letters of either case match."""

    method: str
    template: str
    action: str
    """Its kind in the log and for faults; see `model.faults`."""
    handler: Handler
    mutating: bool = True
    """Of methods other than GET and HEAD: whether it changes anything."""
    public: bool = False
    """Whether it needs neither a token nor an API version."""


def accepted(call: Call, operation: Operation, *, status: int = 202, body: Any = None) -> Answer:
    """The answer that starts an operation: with both URLs to follow it by."""
    place = f"/subscriptions/{call.subscription.world.subscription}/providers/{_provider(operation.target)}"
    place = f"{place}/locations/{operation.location}"
    headers = {"Azure-AsyncOperation": call.url(f"{place}/operations/{operation.name}")}
    if status == 202:
        headers["Location"] = call.url(f"{place}/operations/{operation.name}/result", monitor="true")
    return Answer(status, body, headers | retry_after(call, operation))


def _provider(resource_id: str) -> str:
    """Who answers for a resource; groups belong to the Resource Manager itself."""
    return resource_id.split("/providers/")[1].split("/")[0] if "/providers/" in resource_id else "Microsoft.Resources"


def retry_after(call: Call, operation: Operation) -> dict[str, str]:
    """The header that asks for patience, as long as the operation goes on."""
    return patience(call.subscription.world.timing.retry_after) if operation.pending else {}


def page(call: Call, rows: Sequence[Raw]) -> Answer:
    """A list, or a page of it with the link to the next one."""
    size = call.subscription.world.faults.page_size or len(rows) or 1
    start = _position(call.query.get("$skiptoken", ""))
    body: Raw = {"value": list(rows[start : start + size])}
    if start + size < len(rows):
        token = base64.urlsafe_b64encode(str(start + size).encode()).decode()
        query = {k: v for k, v in call.query.items() if k not in ("api-version", "$skiptoken")}
        body["nextLink"] = call.url(call.path, **query, **{"$skiptoken": token})
    return Answer(200, body)


def _position(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError:
        raise ArmError("InvalidParameter", "The skip token is not one of this server's.", target="$skiptoken") from None
