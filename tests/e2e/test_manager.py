"""`capipool manager` as a process of its own, against an API server in another process."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import process

CLUSTER = """
apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata: {name: byo, namespace: default}
spec: {infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: DevCluster, name: byo}}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[process.Up]:
    """An API server with Cluster API's kinds and kubeadm's, and no controllers."""
    up = process.start(tmp_path / "data", "--no-controllers", "--providers", "kubeadm")
    yield up
    assert up.terminate() == 0


NAMESPACE = "{apiVersion: v1, kind: Namespace, metadata: {name: capipool-system}}"


@contextlib.contextmanager
def manager(up: process.Up, *options: str) -> Iterator[subprocess.Popen[str]]:
    words = [str(process.CAPIPOOL), "manager", "--kubeconfig", str(up.kubeconfig), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, **pipes, text=True, env=up.environment()) as running:
        try:
            yield running
        finally:
            running.kill()


def refused(up: process.Up, *options: str) -> str:
    """What a manager says that does not start."""
    with manager(up, *options) as running:
        _, said = running.communicate(timeout=30)
        assert running.returncode == 1
        return said


def test_it_reconciles_what_another_process_serves_and_ends_when_told(server: process.Up) -> None:
    assert server.capipool("apply", "-f", "-", stdin=NAMESPACE).returncode == 0
    with manager(server, "--providers", "kubeadm") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "capipool manager is running\n"
        assert server.capipool("apply", "-f", "-", stdin=CLUSTER).returncode == 0

        def phase() -> bool:
            return "Provisioning" in server.capipool("get", "clusters", "byo").stdout

        process.eventually(phase, what="the Cluster has no phase")
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=30) == 0


def test_a_lease_without_a_place_is_an_error_and_no_silent_wait(server: process.Up) -> None:
    said = refused(server, "--providers", "kubeadm")
    assert 'namespaces "capipool-system" not found' in said
    assert "--no-leader-elect" in said


def test_kinds_that_are_not_installed_are_named_with_the_way_out(server: process.Up) -> None:
    said = refused(server, "--providers", "kubeadm,aws")
    assert "is its CustomResourceDefinition installed?" in said
    assert "capipool manifests | kubectl apply --server-side -f -" in said
    assert "--providers" in said
