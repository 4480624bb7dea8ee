"""Creating, updating and patching: identity, versions, conflicts, what counts as a change, and what is refused."""

from __future__ import annotations

import asyncio

import pytest

from capipool.machinery import calls, errors
from tests.server.apiserver import world as worlds
from tests.server.apiserver.world import CONFIGMAPS, DEPLOYMENTS, NODES, PODS, POOLS, SECRETS, World, config, pool


async def test_a_new_object_gets_its_identity_from_the_server(world: World) -> None:
    made = await world.create(CONFIGMAPS, config("a") | {"status": "ignored"})
    meta = made["metadata"]
    assert meta["namespace"] == "default"
    assert meta["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert len(meta["uid"]) == 36
    assert int(meta["resourceVersion"]) > 0
    assert "generation" not in meta  # as upstream: config maps have none


async def test_what_a_client_says_about_identity_does_not_count(world: World) -> None:
    raw = config("a")
    raw["metadata"] |= {"uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "resourceVersion": "7"}
    meta = (await world.create(CONFIGMAPS, raw))["metadata"]
    assert meta["uid"] != "mine"
    assert meta["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert meta["resourceVersion"] != "7"


async def test_kind_and_version_may_be_left_to_the_path(world: World) -> None:
    made = await world.create(CONFIGMAPS, {"metadata": {"name": "a"}})
    assert list(made)[:2] == ["apiVersion", "kind"]
    assert made["kind"] == "ConfigMap"


async def test_generated_names_differ(world: World) -> None:
    raw = {"metadata": {"generateName": "a-"}}
    names = {(await world.create(CONFIGMAPS, raw))["metadata"]["name"] for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("a-") for name in names)


async def test_a_name_is_taken_once(world: World) -> None:
    await world.create(CONFIGMAPS, config("a"))
    with pytest.raises(errors.AlreadyExists, match='configmaps "a" already exists'):
        await world.create(CONFIGMAPS, config("a"))


async def test_of_two_creations_at_once_one_wins(world: World) -> None:
    results = await asyncio.gather(*(world.create(CONFIGMAPS, config("a")) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(r, dict) for r in results) == 1
    assert sum(isinstance(r, errors.AlreadyExists) for r in results) == 4


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "not a JSON object"),
        ({"kind": "Secret", "metadata": {"name": "a"}}, "does not match the expected kind"),
        ({"apiVersion": "v2", "metadata": {"name": "a"}}, "does not match the expected API version"),
        ({"metadata": {"name": "a", "namespace": "other"}}, "namespace of the provided object does not match"),
        ({"metadata": "a"}, "metadata must be an object"),
        ({"metadata": {"name": 7}}, "metadata.name must be a string"),
    ],
)
async def test_what_cannot_be_understood_is_a_bad_request(world: World, body: object, message: str) -> None:
    with pytest.raises(errors.BadRequest, match=message):
        await world.create(CONFIGMAPS, body)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"metadata": {}}, "metadata.name"),
        ({"metadata": {"name": "Not_A_Name"}}, "metadata.name"),
        ({"metadata": {"name": "a", "labels": {"x": "not a value!"}}}, "metadata.labels"),
        ({"metadata": {"name": "a"}, "data": {"k": 1}}, "data"),
    ],
)
async def test_what_breaks_a_rule_is_invalid_and_names_its_field(world: World, raw: object, path: str) -> None:
    with pytest.raises(errors.Invalid) as error:
        await world.create(CONFIGMAPS, raw)
    assert any(e.path.startswith(path) for e in error.value.errors)
    assert await world.names(CONFIGMAPS) == []


async def test_an_update_replaces_the_object_and_keeps_its_identity(world: World) -> None:
    made = await world.create(CONFIGMAPS, config("a", x="1"))
    changed = await world.update(CONFIGMAPS, {**made, "data": {"y": "2"}})
    assert changed["data"] == {"y": "2"}
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert int(changed["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])


async def test_an_update_of_a_state_that_has_passed_is_a_conflict(world: World) -> None:
    made = await world.create(CONFIGMAPS, config("a"))
    await world.patch(CONFIGMAPS, "a", {"data": {"x": "1"}})
    with pytest.raises(errors.Conflict, match="the object has been modified") as error:
        await world.update(CONFIGMAPS, made)
    assert error.value.http_code == 409


async def test_of_two_updates_of_the_same_state_one_wins(world: World) -> None:
    made = await world.create(CONFIGMAPS, config("a"))
    updates = [world.update(CONFIGMAPS, {**made, "data": {"by": str(i)}}) for i in range(5)]
    results = await asyncio.gather(*updates, return_exceptions=True)
    assert sum(isinstance(r, dict) for r in results) == 1
    assert sum(isinstance(r, errors.Conflict) for r in results) == 4


async def test_an_update_without_a_version_overwrites_a_built_in_kind_but_not_a_custom_one(pools: World) -> None:
    await pools.create(CONFIGMAPS, config("a"))
    assert (await pools.update(CONFIGMAPS, config("a", x="1")))["data"] == {"x": "1"}
    await pools.create(POOLS, pool("a"))
    with pytest.raises(errors.Invalid, match=r"metadata.resourceVersion.*must be specified for an update"):
        await pools.update(POOLS, pool("a", 2))


async def test_another_object_of_the_same_name_is_not_the_one_that_was_meant(world: World) -> None:
    old = await world.create(CONFIGMAPS, config("a"))
    await world.delete(CONFIGMAPS, "a")
    await world.create(CONFIGMAPS, config("a"))
    with pytest.raises(errors.Conflict, match="UID in precondition"):
        await world.patch(CONFIGMAPS, "a", {"metadata": {"uid": old["metadata"]["uid"]}, "data": {"x": "1"}})


async def test_what_changes_nothing_writes_nothing(world: World) -> None:
    made = await world.create(CONFIGMAPS, config("a", x="1"))
    assert await world.patch(CONFIGMAPS, "a", {"data": {"x": "1"}}) == made
    assert await world.update(CONFIGMAPS, made) == made
    assert await world.get(CONFIGMAPS, "a") == made


async def test_true_is_not_one(pools: World) -> None:
    await pools.create(CONFIGMAPS, config("a") | {"immutable": False})
    with pytest.raises(errors.Invalid):
        await pools.patch(CONFIGMAPS, "a", {"immutable": 0})


async def test_generation_counts_changes_of_what_is_wanted_only(pools: World) -> None:
    made = await pools.create(POOLS, pool("a"))
    assert made["metadata"]["generation"] == 1
    labelled = await pools.patch(POOLS, "a", {"metadata": {"labels": {"x": "y"}}})
    assert labelled["metadata"]["generation"] == 1
    wanted = await pools.patch(POOLS, "a", {"spec": {"replicas": 2}})
    assert wanted["metadata"]["generation"] == 2
    told = await pools.patch(POOLS, "a", {"status": {"replicas": 2}}, subresource="status")
    assert told["metadata"]["generation"] == 2


async def test_status_is_written_through_its_own_door_only(pools: World) -> None:
    made = await pools.create(POOLS, pool("a") | {"status": {"replicas": 7}})
    assert "status" not in made
    assert "status" not in await pools.patch(POOLS, "a", {"status": {"replicas": 7}})
    told = await pools.patch(POOLS, "a", {"status": {"replicas": 7}, "spec": {"replicas": 9}}, subresource="status")
    assert told["status"] == {"replicas": 7}
    assert told["spec"]["replicas"] == 1
    kept = await pools.update(POOLS, {**told, "status": {"replicas": 0}, "spec": {"replicas": 2}})
    assert kept["status"] == {"replicas": 7}


async def test_a_kubelet_registers_its_node_whole_and_beats_by_strategic_patches(world: World) -> None:
    ready = {"type": "Ready", "status": "True"}
    node = {"metadata": {"name": "n"}, "spec": {"providerID": "x://n"}, "status": {"conditions": [ready]}}
    made = await world.create(NODES, node)
    assert made["status"]["conditions"] == [ready]
    beat = {"status": {"conditions": [{"type": "Ready", "lastHeartbeatTime": "2026-01-01T00:00:10Z"}]}}
    told = await world.patch(NODES, "n", beat, content_type=calls.STRATEGIC_MERGE_PATCH, subresource="status")
    assert told["status"]["conditions"] == [{**ready, "lastHeartbeatTime": "2026-01-01T00:00:10Z"}]


async def test_a_strategic_patch_merges_lists_by_key_and_is_not_for_custom_kinds(pools: World) -> None:
    await pools.create(PODS, worlds.pod("p"))
    patch = {"spec": {"containers": [{"name": "c", "image": "other"}]}}
    changed = await pools.patch(PODS, "p", patch, content_type=calls.STRATEGIC_MERGE_PATCH)
    assert [c["image"] for c in changed["spec"]["containers"]] == ["other"]
    await pools.create(POOLS, pool("a"))
    with pytest.raises(errors.UnsupportedMediaType):
        await pools.patch(POOLS, "a", {}, content_type=calls.STRATEGIC_MERGE_PATCH)


async def test_a_json_patch_is_done_whole_or_not_at_all(world: World) -> None:
    made = await world.create(CONFIGMAPS, config("a", x="1"))
    bad = [{"op": "replace", "path": "/data/x", "value": "2"}, {"op": "test", "path": "/data/x", "value": "3"}]
    with pytest.raises(errors.Invalid):
        await world.patch(CONFIGMAPS, "a", bad, content_type=calls.JSON_PATCH)
    assert await world.get(CONFIGMAPS, "a") == made
    changed = await world.patch(CONFIGMAPS, "a", bad[:1], content_type=calls.JSON_PATCH)
    assert changed["data"] == {"x": "2"}


async def test_a_patch_of_what_is_not_there_is_not_found_but_an_apply_creates_it(world: World) -> None:
    with pytest.raises(errors.NotFound, match='configmaps "a" not found'):
        await world.patch(CONFIGMAPS, "a", {"data": {}})
    reply = await world.call(
        "patch", CONFIGMAPS, "a", config("a", x="1"), content_type=calls.APPLY_PATCH, query={"fieldManager": "me"}
    )
    assert reply.code == 201
    assert worlds.decoded(reply)["metadata"]["managedFields"][0]["manager"] == "me"


async def test_an_apply_says_who_applies(world: World) -> None:
    with pytest.raises(errors.BadRequest, match="fieldManager"):
        await world.patch(CONFIGMAPS, "a", config("a"), content_type=calls.APPLY_PATCH)


async def test_a_dry_run_judges_and_shows_but_writes_nothing(world: World) -> None:
    dry = {"dryRun": "All"}
    shown = await world.create(CONFIGMAPS, config("a"), query=dry)
    assert shown["metadata"]["uid"]
    assert not await world.exists(CONFIGMAPS, "a")
    made = await world.create(CONFIGMAPS, config("a", x="1"))
    changed = await world.patch(CONFIGMAPS, "a", {"data": {"x": "2"}}, query=dry)
    assert changed["data"] == {"x": "2"}
    await world.delete(CONFIGMAPS, "a", query=dry)
    assert await world.get(CONFIGMAPS, "a") == made
    with pytest.raises(errors.AlreadyExists):
        await world.create(CONFIGMAPS, config("a"), query=dry)
    with pytest.raises(errors.Invalid, match="dryRun"):
        await world.create(CONFIGMAPS, config("b"), query={"dryRun": "Some"})


async def test_unknown_fields_are_pruned_warned_of_or_refused_as_asked(pools: World) -> None:
    raw = pool("a", x=1)
    with pytest.raises(errors.BadRequest, match=r'strict decoding error: unknown field "spec\.x"'):
        await pools.create(POOLS, raw, query={"fieldValidation": "Strict"})
    reply = await pools.call("create", POOLS, body=raw)
    assert reply.warnings == ('unknown field "spec.x"',)
    assert "x" not in worlds.decoded(reply)["spec"]
    quiet = await pools.call("patch", POOLS, "a", {"spec": {"y": 1}}, content_type=calls.MERGE_PATCH,
                             query={"fieldValidation": "Ignore"})  # fmt: skip
    assert quiet.warnings == ()


async def test_a_secret_takes_plain_strings(world: World) -> None:
    made = await world.create(SECRETS, {"metadata": {"name": "s"}, "stringData": {"k": "v"}})
    assert made["data"] == {"k": "dg=="}
    assert "stringData" not in made


async def test_yaml_is_taken_like_json(world: World) -> None:
    body = b"metadata:\n  name: a\ndata:\n  x: '1'\n"
    made = await world.create(CONFIGMAPS, body, content_type="application/yaml")
    assert made["data"] == {"x": "1"}


async def test_a_resource_nobody_serves_is_not_found(world: World) -> None:
    with pytest.raises(errors.NotFound, match="could not find the requested resource"):
        await world.list(POOLS)
    with pytest.raises(errors.NotFound):
        await world.get(CONFIGMAPS, "a", subresource="scale")


async def test_scale_reads_and_writes_replicas(pools: World) -> None:
    await pools.create(POOLS, pool("a", 3))
    scale = await pools.get(POOLS, "a", subresource="scale")
    assert scale["kind"] == "Scale"
    assert scale["spec"] == {"replicas": 3}
    scaled = await pools.patch(POOLS, "a", {"spec": {"replicas": 5}}, subresource="scale")
    assert scaled["spec"] == {"replicas": 5}
    changed = await pools.get(POOLS, "a")
    assert changed["spec"]["replicas"] == 5
    assert changed["metadata"]["generation"] == 2
    with pytest.raises(errors.Conflict):
        await pools.update(POOLS, scale, subresource="scale")
    with pytest.raises(errors.Invalid, match=r"spec\.replicas"):
        await pools.patch(POOLS, "a", {"spec": {"replicas": -1}}, subresource="scale")


async def test_scale_of_a_deployment_knows_its_selector(world: World) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": worlds.pod("p")["spec"]}
    spec = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    await world.create(DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": spec})
    scale = await world.get(DEPLOYMENTS, "d", subresource="scale")
    assert scale["status"] == {"replicas": 0, "selector": "a=b"}


async def test_empty_parts_of_metadata_say_nothing(world: World) -> None:
    raw = config("a")
    raw["metadata"] |= {"labels": {}, "annotations": {}, "ownerReferences": [], "finalizers": [], "managedFields": []}
    made = await world.create(CONFIGMAPS, raw)
    assert set(made["metadata"]) == {"name", "namespace", "uid", "creationTimestamp", "resourceVersion"}
    assert await world.patch(CONFIGMAPS, "a", {"metadata": {"labels": {}, "managedFields": []}}) == made


async def test_an_update_with_no_managers_ends_the_tracking(world: World) -> None:
    query = {"fieldManager": "me"}
    await world.patch(CONFIGMAPS, "a", config("a", x="1"), content_type=calls.APPLY_PATCH, query=query)
    ended = await world.patch(CONFIGMAPS, "a", {"metadata": {"managedFields": []}})
    assert "managedFields" not in ended["metadata"]
