"""What every verb works with: the store, the registries of the address spaces, conversion, admission and the time.

The server makes one and hands it to verbs and lifecycles. It decides nothing itself.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import NamedTuple

from capipool.apiserver.admission import Admission
from capipool.apiserver.conversion import Conversion
from capipool.apiserver.registry import Registry, Served
from capipool.apiserver.settings import Settings
from capipool.apiserver.store.collection import Collection
from capipool.apiserver.store.entry import Entry
from capipool.apiserver.store.store import Store
from capipool.machinery.calls import User
from capipool.machinery.clock import Clock, format_time
from capipool.machinery.objects import Raw
from capipool.machinery.resource import GroupResource, Resource

Strategy = Callable[[str, Raw, Raw | None], Raw]
"""Fills in what the server knows of a valid object to be stored: (space, object, old object) -> object."""


class Target(NamedTuple):
    """What a call is about, found in the registry."""

    space: str
    served: Served
    collection: Collection
    namespace: str
    name: str
    user: User


class Outcome(NamedTuple):
    """What a write came to. It is decided; it is true once `durable` is done."""

    entry: Entry
    durable: asyncio.Future[None] | None = None
    """None where nothing had to be written."""
    warnings: tuple[str, ...] = ()
    deleted: bool = False
    created: bool = False


class Context:
    """The parts of one server."""

    def __init__(self, *, store: Store, clock: Clock, rng: random.Random, settings: Settings) -> None:
        self.store = store
        self.clock = clock
        self.rng = rng
        self.settings = settings
        self.conversion = Conversion()
        self.admission = Admission(self.conversion)
        self.strategies: dict[GroupResource, Strategy] = {}
        self.stopping = False
        self._registries: dict[str, Registry] = {}

    def registry(self, space: str) -> Registry:
        """What a space serves; a space that nobody made yet serves the built-in kinds."""
        found = self._registries.get(space)
        if found is None:
            found = self._registries[space] = Registry()
        return found

    def drop_registry(self, space: str) -> None:
        """Forget what a space serves."""
        self._registries.pop(space, None)

    def collection(self, space: str, served: Served) -> Collection:
        """Where the objects of a resource are."""
        resource = served.storage.resource
        return self.store.collection(space, resource.group, resource.plural)

    def target(self, space: str, user: User, resource: Resource, namespace: str = "", name: str = "") -> Target:
        """Find what serves a resource. Raises NotFound."""
        served = self.registry(space).find(resource.group, resource.version, resource.plural)
        if not served.definition.resource.namespaced:
            namespace = ""
        return Target(space, served, self.collection(space, served), namespace, name, user)

    def now(self) -> str:
        """The time of day as objects carry it."""
        return format_time(self.clock.now())

    def uid(self) -> str:
        """A random UUID (version 4)."""
        h = f"{self.rng.getrandbits(128):032x}"
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{'89ab'[int(h[16], 16) & 3]}{h[17:20]}-{h[20:]}"
