"""Three clusters with forty running pools, set back to the old groups, migrated under running controllers.

Afterwards every pool is reconciled under its new name, and the cloud is not called once to change anything.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from capipool.app.embedded import Embedded
from capipool.app.settings import Settings
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import Resource
from capipool.migrate import apply as applying
from capipool.migrate import commit as committing
from tests.server.migrate import world as worlds
from tests.server.migrate.world import World

GROUPS = Resource("dev.capipool.io", "v1alpha1", "DevScalingGroup", "devscalinggroups")
INSTANCES = Resource("dev.capipool.io", "v1alpha1", "DevInstance", "devinstances")
PLACES = (("one", "team-a"), ("one", "team-b"), ("two", "team-b"))
"""Clusters; two have the same name in two namespaces."""
POOLS = 40


async def _build(world: World) -> None:
    """Clusters and pools as a user declares them today, the same names in both namespaces."""
    for namespace in ("team-a", "team-b"):
        await world.create(worlds.NAMESPACES, {"metadata": {"name": namespace}})
    for name, namespace in PLACES:
        await world.cluster(name, namespace)
    for number in range(POOLS):
        name, namespace = PLACES[number % len(PLACES)]
        await _declare(world, f"{name}-{number // len(PLACES)}", name, namespace)


async def _declare(world: World, name: str, cluster: str, namespace: str) -> None:
    meta = {"name": name, "namespace": namespace, "labels": {worlds.LABEL: cluster}}
    await world.create(worlds.CONFIGS, {"metadata": meta, "spec": {"verbosity": 1}})
    await world.create(worlds.NEW_INFRA, {"metadata": meta, "spec": {"backend": {"inMemory": {}}}})
    machine = {
        "clusterName": cluster,
        "version": "v1.30.0",
        "infrastructureRef": {"apiGroup": worlds.NEW_INFRA.group, "kind": "DevMachinePool", "name": name},
        "bootstrap": {"configRef": {"apiGroup": worlds.CONFIGS.group, "kind": "KubeadmConfig", "name": name}},
    }
    spec = {"clusterName": cluster, "replicas": 2, "template": {"spec": machine}}
    await world.create(worlds.NEW_POOLS, {"metadata": meta, "spec": spec})


async def _running(world: World, count: int, seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            phases = [(raw.get("status") or {}).get("phase") for raw in await world.list(worlds.NEW_POOLS)]
            if phases.count("Running") == count:
                return
            await asyncio.sleep(0.1)


async def _set_back(world: World) -> None:
    """Put every pool and its infrastructure into the old groups, owner references and all."""
    for raw in worlds.old_definitions():
        await world.create(worlds.DEFINITIONS, raw)
    uids: dict[str, Raw] = {}
    for pool in await world.list(worlds.NEW_POOLS):
        uids[pool["metadata"]["uid"]] = await world.create(worlds.OLD_POOLS, _old_pool(pool), _old_status(pool))
    for infra in await world.list(worlds.NEW_INFRA):
        metadata = _kept(infra, uids)
        old = {"metadata": metadata, "spec": infra["spec"]}
        uids[infra["metadata"]["uid"]] = await world.create(worlds.OLD_INFRA, old, infra.get("status"))
    for resource in (worlds.CONFIGS, worlds.SECRETS, worlds.MACHINES, GROUPS, INSTANCES):
        for raw in await world.list(resource):
            owners = _old_owners(raw["metadata"].get("ownerReferences") or [], uids)
            if owners != (raw["metadata"].get("ownerReferences") or []):
                await world.run().patch(resource, raw, {"metadata": {"ownerReferences": owners}})
    for resource in (worlds.NEW_INFRA, worlds.NEW_POOLS):
        for raw in await world.list(resource):
            await world.run().patch(resource, raw, {"metadata": {"finalizers": None}})
            meta = raw["metadata"]
            await world.client.delete(resource, meta["name"], meta["namespace"], propagation="Orphan")


def _old_owners(owners: list[Raw], uids: dict[str, Raw]) -> list[Raw]:
    found = [(owner, uids.get(owner["uid"])) for owner in owners]
    return [
        owner if old is None else owner | {"apiVersion": old["apiVersion"], "uid": old["metadata"]["uid"]}
        for owner, old in found
    ]


def _kept(raw: Raw, uids: dict[str, Raw]) -> Raw:
    meta = raw["metadata"]
    old = [_older(name) for name in meta.get("finalizers") or ()]
    kept = {key: meta[key] for key in ("name", "namespace", "labels") if key in meta}
    return kept | {"finalizers": old, "ownerReferences": _old_owners(meta.get("ownerReferences") or [], uids)}


def _older(name: str) -> str:
    for new in ("infrastructure.cluster.x-k8s.io", "cluster.x-k8s.io"):
        if name.endswith(f".{new}"):
            return f"{name.removesuffix(new)}exp.{new}"
    return name


def _old_pool(pool: Raw) -> Raw:
    """A pool of today as v1alpha3 had it."""
    machine = pool["spec"]["template"]["spec"]
    namespace = pool["metadata"]["namespace"]
    name = pool["metadata"]["name"]
    reference = {"kind": "DevMachinePool", "apiVersion": worlds.OLD_INFRA.api_version}
    config = {"kind": "KubeadmConfig", "apiVersion": "bootstrap.cluster.x-k8s.io/v1alpha3"}
    place = {"name": name, "namespace": namespace}
    spec = {
        **{key: value for key, value in pool["spec"].items() if key in ("clusterName", "replicas", "providerIDList")},
        "template": {
            "spec": {
                "clusterName": machine["clusterName"],
                "version": machine["version"],
                "infrastructureRef": reference | place,
                "bootstrap": {
                    "configRef": config | place,
                    "dataSecretName": machine["bootstrap"]["dataSecretName"],
                },
            }
        },
    }
    return {"metadata": _kept(pool, {}), "spec": spec}


def _old_status(pool: Raw) -> Raw:
    status = pool["status"]
    return {key: status[key] for key in ("replicas", "nodeRefs", "phase", "observedGeneration")} | {
        "readyReplicas": status["readyReplicas"],
        "availableReplicas": status["availableReplicas"],
        "bootstrapReady": True,
        "infrastructureReady": True,
    }


async def _orders(world: World) -> dict[str, Any]:
    """What the cloud was told to do: sizes, templates, instances by name and provider ID."""
    found = [raw for resource in (GROUPS, INSTANCES) for raw in await world.list(resource)]
    return {f"{raw['kind']} {_key(raw)}": (raw["spec"], raw["metadata"]["uid"]) for raw in found}


async def _versions(world: World) -> dict[str, str]:
    """The version of everything that the cloud remembers: any call that changes something makes a new one."""
    found = [raw for resource in (GROUPS, INSTANCES) for raw in await world.list(resource)]
    return {f"{raw['kind']} {_key(raw)}": raw["metadata"]["resourceVersion"] for raw in found}


def _settings(path: Path, *, controllers: bool) -> Settings:
    return Settings(data_dir=path, controllers=controllers)


@pytest.mark.slow
async def test_forty_running_pools_move_and_the_cloud_is_not_called(tmp_path: Path) -> None:
    rng = random.Random(1)
    async with Embedded(_settings(tmp_path, controllers=True), rng=rng) as embedded:
        world = World(embedded)
        await _build(world)
        await _running(world, POOLS)
    async with Embedded(_settings(tmp_path, controllers=False), rng=rng) as embedded:
        world = World(embedded)
        await _set_back(world)
        await _disturb(world)
    async with Embedded(_settings(tmp_path, controllers=True), rng=rng) as embedded:
        world = World(embedded)
        orders = await _orders(world)
        assert len(orders) == POOLS + 2 * POOLS
        before = {r.kind: {_key(raw): raw for raw in await world.list(r)} for r in (worlds.OLD_POOLS, worlds.OLD_INFRA)}
        plan = await applying.apply(world.run(page=50, pause_timeout=30.0))
        assert len(plan.moves) == 2 * POOLS
        await _compare(world, before)
        await committing.commit(world.run(page=50))
        written = await _versions(world)
        await _reconciled(world)
        assert await _orders(world) == orders
        assert await _versions(world) == written


async def _disturb(world: World) -> None:
    """One pool is paused by hand."""
    pool = (await world.list(worlds.OLD_POOLS))[0]
    paused = {"metadata": {"annotations": {"cluster.x-k8s.io/paused": "by hand"}}}
    await world.run().patch(worlds.OLD_POOLS, pool, paused)


def _key(raw: Raw) -> tuple[str, str]:
    return raw["metadata"]["namespace"], raw["metadata"]["name"]


async def _compare(world: World, before: dict[str, dict[tuple[str, str], Raw]]) -> None:
    """Object by object: specs, statuses, finalizers, and the whole graph of owners."""
    pools = {_key(raw): raw for raw in await world.list(worlds.NEW_POOLS)}
    infra = {_key(raw): raw for raw in await world.list(worlds.NEW_INFRA)}
    assert pools.keys() == before["MachinePool"].keys()
    assert infra.keys() == before["DevMachinePool"].keys()
    for key, old in before["MachinePool"].items():
        new = pools[key]
        assert new["spec"]["providerIDList"] == old["spec"]["providerIDList"]
        assert new["spec"]["replicas"] == old["spec"]["replicas"]
        assert new["status"]["nodeRefs"] == old["status"]["nodeRefs"]
        assert new["metadata"]["finalizers"] == ["machinepool.cluster.x-k8s.io"]
    for key, old in before["DevMachinePool"].items():
        new = infra[key]
        assert merge.diff(old["spec"], new["spec"]) is None
        assert new["metadata"]["finalizers"] == ["devmachinepool.infrastructure.cluster.x-k8s.io"]
        owners = [(o["kind"], o["uid"]) for o in new["metadata"]["ownerReferences"]]
        assert ("MachinePool", pools[key]["metadata"]["uid"]) in owners
    uids = {raw["metadata"]["uid"] for raw in (*pools.values(), *infra.values())}
    for resource, kind in ((worlds.CONFIGS, "MachinePool"), (GROUPS, "DevMachinePool")):
        for raw in await world.list(resource):
            owners = [o for o in raw["metadata"]["ownerReferences"] if o["kind"] == kind]
            assert [o["uid"] in uids for o in owners] == [True]
            assert all(not o["apiVersion"].startswith("exp.") for o in raw["metadata"]["ownerReferences"])


async def _reconciled(world: World) -> None:
    """Wait until every pool but the paused one was reconciled under its new name, and then some."""
    async with asyncio.timeout(60):
        while True:
            pools = [raw for raw in await world.list(worlds.NEW_POOLS) if _condition(raw, "Paused") == "False"]
            infra = [raw for raw in await world.list(worlds.NEW_INFRA) if _condition(raw, "Ready") == "True"]
            current = [raw for raw in pools if raw["status"].get("observedGeneration") == raw["metadata"]["generation"]]
            if len(current) == POOLS - 1 and len(infra) >= POOLS - 1:
                break
            await asyncio.sleep(0.1)
    assert {raw["status"]["phase"] for raw in current} == {"Running"}
    assert {len(raw["status"]["nodeRefs"]) for raw in current} == {2}
    await asyncio.sleep(1.0)  # and let what follows from the last one happen


def _condition(raw: Raw, type_: str) -> str:
    found = (raw.get("status") or {}).get("conditions") or ()
    return next((str(c["status"]) for c in found if c["type"] == type_), "")
