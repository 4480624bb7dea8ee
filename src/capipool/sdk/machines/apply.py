"""Writes what a plan says of a pool's objects and Machines: the kind first, then objects, then who is to go.

Every write may be repeated, and the process may die at any of them: the next pass plans the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from capipool.api.constants import Annotation, Finalizer
from capipool.api.core import Machine
from capipool.client.client import Client
from capipool.machinery import errors, objects
from capipool.machinery.objects import Object, Raw
from capipool.machinery.resource import ObjectKey
from capipool.runtime.cache import Caches
from capipool.sdk.machines import plan as planning
from capipool.sdk.machines.census import Census, Records, Shown
from capipool.sdk.machines.plan import Facts, Memory, Plan, Writing
from capipool.sdk.provider import DescribesMachines, Group, Pool

T = TypeVar("T")

KIND = "infrastructureMachineKind"
_AT_ONCE = 20
"""Calls made at the same time: a pool of thousands must not crowd out everybody else."""


class Keeper:
    """Keeps the objects of one provider's pools."""

    def __init__(self, provider: DescribesMachines, client: Client, caches: Caches) -> None:
        self._provider = provider
        self._client = client
        self.records = Records(provider, caches)
        self._memories: dict[ObjectKey, Memory] = {}

    def take(self, pool: Pool[Any], group: Group) -> Census:
        """Count who is there. Reads caches only."""
        return self.records.take(pool, group)

    def forget(self, key: ObjectKey) -> None:
        """A pool is gone."""
        self._memories.pop(key, None)

    async def keep(self, facts: Facts) -> list[Exception]:
        """Have the objects be as they should. Returns what failed; nothing that failed holds up the others."""
        key = facts.pool.key
        plan = planning.decide(self._provider, facts, self._memories.get(key, Memory()))
        memory = self._remember(key, plan, facts)
        await self._say_kind(facts.pool.object, plan.kind)
        failed = await _each(plan.writings, lambda writing: self._write(facts, writing, memory))
        failed += await _each(plan.machines, self._delete_machine)
        failed += await _each(plan.gone, self._let_go)
        return failed + await _each(plan.released, self._release)

    async def clear(self, obj: Object) -> None:
        """Let go of everything that a pool object owns: its group is gone. Raises ApiError, ExceptionGroup."""
        failed = await _each(self.records.of(obj), self._let_go)
        if failed:
            raise failed[0] if len(failed) == 1 else ExceptionGroup("objects of a pool that is gone stay", failed)

    def _remember(self, key: ObjectKey, plan: Plan, facts: Facts) -> Memory:
        """What is known of this pool; nothing of instances that are gone."""
        if not facts.census.wanted:
            self._memories.pop(key, None)
            return Memory()
        memory = self._memories.setdefault(key, Memory())
        if memory.about != plan.about:
            memory.about = plan.about
            memory.instances.clear()
        if len(memory.instances) > len(facts.instances):
            there = {i.id for i in facts.instances}
            memory.instances = {id: known for id, known in memory.instances.items() if id in there}
        return memory

    async def _say_kind(self, obj: Any, kind: str) -> None:
        """Say of which kind the objects are, before there is one; and that there are none, before they go."""
        told = objects.to_raw(obj).get("status", {}).get(KIND) or ""
        if told != kind:
            meta = obj.metadata
            patch = {"status": {KIND: kind or None}}
            await self._client.patch(type(obj), meta.name, meta.namespace, patch=patch, subresource="status")

    async def _write(self, facts: Facts, writing: Writing, memory: Memory) -> None:
        """Write one object, and its status after it."""
        obj = writing.object
        try:
            obj = await self._write_body(writing)
            said = self._provider.machine_status(facts.pool, planning.view(writing, obj, facts.now))
            patch = planning.status_difference(obj, said)
            if patch is not None:
                await self._patch(obj, {"status": patch}, subresource="status")
        except errors.NotFound:
            return  # it went meanwhile: the next pass sees that
        memory.instances[writing.instance.id] = writing.facts

    async def _write_body(self, writing: Writing) -> Any:
        if writing.body is None:
            return writing.object
        if writing.object is None:
            return await self._client.create(objects.from_raw(self._provider.machine_kind, writing.body))
        version = writing.object.metadata.resource_version if writing.guarded else ""
        return await self._patch(writing.object, writing.body, version=version)

    async def _let_go(self, shown: Shown) -> None:
        """The instance is gone: have core clean up behind it, and let the object go."""
        if shown.machine is not None and not shown.machine.deleting:
            await self._delete_machine(shown.machine)
        await self._remove(shown.object)

    async def _release(self, shown: Shown) -> None:
        """Take the Machine and the object away from an instance that stays, so that nobody drains its node."""
        if shown.machine is not None:
            await self._dissolve(shown.machine)
        if shown.object is not None:
            await self._remove(shown.object)

    async def _dissolve(self, machine: Machine) -> None:
        """Delete a Machine without what core does when one is deleted: it is paused, so core leaves it alone."""
        meta = machine.metadata
        kept = [f for f in meta.finalizers if f != Finalizer.MACHINE]
        patch = {"metadata": {"annotations": {Annotation.PAUSED: ""}, "finalizers": kept}}
        await _unless_gone(
            self._client.patch(Machine, meta.name, meta.namespace, patch=patch, resource_version=meta.resource_version)
        )
        await self._delete_machine(machine)

    async def _delete_machine(self, machine: Machine) -> None:
        meta = machine.metadata
        await _unless_gone(self._client.delete(Machine, meta.name, meta.namespace, uid=meta.uid))

    async def _remove(self, obj: Any) -> None:
        """Delete an object, its finalizer first: there is nothing left that this would wait for."""
        finalizer, meta = self._provider.machine_finalizer, obj.metadata
        if finalizer in meta.finalizers:
            patch = {"metadata": {"finalizers": planning.without(finalizer, obj)}}
            await _unless_gone(self._patch(obj, patch, version=meta.resource_version))
        if not obj.deleting:
            await _unless_gone(self._client.delete(type(obj), meta.name, meta.namespace, uid=meta.uid))

    async def _patch(self, obj: Any, patch: Raw, *, version: str = "", subresource: str = "") -> Any:
        meta = obj.metadata
        return await self._client.patch(
            type(obj), meta.name, meta.namespace, patch=patch, resource_version=version, subresource=subresource
        )


async def _each(items: Sequence[T], write: Callable[[T], Awaitable[None]]) -> list[Exception]:
    """Write for each item, a few at a time. Returns what failed."""
    failed: list[Exception] = []
    for start in range(0, len(items), _AT_ONCE):
        done = await asyncio.gather(*(write(i) for i in items[start : start + _AT_ONCE]), return_exceptions=True)
        failed += _foreseen(done)
    return failed


def _foreseen(outcomes: Iterable[BaseException | None]) -> list[Exception]:
    """The failures that any API may have; raises what is none, since that is a bug."""
    found: list[Exception] = []
    for outcome in outcomes:
        if isinstance(outcome, errors.ApiError):
            found.append(outcome)
        elif outcome is not None:
            raise outcome
    return found


async def _unless_gone(call: Awaitable[Any]) -> None:
    """Make a call on something that may be gone."""
    try:
        await call
    except errors.NotFound:
        return
