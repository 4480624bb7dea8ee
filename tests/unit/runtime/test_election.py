"""Leader election: one leads at a time, another takes over, and clocks of others are not trusted."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from capipool.client import Client
from capipool.machinery import errors
from capipool.machinery.calls import Call, Reply
from capipool.runtime import Election, LostLeadership, Manager
from capipool.runtime.election import Lease, Timing
from capipool.testing import virtual
from tests.unit.runtime.fake import FakeServer


class Cut:
    """A transport that can be cut off from its server."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self.initial_events = True
        self.cut = False

    async def call(self, call: Call) -> Reply:
        if self.cut:
            raise errors.ServiceUnavailable("cut off")
        return await self._server.call(call)

    def watch(self, call: Call) -> Any:
        return self._server.watch(call)

    async def get_path(self, path: str) -> bytes:
        return await self._server.get_path(path)

    async def close(self) -> None:
        self.cut = True


def candidate(transport: Any, identity: str, seed: int) -> Election:
    return Election(
        Client(transport),
        name="capipool",
        namespace="kube-system",
        identity=identity,
        clock=virtual.clock(),
        rng=random.Random(seed),
    )


async def lease_of(server: FakeServer) -> Lease:
    return await Client(server).get(Lease, "capipool", "kube-system")


async def end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_of_two_candidates_one_leads_and_keeps_leading() -> None:
    async def main() -> None:
        server, never = FakeServer(), asyncio.Event()
        one, two = candidate(server, "one", 1), candidate(server, "two", 2)
        runs = [asyncio.create_task(e.run(never)) for e in (one, two)]
        for _ in range(600):
            await asyncio.sleep(1)
            assert one.leading.is_set()
            assert not two.leading.is_set()
        assert two.leader == "one"
        assert (one.waits_for, two.waits_for) == ("", "one leads")
        lease = await lease_of(server)
        assert (lease.spec.holder_identity, lease.spec.lease_transitions) == ("one", 0)
        assert lease.spec.renew_time is not None
        assert lease.spec.renew_time.endswith("Z")
        assert len(lease.spec.renew_time) == len("2026-01-01T00:00:00.000000Z")
        await end(*runs)

    virtual.run(main())


def test_a_candidate_that_cannot_take_the_lease_says_why() -> None:
    async def main() -> None:
        transport = Cut(FakeServer())
        transport.cut = True
        waiting = candidate(transport, "one", 1)
        run = asyncio.create_task(waiting.run(asyncio.Event()))
        await asyncio.sleep(60)
        assert waiting.waits_for == "cut off"
        transport.cut = False
        await asyncio.sleep(5)
        assert waiting.leading.is_set()
        assert waiting.waits_for == ""
        await end(run)

    virtual.run(main())


def test_a_leader_that_is_cut_off_stops_before_the_other_begins() -> None:
    async def main() -> None:
        server, never = FakeServer(), asyncio.Event()
        transport = Cut(server)
        one, two = candidate(transport, "one", 1), candidate(server, "two", 2)
        runs = [asyncio.create_task(e.run(never)) for e in (one, two)]
        await asyncio.sleep(30)
        transport.cut = True
        stopped = began = None
        loop = asyncio.get_running_loop()
        while began is None:
            await asyncio.sleep(0.1)
            assert not (one.leading.is_set() and two.leading.is_set())
            if stopped is None and not one.leading.is_set():
                stopped = loop.time()
            if two.leading.is_set():
                began = loop.time()
        assert stopped is not None
        assert 8 < stopped - 30 < 11
        assert 13 < began - 30 < 20
        assert (await lease_of(server)).spec.lease_transitions == 1
        assert runs[0].done(), "who lost the lease stands for election no more"
        await end(*runs)

    virtual.run(main())


def test_a_leader_that_stops_gives_up_the_lease_so_that_another_leads_at_once() -> None:
    async def main() -> None:
        server, never = FakeServer(), asyncio.Event()
        one, two = candidate(server, "one", 1), candidate(server, "two", 2)
        runs = [asyncio.create_task(e.run(never)) for e in (one, two)]
        await asyncio.sleep(30)
        await end(runs[0])
        await one.release()
        async with asyncio.timeout(3):
            await two.leading.wait()
        await end(*runs)

    virtual.run(main())


def test_a_lease_whose_holder_has_a_wrong_clock_is_respected_for_as_long_as_it_lasts() -> None:
    async def main() -> None:
        server, never = FakeServer(), asyncio.Event()
        spec = {"holderIdentity": "old", "leaseDurationSeconds": 15, "renewTime": "1999-01-01T00:00:00.000000Z"}
        server.put(Lease.RESOURCE, {"metadata": {"name": "capipool", "namespace": "kube-system"}, "spec": spec})
        one = candidate(server, "one", 1)
        run = asyncio.create_task(one.run(never))
        await asyncio.sleep(14)
        assert not one.leading.is_set()
        await asyncio.sleep(5)
        assert one.leading.is_set()
        await end(run)

    virtual.run(main())


def test_a_manager_runs_nothing_before_it_leads_and_ends_when_it_leads_no_more() -> None:
    async def main() -> None:
        server = FakeServer()
        transports = [Cut(server), Cut(server)]
        managers = [_manager(transport, str(n)) for n, transport in enumerate(transports)]
        runs = [asyncio.create_task(manager.run()) for manager in managers]
        await asyncio.sleep(10)
        assert [m.started.is_set() for m in managers] == [True, False]
        transports[0].cut = True
        await asyncio.sleep(60)
        assert managers[1].started.is_set()
        with pytest.raises(LostLeadership):
            await runs[0]
        await managers[1].stop()
        await runs[1]
        assert (await lease_of(server)).spec.holder_identity == ""

    virtual.run(main())


def _manager(transport: Cut, identity: str) -> Manager:
    return Manager(
        Client(transport),
        clock=virtual.clock(),
        rng=random.Random(1),
        election=candidate(transport, identity, int(identity)),
    )


def test_timing_that_would_let_two_lead_is_refused() -> None:
    with pytest.raises(ValueError, match="lease"):
        Timing(lease=5, renew=10, retry=2)
