"""What docs/aks.md promises: a role that is enough and no more, every field, and an example that runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from capipool.api.core import MachinePool
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePoolSpec
from capipool.testing.azure import Arm
from tests.server.azure.aks import world as worlds
from tests.server.azure.aks.world import POOL
from tests.server.clouds.world import NS
from tests.shared import REPOSITORY

PAGE = (REPOSITORY / "docs/aks.md").read_text()
CHECKED_BY_AZURE = 2
"""Actions at the end of the role that no request names: Azure checks them when others are asked for."""


def role() -> list[str]:
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    actions: list[str] = json.loads(found[1])["Actions"]
    return actions


def actions(arm: Arm) -> set[str]:
    """What the requests so far need, in the words of role definitions."""
    asked = {r.action for r in arm.log.all if r.action}
    return {f"Microsoft.{'Compute' if 'virtualMachine' in a else 'ContainerService'}/{a}" for a in asked}


async def test_the_role_allows_what_is_called_and_nothing_that_is_not() -> None:
    called = set[str]()
    for local in (True, False):
        entra = {} if local else {"disableLocalAccounts": True, "aadProfile": {"managed": True}}
        async with worlds.installed(properties=entra) as aks:
            await worlds.give_out_what_reaches(aks)
            await aks.load()
            if local:
                await aks.begin()
                aks.arm.state.aks.node_image = "new"
                await aks.annotate({"capipool.io/node-image": "latest"})
                await aks.until_azure(lambda: aks.pool().node_image == "new" and aks.pool().state == "Succeeded")
                await aks.world.client.delete(MachinePool, POOL, NS)
                await aks.until_azure(lambda: POOL not in aks.cluster.pools)
            called |= actions(aks.arm)
    allowed = role()
    assert called <= set(allowed)
    assert set(allowed[:-CHECKED_BY_AZURE]) <= called


def test_every_field_is_in_the_table() -> None:
    rows = " ".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `spec."))
    names = {field.encode_name for field in msgspec.structs.fields(AzureManagedMachinePoolSpec)}
    assert not {name for name in names if f"`spec.{name}`" not in rows}


async def test_the_example_runs_as_it_is_under_the_whole_provider(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("of the pod")
    subscription = "00000000-0000-0000-0000-000000000000"
    async with worlds.installed(subscription=subscription, group="prod", cluster="prod", token_file=token) as aks:
        await worlds.give_out_what_reaches(aks)
        await aks.world.load((REPOSITORY / "examples/azure-aks.yaml").read_text())

        async def so() -> bool:
            pools = [await aks.world.pool(name) for name in ("workers", "burst")]
            counts = [len(p.status.node_refs) for p in pools if p.status.phase == "Running"]
            return counts == [2, 1]

        await aks.world.until(so, seconds=20, why=lambda: aks.world.described("workers"))
        made = aks.pool("workers").properties
        assert (made["nodeLabels"], made["nodeTaints"]) == ({"tier": "batch"}, ["only=batch:NoSchedule"])
        assert (aks.pool("burst").properties["minCount"], aks.pool("burst").properties["maxCount"]) == (1, 10)
