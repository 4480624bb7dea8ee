"""MachineSets against an API server: whose machines are whose, and sizes that others set."""

from __future__ import annotations

from capipool.api.core import Cluster, Machine, MachineDeployment, MachineSet
from capipool.core import ownership
from capipool.machinery import objects
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.resource import Resource
from tests.server.core_world import DEFINITIONS, definition
from tests.server.machines_world import API, World, in_a_world

LABELS = {"cluster.x-k8s.io/cluster-name": "c", "app": "x"}
PLANES = Resource("acme.example.org", "v3", "AcmeControlPlane", "acmecontrolplanes")
SKIP = "machineset.cluster.x-k8s.io/skip-preflight-checks"
DEBUGGED: Raw = {"metadata": {"labels": {"app": "debugged"}}}


async def create_set(world: World, replicas: int, **spec: object) -> None:
    template = {"metadata": {"labels": {"app": "x"}}, "spec": world.machine_spec()}
    selector = {"matchLabels": {"app": "x"}}
    whole = {"clusterName": "c", "replicas": replicas, "selector": selector, "template": template, **spec}
    await world.create(API, "MachineSet", "ms", whole)
    await world.settle(10)


async def owned(world: World) -> list[str]:
    uid = (await world.client.get(MachineSet, "ms", "default")).metadata.uid
    machines = await world.machines()
    return [
        m.metadata.name for m in machines if any(o.uid == uid and o.controller for o in m.metadata.owner_references)
    ]


@in_a_world
async def test_a_machine_without_an_owner_that_the_selector_finds_is_adopted_and_counts(world: World) -> None:
    await world.create(API, "Machine", "stray", world.machine_spec(), labels=LABELS)
    await create_set(world, 2)
    assert "stray" in await owned(world)
    assert len(await world.machines()) == 2


@in_a_world
async def test_a_machine_of_somebody_else_is_not_adopted(world: World) -> None:
    await world.create(API, "Machine", "theirs", world.machine_spec(), labels=LABELS)
    cluster = await world.client.get(Cluster, "c", "default")
    owner = objects.part_to_raw(ownership.reference(cluster, controller=True))
    await world.client.patch(Machine, "theirs", "default", patch={"metadata": {"ownerReferences": [owner]}})
    await create_set(world, 1)
    assert "theirs" not in await owned(world)


@in_a_world
async def test_a_machine_taken_out_by_its_label_is_let_go_and_another_takes_its_place(world: World) -> None:
    await create_set(world, 2)
    before = await owned(world)
    await world.client.patch(Machine, before[0], "default", patch=DEBUGGED)
    await world.settle(20)
    taken = await world.client.get(Machine, before[0], "default")
    assert (taken.deleting, taken.metadata.owner_references) == (False, ())
    assert taken.metadata.labels["app"] == "debugged"
    assert taken.status.phase == "Running"
    after = await owned(world)
    assert len(after) == 2
    assert before[0] not in after
    assert (await world.client.get(MachineSet, "ms", "default")).status.replicas == 2


@in_a_world
async def test_a_machine_that_comes_back_by_its_label_is_one_too_many(world: World) -> None:
    await create_set(world, 2)
    taken = (await owned(world))[0]
    await world.client.patch(Machine, taken, "default", patch=DEBUGGED)
    await world.settle(20)
    await world.client.patch(Machine, taken, "default", patch={"metadata": {"labels": {"app": "x"}}})
    await world.settle(30)
    assert len(await owned(world)) == len(await world.machines()) == 2


@in_a_world
async def test_sets_and_deployments_are_scaled_through_their_subresource(world: World) -> None:
    await create_set(world, 1)
    await world.create_deployment(replicas=1)
    await world.settle(20)
    size = {"spec": {"replicas": 3}}
    await world.client.patch(MachineSet.RESOURCE, "ms", "default", patch=size, subresource="scale")
    await world.client.patch(MachineDeployment.RESOURCE, "md", "default", patch=size, subresource="scale")
    await world.settle(30)
    machine_set = await world.client.get(MachineSet, "ms", "default")
    deployment = await world.deployment()
    assert (machine_set.status.replicas, machine_set.status.selector) == (3, "app=x")
    assert deployment.status.replicas == 3
    assert deployment.status.selector
    assert len(await world.machines()) == 6


async def have_a_control_plane(world: World, wanted: str, running: str) -> None:
    """The Cluster has a control plane that goes from one version to another."""
    await world.client.create(objects.from_raw(Unstructured, definition(PLANES)), resource=DEFINITIONS)
    await world.create(PLANES.api_version, PLANES.kind, "cp", {"version": wanted})
    await run_version(world, running)
    reference = {"apiGroup": PLANES.group, "kind": PLANES.kind, "name": "cp"}
    await world.client.patch(Cluster, "c", "default", patch={"spec": {"controlPlaneRef": reference}})
    await world.settle(5)


async def run_version(world: World, version: str) -> None:
    status = {"version": version, "initialization": {"controlPlaneInitialized": True}}
    await world.client.patch(PLANES, "cp", "default", patch={"status": status}, subresource="status")


@in_a_world
async def test_no_machine_is_made_while_the_control_plane_is_upgraded(world: World) -> None:
    await have_a_control_plane(world, "v1.34.0", "v1.33.0")
    await create_set(world, 2)
    assert await owned(world) == []
    machine_set = await world.client.get(MachineSet, "ms", "default")
    scaling = next(c for c in machine_set.status.conditions if c.type == "ScalingUp")
    assert "AcmeControlPlane default/cp is upgrading to 1.34.0" in scaling.message
    await run_version(world, "v1.34.0")
    await world.settle(20)
    assert len(await owned(world)) == 2


@in_a_world
async def test_a_check_before_machines_are_made_is_skipped_by_its_name(world: World) -> None:
    await have_a_control_plane(world, "v1.34.0", "v1.33.0")
    await create_set(world, 1)
    annotations = {"annotations": {SKIP: "ControlPlaneIsStable"}}
    await world.client.patch(MachineSet, "ms", "default", patch={"metadata": annotations})
    await world.settle(20)
    assert len(await owned(world)) == 1


@in_a_world
async def test_a_marked_machine_goes_first_and_then_the_newest_where_that_is_the_order(world: World) -> None:
    await create_set(world, 1, deletion={"order": "Newest"})
    (first,) = await owned(world)
    for replicas in (2, 3):
        await world.client.patch(MachineSet, "ms", "default", patch={"spec": {"replicas": replicas}})
        await world.settle(20)
    ages = {m.metadata.name: m.metadata.creation_timestamp for m in await world.machines()}
    by_age = sorted(ages, key=lambda name: str(ages[name]))
    marked = {"annotations": {"cluster.x-k8s.io/delete-machine": ""}}
    await world.client.patch(Machine, by_age[1], "default", patch={"metadata": marked})
    await world.client.patch(MachineSet, "ms", "default", patch={"spec": {"replicas": 2}})
    await world.settle(20)
    assert set(await owned(world)) == {by_age[0], by_age[2]}
    await world.client.patch(MachineSet, "ms", "default", patch={"spec": {"replicas": 1}})
    await world.settle(20)
    assert await owned(world) == [first] == [by_age[0]]
