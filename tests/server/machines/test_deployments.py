"""MachineDeployments against an API server: created, scaled, rolled, paused, deleted."""

from capipool.api.builtin import Event
from capipool.api.constants import Label
from capipool.api.core import Cluster, MachineDeployment
from capipool.machinery.objects import Raw
from tests.server.core_world import DEFINITIONS, MACHINES
from tests.server.machines_world import TEMPLATES, World, in_a_world


def told(deployment: MachineDeployment, type_: str) -> tuple[str, str]:
    found = next(c for c in deployment.status.conditions if c.type == type_)
    return found.status, found.message


@in_a_world
async def test_a_deployment_makes_a_set_which_makes_machines_which_become_nodes(world: World) -> None:
    await world.create_deployment(replicas=3)
    await world.settle(10)
    deployment, machines, nodes = await world.deployment(), await world.machines(), await world.nodes()
    assert deployment.status.phase == "Running"
    assert deployment.status.available_replicas == 3
    assert [m.status.phase for m in machines] == ["Running"] * 3
    assert {m.status.node_ref.name for m in machines if m.status.node_ref} == {n.metadata.name for n in nodes}
    assert all(n.metadata.annotations["cluster.x-k8s.io/machine"] == n.metadata.name for n in nodes)
    assert all(not n.spec.taints for n in nodes)
    parts = await world.client.list(MACHINES, "default")
    assert {p.metadata.name for p in parts} == {m.metadata.name for m in machines}
    assert {p.metadata.annotations["cluster.x-k8s.io/cloned-from-name"] for p in parts} == {"small"}
    assert {o.kind for p in parts for o in p.metadata.owner_references} == {"Machine"}


@in_a_world
async def test_when_all_is_as_wanted_nothing_is_written(world: World) -> None:
    await world.create_deployment(replicas=2)
    await world.settle(10)
    world.writes.take()
    world.node_writes.take()
    await world.settle(120)
    assert world.writes.take() == []
    assert world.node_writes.take() == []


@in_a_world
async def test_a_new_version_rolls_out_with_surge_one_and_never_fewer_ready_than_wanted(world: World) -> None:
    await world.create_deployment(replicas=3)
    await world.settle(10)
    before = {m.metadata.name for m in await world.machines()}
    world.watching = True
    await world.patch_deployment({"template": {"spec": {"version": "v1.35.0"}}})
    await world.settle(60)
    machines = await world.machines()
    assert len(machines) == 3
    assert not before & {m.metadata.name for m in machines}
    assert {m.spec.version for m in machines} == {"v1.35.0"}
    assert world.most_machines == 4
    assert world.least_ready >= 3
    deployment = await world.deployment()
    assert told(deployment, "RollingOut")[0] == "False"
    assert deployment.metadata.annotations["machinedeployment.clusters.x-k8s.io/revision"] == "2"
    assert len(await world.sets()) == 1
    assert len(await world.nodes()) == 3


@in_a_world
async def test_a_version_that_does_not_come_up_stops_the_rollout_and_leaves_the_old_machines(world: World) -> None:
    await world.create_deployment(replicas=3)
    await world.settle(10)
    world.broken.add("v1.35.0")
    world.watching = True
    await world.patch_deployment({"template": {"spec": {"version": "v1.35.0"}}})
    await world.settle(300)
    assert world.least_ready >= 3
    assert sorted(m.spec.version for m in await world.machines()) == ["v1.34.0"] * 3 + ["v1.35.0"]
    status, message = told(await world.deployment(), "RollingOut")
    assert status == "True"
    assert "Version v1.34.0, v1.35.0 required" in message
    assert "Waiting for a Node" in message


@in_a_world
async def test_what_is_changed_in_place_replaces_no_machine(world: World) -> None:
    await world.create_deployment(replicas=2, metadata={"labels": {"node.cluster.x-k8s.io/pool": "a"}})
    await world.settle(10)
    before = {m.metadata.uid for m in await world.machines()}
    template = {
        "metadata": {"labels": {"node.cluster.x-k8s.io/pool": "b"}},
        "spec": {"deletion": {"nodeDrainTimeoutSeconds": 30}},
    }
    await world.patch_deployment({"template": template})
    await world.settle(10)
    machines = await world.machines()
    assert {m.metadata.uid for m in machines} == before
    assert {m.spec.deletion.node_drain_timeout_seconds for m in machines} == {30}
    assert {n.metadata.labels["node.cluster.x-k8s.io/pool"] for n in await world.nodes()} == {"b"}
    await world.patch_deployment({"template": {"metadata": {"labels": {"node.cluster.x-k8s.io/pool": None}}}})
    await world.settle(10)
    assert all("node.cluster.x-k8s.io/pool" not in n.metadata.labels for n in await world.nodes())


@in_a_world
async def test_it_is_scaled_up_and_down_and_to_zero(world: World) -> None:
    await world.create_deployment(replicas=1)
    await world.settle(10)
    for replicas in (4, 2, 0, 1):
        await world.client.update_scale(MachineDeployment, "md", "default", replicas=replicas)
        await world.settle(20)
        assert len(await world.machines()) == replicas
        assert len(await world.nodes()) == replicas
        assert (await world.deployment()).status.phase == "Running"


@in_a_world
async def test_with_on_delete_a_machine_is_replaced_when_somebody_deletes_it(world: World) -> None:
    await world.create_deployment(replicas=2, rollout={"strategy": {"type": "OnDelete"}})
    await world.settle(10)
    await world.patch_deployment({"template": {"spec": {"version": "v1.35.0"}}})
    await world.settle(60)
    assert [m.spec.version for m in await world.machines()] == ["v1.34.0"] * 2
    first = (await world.machines())[0]
    await world.client.delete(type(first), first.metadata.name, "default")
    await world.settle(30)
    assert sorted(m.spec.version for m in await world.machines()) == ["v1.34.0", "v1.35.0"]


@in_a_world
async def test_a_paused_deployment_does_not_roll_but_scales(world: World) -> None:
    await world.create_deployment(replicas=2, paused=True)
    await world.settle(5)
    assert await world.machines() == []
    await world.patch_deployment({"paused": False})
    await world.settle(10)
    await world.patch_deployment({"paused": True, "template": {"spec": {"version": "v1.35.0"}}})
    await world.settle(5)
    await world.patch_deployment({"replicas": 3})
    await world.settle(20)
    assert [m.spec.version for m in await world.machines()] == ["v1.34.0"] * 3
    assert told(await world.deployment(), "Paused")[0] == "True"


@in_a_world
async def test_a_cluster_that_is_missing_is_named_and_waited_for(world: World) -> None:
    patch = {"metadata": {"finalizers": None}}
    await world.client.patch(Cluster, "c", "default", patch=patch)
    await world.client.delete(Cluster, "c", "default")
    await world.create_deployment(replicas=1)
    await world.settle(5)
    assert told(await world.deployment(), "Available") == ("False", "Cluster c does not exist")
    await world.create_cluster(kubeconfig=False)
    await world.settle(30)
    assert told(await world.deployment(), "Available")[0] == "True"


@in_a_world
async def test_a_template_that_is_missing_is_named_and_made_up_for_when_it_comes(world: World) -> None:
    await world.create_deployment(replicas=1, machine={"template": "large"})
    await world.settle(5)
    status, message = told(await world.deployment(), "ScalingUp")
    assert status == "True"
    assert "AcmeMachineTemplate large does not exist" in message
    await world.create_template("large")
    await world.settle(10)
    assert (await world.deployment()).status.phase == "Running"


@in_a_world
async def test_rollout_after_replaces_machines_once(world: World) -> None:
    await world.create_deployment(replicas=2)
    await world.settle(10)
    before = {m.metadata.name for m in await world.machines()}
    soon = world.clock.now().replace(microsecond=0).isoformat().replace("+00:00", "Z")
    await world.settle(5)
    await world.patch_deployment({"rollout": {"after": soon}})
    await world.settle(60)
    after = {m.metadata.name for m in await world.machines()}
    assert len(after) == 2
    assert not before & after
    await world.settle(60)
    assert {m.metadata.name for m in await world.machines()} == after


@in_a_world
async def test_deleting_a_deployment_leaves_nothing_behind(world: World) -> None:
    await world.create_deployment(replicas=2)
    await world.settle(10)
    await world.client.delete(MachineDeployment, "md", "default")
    await world.settle(30)
    assert not await world.exists(MachineDeployment, "md")
    assert await world.sets() == []
    assert await world.machines() == []
    assert await world.client.list(MACHINES, "default") == []
    assert await world.nodes() == []


@in_a_world
async def test_machines_carry_the_names_of_their_set_and_deployment(world: World) -> None:
    await world.create_deployment(replicas=1)
    await world.settle(10)
    (machine,), (machine_set,) = await world.machines(), await world.sets()
    labels = machine.metadata.labels
    assert labels[Label.MACHINE_DEPLOYMENT_NAME] == "md"
    assert labels[Label.MACHINE_SET_NAME] == machine_set.metadata.name
    assert labels[Label.MACHINE_DEPLOYMENT_UNIQUE] == machine_set.metadata.labels[Label.MACHINE_DEPLOYMENT_UNIQUE]


@in_a_world
async def test_a_machine_says_what_its_infrastructure_and_its_node_say(world: World) -> None:
    await world.create_deployment(replicas=1, machine={"failureDomain": "a"})
    await world.settle(10)
    (machine,) = await world.machines()
    assert machine.spec.failure_domain == "a"
    assert machine.spec.provider_id == f"acme://{machine.metadata.name}"
    assert [(a.type, a.address) for a in machine.status.addresses] == [("InternalIP", "10.0.0.1")]
    assert machine.status.node_info is not None
    assert machine.status.node_info.kubelet_version == "v1.34.0"
    assert {c.type: c.status for c in machine.status.deprecated.v1beta1.conditions} == {
        "Ready": "True",
        "BootstrapReady": "True",
        "InfrastructureReady": "True",
        "NodeHealthy": "True",
    }
    status = {"failureDomain": "b"}
    await world.client.patch(MACHINES, machine.metadata.name, "default", patch={"status": status}, subresource="status")
    await world.settle(10)
    assert (await world.machines())[0].status.failure_domain == "b"


@in_a_world
async def test_a_rollout_waits_until_a_machine_was_ready_for_long_enough(world: World) -> None:
    await world.create_deployment(replicas=3, machine={"minReadySeconds": 30})
    await world.settle(60)
    assert (await world.deployment()).status.available_replicas == 3
    await world.patch_deployment({"template": {"spec": {"version": "v1.35.0"}}})
    await world.settle(60)
    versions = [m.spec.version for m in await world.machines()]
    assert versions.count("v1.34.0") == 2
    await world.settle(60)
    assert [m.spec.version for m in await world.machines()] == ["v1.35.0"] * 3


@in_a_world
async def test_in_the_middle_of_a_rollout_that_is_paused_each_set_is_scaled_by_its_share(world: World) -> None:
    await world.create_deployment(replicas=4, rollout=rolling("50%", "25%"))
    await world.settle(10)
    world.broken.add("v1.35.0")
    await world.patch_deployment({"template": {"spec": {"version": "v1.35.0"}}})
    await world.settle(30)
    assert sorted(s.spec.replicas or 0 for s in await world.sets()) == [3, 3]
    await world.patch_deployment({"paused": True})
    await world.patch_deployment({"replicas": 8})
    await world.settle(30)
    assert sorted(s.spec.replicas or 0 for s in await world.sets()) == [5, 5]


@in_a_world
async def test_going_back_makes_the_set_that_there_was_the_newest_revision(world: World) -> None:
    await world.create_deployment(replicas=1)
    await world.settle(10)
    world.broken.add("v1.35.0")
    await world.patch_deployment({"template": {"spec": {"version": "v1.35.0"}}})
    await world.settle(20)
    (before,) = [m for m in await world.machines() if m.spec.version == "v1.34.0"]
    await world.patch_deployment({"template": {"spec": {"version": "v1.34.0"}}})
    await world.settle(30)
    (machine,), (machine_set,) = await world.machines(), await world.sets()
    assert machine.metadata.uid == before.metadata.uid
    annotations = machine_set.metadata.annotations
    assert annotations["machinedeployment.clusters.x-k8s.io/revision"] == "3"
    assert annotations["machinedeployment.clusters.x-k8s.io/revision-history"] == "1"


def rolling(surge: str, unavailable: str) -> Raw:
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}


@in_a_world
async def test_a_new_template_ends_what_the_server_refuses_to_make_from_the_old_one(world: World) -> None:
    """The old set never gets the machine that it lacks, but it sees its size, and the deployment rolls on."""
    await world.create_deployment(replicas=2)
    await world.settle(10)
    await sizes_are_words(world)
    await world.client.patch(TEMPLATES, "small", "default", patch={"spec": {"template": {"spec": {"size": 5}}}})
    await world.patch_deployment({"replicas": 3})
    await world.settle(20)
    await world.patch_deployment({"template": {"metadata": {"labels": {"a": "b"}}}})
    await world.settle(20)
    assert (await world.deployment()).status.available_replicas == 2
    (old,) = await world.sets()
    assert old.status.observed_generation == old.metadata.generation
    refused = [e for e in await world.client.list(Event, "default") if e.reason == "FailedCreate"]
    assert {e.involved_object.name for e in refused} == {old.metadata.name}
    assert all("spec.size" in e.message for e in refused)
    await world.create_template("large")
    await world.patch_deployment({"template": {"spec": {"infrastructureRef": {"name": "large"}}}})
    await world.settle(300)
    parts = await world.client.list(MACHINES, "default")
    assert [p.spec["size"] for p in parts] == ["large"] * 3
    assert (await world.deployment()).status.available_replicas == 3
    assert len(await world.sets()) == 1


async def sizes_are_words(world: World) -> None:
    """From now on, the provider refuses machines whose size is no text."""
    name = f"{MACHINES.plural}.{MACHINES.group}"
    found = await world.client.get(DEFINITIONS, name)
    versions = found.spec["versions"]
    for version in versions:
        version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"] = {"size": {"type": "string"}}
    await world.client.patch(DEFINITIONS, name, patch={"spec": {"versions": versions}})
    await world.settle(5)
