"""What docs/azure.md promises: a role that is enough and no more, every field, and an example that runs."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

import msgspec
import pytest

from capipool.providers.azure.api.machinepool import AzureMachinePoolSpec, MachinePoolTemplate
from capipool.providers.azure.pools import inventory, rollouts
from capipool.sdk import InstanceGroupNotFound
from capipool.testing.azure import Arm, Provisioning
from tests.server.azure.pools import lab as labs
from tests.server.azure.pools import test_quiet, test_rollouts
from tests.server.azure.pools import world as worlds
from tests.server.azure.pools.lab import AzureLab
from tests.shared import REPOSITORY

PAGE = (REPOSITORY / "docs/azure.md").read_text()
CHECKED_BY_AZURE = 4
"""Actions at the end of the role that no request names: Azure checks them when others are asked for."""
PROVIDERS = {"tags": "Microsoft.Resources", "roleAssignments": "Microsoft.Authorization"}


def role() -> list[str]:
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    actions: list[str] = json.loads(found[1])["Actions"]
    return actions


def actions(arm: Arm) -> set[str]:
    """What the requests so far need, in the words of role definitions."""
    kinds = {r.action for r in arm.log.all if r.action}
    return {f"{PROVIDERS.get(kind.partition('/')[0], 'Microsoft.Compute')}/{kind}" for kind in kinds}


async def test_the_role_allows_what_is_called_and_nothing_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "RESTING", 0.0)
    called = set[str]()
    for mode in ("Uniform", "Flexible"):
        template = {**test_quiet.FULL["template"], "vmExtensions": [test_rollouts.HEALTH]}
        in_place = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
        spec = test_quiet.FULL | {"orchestrationMode": mode, "template": template, "strategy": in_place}
        async with labs.running(spec=spec) as lab:
            await _life(lab)
            called |= actions(lab.arm)
    allowed = role()
    assert called <= set(allowed)
    assert set(allowed[:-CHECKED_BY_AZURE]) <= called


async def _life(lab: AzureLab) -> None:
    """Made, tagged, given a role, rolled by Azure, stopped in between, shrunk and deleted."""
    pool = test_rollouts.annotated(lab.pool(), rollouts.RolloutMode.NATIVE)
    await lab.created(pool)
    for token in ("first", "second"):
        await test_rollouts.step(lab, pool, "r1", token)
    lab.arm.scale_set(labs.NAMES[0]).tags.pop("team")
    await test_rollouts.step(lab, pool, "r1", "second")
    await test_rollouts.step(lab, pool, "r1", "second")
    lab.arm.timing.upgrade = dt.timedelta(minutes=1)
    while not (await test_rollouts.step(lab, pool, "r2")).rollout:
        await lab.pause()
    await lab.provider._sets.cancel_rolling(lab.provider._finding.place(pool))  # type: ignore[attr-defined]
    lab.arm.timing.upgrade = dt.timedelta()
    for machine in lab.arm.scale_set(labs.NAMES[0]).live:
        for operation in lab.arm.state.world.operations.changing(machine):
            operation.forget(machine)  # the minute is over
        machine.become(Provisioning.SUCCEEDED)
    group = await test_rollouts.rolled(lab, pool, "r2")
    await lab.provider.terminate(pool, [group.instances[0].id], decrement=True)
    obj = await lab.read(labs.NAMES[0])
    for _ in range(50):
        try:
            await lab.provider.delete(obj)
        except InstanceGroupNotFound:
            return
        await lab.pause()


@pytest.mark.parametrize(("part", "prefix"), [(AzureMachinePoolSpec, "spec."), (MachinePoolTemplate, "spec.template.")])
def test_every_field_is_in_the_table(part: Any, prefix: str) -> None:
    names = {f.encode_name for f in msgspec.structs.fields(part)} - {"template"}
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `spec.")]
    table = " ".join(rows)
    missing = [n for n in names if f"`{prefix}{n}" not in table and f"`.{n}`" not in table]
    assert not missing


async def test_the_example_runs_as_it_is() -> None:
    async with worlds.region(cluster="workers", group="workers") as region:
        await region.world.load((REPOSITORY / "examples/azure-machinepool.yaml").read_text())
        await region.world.running_pool("workers-pool", 3)
        made = region.arm.scale_set("workers-pool", "workers")
        assert {m.zone for m in made.live} == {"1", "2"}
        assert (made.tags["team"], made.tags["purpose"]) == ("platform", "batch")
