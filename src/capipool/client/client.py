"""The client that reconcilers, the command line and tests use: typed objects over any transport.

A kind is given as its typed class, whose objects come back, or as a `Resource`, for which `Unstructured` ones do. What
a call answers keeps every field the server sent (see `machinery.objects`). Nothing is retried here: a transport repeats
what is safe to repeat, and the runtime what a reconciler should see again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal, NamedTuple, TypeVar, cast, overload

import msgspec

from capipool.client import discovery
from capipool.client.transport import Transport
from capipool.machinery import codec, errors, objects
from capipool.machinery.calls import APPLY_PATCH, MERGE_PATCH, PROTOCOL_JSON, Call, Verb, WatchType
from capipool.machinery.objects import Object, Raw, Unstructured
from capipool.machinery.resource import Resource

T = TypeVar("T", bound=Object)
Propagation = Literal["Background", "Foreground", "Orphan"]

LIST_PAGE = 500
"""Objects asked for at once when listing: what keeps one reply, here and on the server, to a few megabytes."""

_PODS = Resource("", "v1", "Pod", "pods")


class Change(NamedTuple):
    """One event of a watch, decoded."""

    type: WatchType
    object: Any


class Write(NamedTuple):
    """A write that the server acknowledged: what the runtime waits for in its caches before it reconciles again."""

    resource: Resource
    namespace: str
    name: str
    resource_version: str
    """Empty where the reply carries none: the object was deleted at once."""


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class ListPage(msgspec.Struct):
    """One page of a list, its items not decoded yet."""

    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[msgspec.Raw] = []


class _Outcome(Object):
    """As much of the reply to a deletion as tells what became of the object."""


_pages = msgspec.json.Decoder(ListPage)


class Client:
    """Calls on the objects of one API server. Safe to share between tasks.

    `field_manager` names this program in `managedFields`; `warn` is told what the server warns of as it is written
    to. Every method raises `machinery.errors.ApiError`.
    """

    def __init__(
        self, transport: Transport, *, field_manager: str = "capipool", warn: Callable[[str], None] | None = None
    ) -> None:
        self.transport = transport
        self._warn = warn
        self.field_manager = field_manager
        self.resources = discovery.Discovery(transport)
        self._listeners: tuple[Callable[[Write], None], ...] = ()

    def on_write(self, listener: Callable[[Write], None]) -> None:
        """Have every acknowledged write told, in the context of the task that made it."""
        self._listeners = (*self._listeners, listener)

    # --- reading

    @overload
    async def get(self, kind: type[T], name: str, namespace: str = "") -> T: ...
    @overload
    async def get(self, kind: Resource, name: str, namespace: str = "") -> Unstructured: ...
    async def get(self, kind: type[Any] | Resource, name: str, namespace: str = "") -> Any:
        """Read one object. Raises NotFound."""
        resource, cls = kind_of(kind)
        reply = await self.transport.call(Call(verb="get", resource=resource, namespace=namespace, name=name))
        return decode(cls, resource, reply.body)

    @overload
    async def list(
        self, kind: type[T], namespace: str = "", *, labels: str = "", fields: str = "", limit: int = 0
    ) -> list[T]: ...
    @overload
    async def list(
        self, kind: Resource, namespace: str = "", *, labels: str = "", fields: str = "", limit: int = 0
    ) -> list[Unstructured]: ...
    async def list(
        self, kind: type[Any] | Resource, namespace: str = "", *, labels: str = "", fields: str = "", limit: int = 0
    ) -> list[Any]:
        """All objects of a kind that match, read page by page; at most `limit` of them where it is not zero.

        An empty namespace means all namespaces.
        """
        resource, cls = kind_of(kind)
        query = _selecting(labels, fields)
        found: list[Any] = []
        async for page in self.pages(resource, namespace, query=query, size=min(limit or LIST_PAGE, LIST_PAGE)):
            found.extend(decode(cls, resource, bytes(item)) for item in page.items)
            if limit and len(found) >= limit:
                return found[:limit]
        return found

    async def pages(
        self, resource: Resource, namespace: str = "", *, query: Mapping[str, str] | None = None, size: int = LIST_PAGE
    ) -> AsyncIterator[ListPage]:
        """The pages of a list, undecoded. Raises Expired where a later page can no longer be read: begin again."""
        asked = {**(query or {}), "limit": str(size)}
        while True:
            call = Call(verb="list", resource=resource, namespace=namespace, query=asked)
            page = _pages.decode((await self.transport.call(call)).body)
            yield page
            if not page.metadata.continue_:
                return
            asked = {**asked, "continue": page.metadata.continue_}

    async def watch(
        self,
        kind: type[Any] | Resource,
        namespace: str = "",
        *,
        resource_version: str = "",
        labels: str = "",
        fields: str = "",
    ) -> AsyncIterator[Change]:
        """Follow changes one by one until the server ends the watch. Raises Expired where the version is too old.

        Without a resource version it begins with the objects there are. For caches, see `runtime.cache`.
        """
        resource, cls = kind_of(kind)
        query = _selecting(labels, fields)
        if resource_version:
            query["resourceVersion"] = resource_version
        call = Call(verb="watch", resource=resource, namespace=namespace, query=query)
        async with aclosing(cast(Any, self.transport.watch(call))) as batches:
            async for batch in batches:
                for event in batch:
                    if event.type == "ERROR":
                        raise watch_error(event.object)
                    yield Change(event.type, decode(cls, resource, event.object))

    # --- writing

    async def create(self, obj: T, *, resource: Resource | None = None) -> T:
        """Create an object; `metadata.generateName` is honoured. Raises AlreadyExists, Invalid, Forbidden."""
        resource = resource or await self.resource_of(obj)
        return await self._write("create", resource, obj)

    async def update(self, obj: T, *, resource: Resource | None = None, subresource: str = "") -> T:
        """Replace an object by what was read and changed. Raises Conflict where it changed meanwhile."""
        if obj.metadata.uid and not objects.has_origin(obj):
            raise ValueError(f"{obj.kind} {obj.key} was read without the fields its type does not know: patch it")
        resource = resource or await self.resource_of(obj)
        return await self._write("update", resource, obj, name=obj.metadata.name, subresource=subresource)

    @overload
    async def patch(
        self,
        kind: type[T],
        name: str,
        namespace: str = "",
        *,
        patch: Raw | Sequence[Any],
        content_type: str = MERGE_PATCH,
        subresource: str = "",
        resource_version: str = "",
    ) -> T: ...
    @overload
    async def patch(
        self,
        kind: Resource,
        name: str,
        namespace: str = "",
        *,
        patch: Raw | Sequence[Any],
        content_type: str = MERGE_PATCH,
        subresource: str = "",
        resource_version: str = "",
    ) -> Unstructured: ...
    async def patch(
        self,
        kind: type[Any] | Resource,
        name: str,
        namespace: str = "",
        *,
        patch: Raw | Sequence[Any],
        content_type: str = MERGE_PATCH,
        subresource: str = "",
        resource_version: str = "",
    ) -> Any:
        """Patch an object: merge (the default), JSON or strategic merge, by `content_type`.

        With `resource_version`, only that version is patched: raises Conflict otherwise.
        """
        resource, cls = kind_of(kind)
        call = Call(
            verb="patch",
            resource=resource,
            namespace=namespace,
            name=name,
            subresource=subresource,
            query={"fieldManager": self.field_manager},
            body=codec.encode_json(_pinned(patch, resource_version)),
            content_type=content_type,
        )
        return await self._send(cls, call)

    async def apply(
        self,
        raw: Raw,
        *,
        resource: Resource | None = None,
        field_manager: str | None = None,
        force: bool = False,
        dry_run: bool = False,
        strict: bool = False,
        subresource: str = "",
    ) -> Unstructured:
        """Apply an object on the server's side: own exactly the fields it names. Creates it where it is not there.

        Raises Conflict where another manager owns a field, unless `force` takes it over. With `dry_run` the server does
        everything but the writing; with `strict` it refuses fields that the kind does not have, else it drops them.
        """
        resource = resource or await self.resources.of(raw)
        meta = raw.get("metadata") or {}
        if not meta.get("name"):
            raise errors.BadRequest(f"{raw.get('kind', 'the object')}: metadata.name: Required value: to apply it")
        query = {"fieldManager": field_manager or self.field_manager}
        if force:
            query["force"] = "true"
        if dry_run:
            query["dryRun"] = "All"
        if strict:
            query["fieldValidation"] = "Strict"
        call = Call(
            verb="patch",
            resource=resource,
            namespace=meta.get("namespace", ""),
            name=meta["name"],
            subresource=subresource,
            query=query,
            body=codec.encode_json(raw),
            content_type=APPLY_PATCH,
        )
        return await self._send(Unstructured, call)

    async def delete(
        self,
        kind: type[Any] | Resource,
        name: str,
        namespace: str = "",
        *,
        propagation: Propagation | None = None,
        uid: str = "",
        resource_version: str = "",
        grace_period_seconds: int | None = None,
    ) -> None:
        """Ask for deletion; finalizers may make it wait. Raises NotFound; Conflict where uid or version differ."""
        resource, _ = kind_of(kind)
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        body = _delete_options(propagation, grace_period_seconds, {k: v for k, v in preconditions.items() if v})
        await self._send(_Outcome, Call(verb="delete", resource=resource, namespace=namespace, name=name, body=body))

    async def delete_all(
        self, kind: type[Any] | Resource, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> None:
        """Ask for deletion of every object of a kind that matches, in one call."""
        resource, _ = kind_of(kind)
        query = _selecting(labels, fields)
        call = Call(verb="deletecollection", resource=resource, namespace=namespace, query=query, body=b"{}")
        reply = await self.transport.call(call)
        if self._listeners:
            self._tell_all(resource, reply.body)

    async def evict(self, name: str, namespace: str, *, grace_period_seconds: int | None = None) -> None:
        """Evict a pod. Raises TooManyRequests while a disruption budget forbids it, NotFound when it is gone."""
        eviction: Raw = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
        }
        if grace_period_seconds is not None:
            eviction["deleteOptions"] = {"gracePeriodSeconds": grace_period_seconds}
        call = Call(
            verb="create",
            resource=_PODS,
            namespace=namespace,
            name=name,
            subresource="eviction",
            body=codec.encode_json(eviction),
        )
        await self._send(_Outcome, call)

    # --- scale

    async def get_scale(self, kind: type[Any] | Resource, name: str, namespace: str = "") -> Unstructured:
        """The `autoscaling/v1` Scale of an object. Raises NotFound where its kind has none."""
        resource, _ = kind_of(kind)
        call = Call(verb="get", resource=resource, namespace=namespace, name=name, subresource="scale")
        return objects.decode(Unstructured, (await self.transport.call(call)).body)

    async def update_scale(self, kind: type[Any] | Resource, name: str, namespace: str = "", *, replicas: int) -> int:
        """Set the replicas of an object through its scale subresource. Returns what the server says is now wanted."""
        resource, _ = kind_of(kind)
        scale = await self.patch(resource, name, namespace, patch={"spec": {"replicas": replicas}}, subresource="scale")
        return int(scale.spec.get("replicas", 0))

    # --- the rest

    async def resource_of(self, obj: Object) -> Resource:
        """How an object's kind is served: its class knows, or discovery does. Raises NotFound, BadRequest."""
        own = getattr(type(obj), "RESOURCE", None)
        if isinstance(own, Resource):
            return own
        return await self.resources.of({"apiVersion": obj.api_version, "kind": obj.kind})

    async def close(self) -> None:
        """Close the transport. Idempotent."""
        await self.transport.close()

    async def _write(self, verb: Verb, resource: Resource, obj: T, *, name: str = "", subresource: str = "") -> T:
        call = Call(
            verb=verb,
            resource=resource,
            namespace=obj.metadata.namespace,
            name=name,
            subresource=subresource,
            query={"fieldManager": self.field_manager},
            body=objects.encode(obj),
            content_type=PROTOCOL_JSON,
        )
        return await self._send(type(obj), call)

    async def _send(self, cls: type[T], call: Call) -> T:
        reply = await self.transport.call(call)
        if self._warn is not None:
            for warning in reply.warnings:
                self._warn(warning)
        obj = decode(cls, call.resource, reply.body)
        if self._listeners:
            self._tell(call, obj)
        return obj

    def _tell(self, call: Call, obj: Object) -> None:
        """Tell the listeners of a write.

        A reply of another kind (Status) carries no version of the object; and one whose last finalizer went carries
        that from before it was gone.
        """
        gone = obj.deleting and not obj.metadata.finalizers
        versioned = obj.kind in (call.resource.kind, "Scale") and not gone
        write = Write(
            resource=call.resource,
            namespace=call.namespace,
            name=call.name or obj.metadata.name,
            resource_version=obj.metadata.resource_version if versioned else "",
        )
        for listener in self._listeners:
            listener(write)

    def _tell_all(self, resource: Resource, deleted: bytes) -> None:
        """Tell of each object deleted together; those that were being deleted already do not change by it."""
        for item in _pages.decode(deleted).items:
            meta = decode(_Outcome, resource, bytes(item)).metadata
            if meta.deletion_timestamp is None:
                write = Write(resource, meta.namespace, meta.name, "")
                for listener in self._listeners:
                    listener(write)


def kind_of(kind: type[T] | Resource) -> tuple[Resource, type[T]]:
    """The resource of a kind, and the class its objects are read as. Raises TypeError for a class without one."""
    if isinstance(kind, Resource):
        return kind, cast(type[T], Unstructured)
    resource = getattr(kind, "RESOURCE", None)
    if not isinstance(resource, Resource):
        raise TypeError(f"{kind.__name__} is of no fixed kind: give its Resource instead")
    return resource, kind


def decode(cls: type[T], resource: Resource, body: bytes) -> T:
    """Read an object of a reply. Items of a list of built-in kinds say no kind themselves: it is filled in."""
    obj = objects.decode(cls, body)
    if not obj.kind:
        msgspec.structs.force_setattr(obj, "kind", resource.kind)
        msgspec.structs.force_setattr(obj, "api_version", resource.api_version)
    return obj


def watch_error(status: bytes) -> errors.ApiError:
    """The error that an `ERROR` event of a watch carries."""
    raw = codec.decode_json_object(status)
    return errors.from_status(raw, int(raw.get("code") or 500))


def _selecting(labels: str, fields: str) -> dict[str, str]:
    query = {"labelSelector": labels, "fieldSelector": fields}
    return {k: v for k, v in query.items() if v}


def _pinned(patch: Raw | Sequence[Any], resource_version: str) -> Raw | Sequence[Any]:
    """A patch that applies to one version of the object only."""
    if not resource_version:
        return patch
    if not isinstance(patch, dict):
        return [{"op": "test", "path": "/metadata/resourceVersion", "value": resource_version}, *patch]
    metadata = {**(patch.get("metadata") or {}), "resourceVersion": resource_version}
    return {**patch, "metadata": metadata}


def _delete_options(propagation: str | None, grace: int | None, preconditions: Mapping[str, str]) -> bytes:
    options: Raw = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if propagation is not None:
        options["propagationPolicy"] = propagation
    if grace is not None:
        options["gracePeriodSeconds"] = grace
    if preconditions:
        options["preconditions"] = dict(preconditions)
    return codec.encode_json(options)
