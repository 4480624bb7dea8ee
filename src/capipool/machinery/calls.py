"""One API call as data: what the HTTP front makes of a request, and what an in-process client makes without HTTP.

The API server answers calls; the client makes them; neither knows the other. The composition root joins them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from capipool.machinery.resource import Resource

Verb = Literal["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]
WatchType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
"""Server-side apply. The body may be JSON, which is YAML too."""

PROTOCOL_JSON = "application/json"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call on one resource. `query` holds the parameters by the names the REST API gives them."""

    verb: Verb
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""
    content_type: str = PROTOCOL_JSON


class Reply(msgspec.Struct, frozen=True):
    """What the server answered a call that succeeded; a failure is an `ApiError`."""

    body: bytes
    code: int = 200
    warnings: tuple[str, ...] = ()
    """Admission warnings, which the HTTP front sends as `Warning` headers."""


class WatchEvent(NamedTuple):
    """One change. `object` is the whole object as JSON, for `ERROR` a `Status`, for `BOOKMARK` metadata alone."""

    type: WatchType
    object: bytes


class User(msgspec.Struct, frozen=True):
    """Who makes a call."""

    name: str
    groups: tuple[str, ...] = ()


ADMIN = User("system:admin", ("system:masters",))
