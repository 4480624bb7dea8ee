"""The provider against an API server: data, tokens and status over time, outages, and restarts."""

from __future__ import annotations

import datetime as dt
import random

import pytest
import yaml

from capipool.api.builtin import ConfigMap, Secret
from capipool.api.core import Machine
from capipool.app.transport import InProcessTransport
from capipool.client import Client
from capipool.machinery import conditions, errors, objects
from capipool.machinery.calls import ADMIN
from capipool.machinery.objects import ObjectMeta
from capipool.providers.kubeadm import tokens
from capipool.providers.kubeadm import world as vocabulary
from capipool.providers.kubeadm.api.v1beta1.kubeadmconfig import KubeadmConfig as OldKubeadmConfig
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig
from tests.server.kubeadm.world import SPACE, World, in_a_world
from tests.unit.kubeadm import worlds

TTL = tokens.DEFAULT_TTL


@in_a_world
async def test_a_pool_gets_data_that_its_machines_can_join_with(world: World) -> None:
    await world.own(worlds.pool())
    await world.wait()
    data = await world.data()
    assert data.type == "cluster.x-k8s.io/secret"
    assert data.metadata.labels == {"cluster.x-k8s.io/cluster-name": "c"}
    (owner,) = data.metadata.owner_references
    config = await world.config()
    assert (owner.kind, owner.uid, owner.controller) == ("KubeadmConfig", config.metadata.uid, True)
    assert set(data.data) == {"value", "format"}
    assert data.data["format"] == b"cloud-config"
    written = {f["path"]: f["content"] for f in yaml.safe_load(data.data["value"])["write_files"]}
    join = yaml.safe_load(written["/run/kubeadm/kubeadm-join-config.yaml"])
    assert join["discovery"]["bootstrapToken"]["apiServerEndpoint"] == "api.example.com:6443"
    assert (await world.held()).left(world.clock.now()) > TTL / 2
    assert config.status.data_secret_name == "workers"
    assert config.status.initialization.data_secret_created is True
    assert config.status.observed_generation == config.metadata.generation
    assert {c.type: c.status for c in config.status.conditions} == {
        "Paused": "False",
        "DataSecretAvailable": "True",
        "CertificatesAvailable": "True",
        "Ready": "True",
    }


@in_a_world
async def test_the_token_is_one_that_kubernetes_knows_as_such(world: World) -> None:
    await world.own(worlds.pool())
    await world.wait()
    token = await world.held()
    secret = await Client(InProcessTransport(world.server, SPACE, ADMIN)).get(
        Secret, f"bootstrap-token-{token.id}", "kube-system"
    )
    assert secret.type == "bootstrap.kubernetes.io/token"
    assert secret.data["auth-extra-groups"] == b"system:bootstrappers:kubeadm:default-node-token"
    assert secret.data["usage-bootstrap-authentication"] == secret.data["usage-bootstrap-signing"] == b"true"
    assert secret.data["expiration"].endswith(b"Z")


@pytest.mark.slow
@in_a_world
async def test_over_a_month_every_instance_gets_a_live_token_and_no_machine_would_be_replaced(world: World) -> None:
    await world.own(worlds.pool())
    await world.wait()
    digest = (await world.data()).metadata.annotations[vocabulary.DIGEST_ANNOTATION]
    values = {(await world.data()).data["value"]}
    await world.join()
    for _ in range(239):  # a month, an instance every three hours, at a different phase of the token each time
        await world.wait(minutes=181)
        held = await world.held()
        assert held.left(world.clock.now()) >= TTL / 2 - dt.timedelta(seconds=5)
        data = await world.data()
        values.add(data.data["value"])
        assert data.metadata.annotations[vocabulary.DIGEST_ANNOTATION] == digest
        assert len(await world.tokens()) <= 3
    assert len(values) == 240, "the token was rotated"
    config = await world.config()
    assert config.metadata.generation == 1, "the spec is the user's"


@in_a_world
async def test_while_nothing_has_joined_the_same_token_is_kept_alive(world: World) -> None:
    await world.own(worlds.pool())
    await world.wait()
    first, version = await world.held(), (await world.data()).metadata.resource_version
    await world.wait(minutes=120)
    held = await world.held()
    assert held.id == first.id
    assert held.left(world.clock.now()) > TTL / 3
    assert (await world.data()).metadata.resource_version == version


@in_a_world
async def test_an_hour_without_the_workload_api_ends_with_one_new_token(world: World) -> None:
    await world.own(worlds.pool())
    await world.wait()
    await world.join()
    await world.wait(minutes=20)
    world.workload.away = True
    await world.wait(minutes=60)
    config = await world.config()
    assert conditions.is_true(config.status.conditions, "DataSecretAvailable")
    before = world.workload.created
    world.workload.away = False
    await world.wait(minutes=7)
    assert world.workload.created == before + 1
    assert (await world.held()).left(world.clock.now()) > dt.timedelta(0)


@in_a_world
async def test_a_token_that_was_deleted_is_replaced(world: World) -> None:
    await world.own(worlds.pool())
    await world.wait()
    await world.join()
    await world.wait()
    token = await world.held()
    workload = Client(InProcessTransport(world.server, SPACE, ADMIN))
    await workload.delete(Secret, tokens.secret_name(token.id), tokens.NAMESPACE)
    await world.wait(minutes=8)
    assert (await world.held()).id != token.id


@in_a_world
async def test_dead_tokens_that_nobody_remembers_are_swept(world: World) -> None:
    workload = Client(InProcessTransport(world.server, SPACE, ADMIN))
    long_ago = world.clock.now() - dt.timedelta(days=1)
    for number in range(3):
        orphan = tokens.mint(random.Random(number), now=long_ago, ttl=TTL)
        await workload.create(tokens.to_secret(orphan, owner="gone"))
    foreign = tokens.mint(random.Random(9), now=long_ago, ttl=TTL)
    await workload.create(
        objects.replace(
            tokens.to_secret(foreign, owner="x"),
            metadata=ObjectMeta(name="bootstrap-token-foreign", namespace="kube-system"),
        )
    )
    await world.own(worlds.pool())
    await world.wait()
    assert set(await world.tokens()) == {(await world.held()).id, foreign.id}


@in_a_world
async def test_a_change_of_a_pools_configuration_changes_its_data_and_digest(world: World) -> None:
    await world.own(worlds.pool())
    await world.wait()
    before = await world.data()
    patch = {"spec": {"preKubeadmCommands": ["echo '{{ not jinja }}' $HOME"]}}
    await world.client.patch(KubeadmConfig, "workers", "default", patch=patch)
    await world.wait()
    after = await world.data()
    assert (
        after.metadata.annotations[vocabulary.DIGEST_ANNOTATION]
        != before.metadata.annotations[vocabulary.DIGEST_ANNOTATION]
    )
    assert yaml.safe_load(after.data["value"])["runcmd"][0] == "echo '{{ not jinja }}' $HOME"
    assert (await world.held()).id in before.data["value"].decode(), "the token stays"


@in_a_world
async def test_a_deleted_data_secret_comes_back(world: World) -> None:
    await world.own(worlds.pool())
    await world.wait()
    await world.client.delete(Secret, "workers", "default")
    await world.wait()
    assert (await world.held()).left(world.clock.now()) > dt.timedelta(0)


@in_a_world
async def test_waiting_is_said_and_ends_when_the_cluster_is_there(world: World) -> None:
    await world.set_cluster(controlPlaneInitialized=False)
    await world.own(worlds.pool())
    await world.wait()
    found = conditions.find((await world.config()).status.conditions, "DataSecretAvailable")
    assert found is not None
    assert (found.status, found.message) == ("False", "Waiting for Cluster control plane to be initialized")
    await world.set_cluster(controlPlaneInitialized=True)
    await world.wait()
    assert conditions.is_true((await world.config()).status.conditions, "Ready")


@in_a_world
async def test_content_of_a_secret_arrives_once_the_secret_is_there(world: World) -> None:
    source = {"secret": {"name": "s", "key": "k"}}
    await world.own(worlds.pool(), {"files": [{"path": "/a", "contentFrom": source}]})
    await world.wait()
    found = conditions.find((await world.config()).status.conditions, "DataSecretAvailable")
    assert found is not None
    assert found.message == "spec.files[0].contentFrom: secret s does not exist"
    await world.client.create(worlds.secret("s", {"k": b"hidden"}))
    await world.wait(minutes=1)
    written = yaml.safe_load((await world.data()).data["value"])["write_files"]
    assert {"path": "/a", "content": "hidden"} in written


@in_a_world
async def test_a_paused_configuration_is_not_touched_and_a_dead_token_is_replaced_afterwards(world: World) -> None:
    await world.own(worlds.pool())
    await world.wait()
    await world.join()
    paused = {"metadata": {"annotations": {"cluster.x-k8s.io/paused": "true"}}}
    await world.client.patch(KubeadmConfig, "workers", "default", patch=paused)
    await world.wait()
    version = (await world.data()).metadata.resource_version
    assert conditions.is_true((await world.config()).status.conditions, "Paused")
    await world.wait(minutes=180)
    assert (await world.data()).metadata.resource_version == version
    await world.client.patch(
        KubeadmConfig, "workers", "default", patch={"metadata": {"annotations": {"cluster.x-k8s.io/paused": None}}}
    )
    await world.wait()
    assert not conditions.is_true((await world.config()).status.conditions, "Paused")
    assert (await world.held()).left(world.clock.now()) > TTL / 2


@in_a_world
async def test_a_machine_keeps_its_data_and_its_token_goes_after_it_joined(world: World) -> None:
    await world.own(worlds.machine())
    await world.wait(minutes=30)
    data, token = await world.data(), await world.held()
    assert token.left(world.clock.now()) > dt.timedelta(0)
    status = {"status": {"nodeRef": {"name": "node"}}}
    await world.client.patch(Machine, "m", "default", patch=status, subresource="status")
    await world.wait(minutes=30)
    assert await world.tokens() == {}
    assert (await world.data()).metadata.resource_version == data.metadata.resource_version


@in_a_world
async def test_one_machine_initializes_the_control_plane_with_certificates_made_here(world: World) -> None:
    await world.client.delete(Secret, "c-ca", "default")
    await world.set_cluster(controlPlaneInitialized=False)
    machine = worlds.machine(control_plane=True)
    await world.own(machine, {"clusterConfiguration": {"encryptionAlgorithm": "ECDSA-P256"}})
    await world.wait(minutes=1)
    lock = await world.client.get(ConfigMap, "c-lock", "default")
    assert "m" in lock.data["lock-information"]
    config = yaml.safe_load((await world.data()).data["value"])
    assert any(c.startswith("kubeadm init --config /run/kubeadm/kubeadm.yaml") for c in config["runcmd"])
    paths = {f["path"] for f in config["write_files"]}
    assert {"/etc/kubernetes/pki/ca.key", "/etc/kubernetes/pki/sa.pub", "/etc/kubernetes/pki/etcd/ca.crt"} <= paths
    made = await world.client.get(Secret, "c-ca", "default")
    assert made.data["tls.crt"].startswith(b"-----BEGIN CERTIFICATE")
    await world.set_cluster(controlPlaneInitialized=True)
    before = (await world.data()).metadata.resource_version
    await world.wait(minutes=30)
    assert (await world.data()).metadata.resource_version == before


@in_a_world
async def test_no_secret_is_in_any_status_or_event(world: World) -> None:
    await world.own(worlds.pool(), {"joinConfiguration": {"controlPlane": {}}})
    await world.wait(minutes=1)
    patch = {"spec": {"joinConfiguration": {"controlPlane": None, "nodeRegistration": {"name": "n"}}}}
    await world.client.patch(KubeadmConfig, "workers", "default", patch=patch)
    await world.wait(minutes=20)
    token = await world.held()
    config = objects.encode(await world.config())
    assert token.secret.encode() not in config
    for event in await world.client.list(await world.client.resources.find("", "Event"), "default"):
        assert token.secret.encode() not in objects.encode(event)


@in_a_world
async def test_both_versions_are_served(world: World) -> None:
    spec = {"joinConfiguration": {"nodeRegistration": {"kubeletExtraArgs": [{"name": "v", "value": "2"}]}}}
    await world.own(worlds.pool(), spec)
    await world.wait()
    old = await world.client.get(OldKubeadmConfig, "workers", "default")
    assert old.spec.join_configuration.node_registration.kubelet_extra_args == {"v": "2"}
    assert old.status.ready is True


@in_a_world
async def test_a_malformed_configuration_is_refused_with_its_field(world: World) -> None:
    duplicate = {"files": [{"path": "/a", "content": "x"}, {"path": "/a", "content": "y"}]}
    with pytest.raises(errors.Invalid) as refusal:
        await world.client.create(worlds.config(duplicate, uid=""))
    assert [e.path for e in refusal.value.errors] == ["spec.files[1].path"]
