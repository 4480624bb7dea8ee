"""Where objects are read from: a cluster, page by page, or files that were read whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, Protocol

import msgspec

from capipool.client.client import Client
from capipool.machinery import codec, errors
from capipool.machinery.calls import Call
from capipool.machinery.objects import Raw
from capipool.machinery.resource import GroupKind, Resource, split_api_version
from capipool.migrate import verify
from capipool.migrate.definitions import BUILT_IN, DEFINITION, LAST, stand_in
from capipool.migrate.naming import Renaming

PAGE = 200
"""Objects held at once. Objects of Cluster API are a few kilobytes each."""
_RESTARTS = 5


class Source(Protocol):
    """What a plan is made from."""

    async def definitions(self) -> list[Raw]:
        """Every CustomResourceDefinition."""
        ...

    def objects(self, resource: Resource) -> AsyncIterator[Raw]:
        """Every object of a kind."""
        ...

    async def refusal(self, resource: Resource, raw: Raw) -> str | None:
        """Why the server would not take a new object as it is; None where it would, or nobody can be asked.

        More than was given is as it was given: those are defaults.
        """
        ...


class ClusterSource:
    """A cluster. Holds one page at a time."""

    def __init__(self, client: Client, *, page: int = PAGE) -> None:
        self.client = client
        self._page = page

    async def definitions(self) -> list[Raw]:
        """Every CustomResourceDefinition."""
        return [raw async for raw in self.objects(DEFINITION)]

    async def objects(self, resource: Resource) -> AsyncIterator[Raw]:
        """Every object of a kind. Some come twice where the list took so long that the server forgot it.

        Raises Expired where that happened again and again.
        """
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        for attempt in range(_RESTARTS):
            try:
                async for page in self.client.pages(resource, size=self._page):
                    for item in page.items:
                        yield head | msgspec.json.decode(item)
                return
            except errors.NotFound:
                return
            except errors.Expired:
                if attempt == _RESTARTS - 1:
                    raise

    async def refusal(self, resource: Resource, raw: Raw) -> str | None:
        """What the server makes of a dry run: schema, admission and webhooks refuse or change as they will."""
        call = Call(
            verb="create",
            resource=resource,
            namespace=raw["metadata"].get("namespace", ""),
            query={"dryRun": "All", "fieldManager": self.client.field_manager},
            body=codec.encode_json(raw),
        )
        try:
            reply = await self.client.transport.call(call)
        except errors.AlreadyExists:
            return None
        except (errors.Invalid, errors.Forbidden, errors.BadRequest) as error:
            return f"the server would refuse it: {error.message}"
        changed = verify.differences(raw, codec.decode_json_object(reply.body))
        return f"the server would change {', '.join(changed)}" if changed else None


class FileSource:
    """Objects read from files, and the definitions among them; those of `extra` stand in where there is none.

    A kind that neither defines is taken as it is, and its target as whatever a conversion makes.
    """

    def __init__(self, raws: Iterable[Raw], extra: Iterable[Raw] = (), *, renaming: Renaming) -> None:
        self._objects: dict[GroupKind, list[Raw]] = defaultdict(list)
        definitions: dict[str, Raw] = {raw["metadata"]["name"]: raw for raw in extra}
        for raw in raws:
            group, _ = split_api_version(str(raw.get("apiVersion", "")))
            if (group, raw.get("kind")) == (DEFINITION.group, DEFINITION.kind):
                definitions[raw["metadata"]["name"]] = raw
            else:
                self._objects[GroupKind(group, str(raw.get("kind", "")))].append(_identified(raw))
        self._definitions = list(definitions.values())
        self._definitions += list(_stand_ins(self._objects, self._definitions, renaming))

    async def definitions(self) -> list[Raw]:
        """Every CustomResourceDefinition."""
        return self._definitions

    async def objects(self, resource: Resource) -> AsyncIterator[Raw]:
        """Every object of a kind, whatever its version."""
        for raw in self._objects.get(resource.group_kind, ()):
            yield raw

    async def refusal(self, resource: Resource, raw: Raw) -> str | None:
        """Nobody to ask."""
        return None

    @property
    def kinds(self) -> Mapping[GroupKind, list[Raw]]:
        """What was read, by kind."""
        return self._objects


def _stand_ins(found: Mapping[GroupKind, list[Raw]], definitions: Iterable[Raw], renaming: Renaming) -> Iterator[Raw]:
    defined = {GroupKind(d["spec"]["group"], d["spec"]["names"]["kind"]) for d in definitions}
    built_in = {resource.group_kind for resource in BUILT_IN}
    for kind, raws in found.items():
        target = GroupKind(renaming.group(kind.group), kind.kind)
        if kind not in defined | built_in and "." in kind.group:
            yield stand_in(kind, split_api_version(str(raws[0]["apiVersion"]))[1])
        if target != kind and target not in defined:
            yield stand_in(target, LAST)


def _identified(raw: Raw) -> Raw:
    """An object with a UID, also where a file has none: from what else names it."""
    metadata: dict[str, Any] = raw.get("metadata") or {}
    if metadata.get("uid"):
        return raw
    made = f"{raw.get('apiVersion')}/{raw.get('kind')}/{metadata.get('namespace', '')}/{metadata.get('name', '')}"
    return {**raw, "metadata": {**metadata, "uid": made}}
