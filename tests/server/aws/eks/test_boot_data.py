"""Boot data comes with the cluster, follows spec, secrets and cluster, and is left alone at rest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from capipool.api.builtin import Secret
from capipool.api.core import MachinePool
from capipool.machinery import objects
from capipool.providers.aws.eks.api.eksconfig import EKSConfig
from capipool.providers.aws.eks.api.nodeadmconfig import NodeadmConfig
from tests.server.aws import cloud
from tests.server.aws.eks.world import CLUSTER, EKS, MANIFEST, condition, installed
from tests.server.clouds.world import NS
from tests.shared import shared
from tests.unit.aws.eks.boots import Parts, cloud_config

POOL = """
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachinePool
metadata: {name: pool}
spec:
  clusterName: demo
  replicas: 2
  template:
    spec:
      clusterName: demo
      version: v1.31.4
      bootstrap:
        configRef: {apiGroup: bootstrap.cluster.x-k8s.io, kind: KIND, name: boot}
      infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: AWSMachinePool, name: pool}
---
apiVersion: bootstrap.cluster.x-k8s.io/v1beta2
kind: KIND
metadata: {name: boot}
spec:
  files:
  - {path: /etc/token, contentFrom: {secret: {name: extra, key: a}}}
"""
Kind = type[NodeadmConfig] | type[EKSConfig]


@pytest.fixture
async def eks() -> AsyncIterator[EKS]:
    with cloud.running() as running:
        async with installed(running) as made:
            await extra(made, b"one")
            yield made


async def extra(eks: EKS, content: bytes) -> None:
    raw = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "extra", "namespace": NS}}
    await eks.world.client.create(objects.replace(objects.from_raw(Secret, raw), data={"a": content}))


async def until_data(eks: EKS, so: Any) -> Secret:
    """Wait until the data secret is there and something is so of its content; return it."""
    found: list[Secret] = []

    async def there() -> bool:
        found[:] = [s for s in await eks.world.client.list(Secret, NS) if s.metadata.name == "boot"]
        return bool(found) and so(found[0].data["value"])

    await eks.world.until(there)
    return found[0]


@pytest.mark.parametrize("kind", [NodeadmConfig, EKSConfig])
async def test_data_comes_with_the_cluster_and_is_what_the_contract_says(eks: EKS, kind: Kind) -> None:
    name = kind.RESOURCE.kind
    await eks.world.load(MANIFEST + POOL.replace("KIND", name))

    async def waits() -> bool:
        found = await eks.world.client.get(kind, "boot", NS)
        return condition(found, "DataSecretAvailable")[1] == "WaitingForClusterInfrastructure"

    await eks.world.until(waits)
    eks.make_cluster()
    secret = await until_data(eks, bool)
    assert secret.type == "cluster.x-k8s.io/secret"
    assert secret.metadata.labels["cluster.x-k8s.io/cluster-name"] == "demo"
    assert (secret.metadata.owner_references[0].kind, secret.data["format"]) == (name, b"cloud-config")
    config = Parts(secret.data["value"]).cloud_config if kind is NodeadmConfig else cloud_config(secret.data["value"])
    assert config["write_files"] == [{"path": "/etc/token", "content": "one"}]

    async def ready() -> bool:
        found = await eks.world.client.get(kind, "boot", NS)
        pool = await eks.world.client.get(MachinePool, "pool", NS)
        told = condition(found, "DataSecretAvailable")[0] == condition(found, "Ready")[0] == "True"
        named = pool.spec.template.spec.bootstrap.data_secret_name == found.status.data_secret_name == "boot"
        return bool(found.status.ready) and told and named

    await eks.world.until(ready)


async def test_data_follows_spec_secrets_and_cluster_and_comes_back_when_it_is_deleted(eks: EKS) -> None:
    eks.make_cluster()
    await eks.world.load(MANIFEST + POOL.replace("KIND", "NodeadmConfig"))
    first = await until_data(eks, bool)
    assert Parts(first.data["value"]).node_config["cluster"] == {
        "name": CLUSTER,
        "apiServerEndpoint": eks.cluster.endpoint,
        "certificateAuthority": eks.cluster.certificate_authority["data"],
        "cidr": "10.100.0.0/16",
    }
    assert b"k8s-aws-v1." not in first.data["value"]
    await eks.world.patch(NodeadmConfig, "boot", {"spec": {"preNodeadmCommands": ["echo two"]}})
    second = await until_data(eks, lambda value: b"echo two" in value)
    assert second.metadata.annotations != first.metadata.annotations
    await eks.world.client.delete(Secret, "extra", NS)
    await extra(eks, b"another")
    await until_data(eks, lambda value: b"content: another" in value)
    eks.cluster.endpoint = eks.cluster.endpoint.replace("capipool.invalid", "elsewhere.invalid")
    moved = await until_data(eks, lambda value: b"elsewhere.invalid" in value)
    await eks.world.client.delete(Secret, "boot", NS)
    back = await until_data(eks, lambda value: value == moved.data["value"])
    assert back.metadata.uid != moved.metadata.uid


async def test_a_token_that_is_replaced_changes_no_data(eks: EKS, monkeypatch: pytest.MonkeyPatch) -> None:
    from capipool.providers.aws.eks import tokens

    eks.make_cluster()
    await eks.world.load(MANIFEST + POOL.replace("KIND", "EKSConfig"))
    secret = await until_data(eks, bool)
    first = (await eks.secret("demo-kubeconfig")).data["token-file"]
    monkeypatch.setattr(tokens, "REFRESH", tokens.REFRESH * 0)

    async def replaced() -> bool:
        return (await eks.secret("demo-kubeconfig")).data["token-file"] != first

    await eks.world.until(replaced)
    again = await until_data(eks, bool)
    assert again.metadata.resource_version == secret.metadata.resource_version


async def test_a_missing_secret_is_told_and_older_data_stays_in_use(eks: EKS) -> None:
    eks.make_cluster()
    await eks.world.load(MANIFEST + POOL.replace("KIND", "NodeadmConfig"))
    before = await until_data(eks, bool)

    async def ready() -> bool:
        return bool((await eks.world.client.get(NodeadmConfig, "boot", NS)).status.ready)

    await eks.world.until(ready)
    await eks.world.client.delete(Secret, "extra", NS)

    async def told() -> bool:
        found = await eks.world.client.get(NodeadmConfig, "boot", NS)
        return condition(found, "Ready")[2] == "spec.files[0].contentFrom: secret extra does not exist"

    await eks.world.until(told)
    assert (await eks.world.client.get(NodeadmConfig, "boot", NS)).status.ready
    assert (await until_data(eks, bool)).data == before.data


async def test_upstreams_manifest_of_a_cluster_that_exists_becomes_ready_as_it_is(eks: EKS) -> None:
    """But for the node group, which EKS keeps: the control plane finds its cluster by upstream's name for it."""
    eks.make_cluster("default_demo-control-plane")
    text = shared("upstream/manifests/aws-eks-managedmachinepool.yaml").read_text()
    await eks.world.load(text, without=("AWSManagedMachinePool",))

    async def ready() -> bool:
        found = await eks.world.client.get(NodeadmConfig, "demo-pool-0", NS)
        return bool(found.status.ready)

    await eks.world.until(ready)
    secret = await eks.secret("demo-pool-0")
    assert Parts(secret.data["value"]).node_config["cluster"]["name"] == "default_demo-control-plane"
