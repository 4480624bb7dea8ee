"""What a migration does to a small world, and that it takes everything back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.migrate import apply as applying
from capipool.migrate import commit as committing
from capipool.migrate import marks
from capipool.migrate import undo as undoing
from capipool.migrate.apply import Refused, WrongPhase
from capipool.migrate.run import Failed
from capipool.testing import virtual
from tests.server.migrate import world as worlds
from tests.server.migrate.world import World


def in_small_world(test: Callable[[World], Awaitable[None]]) -> Callable[[], None]:
    """Run a test on virtual time, in a world of one cluster and two pools."""

    async def main() -> None:
        async with worlds.open_world() as world:
            await worlds.small(world)
            await test(world)

    def wrapped() -> None:
        virtual.run(main())

    wrapped.__name__ = test.__name__  # type: ignore[attr-defined]
    return wrapped


async def _get(world: World, resource: worlds.Resource, name: str) -> Raw:
    return objects.to_raw(await world.client.get(resource, name, "default"))


@in_small_world
async def test_a_pool_becomes_a_new_one_field_by_field(world: World) -> None:
    old = await _get(world, worlds.OLD_POOLS, "a")
    await applying.apply(world.run())
    await committing.commit(world.run())
    new = await _get(world, worlds.NEW_POOLS, "a")
    spec, status, meta = new["spec"], new["status"], new["metadata"]
    machine = spec["template"]["spec"]
    assert spec["replicas"] == old["spec"]["replicas"]
    assert spec["providerIDList"] == old["spec"]["providerIDList"]
    assert machine["minReadySeconds"] == 30
    assert machine["deletion"]["nodeDrainTimeoutSeconds"] == 60
    assert machine["infrastructureRef"] == {
        "apiGroup": "infrastructure.cluster.x-k8s.io",
        "kind": "DevMachinePool",
        "name": "a",
    }
    assert machine["bootstrap"]["configRef"]["apiGroup"] == "bootstrap.cluster.x-k8s.io"
    assert status["initialization"] == {"bootstrapDataSecretCreated": True, "infrastructureProvisioned": True}
    assert status["nodeRefs"] == old["status"]["nodeRefs"]
    assert status["deprecated"]["v1beta1"]["conditions"] == old["status"]["conditions"]
    assert meta["finalizers"] == ["machinepool.cluster.x-k8s.io", "example.org/mine"]
    assert meta["labels"]["cluster.x-k8s.io/tier"] == "gold"
    assert meta["annotations"]["machinepool.cluster.x-k8s.io/note"] == "kept"
    assert set(meta["annotations"]) == {"machinepool.cluster.x-k8s.io/note", "migrate.capipool.io/v1alpha3-data"}


@in_small_world
async def test_children_of_every_kind_follow_and_nothing_is_collected(world: World) -> None:
    await applying.apply(world.run())
    await committing.commit(world.run())
    pool, infra = await _get(world, worlds.NEW_POOLS, "a"), await _get(world, worlds.NEW_INFRA, "a")
    machine = await _get(world, worlds.MACHINES, "a-0")
    owners = [owner["uid"] for owner in machine["metadata"]["ownerReferences"]]
    assert owners == [pool["metadata"]["uid"], infra["metadata"]["uid"]]
    assert machine["spec"]["infrastructureRef"]["apiGroup"] == worlds.NEW_INFRA.group
    assert infra["metadata"]["ownerReferences"][0]["uid"] == pool["metadata"]["uid"]
    assert await _get(world, worlds.SECRETS, "a")
    assert await world.list(worlds.OLD_POOLS) == []
    assert await world.list(worlds.OLD_INFRA) == []


@in_small_world
async def test_after_commit_only_what_was_paused_before_is_paused(world: World) -> None:
    await applying.apply(world.run())
    assert (await _get(world, worlds.CLUSTERS, "c"))["spec"]["paused"] is True
    await committing.commit(world.run())
    assert "paused" not in (await _get(world, worlds.CLUSTERS, "c"))["spec"]
    paused = {
        raw["metadata"]["name"]: marks.annotations_of(raw).get("cluster.x-k8s.io/paused")
        for raw in await world.list(worlds.NEW_POOLS)
    }
    assert paused == {"a": None, "p": "by hand"}
    left = [
        title
        for title, raw in (await world.picture()).items()
        if {marks.FROM, marks.UNDO} & {*marks.annotations_of(raw)}
    ]
    assert left == []


@in_small_world
async def test_undo_brings_back_the_beginning(world: World) -> None:
    before = await world.picture()
    uids = {title: raw["metadata"]["uid"] for title, raw in (await _with_uids(world)).items()}
    await applying.apply(world.run())
    assert await undoing.undo(world.run())
    assert await world.picture() == before
    assert {title: raw["metadata"]["uid"] for title, raw in (await _with_uids(world)).items()} == uids
    assert not await undoing.undo(world.run())


@in_small_world
async def test_undo_leaves_alone_what_others_wrote_meanwhile(world: World) -> None:
    await applying.apply(world.run())
    theirs = {"metadata": {"annotations": {"example.org/seen": "yes"}, "labels": {"example.org/seen": "yes"}}}
    for resource, name in ((worlds.MACHINES, "a-0"), (worlds.OLD_INFRA, "a"), (worlds.CLUSTERS, "c")):
        await world.client.patch(resource, name, "default", patch=theirs)
    await undoing.undo(world.run())
    for resource, name in ((worlds.MACHINES, "a-0"), (worlds.OLD_INFRA, "a"), (worlds.CLUSTERS, "c")):
        found = (await _get(world, resource, name))["metadata"]
        assert found["annotations"] == {"example.org/seen": "yes"}
        assert found["labels"]["example.org/seen"] == "yes"


async def _with_uids(world: World) -> dict[str, Raw]:
    found = [(r, raw) for r in worlds.LOOKED_AT for raw in await world.list(r)]
    return {f"{r.kind}.{r.group} {raw['metadata']['name']}": raw for r, raw in found}


@in_small_world
async def test_done_twice_is_done_once(world: World) -> None:
    await applying.apply(world.run())
    once = await world.picture()
    await applying.apply(world.run())
    assert await world.picture() == once
    assert await committing.commit(world.run())
    assert not await committing.commit(world.run())
    with pytest.raises(WrongPhase, match="committed"):
        await undoing.undo(world.run())
    assert not (await applying.apply(world.run())).moves


@in_small_world
async def test_a_pool_in_deletion_goes_on_being_deleted(world: World) -> None:
    await world.client.delete(worlds.OLD_POOLS, "a", "default")
    before = await world.picture()
    await applying.apply(world.run())
    await undoing.undo(world.run())
    assert await world.picture() == before
    await applying.apply(world.run())
    await committing.commit(world.run())
    new = await _get(world, worlds.NEW_POOLS, "a")
    assert "deletionTimestamp" in new["metadata"]
    assert new["metadata"]["finalizers"] == ["machinepool.cluster.x-k8s.io", "example.org/mine"]


@in_small_world
async def test_inline_bootstrap_data_goes_into_a_secret(world: World) -> None:
    cluster = await _get(world, worlds.CLUSTERS, "c")
    machine = {"bootstrap": {"data": "I2Nsb3VkLWNvbmZpZwo=", "dataSecretName": None, "configRef": None}}
    await world.pool("inline", cluster, spec={"template": {"spec": machine}})
    before = await world.picture()
    await applying.apply(world.run())
    secret = await _get(world, worlds.SECRETS, "inline-bootstrap-data")
    pool = await _get(world, worlds.NEW_POOLS, "inline")
    assert secret["data"] == {"value": "I2Nsb3VkLWNvbmZpZwo="}
    assert secret["metadata"]["ownerReferences"][0]["uid"] == pool["metadata"]["uid"]
    assert pool["spec"]["template"]["spec"]["bootstrap"] == {"dataSecretName": "inline-bootstrap-data"}
    assert "I2Nsb3VkLWNvbmZpZwo=" not in str(pool)
    await undoing.undo(world.run())
    assert await world.picture() == before


@in_small_world
async def test_a_second_run_at_the_same_time_is_refused(world: World) -> None:
    async with world.run().alone():
        with pytest.raises(Failed, match="another run is under way"):
            await applying.apply(world.run())


@in_small_world
async def test_nothing_is_written_where_something_stands_in_the_way(world: World) -> None:
    cluster = await _get(world, worlds.CLUSTERS, "c")
    await world.pool("dangling", cluster, spec={"template": {"spec": {"bootstrap": {"configRef": {"name": "nobody"}}}}})
    taken = {"metadata": {"name": "p", "namespace": "default"}, "spec": {"backend": {"inMemory": {}}}}
    await world.create(worlds.NEW_INFRA, taken)
    before = await world.picture()
    with pytest.raises(Refused) as refused:
        await applying.apply(world.run())
    why = sorted(str(obstacle) for obstacle in refused.value.plan.obstacles)
    assert len(why) == 2, why
    assert "DevMachinePool.infrastructure.cluster.x-k8s.io default/p is there already" in why[0]
    assert "KubeadmConfig.bootstrap.cluster.x-k8s.io default/nobody, which is not there" in why[1]
    assert await world.picture() == before


@in_small_world
async def test_commit_deletes_nothing_where_a_new_object_is_not_as_it_should_be(world: World) -> None:
    await applying.apply(world.run())
    patch = {"spec": {"replicas": 7}}
    await world.client.patch(worlds.NEW_POOLS, "a", "default", patch=patch)
    with pytest.raises(Failed) as failed:
        await committing.commit(world.run())
    assert failed.value.failures == ("MachinePool.cluster.x-k8s.io default/a: spec.replicas is not as it should be",)
    assert len(await world.list(worlds.OLD_POOLS)) == 2


@in_small_world
async def test_a_cluster_whose_controller_does_not_pause_stops_the_migration(world: World) -> None:
    awake = {"type": "Paused", "status": "False", "reason": "NotPaused", "lastTransitionTime": "2021-01-01T00:00:00Z"}
    status = {"status": {"conditions": [awake | {"message": ""}]}}
    await world.client.patch(worlds.CLUSTERS, "c", "default", patch=status, subresource="status")
    with pytest.raises(Failed, match="proving that everything is paused"):
        await applying.apply(world.run())
    assert await world.list(worlds.NEW_POOLS) == []
    await applying.apply(world.run(controllers_stopped=True))
    assert len(await world.list(worlds.NEW_POOLS)) == 2


@in_small_world
async def test_what_admission_would_change_stands_in_the_way(world: World) -> None:
    cluster = await _get(world, worlds.CLUSTERS, "c")
    await world.pool("short", cluster, spec={"template": {"spec": {"version": "1.18.2"}}})
    with pytest.raises(Refused) as refused:
        await applying.apply(world.run())
    why = [obstacle.why for obstacle in refused.value.plan.obstacles]
    assert why == ["the server would change spec.template.spec.version"]


@in_small_world
async def test_a_namespace_for_the_journal_that_is_not_there_is_told(world: World) -> None:
    with pytest.raises(Failed, match="is there such a namespace"):
        await applying.apply(world.run(namespace="nowhere"))


@in_small_world
async def test_stored_versions_are_cleaned(world: World) -> None:
    name = "machinepools.cluster.x-k8s.io"
    stored = {"status": {"storedVersions": ["v1beta1", "v1beta2"]}}
    await world.client.patch(worlds.DEFINITIONS, name, patch=stored, subresource="status")
    plan = await applying.apply(world.run())
    assert plan.stored == {name: ("v1beta1", "v1beta2")}
    await committing.commit(world.run())
    definition = objects.to_raw(await world.client.get(worlds.DEFINITIONS, name))
    assert definition["status"]["storedVersions"] == ["v1beta2"]
