"""The API server: calls in, replies and watches out. The composition root makes one; HTTP and clients use it.

It knows nothing of HTTP and nothing of Cluster API: kinds come as CustomResourceDefinitions, their rules as functions.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from capipool.apiserver import settings as settings_
from capipool.apiserver.builtin.definition import Definition
from capipool.apiserver.context import Context, Target
from capipool.apiserver.documents import Documents
from capipool.apiserver.lifecycle.budgets import BudgetLifecycle
from capipool.apiserver.lifecycle.crds import CRDLifecycle
from capipool.apiserver.lifecycle.events import EventExpiry
from capipool.apiserver.lifecycle.gc import GarbageCollector
from capipool.apiserver.lifecycle.namespaces import NamespaceLifecycle
from capipool.apiserver.options import WriteOptions
from capipool.apiserver.registry import Registry
from capipool.apiserver.settings import Settings
from capipool.apiserver.store.journal import Journal
from capipool.apiserver.store.store import Store
from capipool.apiserver.verbs import (
    create,
    delete,
    namespaces,
    pods,
    reading,
    reviews,
    scale,
    update,
    watching,
    writing,
)
from capipool.machinery.admission import Converter, Rules
from capipool.machinery.calls import ADMIN, Call, Reply, User, WatchEvent
from capipool.machinery.clock import Clock
from capipool.machinery.errors import BadRequest, MethodNotAllowed, NotFound
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource

if TYPE_CHECKING:
    from capipool.apiserver.discovery.catalog import Document

Verb = Callable[[Context, Target, Call], Awaitable[Reply]]

_VERBS: Mapping[tuple[str, str], Verb] = {
    ("get", ""): reading.get,
    ("list", ""): reading.list_,
    ("create", ""): create.create,
    ("update", ""): update.update,
    ("patch", ""): update.patch,
    ("delete", ""): delete.delete,
    ("deletecollection", ""): delete.delete_collection,
    ("get", "status"): reading.get,
    ("update", "status"): update.update,
    ("patch", "status"): update.patch,
    ("get", "scale"): scale.get,
    ("update", "scale"): scale.write,
    ("patch", "scale"): scale.write,
    ("create", "eviction"): pods.evict,
    ("create", "binding"): pods.bind,
    ("update", "finalize"): namespaces.finalize,
}

MANAGEMENT = ""
"""The address space of the management cluster."""
_NAMESPACE = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
_FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class Server:
    """A Kubernetes API server for any number of address spaces, on one journal."""

    def __init__(
        self, *, journal: Journal, clock: Clock, rng: random.Random, settings: Settings = settings_.DEFAULTS
    ) -> None:
        store = Store(journal, window=settings.watch_window, history_bytes=settings.history_bytes)
        self.context = Context(store=store, clock=clock, rng=rng, settings=settings)
        self._crds = CRDLifecycle(self.context)
        self._namespaces = NamespaceLifecycle(self.context)
        self._gc = GarbageCollector(self.context)
        self._budgets = BudgetLifecycle(self.context)
        self._events = EventExpiry(self.context)
        self._documents = Documents()
        self._spaces: set[str] = set()
        self.find_token: reviews.FindToken = lambda token: None
        """Whom a bearer token names, for TokenReviews; whoever authenticates sets it."""
        self.ready = False
        """Whether calls are answered: between `start` and `stop`."""

    # -- composition

    def add_rules(self, rules: Rules) -> None:
        """Let rules judge the writes of a kind, in every space."""
        self.context.admission.add(rules)

    def add_converter(self, converter: Converter) -> None:
        """Convert between the versions of a kind by a function, in every space."""
        self.context.conversion.add(converter)

    async def start(self) -> None:
        """Load the journal and begin to serve. Raises OSError where the journal cannot be opened."""
        self.context.store.open()
        self._spaces.update(self.context.store.spaces())
        for lifecycle in (self._crds, self._namespaces, self._gc, self._budgets, self._events):
            lifecycle.start()
        await self.ensure_space(MANAGEMENT)
        self.ready = True

    async def stop(self) -> None:
        """End watches, finish writes, close the journal. Everything acknowledged is durable. Idempotent."""
        if self.context.stopping:
            return
        self.context.stopping = True
        self.ready = False
        for space in self._spaces:
            for collection in self.context.store.collections(space):
                collection.wake()
        for lifecycle in (self._events, self._budgets, self._gc, self._namespaces, self._crds):
            await lifecycle.stop()
        await self.context.store.close()

    # -- address spaces

    def spaces(self) -> tuple[str, ...]:
        """The address spaces there are."""
        return tuple(sorted(self._spaces))

    def has_space(self, space: str) -> bool:
        """Whether there is such an address space."""
        return space in self._spaces

    async def ensure_space(self, space: str) -> None:
        """Make an address space with the namespaces every cluster has. Idempotent."""
        self._spaces.add(space)
        target = self.context.target(space, ADMIN, _NAMESPACE)
        outcomes = [
            writing.place(self.context, target, _namespace(name), WriteOptions())
            for name in _FIRST_NAMESPACES
            if target.collection.latest("", name) is None
        ]
        for outcome in outcomes:  # decided together, so that they share one commit
            await writing.settle(self.context, target, outcome)

    async def drop_space(self, space: str) -> None:
        """Delete an address space with all that is in it, without asking finalizers. Idempotent."""
        self._spaces.discard(space)
        store = self.context.store
        for collection in store.collections(space):
            for entry in tuple(collection.latest_entries()):
                store.delete(collection, writing.at_next_revision(self.context, entry.decode(), entry))
        await store.flush()
        store.drop_space(space)
        self._documents.forget(self.context.registry(space))
        self.context.drop_registry(space)

    # -- what is served

    def registry(self, space: str) -> Registry:
        """What a space serves. Raises NotFound where there is no such space."""
        if space not in self._spaces:
            raise NotFound(f"there is no workload cluster {space!r} here")
        return self.context.registry(space)

    def definition(self, space: str, group: str, version: str, plural: str) -> Definition:
        """What is known of a resource. Raises NotFound where it is not served."""
        return self.registry(space).find(group, version, plural).definition

    def negotiated(self, space: str, path: str, accept: str) -> Document:
        """Version, discovery or OpenAPI in the form a client accepts. Raises NotFound."""
        return self._documents.answer(self.registry(space), path, accept)

    def document(self, space: str, path: str) -> bytes:
        """The same as JSON. Raises NotFound."""
        return self.negotiated(space, path.partition("?")[0], "application/json").body

    # -- calls

    async def handle(self, space: str, user: User, call: Call) -> Reply:
        """Do what a call asks for. Raises ApiError."""
        verb = _VERBS.get((call.verb, call.subresource))
        target = self._target(space, user, call)
        if (call.resource.group, call.resource.plural) in reviews.PLURALS:
            return reviews.answer(target.served.definition, user, call, self.find_token)
        if verb is None:
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        try:
            return await verb(self.context, target, call)
        except RecursionError:  # nothing is written before everything was read and checked
            raise BadRequest("the object nests too deeply") from None

    def watch(self, space: str, user: User, call: Call) -> AsyncIterator[Sequence[WatchEvent]]:
        """Follow a collection (or one object, where the call has a name) in batches. Raises ApiError."""
        return watching.watch(self.context, self._target(space, user, call), call)

    def _target(self, space: str, user: User, call: Call) -> Target:
        self.registry(space)
        target = self.context.target(space, user, call.resource, call.namespace, call.name)
        if call.verb not in target.served.definition.verbs and not call.subresource:
            raise MethodNotAllowed("the server does not allow this method on the requested resource")
        if call.subresource and call.subresource not in target.served.definition.subresources:
            raise NotFound("the server could not find the requested resource")
        return target


def _namespace(name: str) -> Raw:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
