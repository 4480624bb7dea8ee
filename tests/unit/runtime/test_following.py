"""Whatever happens to server and watches, in the end a cache, its indexes and its subscribers agree with the server."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from capipool.client import Client
from capipool.machinery import errors
from capipool.runtime import Cache, Caches
from capipool.testing import virtual
from tests.unit.runtime.fake import FakeServer
from tests.unit.runtime.kinds import Pool, pool

NAMES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.one_of(
    st.tuples(st.just("put"), NAMES, st.sampled_from(["x", "y", ""])),
    st.tuples(st.just("spoil"), NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("break")),
    st.tuples(st.just("end")),
    st.tuples(st.just("forget")),
    st.tuples(st.just("away"), st.booleans()),
    st.tuples(st.just("uninstall"), st.booleans()),
)
PAUSES = st.sampled_from([0.0, 0.0, 0.05, 1.0, 40.0])
"""Seconds after a step: at once, before a broken watch is tried again, after that, or after all retries."""


class Chaos:
    """A server to which everything happens, and a subscriber that believes what it is told."""

    def __init__(self, streaming: bool) -> None:
        self.server = FakeServer(initial_events=streaming)
        self.told: dict[str, str] = {}
        self.gaps: list[str] = []
        """Changes that did not begin where the one before had ended."""

    def changed(self, old: Pool | None, new: Pool | None) -> None:
        name = (new or old).metadata.name  # type: ignore[union-attr]
        if self.told.get(name) != (old.spec.zone if old else None):
            self.gaps.append(name)
        if new is None:
            del self.told[name]
        else:
            self.told[name] = new.spec.zone

    def wanted(self) -> dict[str, str]:
        """What can be known of the server: the objects that decode, while their kind is served."""
        if self.server.unserved:
            return {}
        stored = self.server.objects.get(Pool.RESOURCE.group_resource, {}).values()
        return {raw["metadata"]["name"]: raw["spec"]["zone"] for raw in stored if isinstance(raw["spec"]["zone"], str)}

    def do(self, step: tuple[Any, ...]) -> None:
        server, known = self.server, self.server.objects.get(Pool.RESOURCE.group_resource, {})
        match step:
            case ("put", name, zone):
                server.put(Pool.RESOURCE, pool(name, zone=zone))
            case ("spoil", name):
                server.put(Pool.RESOURCE, pool(name) | {"spec": {"zone": 7}})
            case ("delete", name) if ("ns", name) in known:
                server.take(Pool.RESOURCE, name, "ns")
            case ("break",):
                server.break_watches(ConnectionResetError("cut"))
            case ("end",):
                server.break_watches(None)
            case ("forget",):
                server.forget_history()
            case ("away", away):
                server.fault = lambda call: errors.ServiceUnavailable("away") if away else None
            case ("uninstall", True):
                server.unserved.add(Pool.RESOURCE.group_resource)
                server.break_watches(None)
            case ("uninstall", False):
                server.unserved.clear()


def agrees(cache: Cache[Pool], wanted: dict[str, str]) -> bool:
    held = {p.metadata.name: p.spec.zone for p in cache.list()}
    by_zone = {z: {p.metadata.name for p in cache.by("zone", z)} for z in ("x", "y")}
    return held == wanted and by_zone == {z: {n for n, zone in wanted.items() if zone == z} for z in ("x", "y")}


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(st.tuples(STEPS, PAUSES), min_size=5, max_size=40),
    streaming=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_a_cache_agrees_with_its_server_in_the_end(
    steps: list[tuple[tuple[Any, ...], float]], streaming: bool, seed: int
) -> None:
    async def main() -> None:
        chaos = Chaos(streaming)
        caches = Caches(Client(chaos.server), rng=random.Random(seed))
        cache = caches.of(Pool)
        cache.add_index("zone", lambda p: [p.spec.zone] if p.spec.zone else [])
        cache.subscribe(chaos.changed)
        for step, pause in steps:
            chaos.do(step)
            await asyncio.sleep(pause)
        chaos.server.fault = lambda call: None
        await asyncio.sleep(120)
        assert agrees(cache, chaos.wanted())
        assert chaos.told == chaos.wanted()
        assert chaos.gaps == []
        await caches.stop()

    virtual.run(main())
