"""Starting, stopping, starting twice, and dying at any moment."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e import process
from tests.e2e.process import CAPIPOOL, QUICKSTART, Up, eventually


def names(up: Up) -> set[str]:
    done = up.capipool("get", "configmaps", "-o", "json")
    assert done.returncode == 0, done.stderr
    return {item["metadata"]["name"] for item in json.loads(done.stdout)["items"]}


def ready_replicas(up: Up) -> int:
    done = up.capipool("get", "machinepool/workers", "-o", "json")
    status = json.loads(done.stdout).get("status", {}) if done.returncode == 0 else {}
    return status.get("readyReplicas", 0) if status.get("phase") == "Running" else 0


def test_the_ready_line_names_the_address_and_the_kubeconfig(up: Up) -> None:
    assert str(up.kubeconfig) in up.ready_line
    assert "https://127.0.0.1:" in up.ready_line
    kept = [path for path in up.data_dir.rglob("*") if path.is_file()]
    assert {"kubeconfig", "state.db"} <= {path.name for path in kept}
    assert [path.name for path in kept if path.stat().st_mode & 0o077] == []


def test_a_second_server_on_the_same_directory_is_refused(up: Up) -> None:
    done = subprocess.run(
        [CAPIPOOL, "up", "--data-dir", up.data_dir, "--port", "0"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "in use by another capipool" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [CAPIPOOL, "up", "--data-dir", tmp_path / "d", "--port", str(port)],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}: it is in use: choose another with --port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_directory_that_cannot_be_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        [CAPIPOOL, "up", "--data-dir", tmp_path / "file" / "d", "--port", "0"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        1,
        f"error: state cannot be kept in {tmp_path}/file/d (Not a directory): name another directory with --data-dir\n",
    )


@pytest.mark.parametrize("gates", ["MachinePool", "MachinePool=perhaps", "NoSuchGate=true"])
def test_nonsense_feature_gates_are_refused(tmp_path: Path, gates: str) -> None:
    done = subprocess.run(
        [CAPIPOOL, "up", "--data-dir", tmp_path / "d", "--port", "0", "--feature-gates", gates],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert gates.split("=")[0] in done.stderr


def test_state_survives_a_stop(tmp_path: Path) -> None:
    up = process.start(tmp_path / "data")
    assert up.capipool("apply", "-f", str(QUICKSTART)).returncode == 0
    eventually(lambda: ready_replicas(up) == 3, what="three replicas before the stop")
    assert up.terminate() == 0
    up = process.start(tmp_path / "data")
    eventually(lambda: ready_replicas(up) == 3, what="three replicas after the start")
    assert up.capipool("scale", "mp/workers", "--replicas", "4").returncode == 0
    eventually(lambda: ready_replicas(up) == 4, what="four replicas after the start")
    assert up.terminate() == 0


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_the_process_is_killed_at_random_moments(tmp_path: Path) -> None:
    rng = random.Random(20261124)
    up = process.start(tmp_path / "data")
    assert up.capipool("apply", "-f", str(QUICKSTART)).returncode == 0
    acknowledged: set[str] = set()
    for round_number in range(8):
        writer = subprocess.Popen(
            [Path(CAPIPOOL).with_name("python"), "-m", "tests.e2e.writer", up.kubeconfig, str(round_number)],
            stdout=subprocess.PIPE, text=True, cwd=process.REPOSITORY,
        )  # fmt: skip
        time.sleep(rng.uniform(0.6, 1.6))
        up.kill()
        printed, _ = writer.communicate(timeout=30)
        acknowledged |= set(printed.split())
        up = process.start(tmp_path / "data")
        lost = acknowledged - names(up)
        assert not lost, f"round {round_number}: acknowledged and gone: {sorted(lost)[:5]}"
    assert acknowledged, "no write was acknowledged at all"
    eventually(lambda: ready_replicas(up) == 3, what="the pool to go on to Running", seconds=60)
    assert up.terminate() == 0
