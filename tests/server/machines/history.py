"""One random history of a MachineDeployment on the development cloud: what is done to it, and how it must end."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Any

from capipool.api.builtin import Lease, Node, Secret
from capipool.api.core import Cluster, Machine, MachineDeployment, MachineSet
from capipool.machinery import codec, errors
from capipool.machinery.objects import Object, Raw
from capipool.machinery.resource import Resource
from capipool.providers.dev.api.cloud import DevInstance, Fault
from capipool.providers.dev.api.machine import DevMachine
from tests.server.machines.lab import Lab
from tests.server.machines.promises import Promises, Strategy

EXAMPLE = Path(__file__).parents[3] / "examples" / "machinedeployment.yaml"
CONFIGS = Resource("bootstrap.cluster.x-k8s.io", "v1beta2", "KubeadmConfig", "kubeadmconfigs")
PARTS = (DevMachine, DevInstance, CONFIGS)
VERSIONS = ("v1.33.0", "v1.34.0", "v1.35.0")
STRATEGIES = (
    Strategy(surge=1, unavailable=0),
    Strategy(surge=0, unavailable=1),
    Strategy(surge="50%", unavailable="25%"),
    Strategy(surge=2, unavailable=1),
    Strategy(type="OnDelete"),
)
CALM = STRATEGIES[:4]
ACTS = ("edit", "edit in place", "pause", "scale", "delete", "fail", "process dies")
"""What is done. The first three, and the last, harm no machine."""


class History:
    """A deployment of three machines in a namespace of its own, from creation to the end of its deletion."""

    def __init__(self, lab: Lab, seed: int, *, calm: bool) -> None:
        self.lab = lab
        self.client = lab.client
        self.namespace = f"h{seed}"
        self.rng = random.Random(seed)
        self.calm = calm
        self.strategy = self.rng.choice(CALM if calm else STRATEGIES)
        self.done: Counter[str] = Counter()
        self.promises = Promises(self.strategy, replicas=3, version="v1.34.0", uptime=lab.uptime)

    async def live(self) -> None:
        """The whole history. Raises AssertionError where a promise is broken or the end is not reached."""
        stop = self.lab.running.caches.of(Machine).subscribe(self._changed)
        try:
            await self._create()
            await self._until(self._stray, "it comes up")
            self.promises.calm = self.calm
            for _ in range(self.rng.randrange(4, 12)):
                await self._act()
            await self._let_go()
            await self._settle()
            self.promises.calm = False
            await self.client.delete(MachineDeployment, "workers", self.namespace)
            await self._until(self._left, "nothing is left after the deletion")
        finally:
            stop()
        assert self.promises.broken == [], f"{self}: {self.promises.broken}"

    def __str__(self) -> str:
        return f"history {self.namespace} ({'calm' if self.calm else 'wild'}, {self.strategy})"

    # --- what is done

    async def _create(self) -> None:
        rolling = {"maxSurge": self.strategy.surge, "maxUnavailable": self.strategy.unavailable}
        strategy: Raw = {"type": self.strategy.type}
        if self.strategy.type == "RollingUpdate":
            strategy["rollingUpdate"] = rolling
        await self.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        for raw in codec.decode_yaml(EXAMPLE.read_text()):
            raw["metadata"]["namespace"] = self.namespace
            if raw["kind"] == "MachineDeployment":
                raw["spec"]["rollout"] = {"strategy": strategy}
                raw["spec"]["template"]["spec"]["minReadySeconds"] = self.rng.choice((0, 3))
            if raw["kind"] == "MachineHealthCheck":
                # Where most machines are harmed at once, a limit rightly stops remediation.
                raw["spec"]["remediation"]["triggerIf"]["unhealthyLessThanOrEqualTo"] = "100%"
            await self.client.apply(raw)

    async def _act(self) -> None:
        """Do something, and wait for a while that may be too short for it to end."""
        acts = ACTS[:3] if self.calm else ACTS[:-1]
        act = ACTS[-1] if self.rng.random() < 0.1 else self.rng.choice(acts)
        try:
            await getattr(self, "_" + act.replace(" ", "_"))()
            self.done[act] += 1
        except (errors.NotFound, IndexError):  # what was chosen has gone in the meantime
            return
        await asyncio.sleep(self.rng.choice((0.01, 0.1, self.rng.uniform(0.2, 9), 20)))

    async def _edit(self) -> None:
        version = self.rng.choice(VERSIONS)
        await self._patch({"template": {"spec": {"version": version}}})
        self.promises.version.change(version)

    async def _edit_in_place(self) -> None:
        await self._patch({"template": {"metadata": {"labels": {"example.com/l": self.rng.choice(("a", "b", None))}}}})

    async def _pause(self) -> None:
        """Stop the rollout, or go on; now and then the whole Cluster."""
        paused = self.rng.random() < 0.4
        if self.rng.random() < 0.3:
            await self.client.patch(Cluster, "machines", self.namespace, patch={"spec": {"paused": paused}})
        else:
            await self._patch({"paused": paused})
            self.promises.paused.change(paused)

    async def _scale(self) -> None:
        await self._scale_to(self.rng.randrange(0, 6))

    async def _scale_to(self, replicas: int) -> None:
        self.promises.replicas.change(replicas)
        await self._patch({"replicas": replicas})

    async def _delete(self) -> None:
        name = await self._any(Machine)
        self.promises.harm(name)
        await self.client.delete(Machine, name, self.namespace)

    async def _fail(self) -> None:
        what = self.rng.choice(({Fault.NODE: "silent"}, {Fault.INTERRUPT: "yes"}, {Fault.BOOT: "fail"}))
        name = await self._any(DevInstance)
        self.promises.harm(name)
        patch = {"metadata": {"annotations": what}}
        await self.client.patch(DevInstance, name, self.namespace, patch=patch)

    async def _process_dies(self) -> None:
        self.lab.kill()

    async def _let_go(self) -> None:
        await self.client.patch(Cluster, "machines", self.namespace, patch={"spec": {"paused": False}})
        await self._patch({"paused": False})
        self.promises.paused.change(False)
        await self._scale_to(3)

    async def _settle(self) -> None:
        """Get to the end state, and stay there.

        A kubelet that fell silent is noticed after 40 s, or later where the process died meanwhile, and with it the
        one that counts them: then the end state is reached, left, and reached again.
        """
        for _ in range(6):
            await self._until(self._stray, "the end state is reached")
            await asyncio.sleep(60)
            if not (stray := await self._stray()):
                return
        raise AssertionError(f"{self}: {stray} after it had settled")

    async def _patch(self, spec: Raw) -> None:
        await self.client.patch(MachineDeployment, "workers", self.namespace, patch={"spec": spec})

    async def _any(self, kind: type[Machine] | type[DevInstance]) -> str:
        return self.rng.choice(await self._names(kind))

    # --- how it is

    def _changed(self, old: Machine | None, new: Machine | None) -> None:
        machine = new or old
        if machine is None or machine.metadata.namespace != self.namespace:
            return
        self.promises.changed(old, new)
        if new is None:
            asyncio.get_running_loop().call_later(0.001, self._is_last, machine.metadata.name)

    def _is_last(self, name: str) -> None:
        """What a Machine consisted of has gone before it: at the same instant, once all watches have told."""
        for kind in PARTS:
            cache: Any = self.lab.running.caches.of(kind)
            if any(o.metadata.name == name for o in cache.list(self.namespace)):
                self.promises.broken.append(f"{name} is gone, and its {kind} is not")

    async def _until(self, problem: Any, what: str) -> None:
        """Wait for at most 20 minutes: a silent node is noticed after 40 s and replaced after 30 more, one by one."""
        for _ in range(400):
            if self.strategy.type == "OnDelete":
                await self._delete_outdated()
            if not (last := await problem()):
                return
            await asyncio.sleep(3)
        raise AssertionError(f"{self}: not so that {what}: {last}")

    async def _delete_outdated(self) -> None:
        for machine in await self.client.list(Machine, self.namespace):
            told = [c for c in machine.status.conditions if c.type == "UpToDate" and c.status == "False"]
            if told and not machine.deleting:
                await self.client.delete(Machine, machine.metadata.name, self.namespace)

    async def _stray(self) -> str:
        """What is not as wanted: three available machines as the template has them, and nothing beside them."""
        deployment = await self.client.get(MachineDeployment, "workers", self.namespace)
        machines = await self.client.list(Machine, self.namespace)
        wanted, names = deployment.spec.template, sorted(m.metadata.name for m in machines)
        label = wanted.metadata.labels.get("example.com/l")
        if len(machines) != 3 or deployment.status.available_replicas != 3:
            return f"{deployment.status.available_replicas} of {len(machines)} machines are available"
        if {(m.spec.version, m.metadata.labels.get("example.com/l")) for m in machines} != {
            (wanted.spec.version, label)
        }:
            return "machines are not as the template has them"
        if len(sets := await self.client.list(MachineSet, self.namespace)) != 1:
            return f"there are {len(sets)} sets"
        return await self._beside(names)

    async def _left(self) -> str:
        """What is left of a deployment that was deleted."""
        for kind in (MachineDeployment, MachineSet, Machine):
            if names := await self._names(kind):
                return f"{kind.__name__} {', '.join(names)} is left"
        return await self._beside([])

    async def _beside(self, machines: list[str]) -> str:
        """Objects of any kind that are there for no machine, and machines that lack one."""
        workload = self.lab.workload(self.namespace)
        found = {str(kind): await self._names(kind) for kind in PARTS}
        found["boot data"] = sorted(
            s.metadata.name
            for s in await self.client.list(Secret, self.namespace)
            if not s.metadata.name.startswith("machines-")
        )
        nodes = await workload.list(Node)
        found["nodes"] = sorted(n.metadata.name for n in nodes)
        found["leases"] = sorted(o.metadata.name for o in await workload.list(Lease, "kube-node-lease"))
        stray = {kind: names for kind, names in found.items() if names != machines}
        cordoned = [n.metadata.name for n in nodes if n.spec.unschedulable or len(n.spec.taints) > 0]
        return f"machines {machines}, but {stray}" if stray else f"{cordoned} are kept free" if cordoned else ""

    async def _names(self, kind: type[Object] | Resource) -> list[str]:
        found: Any = await self.client.list(kind, self.namespace)
        return sorted(o.metadata.name for o in found)


async def live_together(lab: Lab, seeds: range) -> tuple[list[str], Counter[str]]:
    """Live several histories side by side, those of odd seeds calm. Returns what went wrong, and what was done."""
    histories = [History(lab, seed, calm=bool(seed % 2)) for seed in seeds]
    results = await asyncio.gather(*(h.live() for h in histories), return_exceptions=True)
    done = sum((h.done for h in histories), Counter[str]())
    done["taken away by rollouts"] = sum(h.promises.taken for h in histories)
    broken = itertools.chain.from_iterable(h.promises.broken for h in histories)
    failed = [repr(r) if not isinstance(r, AssertionError) else str(r) for r in results if isinstance(r, BaseException)]
    return [*failed, *broken], done
