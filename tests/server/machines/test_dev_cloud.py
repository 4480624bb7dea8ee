"""The example with a MachineDeployment, on the development cloud, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from capipool.api.core import Machine, MachineDeployment
from capipool.app.embedded import Embedded
from capipool.machinery import codec
from capipool.providers.dev.api.cloud import DevInstance, Fault
from capipool.providers.dev.api.machine import DevMachine
from capipool.testing import virtual
from capipool.testing.embedded import embedded

EXAMPLE = Path(__file__).parents[3] / "examples" / "machinedeployment.yaml"


def on_virtual_time(test: Callable[[Embedded], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def main() -> None:
            async with embedded(clock=virtual.clock(), seed=7) as running:
                for raw in codec.decode_yaml(EXAMPLE.read_text()):
                    await running.client.apply(raw)
                await asyncio.sleep(30)
                await test(running)

        virtual.run(main(), limit=3600)

    run.__name__ = test.__name__
    return run


async def machines(running: Embedded) -> list[Machine]:
    return sorted(await running.client.list(Machine, "default"), key=lambda m: m.key)


async def deployment(running: Embedded) -> MachineDeployment:
    return await running.client.get(MachineDeployment, "workers", "default")


@on_virtual_time
async def test_the_example_comes_up(running: Embedded) -> None:
    assert [m.status.phase for m in await machines(running)] == ["Running"] * 3
    assert (await deployment(running)).status.phase == "Running"


@on_virtual_time
async def test_a_new_version_replaces_every_machine(running: Embedded) -> None:
    before = {m.metadata.name for m in await machines(running)}
    patch = {"spec": {"template": {"spec": {"version": "v1.35.0"}}}}
    await running.client.patch(MachineDeployment, "workers", "default", patch=patch)
    await asyncio.sleep(120)
    after = await machines(running)
    assert [m.spec.version for m in after] == ["v1.35.0"] * 3
    assert not before & {m.metadata.name for m in after}
    assert len(await running.client.list(DevInstance, "default")) == 3


@on_virtual_time
async def test_a_machine_whose_kubelet_falls_silent_is_replaced_by_the_health_check(running: Embedded) -> None:
    before = [m.metadata.name for m in await machines(running)]
    silent = {"metadata": {"annotations": {Fault.NODE: "silent"}}}
    await running.client.patch(DevInstance, before[0], "default", patch=silent)
    await asyncio.sleep(300)
    after = [m.metadata.name for m in await machines(running)]
    assert len(after) == 3
    assert before[0] not in after
    assert before[1:] == [n for n in after if n in before]


@on_virtual_time
async def test_an_instance_that_the_cloud_takes_back_is_not_launched_again_and_its_machine_is_replaced(
    running: Embedded,
) -> None:
    before = [m.metadata.name for m in await machines(running)]
    keep = {"metadata": {"annotations": {"cluster.x-k8s.io/skip-remediation": ""}}}
    await running.client.patch(Machine, before[0], "default", patch=keep)
    taken = {"metadata": {"annotations": {Fault.INTERRUPT: "yes"}}}
    await running.client.patch(DevInstance, before[0], "default", patch=taken)
    await asyncio.sleep(60)
    obj = await running.client.get(DevMachine, before[0], "default")
    told = next(c for c in obj.status.conditions if c.type == "Ready")
    assert (told.status, told.reason) == ("False", "InstanceTerminated")
    keep["metadata"]["annotations"] = {"cluster.x-k8s.io/skip-remediation": None}  # type: ignore[dict-item]
    await running.client.patch(Machine, before[0], "default", patch=keep)
    await asyncio.sleep(60)
    after = [m.metadata.name for m in await machines(running)]
    assert len(after) == 3
    assert before[0] not in after


@on_virtual_time
async def test_an_order_not_to_boot_comes_too_late_for_an_instance_that_has_booted(running: Embedded) -> None:
    before = [m.metadata.name for m in await machines(running)]
    late = {"metadata": {"annotations": {Fault.BOOT: "fail"}}}
    await running.client.patch(DevInstance, before[0], "default", patch=late)
    await asyncio.sleep(60)
    assert (await running.client.get(DevInstance, before[0], "default")).status.phase != "Failed"
    assert [(m.metadata.name, m.status.phase) for m in await machines(running)] == [(n, "Running") for n in before]
    assert (await deployment(running)).status.available_replicas == 3


@on_virtual_time
async def test_deleting_the_deployment_leaves_no_instance(running: Embedded) -> None:
    await running.client.delete(MachineDeployment, "workers", "default")
    await asyncio.sleep(60)
    assert await machines(running) == []
    assert await running.client.list(DevMachine, "default") == []
    assert await running.client.list(DevInstance, "default") == []
