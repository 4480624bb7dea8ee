"""The provider in memory keeps the contract."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.machinery.clock import SystemClock
from capipool.machinery.objects import ObjectMeta
from capipool.sdk import InsufficientCapacity, PermissionDenied
from capipool.testing.conformance import Lab, MachinesConformance, ProviderConformance
from capipool.testing.provider import FakePool, FakeProvider


class FakeLab(Lab):
    provider: FakeProvider

    def __init__(self) -> None:
        self.provider = FakeProvider(SystemClock())

    def make_object(self, name: str) -> Any:
        return FakePool(metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"))

    async def pause(self) -> None:
        return


class TestFake(ProviderConformance):
    @pytest.fixture
    def lab(self) -> FakeLab:
        return FakeLab()

    async def test_the_next_call_fails_as_told_and_only_that(self, lab: FakeLab) -> None:
        pool = lab.pool()
        lab.provider.next_error = PermissionDenied("launch instances")
        with pytest.raises(PermissionDenied, match="not allowed to launch instances"):
            await lab.provider.ensure(pool, lab.launch(), replicas=1, seen=None)
        await lab.created(pool, replicas=1)
        assert ("ensure", "conformance") in lab.provider.calls

    async def test_more_than_there_is_room_for_is_refused(self, lab: FakeLab) -> None:
        pool = lab.pool()
        lab.provider.capacity = 2
        seen = await lab.created(pool, replicas=2)
        with pytest.raises(InsufficientCapacity, match="no capacity for 3 more instances"):
            await lab.provider.set_desired(pool, 5, seen=seen)


class TestFakeMachines(MachinesConformance):
    @pytest.fixture
    def lab(self) -> FakeLab:
        made = FakeLab()
        made.provider.machines = True
        return made
