"""kubectl works against the embedded server as against any cluster."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.e2e.process import QUICKSTART, Up, eventually
from tests.shared import needs_kubectl

pytestmark = needs_kubectl


def kubectl(up: Up, *words: str, stdin: str | None = None) -> str:
    done = up.run("kubectl", *words, stdin=stdin)
    assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
    return done.stdout


def pool(up: Up) -> dict:
    return json.loads(kubectl(up, "get", "machinepool", "workers", "-o", "json"))


def is_running(up: Up, replicas: int) -> bool:
    status = pool(up).get("status", {})
    return status.get("phase") == "Running" and status.get("readyReplicas") == replicas


def test_a_pool_is_applied_scaled_watched_described_and_deleted(up: Up) -> None:
    created = kubectl(up, "apply", "-f", str(QUICKSTART))
    assert "machinepool.cluster.x-k8s.io/workers created" in created
    again = kubectl(up, "apply", "-f", str(QUICKSTART))
    assert "machinepool.cluster.x-k8s.io/workers unchanged" in again
    eventually(lambda: is_running(up, 3), what="three replicas to be Running")

    watching = subprocess.Popen(
        ["kubectl", "get", "machinepools", "-w"], env=up.environment(), stdout=subprocess.PIPE, text=True
    )
    assert watching.stdout is not None
    header, first = watching.stdout.readline(), watching.stdout.readline()
    try:
        kubectl(up, "scale", "machinepool/workers", "--replicas", "4")
        eventually(lambda: is_running(up, 4), what="four replicas to be Running")
    finally:
        watching.terminate()
        changes, _ = watching.communicate(timeout=10)
    assert header.split()[:4] == ["NAME", "CLUSTER", "DESIRED", "CURRENT"]
    assert first.split()[:3] == ["workers", "quickstart", "3"]
    assert any(line.split()[2] == "4" for line in changes.splitlines())

    everywhere = kubectl(up, "get", "machinepools", "-A")
    assert "Running" in everywhere.splitlines()[1]
    described = kubectl(up, "describe", "machinepool", "workers")
    assert "Phase:" in described
    # The controllers delete what belongs to the cluster too, and may be quicker than kubectl with its list.
    kubectl(up, "delete", "-f", str(QUICKSTART), "--ignore-not-found", "--timeout=40s")
    assert kubectl(up, "get", "machinepools,devmachinepools,clusters", "-A", "-o", "name") == ""


def test_the_nodes_of_the_workload_cluster_are_there_to_see(up: Up, tmp_path) -> None:
    kubectl(up, "apply", "--server-side", "-f", str(QUICKSTART))
    eventually(lambda: is_running(up, 3), what="three replicas to be Running")
    secret = json.loads(kubectl(up, "get", "secret", "quickstart-kubeconfig", "-o", "json"))
    workload = tmp_path / "workload"
    import base64

    workload.write_bytes(base64.b64decode(secret["data"]["value"]))
    nodes = kubectl(up, "--kubeconfig", str(workload), "get", "nodes")
    assert [line.split()[1] for line in nodes.splitlines()[1:]] == ["Ready"] * 3


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("apiVersion: cluster.x-k8s.io/v1beta2\nkind: Pool\nmetadata: {name: a}\n", 'no matches for kind "Pool"'),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A_b}\n", "metadata.name"),
        ("a: [\n", "yaml"),
    ],
)
def test_nonsense_is_answered_and_nothing_is_written(up: Up, manifest: str, words: str) -> None:
    done = up.run("kubectl", "apply", "-f", "-", stdin=manifest)
    assert done.returncode != 0
    assert words.lower() in done.stderr.lower()
    assert up.process.poll() is None


def test_a_wrong_field_is_named_with_its_path(up: Up) -> None:
    good = QUICKSTART.read_text()
    for wrong, words in [
        (good.replace("replicas: 3", "replicas: many"), "spec.replicas"),
        (good.replace("  replicas: 3", "  replicaz: 3"), "replicaz"),
        (good.replace("      version: v1.34.0", "      version: latest"), "spec.template.spec.version"),
        (good.replace("  replicas: 3", "  replicas: -1"), "spec.replicas"),
    ]:
        done = up.run("kubectl", "apply", "-f", "-", stdin=wrong)
        assert done.returncode != 0
        assert words in done.stderr
    assert kubectl(up, "get", "machinepools", "-o", "name") == ""
