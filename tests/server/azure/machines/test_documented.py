"""What docs/azure-machines.md promises: a role that is enough and no more, and every field."""

from __future__ import annotations

import json
import re

import msgspec

from capipool.providers.azure.api.clusteridentity import TYPES
from capipool.providers.azure.api.machine import AzureMachine, AzureMachineSpec
from capipool.testing.azure import Arm
from tests.server.azure.machines import world as worlds
from tests.server.azure.machines.test_life import EXTENDED
from tests.shared import REPOSITORY

PAGE = (REPOSITORY / "docs/azure-machines.md").read_text()
CHECKED_BY_AZURE = 4
"""Actions at the end of the role that no request names: Azure checks them when others are asked for."""
PROVIDERS = {
    "tags": "Microsoft.Resources",
    "roleAssignments": "Microsoft.Authorization",
    "networkInterfaces": "Microsoft.Network",
}


def role() -> list[str]:
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    actions: list[str] = json.loads(found[1])["Actions"]
    return actions


def actions(arm: Arm) -> set[str]:
    """What the requests so far need, in the words of role definitions."""
    kinds = {r.action for r in arm.log.all if r.action not in ("", "token")}
    paths = {"disks/delete" for r in arm.log.all if r.method == "DELETE" and "/disks/" in r.path}
    return {f"{PROVIDERS.get(kind.partition('/')[0], 'Microsoft.Compute')}/{kind}" for kind in kinds | paths}


async def test_the_role_allows_what_is_called_and_nothing_that_is_not() -> None:
    identity = (("vmSize: Standard_D2s_v3", "vmSize: Standard_D2s_v3\n      identity: SystemAssigned"),)
    async with worlds.region() as region:
        region.arm.timing.polls = 2
        await region.begin(edits=(*EXTENDED, *identity))

        async def given() -> bool:
            return len(region.arm.state.roles) == 2

        await region.world.until(given, why=region.described)
        name = (await region.azure_machines())[0].metadata.name
        await region.world.patch(AzureMachine, name, {"spec": {"additionalTags": {"shift": "night"}}})

        async def tagged() -> bool:
            return region.virtual_machines()[name].tags.get("shift") == "night"

        await region.world.until(tagged, why=region.described)
        await region.scale(0)
        await region.running(0)
        called, allowed = actions(region.arm), role()
    assert called <= set(allowed)
    assert set(allowed[:-CHECKED_BY_AZURE]) <= called


def test_every_field_is_in_the_table() -> None:
    names = {f.encode_name for f in msgspec.structs.fields(AzureMachineSpec)}
    rows = " ".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    assert names - set(re.findall(r"`(\w+)`", rows)) == set()


def test_every_type_of_identity_is_in_the_table() -> None:
    assert [each for each in TYPES if f"`{each}`" not in PAGE] == []
