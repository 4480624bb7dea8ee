"""What a pool waits for, and that it says so: kinds that come later, a workload API that is away, time that passes."""

import datetime as dt

from capipool.api.builtin import Node, Secret
from capipool.api.core import Cluster, MachinePool
from capipool.core.options import Options
from capipool.machinery import objects
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import Resource
from capipool.testing import virtual
from tests.server.core_world import CONFIGS, DEFINITIONS, World, condition, definition, ids, in_a_world, running

LATE = Resource("late.example.org", "v1alpha7", "LatePool", "latepools")


@in_a_world
async def test_a_kind_that_is_installed_later_is_noticed_at_once(world: World) -> None:
    await world.create_cluster()
    reference = {"apiGroup": LATE.group, "kind": LATE.kind, "name": "late"}
    await world.create_pool(replicas=1, infrastructureRef=reference)
    await world.settle()
    told = condition(await world.pool(), "InfrastructureReady")
    assert told == ("False", "ObjectDoesNotExist", "no kind LatePool.late.example.org is installed")
    raw = definition(LATE, contract="v1beta1")
    await world.client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)
    await world.settle(1)
    assert "LatePool late does not exist" in condition(await world.pool(), "InfrastructureReady")[2]
    await world.join("a")
    await world.create(LATE.api_version, LATE.kind, "late", {"providerIDList": ids("a")})
    status = {"status": {"ready": True, "replicas": 1}}
    await world.client.patch(LATE, "late", "default", patch=status, subresource="status")
    await world.settle(1)
    assert (await world.pool()).status.phase == "Running"


@in_a_world
async def test_a_pool_that_comes_before_both_of_its_objects_says_what_is_missing(world: World) -> None:
    await world.create_cluster()
    reference = {"apiGroup": CONFIGS.group, "kind": CONFIGS.kind, "name": "late"}
    await world.create_pool(replicas=1, bootstrap={"configRef": reference})
    await world.settle()
    pool = await world.pool()
    assert "AcmeConfig late does not exist" in condition(pool, "BootstrapConfigReady")[2]
    assert "AcmePool workers does not exist" in condition(pool, "InfrastructureReady")[2]


@in_a_world
async def test_a_kind_without_a_contract_label_is_refused_with_a_word(world: World) -> None:
    await world.create_cluster()
    raw = definition(LATE)
    raw["metadata"].pop("labels")
    await world.client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)
    await world.create_pool(replicas=1, infrastructureRef={"apiGroup": LATE.group, "kind": LATE.kind, "name": "late"})
    await world.settle()
    status, reason, message = condition(await world.pool(), "InfrastructureReady")
    assert (status, reason) == ("Unknown", "InternalError")
    assert "no label that names a supported contract" in message


@in_a_world
async def test_bootstrap_data_is_taken_over_and_a_switch_keeps_the_old_until_the_new_is_there(world: World) -> None:
    await world.create_cluster()
    await world.provide(ids=ids("a"))
    await world.join("a")
    reference = {"apiGroup": CONFIGS.group, "kind": CONFIGS.kind, "name": "one"}
    await world.create_pool(replicas=1, bootstrap={"configRef": reference})
    await world.create(CONFIGS.api_version, CONFIGS.kind, "one", {})
    await world.settle()
    status, reason, message = condition(await world.pool(), "BootstrapConfigReady")
    assert (status, reason) == ("False", "NotReady")
    assert message == "waiting for AcmeConfig one to create its data secret"
    made = {"status": {"initialization": {"dataSecretCreated": True}, "dataSecretName": "one-data"}}
    await world.client.patch(CONFIGS, "one", "default", patch=made, subresource="status")
    await world.settle()
    pool = await world.pool()
    assert pool.spec.template.spec.bootstrap.data_secret_name == "one-data"
    assert pool.status.phase == "Running"
    await world.create(CONFIGS.api_version, CONFIGS.kind, "two", {})
    patch = {"spec": {"template": {"spec": {"bootstrap": {"configRef": reference | {"name": "two"}}}}}}
    await world.client.patch(MachinePool, "workers", "default", patch=patch)
    await world.settle()
    pool = await world.pool()
    assert pool.spec.template.spec.bootstrap.data_secret_name == "one-data"
    assert pool.status.phase == "Running"


@in_a_world
async def test_nodes_become_available_when_they_have_been_ready_for_long_enough(world: World) -> None:
    await world.create_cluster()
    await world.provide(ids=ids("a"))
    await world.join("a")
    since = (world.clock.now() + dt.timedelta(seconds=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    await world.settle(10)
    told = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
    await world.workload.patch(Node, "a", patch={"status": {"conditions": told}}, subresource="status")
    await world.create_pool(replicas=1, minReadySeconds=60)
    await world.settle(5)
    pool = await world.pool()
    assert (pool.status.ready_replicas, pool.status.available_replicas) == (1, 0)
    assert condition(pool, "Available")[:2] == ("False", "NotAvailable")
    await world.settle(57)
    pool = await world.pool()
    assert pool.status.available_replicas == 1
    assert condition(pool, "Available")[:2] == ("True", "Available")


@in_a_world
async def test_a_workload_api_that_is_away_is_named_and_ends_nothing(world: World) -> None:
    world.away = True
    await world.create_cluster()
    await world.provide(ids=ids("a"))
    await world.join("a")
    await world.create_pool(replicas=1)
    await world.settle()
    pool = await world.pool()
    status, reason, message = condition(pool, "MachinesReady")
    assert (status, reason) == ("Unknown", "ConnectionDown")
    assert "the workload cluster is away" in message
    assert pool.spec.provider_id_list == ("acme://a",)
    world.away = False
    await world.settle(15)
    assert (await world.pool()).status.phase == "Running"


@in_a_world
async def test_a_pool_goes_though_its_workload_api_is_away_once_the_time_for_nodes_is_up(world: World) -> None:
    await world.create_cluster()
    await world.provide(ids=ids("a"))
    await world.join("a")
    await world.create_pool(replicas=1, deletion={"nodeDeletionTimeoutSeconds": 100})
    await world.settle()
    world.away = True
    await world.client.delete(Secret, "c-kubeconfig", "default")
    await world.settle(30)
    await world.client.delete(MachinePool, "workers", "default")
    await world.settle(60)
    status, reason, message = condition(await world.pool(), "Deleting")
    assert (status, reason) == ("True", "DeletingNode")
    assert "the kubeconfig secret c-kubeconfig does not exist" in message
    await world.settle(60)
    assert not await world.exists(MachinePool, "workers")


@in_a_world
async def test_a_pool_whose_cluster_does_not_exist_says_so_and_may_go(world: World) -> None:
    await world.create_pool(replicas=1)
    await world.settle()
    pool = await world.pool()
    assert condition(pool, "Available") == ("False", "NotAvailable", "Cluster c does not exist")
    assert pool.metadata.finalizers == ()
    await world.client.delete(MachinePool, "workers", "default")
    assert not await world.exists(MachinePool, "workers")


@in_a_world
async def test_a_paused_pool_is_not_deleted_and_goes_on_when_it_is_not_paused_any_more(world: World) -> None:
    await world.create_cluster()
    await world.provide(ids=ids("a"))
    await world.create_pool(replicas=1)
    await world.settle()
    await world.client.patch(Cluster, "c", "default", patch={"spec": {"paused": True}})
    await world.settle()
    await world.client.delete(MachinePool, "workers", "default")
    await world.settle(60)
    assert await world.exists(MachinePool, "workers")
    await world.client.patch(Cluster, "c", "default", patch={"spec": {"paused": None}})
    await world.settle()
    assert not await world.exists(MachinePool, "workers")


def _reconciled(options: Options) -> bool:
    """Whether a pool is touched by a manager with these options."""

    async def main() -> bool:
        async with running(options) as world:
            await world.create_cluster()
            await world.create_pool(replicas=1)
            await world.settle()
            return bool((await world.pool()).metadata.finalizers)

    return virtual.run(main(), limit=dt.timedelta(hours=1))


def test_with_the_gate_off_another_filter_or_another_namespace_a_pool_is_left_alone() -> None:
    assert _reconciled(Options())
    assert not _reconciled(Options(machine_pool=False))
    assert not _reconciled(Options(watch_filter="others"))
    assert not _reconciled(Options(namespace="elsewhere"))
