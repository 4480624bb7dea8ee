"""The commands, as a user gives them to a running server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from capipool.client import credentials
from capipool.machinery import codec
from capipool.machinery.clock import SystemClock
from tests.e2e import process
from tests.e2e.process import Up
from tests.server.migrate import world as worlds
from tests.unit.migrate.test_conversion import GOLDEN


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    up = process.start(tmp_path / "data", "--no-controllers")
    yield up
    up.terminate()


class _Plain(worlds.World):
    """The same old world, made over HTTPS."""

    def __init__(self, up: Up) -> None:
        self.client = credentials.connect(credentials.load(up.kubeconfig), clock=SystemClock())


async def _fill(up: Up) -> None:
    world = _Plain(up)
    for raw in worlds.old_definitions():
        await world.create(worlds.DEFINITIONS, raw)
    cluster = await world.create(
        worlds.CLUSTERS, {"metadata": {"name": "c", "namespace": "default"}, "spec": {"paused": False}}
    )
    await world.pool("a", cluster)
    await world.client.close()


async def _add_a_collision(up: Up) -> None:
    world = _Plain(up)
    taken = {"metadata": {"name": "a", "namespace": "default"}, "spec": {"backend": {"inMemory": {}}}}
    await world.create(worlds.NEW_INFRA, taken)
    await world.client.close()


def test_plan_apply_undo_commit(up: Up) -> None:
    assert up.capipool("migrate", "undo").stdout.endswith("nothing to undo\n")
    asyncio.run(_fill(up))
    plan = up.capipool("migrate", "plan", "-o", "json")
    assert plan.returncode == 0, plan.stderr
    assert codec.decode_json_object(plan.stdout)["summary"]["moves"] == 2
    table = up.capipool("migrate", "plan").stdout
    assert "dropped: MachinePool.exp.cluster.x-k8s.io default/a: spec.strategy.type" in table
    for command, said in (
        ("apply", "migrated and verified"),
        ("undo", "as it was"),
        ("apply", "migrated and verified"),
    ):
        done = up.capipool("migrate", command)
        assert (done.returncode, said in done.stdout) == (0, True), done.stderr
    assert up.capipool("migrate", "commit").stdout.endswith("committed\n")
    late = up.capipool("migrate", "undo")
    assert late.returncode == 1
    assert "the old objects are gone" in late.stderr
    assert up.capipool("migrate", "apply").stdout.endswith("nothing to migrate: no object of the old groups is left\n")


def test_obstacles_are_listed_and_the_exit_code_says_so(up: Up) -> None:
    asyncio.run(_fill(up))
    asyncio.run(_add_a_collision(up))
    for command in ("plan", "apply"):
        done = up.capipool("migrate", command)
        assert done.returncode == 1
        assert "obstacle: DevMachinePool.exp.infrastructure" in done.stdout + done.stderr
    assert up.capipool("migrate", "apply", "--rename", "nonsense").returncode == 2


def test_files_are_converted_without_a_server(tmp_path: Path) -> None:
    up = Up(tmp_path, None, "")  # type: ignore[arg-type]
    done = up.capipool(
        "migrate", "convert", str(GOLDEN / "machinepool.old.yaml"), str(GOLDEN / "kubeadmconfig.old.yaml")
    )
    assert done.returncode == 0, done.stderr
    assert [raw["apiVersion"] for raw in codec.decode_yaml(done.stdout)] == [
        "cluster.x-k8s.io/v1beta2",
        "bootstrap.cluster.x-k8s.io/v1beta2",
    ]
    assert "dropped: MachinePool.cluster.x-k8s.io team/workers: spec.strategy.type" in done.stderr
