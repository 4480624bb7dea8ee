"""capipool's own commands, as a person types them, with what goes wrong."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e import process
from tests.e2e.process import QUICKSTART, REPOSITORY, Up, eventually


def docker_pool(**backend: object) -> str:
    """A manifest that the server warns of: nothing acts on this backend."""
    return json.dumps(
        {
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2",
            "kind": "DevMachinePool",
            "metadata": {"name": "warned"},
            "spec": {"backend": {"docker": {}, **backend}},
        }
    )


def test_a_file_that_is_no_text_is_refused_in_a_line(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "pool.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    done = up.capipool("apply", "-f", str(file))
    assert (done.returncode, done.stderr) == (1, f"error: {file} is not UTF-8 text (byte 0)\n")


def test_a_field_that_its_kind_does_not_have_is_refused_and_not_dropped(up: Up) -> None:
    done = up.capipool("apply", "-f", "-", stdin=docker_pool(inMemry={}))
    assert done.returncode == 1
    assert 'unknown field "spec.backend.inMemry"' in done.stderr
    assert up.capipool("get", "devmachinepools", "-o", "name").stdout == ""


def test_what_the_server_warns_of_is_shown(up: Up) -> None:
    done = up.capipool("apply", "-f", "-", "--dry-run", stdin=docker_pool())
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("warning: spec.backend.docker")


def test_a_cluster_whose_kubeconfig_is_garbage_is_described_all_the_same(tmp_path: Path) -> None:
    up = process.start(tmp_path / "data", "--no-controllers")
    garbage: dict[str, object] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "quickstart-kubeconfig"}}
    try:
        assert up.capipool("apply", "-f", str(QUICKSTART)).returncode == 0
        garbage["stringData"] = {"value": "s3cret: ["}
        assert up.capipool("apply", "-f", "-", stdin=json.dumps(garbage)).returncode == 0
        done = up.capipool("describe", "cluster", "quickstart")
    finally:
        assert up.terminate() == 0
    assert done.returncode == 0, done.stderr
    assert "unreachable" in done.stdout
    assert "secret default/quickstart-kubeconfig is not valid YAML" in done.stdout
    assert "s3cret" not in done.stdout
    assert "MachinePool/workers" in done.stdout


def test_the_kubeconfig_of_a_workload_cluster_leads_to_its_nodes(up: Up, tmp_path: Path) -> None:
    early = up.capipool("kubeconfig", "quickstart")
    assert (early.returncode, early.stderr) == (1, 'error: clusters.cluster.x-k8s.io "quickstart" not found\n')
    assert up.capipool("apply", "-f", str(QUICKSTART)).returncode == 0
    eventually(lambda: up.capipool("kubeconfig", "quickstart").returncode == 0, what="the cluster to have a kubeconfig")
    file = tmp_path / "workload"
    file.write_text(up.capipool("kubeconfig", "quickstart").stdout)

    def nodes() -> list[str]:
        return up.capipool("get", "nodes", "-o", "name", "--kubeconfig", str(file)).stdout.split()

    eventually(lambda: len(nodes()) == 3, what="three nodes")


def test_a_rollout_that_cannot_go_on_says_in_the_line_of_its_deployment_why(up: Up) -> None:
    example = REPOSITORY / "examples" / "machinedeployment.yaml"
    assert up.capipool("apply", "-f", str(example)).returncode == 0

    def line() -> str:
        shown = up.capipool("describe", "machinedeployment", "workers").stdout.splitlines()
        return shown[0] if shown else ""

    eventually(lambda: "3/3 ready" in line(), what="three machines")
    broken = example.read_text().replace("version: v1.34.0", "version: v1.35.0")
    broken = broken.replace(
        "      joinConfiguration:",
        "      files: [{path: /etc/x, contentFrom: {secret: {name: not-there, key: k}}}]\n      joinConfiguration:",
    )
    assert up.capipool("apply", "-f", "-", stdin=broken).returncode == 0
    eventually(lambda: "secret not-there does not exist" in line(), what="the cause in the deployment's line")
    assert "3/3 ready" in line()


def test_a_server_that_is_away_is_named_with_where_its_address_is_from(tmp_path: Path) -> None:
    up = process.start(tmp_path / "data", "--no-controllers")
    assert up.terminate() == 0
    done = up.capipool("get", "machinepools")
    assert done.returncode == 1
    assert "Connection refused (is it running? its address is from " + str(up.kubeconfig) in done.stderr
    assert len(done.stderr.splitlines()) == 1
