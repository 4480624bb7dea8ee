"""Pools in AWS and Azure through `capipool up`, which is told by its environment alone where the clouds are.

The cluster that the pools belong to is the server itself, as an existing cluster would be: by its kubeconfig.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import process
from tests.server.aws import cloud as aws
from tests.shared import needs_kubectl

pytestmark = needs_kubectl

POOL = """
apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata: {{name: c, namespace: default}}
spec:
  infrastructureRef: {{apiGroup: infrastructure.cluster.x-k8s.io, kind: {cloud}Cluster, name: c}}
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachinePool
metadata: {{name: workers, namespace: default}}
spec:
  clusterName: c
  replicas: 2
  template:
    spec:
      clusterName: c
      version: v1.31.0
      bootstrap: {{configRef: {{apiGroup: bootstrap.cluster.x-k8s.io, kind: KubeadmConfig, name: workers}}}}
      infrastructureRef: {{apiGroup: infrastructure.cluster.x-k8s.io, kind: {cloud}MachinePool, name: workers}}
---
apiVersion: bootstrap.cluster.x-k8s.io/v1beta2
kind: KubeadmConfig
metadata: {{name: workers, namespace: default}}
spec: {{joinConfiguration: {{nodeRegistration: {{kubeletExtraArgs: [{{name: cloud-provider, value: external}}]}}}}}}
---
"""
AZURE = """
apiVersion: infrastructure.cluster.x-k8s.io/v1beta1
kind: AzureCluster
metadata: {name: c, namespace: default}
spec:
  location: eastus
  resourceGroup: workers
  networkSpec: {vnet: {name: v}, subnets: [{name: node-subnet, role: node}]}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta1
kind: AzureMachinePool
metadata: {name: workers, namespace: default}
spec:
  location: eastus
  template: {vmSize: Standard_D2s_v3, osDisk: {osType: Linux, diskSizeGB: 30}}
"""
AWS = """
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: AWSCluster
metadata: {name: c, namespace: default}
spec: {}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: AWSMachinePool
metadata: {name: workers, namespace: default}
spec:
  minSize: 1
  maxSize: 5
  awsLaunchTemplate: {instanceType: t3.large}
"""


@contextlib.contextmanager
def serving(tmp_path: Path, environment: Mapping[str, str]) -> Iterator[process.Up]:
    up = process.start(tmp_path / "data", environment=environment)
    try:
        yield up
        assert up.terminate() == 0
    finally:
        if up.process.poll() is None:
            up.kill()


@contextlib.contextmanager
def azure(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The small Azure as a process; what it prints is the environment that clients need."""
    words = [str(process.CAPIPOOL), "dev", "azure", "--data-dir", str(tmp_path), "--groups", "workers", "--boot", "0.2"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            environment = {}
            while (line := running.stdout.readline()).startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                environment[name] = value
            assert line.startswith("capipool dev azure is ready"), line
            yield environment
        finally:
            running.terminate()


@contextlib.contextmanager
def amazon(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Moto over HTTP, with a network and an image."""
    with aws.running() as running:
        running.furnish("c")
        yield {
            "AWS_ENDPOINT_URL": running.endpoint,
            "AWS_REGION": aws.REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }


@pytest.mark.parametrize(
    ("cloud", "manifest", "there", "prefix"),
    [("Azure", AZURE, azure, "azure:///subscriptions/"), ("AWS", AWS, amazon, "aws:///us-east-1")],
)
def test_a_pool_of_a_cloud_has_its_instances_and_leaves_none(
    tmp_path: Path, cloud: str, manifest: str, there: Any, prefix: str
) -> None:
    with there(tmp_path) as environment, serving(tmp_path, environment) as up:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "c-kubeconfig", "namespace": "default"},
            "type": "cluster.x-k8s.io/secret",
            "stringData": {"value": up.kubeconfig.read_text()},
        }
        given = f"{POOL.format(cloud=cloud)}{manifest}---\n{json.dumps(secret)}\n"
        applied = up.capipool("apply", "-f", "-", stdin=given)
        assert applied.returncode == 0, applied.stderr

        def instances() -> list[str]:
            found = up.capipool("get", f"{cloud}MachinePool", "workers", "-o", "json").stdout
            return list(json.loads(found)["spec"].get("providerIDList") or ()) if found else []

        def told() -> str:
            return up.capipool("describe", "cluster", "c").stdout

        process.eventually(lambda: len(instances()) == 2, what="no instances")
        assert all(id.startswith(prefix) for id in instances()), told()
        assert up.run("kubectl", "delete", "cluster", "c", "--timeout=60s").returncode == 0, told()
        assert not json.loads(up.capipool("get", f"{cloud}MachinePools", "-o", "json").stdout).get("items")
