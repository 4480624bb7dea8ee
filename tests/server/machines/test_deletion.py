"""A Machine is taken apart in order: hooks, drain under budgets, volumes, infrastructure, node."""

from typing import Any

from capipool.api.builtin import Node, Pod, PodDisruptionBudget
from capipool.api.core import Machine
from capipool.machinery import errors, objects
from capipool.machinery.calls import Call
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.resource import Resource
from tests.server.core_world import MACHINES
from tests.server.machines_world import API, World, in_a_world

ATTACHMENTS = Resource("storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments", namespaced=False)
PRE_DRAIN = "pre-drain.delete.hook.machine.cluster.x-k8s.io/backup"
PRE_TERMINATE = "pre-terminate.delete.hook.machine.cluster.x-k8s.io/backup"


async def start(world: World, **annotations: str) -> Machine:
    """A deployment of one machine, whose node has joined."""
    await world.create_deployment(replicas=1, metadata={"annotations": annotations})
    await world.settle(10)
    (machine,) = await world.machines()
    return machine


async def run_pod(world: World, name: str, node: str, **metadata: Any) -> None:
    meta = {"name": name, "namespace": "default", "labels": {"app": "web"}, **metadata}
    containers = [{"name": "c", "image": "i"}]
    raw = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": node, "containers": containers}}
    await world.workload.create(objects.from_raw(Unstructured, raw), resource=Pod.RESOURCE)
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await world.workload.patch(Pod, name, "default", patch={"status": ready}, subresource="status")


async def finish_pods(world: World) -> None:
    """The kubelet takes away what is to go."""
    for pod in await world.workload.list(Pod, "default"):
        if pod.deleting:
            await world.workload.delete(Pod, pod.metadata.name, "default", grace_period_seconds=0)


async def budget(world: World, least: int) -> None:
    spec: Raw = {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": least}
    raw = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": spec,
    }
    await world.workload.create(objects.from_raw(PodDisruptionBudget, raw))
    await world.settle(1)


async def delete(world: World, machine: Machine) -> None:
    await world.client.delete(Machine, machine.metadata.name, "default")
    await world.settle(3)


async def deleting(world: World, machine: Machine) -> tuple[str, str]:
    """Reason and message of the condition `Deleting`."""
    found = await world.client.get(Machine, machine.metadata.name, "default")
    condition = next(c for c in found.status.conditions if c.type == "Deleting")
    return condition.reason, condition.message


@in_a_world
async def test_a_budget_holds_the_drain_and_is_named_with_its_pod(world: World) -> None:
    machine = await start(world)
    node = machine.metadata.name
    await run_pod(world, "web-0", node)
    await budget(world, 1)
    await delete(world, machine)
    reason, message = await deleting(world, machine)
    assert reason == "DrainingNode"
    assert "Pod default/web-0: PodDisruptionBudget web does not allow its eviction now" in message
    assert (await world.workload.list(Pod, "default"))[0].metadata.deletion_timestamp is None
    (there,) = [n for n in await world.nodes() if n.metadata.name == node]
    assert there.spec.unschedulable
    await world.workload.patch(PodDisruptionBudget, "web", "default", patch={"spec": {"minAvailable": 0}})
    await world.settle(15)
    await finish_pods(world)
    await world.settle(30)
    assert not await world.exists(Machine, node)
    assert node not in {n.metadata.name for n in await world.nodes()}


@in_a_world
async def test_the_drain_timeout_ends_the_wait(world: World) -> None:
    machine = await start(world)
    name = machine.metadata.name
    patch = {"template": {"spec": {"deletion": {"nodeDrainTimeoutSeconds": 60}}}}
    await world.patch_deployment(patch)
    await run_pod(world, "web-0", name)
    await budget(world, 1)
    await delete(world, machine)
    await world.settle(50)
    assert await world.exists(Machine, name)
    await world.settle(20)
    assert not await world.exists(Machine, name)


@in_a_world
async def test_hooks_hold_it_before_the_drain_and_before_the_end(world: World) -> None:
    machine = await start(world)
    name = machine.metadata.name
    hooks = {PRE_DRAIN: "", PRE_TERMINATE: ""}
    await world.client.patch(Machine, name, "default", patch={"metadata": {"annotations": hooks}})
    await delete(world, machine)
    assert (await deleting(world, machine))[0] == "WaitingForPreDrainHook"
    assert not next(n for n in await world.nodes() if n.metadata.name == name).spec.unschedulable
    await world.client.patch(Machine, name, "default", patch={"metadata": {"annotations": {PRE_DRAIN: None}}})
    await world.settle(3)
    reason, message = await deleting(world, machine)
    assert reason == "WaitingForPreTerminateHook"
    assert PRE_TERMINATE in message
    assert next(n for n in await world.nodes() if n.metadata.name == name).spec.unschedulable
    assert await world.exists(MACHINES, name)
    await world.client.patch(Machine, name, "default", patch={"metadata": {"annotations": {PRE_TERMINATE: None}}})
    await world.settle(5)
    assert not await world.exists(Machine, name)


async def attach_volume(world: World, node: str) -> None:
    spec = {"attacher": "csi", "nodeName": node, "source": {"persistentVolumeName": "pv-1"}}
    raw = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": "va"}, "spec": spec}
    await world.workload.create(objects.from_raw(Unstructured, raw), resource=ATTACHMENTS)
    attached = {"status": {"attached": True}}
    await world.workload.patch(ATTACHMENTS, "va", patch=attached, subresource="status")


@in_a_world
async def test_volumes_are_waited_for_after_the_drain(world: World) -> None:
    machine = await start(world)
    name = machine.metadata.name
    await attach_volume(world, name)
    await delete(world, machine)
    reason, message = await deleting(world, machine)
    assert reason == "WaitingForVolumeDetach"
    assert "pv-1" in message
    await world.workload.delete(ATTACHMENTS, "va")
    await world.settle(10)
    assert not await world.exists(Machine, name)


@in_a_world
async def test_the_volume_timeout_ends_the_wait(world: World) -> None:
    machine = await start(world)
    name = machine.metadata.name
    await world.patch_deployment({"template": {"spec": {"deletion": {"nodeVolumeDetachTimeoutSeconds": 60}}}})
    await attach_volume(world, name)
    await delete(world, machine)
    await world.settle(50)
    assert await world.exists(Machine, name)
    await world.settle(20)
    assert not await world.exists(Machine, name)


@in_a_world
async def test_the_annotation_has_volumes_not_waited_for(world: World) -> None:
    machine = await start(world, **{"machine.cluster.x-k8s.io/exclude-wait-for-node-volume-detach": ""})
    await attach_volume(world, machine.metadata.name)
    await delete(world, machine)
    await world.settle(5)
    assert not await world.exists(Machine, machine.metadata.name)


@in_a_world
async def test_a_node_that_cannot_be_deleted_holds_its_machine_until_the_timeout(world: World) -> None:
    machine = await start(world)
    name = machine.metadata.name
    await world.patch_deployment({"template": {"spec": {"deletion": {"nodeDeletionTimeoutSeconds": 60}}}})
    await world.settle(1)
    inner = world.workload_transport.call

    async def refuse(call: Call) -> Any:
        if (call.verb, call.resource) == ("delete", Node.RESOURCE):
            raise errors.Forbidden("nodes are kept here")
        return await inner(call)

    world.workload_transport.call = refuse  # type: ignore[method-assign]
    await delete(world, machine)
    await world.settle(45)
    assert await world.exists(Machine, name)
    assert not await world.exists(MACHINES, name)
    await world.settle(60)
    assert not await world.exists(Machine, name)
    assert name in [n.metadata.name for n in await world.nodes()]


@in_a_world
async def test_drain_rules_say_who_goes_first_and_who_stays(world: World) -> None:
    machine = await start(world)
    name = machine.metadata.name
    for pod, role in (("db", "db"), ("web", "web"), ("log", "log")):
        await run_pod(world, pod, name, labels={"role": role})
    for rule, drain in (
        ("log", {"behavior": "Skip"}),
        ("db", {"behavior": "Drain", "order": 10}),
    ):
        pods = [{"selector": {"matchLabels": {"role": rule}}}]
        await world.create(API, "MachineDrainRule", rule, {"drain": drain, "pods": pods})
    await delete(world, machine)
    going = {p.metadata.name: p.deleting for p in await world.workload.list(Pod, "default")}
    assert going == {"db": False, "web": True, "log": False}
    assert "After these" in (await deleting(world, machine))[1]
    await finish_pods(world)
    await world.settle(5)
    going = {p.metadata.name: p.deleting for p in await world.workload.list(Pod, "default")}
    assert going == {"db": True, "log": False}
    await finish_pods(world)
    await world.settle(10)
    assert not await world.exists(Machine, name)


@in_a_world
async def test_the_annotation_leaves_the_node_undrained(world: World) -> None:
    machine = await start(world, **{"machine.cluster.x-k8s.io/exclude-node-draining": ""})
    await run_pod(world, "web-0", machine.metadata.name)
    await budget(world, 1)
    await delete(world, machine)
    await world.settle(5)
    assert not await world.exists(Machine, machine.metadata.name)


@in_a_world
async def test_a_paused_machine_is_not_taken_apart(world: World) -> None:
    machine = await start(world)
    name = machine.metadata.name
    await world.client.patch(
        Machine, name, "default", patch={"metadata": {"annotations": {"cluster.x-k8s.io/paused": ""}}}
    )
    await delete(world, machine)
    assert await world.exists(MACHINES, name)
    await world.client.patch(
        Machine, name, "default", patch={"metadata": {"annotations": {"cluster.x-k8s.io/paused": None}}}
    )
    await world.settle(5)
    assert not await world.exists(Machine, name)
