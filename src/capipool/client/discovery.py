"""Which kinds a server serves: find the Resource of a group and kind, also of one installed a second ago.

Found kinds are remembered; what was not found is asked for anew each time, since a CustomResourceDefinition may come at
any moment. Concurrent questions about one group share one request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from capipool.client.transport import Transport
from capipool.machinery import errors
from capipool.machinery.resource import GroupKind, Resource, join_api_version, split_api_version


class _Version(msgspec.Struct, rename="camel"):
    group_version: str = ""
    version: str = ""


class _Group(msgspec.Struct, rename="camel"):
    name: str = ""
    versions: tuple[_Version, ...] = ()
    preferred_version: _Version = msgspec.field(default_factory=_Version)


class _ApiResource(msgspec.Struct):
    name: str
    kind: str = ""
    namespaced: bool = False


class _ApiResources(msgspec.Struct):
    resources: tuple[_ApiResource, ...] = ()


class Discovery:
    """The kinds of one server, read from its discovery documents as they are asked for."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._found: dict[tuple[str, str, str], Resource] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[dict[str, Resource]]] = {}

    async def find(self, group: str, kind: str, version: str | None = None) -> Resource:
        """The resource of a kind, at a version or at the one its server prefers. Raises NotFound, naming the kind."""
        known = self._found.get((group, kind, version or ""))
        if known is not None:
            return known
        versions = [version] if version else await self._versions(group)
        for candidate in versions:
            if (resource := (await self._served(group, candidate)).get(kind)) is not None:
                self._found[group, kind, version or ""] = resource
                return resource
        name = GroupKind(group, kind)
        at = f" in version {version!r}" if version else ""
        raise errors.NotFound(f"no kind {name} is served{at}: is its CustomResourceDefinition installed?")

    async def of(self, raw: Mapping[str, Any]) -> Resource:
        """The resource of a decoded object. Raises BadRequest where it does not say its kind, NotFound."""
        api_version, kind = raw.get("apiVersion"), raw.get("kind")
        for field, value in (("apiVersion", api_version), ("kind", kind)):
            if not isinstance(value, str) or not value:
                raise errors.BadRequest(f"{field}: Required value: an object must say what it is")
        group, version = split_api_version(str(api_version))
        return await self.find(group, str(kind), version)

    def forget(self, group: str = "", kind: str = "") -> None:
        """Forget a kind (or all): after its definition changed, or its server was replaced."""
        if not kind:
            self._found.clear()
        else:
            self._found = {k: v for k, v in self._found.items() if k[:2] != (group, kind)}

    async def _versions(self, group: str) -> list[str]:
        """The versions of a group, the preferred one first; none where the server does not know the group."""
        if not group:
            return ["v1"]
        try:
            body = await self._transport.get_path(f"/apis/{group}")
        except errors.NotFound:
            return []
        found = msgspec.json.decode(body, type=_Group)
        names = [found.preferred_version.version, *(v.version for v in found.versions)]
        return list(dict.fromkeys(n for n in names if n))

    async def _served(self, group: str, version: str) -> dict[str, Resource]:
        """What one group and version serves, by kind. Shared between those who ask at the same time."""
        asked = (group, version)
        if (task := self._asking.get(asked)) is None:
            task = self._asking[asked] = asyncio.create_task(self._ask(group, version))
            task.add_done_callback(lambda _: self._asking.pop(asked, None))
        return await asyncio.shield(task)

    async def _ask(self, group: str, version: str) -> dict[str, Resource]:
        root = "/apis" if group else "/api"
        try:
            body = await self._transport.get_path(f"{root}/{join_api_version(group, version)}")
        except errors.NotFound:
            return {}
        listed = msgspec.json.decode(body, type=_ApiResources).resources
        return {r.kind: Resource(group, version, r.kind, r.name, r.namespaced) for r in listed if "/" not in r.name}
