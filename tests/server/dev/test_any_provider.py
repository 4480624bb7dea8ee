"""The SDK's reconciler with a provider in memory: errors, delays, and the abilities a cloud may have."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import functools
import random
from collections.abc import Callable, Collection, Coroutine
from typing import Any

import pytest

from capipool import sdk
from capipool.api import crds
from capipool.api.builtin import Event, Node, NodeCondition, NodeSpec, NodeStatus, Secret
from capipool.api.core import Cluster
from capipool.client import Client
from capipool.machinery import errors, objects
from capipool.machinery.crd import Version, crd
from capipool.machinery.objects import ObjectMeta, Unstructured
from capipool.machinery.resource import ObjectKey
from capipool.providers.dev import kinds
from capipool.runtime import Manager
from capipool.sdk import (
    CloudUnavailable,
    Group,
    GroupChanged,
    InstanceState,
    InsufficientCapacity,
    InvalidConfiguration,
    Launch,
    OperationInProgress,
    PermissionDenied,
    Pool,
    ProviderError,
    QuotaExceeded,
    RolloutMode,
    Strategy,
    Throttled,
)
from capipool.testing import virtual
from capipool.testing.provider import FakePool, FakeProvider
from capipool.workload.connections import Connections
from tests.server.dev.world import DEFINITIONS, NS, Spaces, World

KEY = ObjectKey(NS, "p")
ERRORS: list[ProviderError] = [
    Throttled("describe"),
    CloudUnavailable("the call", detail="timeout"),
    PermissionDenied("launch"),
    QuotaExceeded("vCPUs"),
    InsufficientCapacity(wanted=1),
    InvalidConfiguration("spec.launch", detail="no such type"),
    OperationInProgress("p", "an update"),
    GroupChanged("p", "it grew"),
]


class FakeWorld(World):
    """A world with the provider in memory in place of the development cloud; nodes join by themselves."""

    def __init__(self, make: Callable[[Any], FakeProvider] = FakeProvider) -> None:
        super().__init__()
        self.provider = make(self.clock)
        self._joining: asyncio.Task[None] | None = None

    async def install(self) -> None:
        await self.server.start()
        for raw in (*crds.crds(), *kinds.crds(), crd(Version(type=FakePool, storage=True))):
            await self.client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)

    async def start(self) -> None:
        rng = random.Random(2)
        self.manager = Manager(Client(self.management), clock=self.clock, rng=rng, grace=dt.timedelta(0))
        self.connections = Connections(self._open, self.manager.caches, rng=rng)
        self.manager.add_task("connections", self.connections.run)
        sdk.setup(self.manager, self.connections, self.provider)
        self._run = asyncio.create_task(self.manager.run())
        await self.manager.started.wait()
        self._joining = asyncio.create_task(self._join())

    async def stop(self) -> None:
        if self._joining is not None:
            self._joining.cancel()
            await asyncio.gather(self._joining, return_exceptions=True)
        await super().stop()

    async def _join(self) -> None:
        """Have a ready node for every instance that runs, and none beyond."""
        while True:
            await asyncio.sleep(1)
            groups = self.provider.groups.values()
            there = {i.id: i for g in groups for i in g.instances.values()}
            present = {n.metadata.name for n in await self.workload.list(Node)}
            for id in there.keys() - present:
                now = self.clock.now().replace(microsecond=0)
                ready = NodeCondition(type="Ready", status="True", last_transition_time=now)
                node = objects.new(
                    Node,
                    metadata=ObjectMeta(name=id),
                    spec=NodeSpec(provider_id=there[id].provider_id),
                    status=NodeStatus(conditions=(ready,)),
                )
                await self.workload.create(node)
            for name in present - there.keys():
                await self.workload.delete(Node, name)

    async def cluster(self) -> Cluster:
        spec = {"infrastructureRef": {"apiGroup": "x.io", "kind": "AnyCluster", "name": "c"}}
        await self.make("cluster.x-k8s.io/v1beta2", "Cluster", "c", spec)
        config = await Spaces(self.server).ensure(NS, "c")
        raw = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c-kubeconfig", "namespace": NS}}
        secret = objects.replace(objects.from_raw(Secret, raw), data={"value": config})
        await self.client.create(secret)
        patch = {"status": {"initialization": {"infrastructureProvisioned": True}}}
        return await self.client.patch(Cluster, "c", NS, patch=patch, subresource="status")

    async def fake(self, *, replicas: int = 3) -> None:
        """A MachinePool with its FakePool."""
        reference = {"apiGroup": FakePool.RESOURCE.group, "kind": "FakePool", "name": "p"}
        template = {"clusterName": "c", "version": "v1.34.0", "bootstrap": {"dataSecretName": "boot"}}
        template["infrastructureRef"] = reference
        spec = {"clusterName": "c", "replicas": replicas, "template": {"spec": template}}
        owner = await self.make("cluster.x-k8s.io/v1beta2", "MachinePool", "p", spec)
        about = {"apiVersion": owner.api_version, "kind": "MachinePool", "name": "p", "uid": owner.metadata.uid}
        meta = {"name": "p", "namespace": NS, "ownerReferences": [about]}
        raw = {"apiVersion": FakePool.RESOURCE.api_version, "kind": "FakePool", "metadata": meta, "spec": {}}
        await self.client.create(objects.from_raw(FakePool, raw))

    async def why(self, name: str = "p") -> str:
        pool = await self.client.get(FakePool, name, NS)
        return next((f"{c.status} {c.reason}: {c.message}" for c in pool.status.conditions if c.type == "Ready"), "")

    async def at_rest(self, count: int) -> None:
        async def rest() -> bool:
            pool = await self.client.get(FakePool, "p", NS)
            return len(pool.spec.provider_id_list) == count and (await self.why()).startswith("True")

        await self.until(rest, minutes=120)

    def ids(self) -> set[str]:
        return set(self.provider.groups[KEY].instances)


def fakely(
    make: Callable[[Any], FakeProvider] = FakeProvider,
) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Callable[..., None]]:
    """Run a test in such a world, on virtual time."""

    def decorate(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        def run(**arguments: Any) -> None:
            async def whole() -> None:
                world = FakeWorld(make)
                await world.install()
                await world.start()
                try:
                    await world.boot_data()
                    await world.cluster()
                    await test(world, **arguments)
                finally:
                    await world.stop()
                    await world.server.stop()

            virtual.run(whole(), limit=dt.timedelta(days=3))

        functools.update_wrapper(run, test)
        del run.__wrapped__  # type: ignore[attr-defined]
        return run

    return decorate


@fakely()
async def test_a_pool_of_any_provider_comes_up_scales_and_goes(world: FakeWorld) -> None:
    await world.fake()
    await world.at_rest(3)
    await world.set(replicas=1)
    await world.at_rest(1)
    await world.client.delete(FakePool, "p", NS)

    async def gone() -> bool:
        return not await world.client.list(FakePool, NS)

    await world.until(gone)
    assert world.provider.groups == {}


@fakely()
async def test_a_pool_at_rest_is_looked_at_once_a_minute_and_nothing_is_written(world: FakeWorld) -> None:
    await world.fake()
    await world.at_rest(3)
    await asyncio.sleep(120)
    world.provider.calls.clear()
    world.management.writes.clear()
    await asyncio.sleep(600)
    assert {name for name, _ in world.provider.calls} == {"observe", "ensure"}
    assert 9 <= len(world.provider.calls) / 2 <= 11
    assert world.management.writes == []


class Failing(FakeProvider):
    """Fails the nth call."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.nth = -1
        self.error: ProviderError | None = None

    def _record(self, call: str, key: ObjectKey) -> None:
        if self.nth == 0:
            self.next_error = self.error
        self.nth -= 1
        super()._record(call, key)


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_an_error_at_any_call_delays_and_never_leads_astray(error: ProviderError) -> None:
    """One failure at each call in turn: creation, growth, a rollout; never one instance too many in the end."""

    @fakely(Failing)
    async def story(world: FakeWorld, nth: int) -> None:
        assert isinstance(world.provider, Failing)
        world.provider.nth, world.provider.error = nth, error
        await world.fake(replicas=2)
        await world.at_rest(2)
        await world.set(replicas=3)
        await world.at_rest(3)
        old = world.provider.groups[KEY].revision
        await world.upgrade("v1.35.0")
        await world.until(lambda: _rolled(world, old), minutes=240)
        await world.at_rest(3)
        assert world.provider.launched == 6

    for nth in (0, 1, 2, 4, 7, 9, 12):
        story(nth=nth)


async def _rolled(world: FakeWorld, old: str) -> bool:
    group = world.provider.groups[KEY]
    return (
        group.revision != old
        and {i.revision for i in group.instances.values()} == {group.revision}
        and len(group.instances) == 3
    )


class Outrun(FakeProvider):
    """Somebody is always faster."""

    def _record(self, call: str, key: ObjectKey) -> None:
        self.next_error = GroupChanged("p", "it grew") if call == "ensure" else None
        super()._record(call, key)


@fakely(Outrun)
async def test_a_race_is_run_again_at_once_and_one_that_never_ends_costs_few_calls(world: FakeWorld) -> None:
    await world.fake()

    async def said() -> bool:
        return "GroupChanged" in await world.why()

    await world.until(said)
    await asyncio.sleep(60)
    passes = sum(name == "observe" for name, _ in world.provider.calls)
    assert 10 <= passes <= 20, "one in five seconds"


@fakely()
async def test_an_error_is_a_condition_with_its_reason_and_an_event(world: FakeWorld) -> None:
    await world.fake()
    await world.at_rest(3)
    world.provider.next_error = PermissionDenied("describe groups", detail="policy p lacks it")
    await world.set(replicas=4)

    async def said() -> bool:
        return "PermissionDenied" in await world.why()

    await world.until(said)
    assert "not allowed to describe groups: policy p lacks it" in await world.why()
    events = [e.reason for e in await world.client.list(Event, NS)]
    assert "PermissionDenied" in events
    await world.at_rest(4)


@fakely()
async def test_a_cloud_without_room_does_not_keep_others_from_going(world: FakeWorld) -> None:
    await world.fake(replicas=2)
    await world.at_rest(2)
    world.provider.capacity = 2
    await world.set(replicas=5)

    async def full() -> bool:
        return "InsufficientCapacity" in await world.why()

    await world.until(full)
    await world.set(replicas=1)
    await world.at_rest(1)


@fakely()
async def test_nothing_is_removed_while_the_workload_cluster_is_away(world: FakeWorld) -> None:
    await world.fake()
    await world.at_rest(3)
    before = world.ids()
    world.away = True
    await world.client.delete(Secret, "c-kubeconfig", NS)

    async def lost() -> bool:
        return world.connections.get(ObjectKey(NS, "c")) is None

    await world.until(lost)
    await world.set(replicas=1)
    await asyncio.sleep(600)
    assert world.ids() == before
    assert "no instance is removed" in await world.why()


class Holding(FakeProvider):
    """A cloud that takes an instance back, and holds it until it is told to go on."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.held: set[str] = set()
        self.released: list[str] = []

    async def observe(self, pool: Pool[FakePool]) -> Group:
        group = await super().observe(pool)
        changed = tuple(
            dataclasses.replace(i, state=InstanceState.TERMINATING, held=True) if i.id in self.held else i
            for i in group.instances
        )
        return dataclasses.replace(group, instances=changed)

    async def release(self, pool: Pool[FakePool], id: str) -> None:
        self.released.append(id)
        self.held.discard(id)
        del self.groups[pool.key].instances[id]


@fakely(Holding)
async def test_an_instance_that_the_cloud_takes_back_is_drained_before_it_is_released(world: FakeWorld) -> None:
    assert isinstance(world.provider, Holding)
    await world.fake(replicas=2)
    await world.at_rest(2)
    victim = sorted(world.ids())[0]
    world.provider.held.add(victim)

    async def cordoned() -> bool:
        with contextlib.suppress(errors.NotFound):
            node = await world.workload.get(Node, victim)
            return node.metadata.annotations.get("capipool.io/removing", "").endswith("Interrupted")
        return False

    await world.until(cordoned)
    await world.at_rest(2)
    assert world.provider.released == [victim]


class Native(FakeProvider):
    """A cloud that rolls by itself: here all at once."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.rolled: list[str] = []

    def strategy(self, pool: Pool[FakePool]) -> Strategy:
        return Strategy(mode=RolloutMode.NATIVE)

    async def roll(self, pool: Pool[FakePool], launch: Launch, *, seen: Group) -> None:
        self.rolled.append(launch.revision)
        old = [i.id for i in seen.instances if i.revision != launch.revision]
        await self.terminate(pool, old, decrement=False)


@fakely(Native)
async def test_a_cloud_that_rolls_natively_is_asked_once_and_left_to_it(world: FakeWorld) -> None:
    assert isinstance(world.provider, Native)
    await world.fake()
    await world.at_rest(3)
    before, old = world.ids(), world.provider.groups[KEY].revision
    await world.upgrade("v1.35.0")
    await world.until(lambda: _rolled(world, old))
    await world.at_rest(3)
    assert not before & world.ids()
    assert len(world.provider.rolled) == 1


@fakely()
async def test_a_pool_whose_deletion_fails_says_why_and_ends_when_it_can(world: FakeWorld) -> None:
    await world.fake()
    await world.at_rest(3)
    world.provider.next_error = PermissionDenied("delete groups")
    await world.client.delete(FakePool, "p", NS)

    async def said() -> bool:
        return "not allowed to delete groups" in await world.why()

    await world.until(said)
    assert len(world.ids()) == 3
    await world.until(lambda: _gone(world))
    assert world.provider.groups == {}


async def _gone(world: FakeWorld) -> bool:
    return not await world.client.list(FakePool, NS)


class Guarding(FakeProvider):
    """A cloud that spares protected instances, and launches late."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.guarded: set[str] = set()
        self.story: list[str] = []

    async def protect(self, pool: Pool[FakePool], ids: Collection[str], *, protected: bool) -> None:
        self.guarded = self.guarded | set(ids) if protected else self.guarded - set(ids)
        self.story.append(f"{'guard' if protected else 'free'} {len(ids)}")

    async def set_desired(self, pool: Pool[FakePool], desired: int, *, seen: Group) -> None:
        self.story.append(f"desired {desired}")
        await super().set_desired(pool, desired, seen=seen)


@fakely(Guarding)
async def test_instances_are_protected_while_the_number_falls_and_only_then(world: FakeWorld) -> None:
    assert isinstance(world.provider, Guarding)
    await world.fake(replicas=2)
    await world.at_rest(2)
    world.provider.capacity = 2
    world.provider.groups[KEY].desired = 6  # somebody asked for more than there is room for
    await world.set(replicas=2)

    async def lowered() -> bool:
        return world.provider.groups[KEY].desired == 2

    await world.until(lowered)
    assert world.provider.story == ["guard 2", "desired 2", "free 2"]
    assert world.provider.guarded == set()
