"""Random operations on a MachineDeployment of the development cloud, on virtual time, for any seed.

Whatever is done to it, no machine is made beyond the surge, nothing is left behind, and what is wanted is reached. Set
`CAPIPOOL_HISTORIES` to try more seeds than the suite does.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from capipool.api.core import Machine, MachineDeployment, MachineHealthCheck
from capipool.app.embedded import Embedded
from capipool.machinery import codec, errors
from capipool.machinery.resource import Resource
from capipool.providers.dev.api.cloud import DevInstance, Fault
from capipool.providers.dev.api.machine import DevMachine
from capipool.testing import virtual
from capipool.testing.embedded import embedded

EXAMPLE = Path(__file__).parents[3] / "examples" / "machinedeployment.yaml"
CONFIGS = Resource("bootstrap.cluster.x-k8s.io", "v1beta2", "KubeadmConfig", "kubeadmconfigs")
SEEDS = range(int(os.environ.get("CAPIPOOL_HISTORIES", "3")))
VERSIONS = ("v1.33.0", "v1.34.0", "v1.35.0")


class History:
    """One history: what is done, and what must hold meanwhile."""

    def __init__(self, running: Embedded, rng: random.Random, *, calm: bool) -> None:
        self.client = running.client
        self.rng = rng
        self.calm = calm
        """Whether no machine is harmed, so that availability is all the controllers' doing."""
        self.wanted = 3
        self.largest = 3
        """The most that was wanted lately: machines are made a moment after they are wanted."""
        self.broken: list[str] = []
        self._known: dict[str, bool] = {}
        running.caches.of(Machine).subscribe(self._machine)

    def _machine(self, old: Machine | None, new: Machine | None) -> None:
        if new is None:
            if old is not None:
                self._known.pop(old.metadata.name, None)
            return
        is_new = new.metadata.name not in self._known
        self._known[new.metadata.name] = any(
            c.type == "Available" and c.status == "True" for c in new.status.conditions
        )
        if is_new and len(self._known) > self.largest + 1:
            self.broken.append(f"{len(self._known)} machines where {self.largest} are wanted, and one more may be")
        if self.calm and old is not None and sum(self._known.values()) < 3:
            self.broken.append(f"only {sum(self._known.values())} machines are available")

    async def act(self) -> None:
        """Do something, and wait for a while that may be too short for it to end."""
        acts = (
            [self._edit, self._pause] if self.calm else [self._edit, self._pause, self._scale, self._delete, self._fail]
        )
        try:
            await self.rng.choice(acts)()
        except (errors.NotFound, IndexError):  # what was chosen has gone in the meantime
            return
        await asyncio.sleep(self.rng.choice((0.1, 1, 5, 20)))

    async def _patch(self, spec: object) -> None:
        await self.client.patch(MachineDeployment, "workers", "default", patch={"spec": spec})

    async def _edit(self) -> None:
        await self._patch({"template": {"spec": {"version": self.rng.choice(VERSIONS)}}})

    async def _pause(self) -> None:
        await self._patch({"paused": self.rng.random() < 0.3})

    async def _scale(self) -> None:
        self.wanted = self.rng.randrange(0, 6)
        self.largest = max(self.largest, self.wanted)
        await self._patch({"replicas": self.wanted})

    async def _delete(self) -> None:
        await self.client.delete(Machine, await self._any(), "default")

    async def _fail(self) -> None:
        what = self.rng.choice(({Fault.NODE: "silent"}, {Fault.INTERRUPT: "yes"}))
        await self.client.patch(DevInstance, await self._any(), "default", patch={"metadata": {"annotations": what}})

    async def _any(self) -> str:
        machines = sorted(m.metadata.name for m in await self.client.list(Machine, "default"))
        return self.rng.choice(machines)

    async def settle(self) -> None:
        """Let go of the deployment, and let it get to where it should be."""
        await self._patch({"paused": False, "replicas": 3})
        # A silent node is noticed after 40 s and replaced after 30 more, each of several one after the other.
        await asyncio.sleep(1200)


async def live(seed: int, *, calm: bool) -> None:
    """One history, from the example's three machines on."""
    async with embedded(clock=virtual.clock(), seed=seed) as running:
        for raw in codec.decode_yaml(EXAMPLE.read_text()):
            await running.client.apply(raw)
        # Where most machines are harmed at once, a limit rightly stops remediation, and the end would not be reached.
        trigger = {"spec": {"remediation": {"triggerIf": {"unhealthyLessThanOrEqualTo": "100%"}}}}
        await running.client.patch(MachineHealthCheck, "workers", "default", patch=trigger)
        await asyncio.sleep(30)
        history = History(running, random.Random(seed), calm=calm)
        for _ in range(12):
            await history.act()
        await history.settle()
        assert history.broken == []
        await _is_as_wanted(running)


async def _is_as_wanted(running: Embedded) -> None:
    client = running.client
    deployment = await client.get(MachineDeployment, "workers", "default")
    machines = await client.list(Machine, "default")
    assert deployment.status.available_replicas == 3
    assert {m.spec.version for m in machines} == {deployment.spec.template.spec.version}
    names = sorted(m.metadata.name for m in machines)
    assert len(names) == 3
    for kind in (DevMachine, DevInstance, CONFIGS):
        assert sorted(o.metadata.name for o in await client.list(kind, "default")) == names


@pytest.mark.parametrize("seed", SEEDS)
def test_surge_holds_and_nothing_is_orphaned_whatever_happens(seed: int) -> None:
    virtual.run(live(seed, calm=False), limit=10**5)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_machine_is_missed_where_none_is_harmed(seed: int) -> None:
    virtual.run(live(seed, calm=True), limit=10**5)
