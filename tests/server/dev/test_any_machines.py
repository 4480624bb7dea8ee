"""The SDK's reconciler with a provider in memory that shows Machines: what a cloud may do beyond the ordinary."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from typing import Any

from capipool import sdk
from capipool.api import crds, rules
from capipool.api.builtin import Node
from capipool.api.core import Machine
from capipool.client import Client
from capipool.core import setup as core
from capipool.core.options import Options
from capipool.machinery import objects
from capipool.machinery.crd import Version, crd
from capipool.machinery.objects import Unstructured
from capipool.providers.dev import kinds
from capipool.runtime import Manager
from capipool.sdk import Instance, InstanceState, Pool, RolloutMode, Strategy
from capipool.testing import virtual
from capipool.testing.provider import FakeMachine, FakePool, FakeProvider
from capipool.workload.connections import Connections
from tests.server.dev.test_any_provider import KEY, FakeWorld, Holding
from tests.server.dev.world import DEFINITIONS, NS

HOOK = "pre-drain.delete.hook.machine.cluster.x-k8s.io/test"


class ShownWorld(FakeWorld):
    """A world with the provider in memory and core's controllers."""

    def __init__(self, make: Any = FakeProvider) -> None:
        super().__init__(make)
        self.provider.machines = True

    async def install(self) -> None:
        for made in rules.all_rules({}):
            self.server.add_rules(made)
        await self.server.start()
        ours = [crd(Version(type=kind, storage=True), labels=kinds.LABELS) for kind in (FakePool, FakeMachine)]
        for raw in (*crds.crds(), *kinds.crds(), *ours):
            await self.client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)

    async def start(self) -> None:
        rng = random.Random(2)
        self.manager = Manager(Client(self.management), clock=self.clock, rng=rng, grace=dt.timedelta(0))
        self.connections = Connections(self._open, self.manager.caches, rng=rng)
        self.manager.add_task("connections", self.connections.run)
        core.setup(self.manager, self.connections, Options())
        sdk.setup(self.manager, self.connections, self.provider)
        self._run = asyncio.create_task(self.manager.run())
        await self.manager.started.wait()
        self._joining = asyncio.create_task(self._join())

    async def shown(self, count: int) -> None:
        """Wait until the pool is at rest, and a Machine runs for each instance."""
        await self.at_rest(count)

        async def fits() -> bool:
            machines = await self.client.list(Machine, NS)
            running = {m.metadata.name for m in machines if m.status.phase == "Running"}
            return running == self.ids() == {o.metadata.name for o in await self.client.list(FakeMachine, NS)}

        await self.until(fits)


def shown(test: Any, make: Any = FakeProvider) -> None:
    """Run a test in such a world, on virtual time."""

    async def whole() -> None:
        world = ShownWorld(make)
        await world.install()
        await world.start()
        try:
            await world.boot_data()
            await world.cluster()
            await test(world)
        finally:
            await world.stop()
            await world.server.stop()

    virtual.run(whole(), limit=dt.timedelta(days=3))


def test_a_pool_of_any_provider_shows_machines_scales_and_goes() -> None:
    async def story(world: ShownWorld) -> None:
        await world.fake(replicas=3)
        await world.shown(3)
        assert {m.spec.provider_id for m in await world.client.list(Machine, NS)} == {
            i.provider_id for i in world.provider.groups[KEY].instances.values()
        }
        await world.set(replicas=1)
        await world.shown(1)
        await world.client.delete(FakePool, "p", NS)

        async def gone() -> bool:
            return not (await world.client.list(FakePool, NS) or await world.client.list(FakeMachine, NS))

        await world.until(gone)
        assert world.provider.groups == {}

    shown(story)


def test_what_a_cloud_takes_back_and_holds_is_drained_by_its_machine_before_it_is_released() -> None:
    async def story(world: ShownWorld) -> None:
        assert isinstance(world.provider, Holding)
        await world.fake(replicas=2)
        await world.shown(2)
        victim = sorted(world.ids())[0]
        hook = {"metadata": {"annotations": {HOOK: ""}}}
        await world.client.patch(Machine, victim, NS, patch=hook)
        world.provider.held.add(victim)

        async def waits() -> bool:
            return (await world.client.get(Machine, victim, NS)).deleting

        await world.until(waits)
        await asyncio.sleep(120)
        assert world.provider.released == []
        await world.client.patch(Machine, victim, NS, patch={"metadata": {"annotations": {HOOK: None}}})

        async def released() -> bool:
            return world.provider.released == [victim]

        await world.until(released)
        await world.shown(2)

    shown(story, Holding)


class Undrained(FakeProvider):
    """Has nodes not drained."""

    def strategy(self, pool: Pool[FakePool]) -> Strategy:
        return Strategy(drain=False, mode=RolloutMode.ON_DELETE)


def test_where_nothing_is_drained_its_machine_does_not_drain_either() -> None:
    async def story(world: ShownWorld) -> None:
        await world.fake(replicas=2)
        await world.shown(2)
        for node in await world.workload.list(Node):
            await world.run_pod(f"on-{node.metadata.name}", node.metadata.name)
        await world.set(replicas=1)
        await world.shown(1)

    shown(story, Undrained)


class Wordy(FakeProvider):
    """Describes more than the kind knows, and names it anew at each look."""

    looks = 0

    def machine(self, pool: Pool[FakePool], instance: Instance) -> dict[str, Any]:
        self.looks += 1
        return {
            "metadata": {"labels": {"zone": "a"}, "annotations": {"example.org/why": "x"}},
            "spec": {**super().machine(pool, instance)["spec"], "unknown": True},
        }


def test_a_field_that_the_kind_does_not_know_costs_no_write_for_ever() -> None:
    async def story(world: ShownWorld) -> None:
        assert isinstance(world.provider, Wordy)
        await world.fake(replicas=2)
        await world.shown(2)
        await asyncio.sleep(300)
        world.management.writes.clear()
        looks = world.provider.looks
        await asyncio.sleep(3600)
        assert world.management.writes == []
        assert world.provider.looks == looks
        (first, _) = await world.client.list(FakeMachine, NS)
        assert first.metadata.labels["zone"] == "a"
        assert first.metadata.annotations["example.org/why"] == "x"

    shown(story, Wordy)


class Refused(FakeProvider):
    """Names its machines as nothing may be named."""

    def machine_name(self, pool: Pool[FakePool], instance: Instance) -> str:
        return f"{instance.id}_"


def test_an_object_that_the_server_refuses_is_said_and_holds_up_nothing_else() -> None:
    async def story(world: ShownWorld) -> None:
        await world.fake(replicas=1)

        async def said() -> bool:
            return "MachineObjectFailed" in await world.why()

        await world.until(said)
        await world.set(replicas=3)

        async def grown() -> bool:
            return len(world.ids()) == 3

        await world.until(grown)

    shown(story, Refused)


class Malformed(FakeProvider):
    """Wants a surge that is no number."""

    def strategy(self, pool: Pool[FakePool]) -> Strategy:
        return Strategy(max_surge="3")


def test_a_surge_that_is_neither_a_number_nor_a_percentage_is_said() -> None:
    async def story(world: ShownWorld) -> None:
        await world.fake(replicas=1)

        async def said() -> bool:
            return "InvalidConfiguration" in await world.why()

        await world.until(said)
        assert "'3' is neither a number nor a percentage" in await world.why()

    shown(story, Malformed)


def test_an_instance_that_ends_while_it_is_held_up_is_forgotten() -> None:
    async def story(world: ShownWorld) -> None:
        await world.fake(replicas=2)
        await world.shown(2)
        victim = sorted(world.ids())[0]
        hook = {"metadata": {"annotations": {HOOK: ""}}}
        await world.client.patch(Machine, victim, NS, patch=hook)
        await world.client.delete(Machine, victim, NS)
        await asyncio.sleep(30)
        assert victim in world.ids()
        instance = world.provider.groups[KEY].instances.pop(victim)
        assert instance.state is not InstanceState.TERMINATING
        await world.client.patch(Machine, victim, NS, patch={"metadata": {"annotations": {HOOK: None}}})
        await world.shown(2)

    shown(story)
