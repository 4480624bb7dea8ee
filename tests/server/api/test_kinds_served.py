"""The kinds of cluster.x-k8s.io as the embedded server serves them: both versions, defaults, rules, limits."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from capipool.api import converters, crds, rules
from capipool.api.core import Cluster, MachinePool
from capipool.api.v1beta1.machinepool import MachinePool as OldMachinePool
from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.app.transport import InProcessTransport
from capipool.client import Client
from capipool.machinery import objects
from capipool.machinery.calls import ADMIN
from capipool.machinery.errors import BadRequest, Forbidden, Invalid
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import Resource
from capipool.testing import virtual

DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)
NEW, OLD = MachinePool.RESOURCE, OldMachinePool.RESOURCE


def served(gates: Mapping[str, bool] | None = None) -> Callable[..., Callable[[], None]]:
    """Run a test with a client of a server that serves our kinds."""

    def wrap(test: Callable[[Client], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        async def main() -> None:
            server = Server(journal=MemoryJournal(), clock=virtual.clock(), rng=random.Random(1))
            for converter in converters.all_converters(lambda kind: "v1beta1"):
                server.add_converter(converter)
            for of in rules.all_rules(gates or {}):
                server.add_rules(of)
            await server.start()
            client = Client(InProcessTransport(server, "", ADMIN))
            try:
                for crd in crds.crds():
                    await client.create(objects.from_raw(Unstructured, crd), resource=DEFINITIONS)
                await test(client)
            finally:
                await server.stop()

        def run() -> None:
            virtual.run(main())

        run.__name__ = test.__name__
        return run

    return wrap


def pool(resource: Resource, **machine: Any) -> Unstructured:
    group = "infrastructure.cluster.x-k8s.io"
    reference = {"apiGroup": group} if resource == NEW else {"apiVersion": f"{group}/v1beta1"}
    spec = {
        "clusterName": "c",
        "bootstrap": {"dataSecretName": "s"},
        "infrastructureRef": {**reference, "kind": "P", "name": "n"},
        **machine,
    }
    raw = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"clusterName": "c", "template": {"spec": spec}},
    }
    return objects.from_raw(Unstructured, raw)


@served()
async def test_a_pool_written_in_the_old_version_is_read_in_the_new_and_back(client: Client) -> None:
    await client.create(pool(OLD, nodeDrainTimeout="1.5s", version="1.31.0"), resource=OLD)
    new = await client.get(MachinePool, "p", "default")
    machine = new.spec.template.spec
    assert new.spec.replicas == 1
    assert new.metadata.labels == {"cluster.x-k8s.io/cluster-name": "c"}
    assert machine.version == "v1.31.0"
    assert machine.deletion.node_drain_timeout_seconds == 1
    assert machine.deletion.node_deletion_timeout_seconds == 10
    old = await client.get(OldMachinePool, "p", "default")
    assert old.spec is not None
    assert old.spec.template.spec is not None
    assert old.spec.template.spec.node_drain_timeout == "1.5s"
    assert old.spec.template.spec.node_deletion_timeout == "10s"


@served()
async def test_a_patch_in_the_old_version_keeps_what_only_the_new_one_has(client: Client) -> None:
    await client.create(pool(NEW), resource=NEW)
    status = {"status": {"initialization": {"infrastructureProvisioned": False}, "upToDateReplicas": 1, "replicas": 0}}
    await client.patch(NEW, "p", "default", patch=status, subresource="status")
    await client.patch(OLD, "p", "default", patch={"spec": {"replicas": 4, "minReadySeconds": 7}})
    await client.patch(OLD, "p", "default", patch={"status": {"infrastructureReady": True}}, subresource="status")
    new = await client.get(MachinePool, "p", "default")
    assert new.spec.replicas == 4
    assert new.spec.template.spec.min_ready_seconds == 7
    assert new.status.initialization.infrastructure_provisioned is True
    assert new.status.up_to_date_replicas == 1
    assert new.status.replicas == 0


@served()
async def test_every_wrong_field_is_named(client: Client) -> None:
    with pytest.raises(Invalid) as schema:
        await client.create(pool(NEW, deletion={"nodeDrainTimeoutSeconds": -1}), resource=NEW)
    assert [e.path for e in schema.value.errors] == ["spec.template.spec.deletion.nodeDrainTimeoutSeconds"]
    with pytest.raises(Invalid) as rule:
        await client.create(pool(NEW, clusterName="d", version="v1"), resource=NEW)
    assert {e.path for e in rule.value.errors} == {"spec.clusterName", "spec.template.spec.version"}
    with pytest.raises(BadRequest, match="nodeDrainTimeout"):
        await client.create(pool(OLD, nodeDrainTimeout="soon"), resource=OLD)


@served()
async def test_a_write_in_the_old_version_is_judged_by_its_own_limits_and_paths(client: Client) -> None:
    raw = objects.to_raw(pool(OLD, nodeDrainTimeout=5, failureDomain=""))
    raw["spec"]["minReadySeconds"] = "soon"
    with pytest.raises(Invalid) as created:
        await client.create(objects.from_raw(Unstructured, raw), resource=OLD)
    machine = "spec.template.spec"
    wrong = {"spec.minReadySeconds", f"{machine}.nodeDrainTimeout", f"{machine}.failureDomain"}
    assert {e.path for e in created.value.errors} == wrong
    await client.create(pool(OLD), resource=OLD)
    with pytest.raises(Invalid) as changed:
        await client.patch(OLD, "p", "default", patch={"spec": {"minReadySeconds": "soon"}})
    assert [e.path for e in changed.value.errors] == ["spec.minReadySeconds"]
    told = {"type": "Ready", "status": "True", "reason": "x" * 257, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    with pytest.raises(Invalid) as status:
        await client.patch(OLD, "p", "default", patch={"status": {"conditions": [told]}}, subresource="status")
    assert [e.path for e in status.value.errors] == ["status.conditions[0].reason"]


@served()
async def test_a_pool_scales_in_both_versions(client: Client) -> None:
    await client.create(pool(NEW), resource=NEW)
    for wanted, resource in enumerate((OLD, NEW, OLD), start=2):
        assert await client.update_scale(resource, "p", "default", replicas=wanted) == wanted
        for version in (OLD, NEW):
            assert (await client.get_scale(version, "p", "default")).spec["replicas"] == wanted


@served()
async def test_the_cluster_of_a_pool_is_for_good(client: Client) -> None:
    await client.create(pool(NEW), resource=NEW)
    change = {"spec": {"clusterName": "d", "template": {"spec": {"clusterName": "d"}}}}
    with pytest.raises(Invalid, match=r"spec\.clusterName: Forbidden: field is immutable"):
        await client.patch(NEW, "p", "default", patch=change)


@served({"MachinePool": False})
async def test_no_new_pool_is_let_in_while_the_gate_is_off(client: Client) -> None:
    with pytest.raises(Forbidden, match="MachinePool is off"):
        await client.create(pool(NEW), resource=NEW)


@served()
async def test_a_typed_pool_is_written_and_scaled(client: Client) -> None:
    made = await client.create(objects.from_raw(MachinePool, objects.to_raw(pool(NEW))))
    assert made.spec.replicas == 1
    await client.patch(NEW, "p", "default", patch={"spec": {"replicas": 3}}, subresource="scale")
    assert (await client.get(MachinePool, "p", "default")).spec.replicas == 3


@served()
async def test_a_cluster_in_the_old_version_keeps_its_topology_and_endpoint(client: Client) -> None:
    old = Cluster.RESOURCE.at("v1beta1")
    spec = {
        "controlPlaneEndpoint": {"host": "h", "port": 6443},
        "topology": {
            "class": "k",
            "version": "1.31.0",
            "workers": {
                "machineDeployments": [
                    {
                        "class": "w",
                        "name": "a",
                        "strategy": {
                            "type": "RollingUpdate",
                            "rollingUpdate": {"maxSurge": 1, "deletePolicy": "Oldest"},
                        },
                    }
                ]
            },
        },
    }
    raw = {
        "apiVersion": old.api_version,
        "kind": "Cluster",
        "metadata": {"name": "c", "namespace": "default"},
        "spec": spec,
    }
    await client.create(objects.from_raw(Unstructured, raw), resource=old)
    new = await client.get(Cluster, "c", "default")
    assert new.spec.topology is not None
    assert new.spec.topology.class_ref.name == "k"
    (deployment,) = new.spec.topology.workers.machine_deployments
    assert deployment.deletion.order == "Oldest"
    assert deployment.rollout.strategy is not None
    assert deployment.rollout.strategy.rolling_update.max_surge == 1
    again = await client.get(old, "c", "default")
    assert again.spec["topology"]["version"] == "v1.31.0"
    assert again.spec["topology"]["workers"] == spec["topology"]["workers"]
