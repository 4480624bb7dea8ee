"""Paths of the REST API: which address space, which resource, which object. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from capipool.machinery.errors import BadRequest

_SPACE_PREFIX = "workload"
_OF_A_NAMESPACE = ("status", "finalize")
"""What can follow a namespace's name without being a resource in it."""


class Place(NamedTuple):
    """What a path addresses in an address space."""

    space: str
    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    watch: bool = False
    """The old way to ask for a watch: `/api/v1/watch/...`."""


class Document(NamedTuple):
    """A path that addresses no resource: discovery, OpenAPI, health."""

    space: str
    path: str


def parse(path: str) -> Place | Document:
    """Take a path apart. Whether there is such a thing is for others to say."""
    parts = [unquote(part) if "%" in part else part for part in path.split("/")[1:]]
    space = ""
    if parts[0] == _SPACE_PREFIX and len(parts) >= 3:
        space = f"{parts[1]}/{parts[2]}"
        parts = parts[3:] or [""]
    if parts[-1] == "" and len(parts) > 1:
        parts.pop()
    if parts[0] == "api" and len(parts) > 2:
        return _resource(space, "", parts[1], parts[2:]) or Document(space, "/" + "/".join(parts))
    if parts[0] == "apis" and len(parts) > 3:
        return _resource(space, parts[1], parts[2], parts[3:]) or Document(space, "/" + "/".join(parts))
    return Document(space, "/" + "/".join(parts))


def _resource(space: str, group: str, version: str, rest: list[str]) -> Place | None:
    watch = rest[0] == "watch" and len(rest) > 1
    if watch:
        rest = rest[1:]
    if not all(rest):
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and (len(rest) > 3 or rest[2] not in _OF_A_NAMESPACE):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        return None
    plural, name, subresource = [*rest, "", ""][:3]
    return Place(space, group, version, plural, namespace, name, subresource, watch)


@lru_cache(maxsize=1024)
def query(raw: bytes) -> Mapping[str, str]:
    """Query parameters; of a repeated one the first counts, but `dryRun` may only say one thing anyway."""
    if not raw:
        return _NONE
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except (UnicodeDecodeError, ValueError) as error:
        raise BadRequest("the query is malformed") from error
    result: dict[str, str] = {}
    for name, value in pairs:
        result.setdefault(name, value)
    return result


_NONE: Mapping[str, str] = {}
