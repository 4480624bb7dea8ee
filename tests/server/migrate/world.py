"""A management cluster from before v1alpha4: pools in `exp.cluster.x-k8s.io`, and whatever hung on them.

The old definitions are written from the facts: MachinePool in full, infrastructure with free fields.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from capipool.app import kinds
from capipool.app.embedded import Embedded
from capipool.app.settings import Settings as AppSettings
from capipool.client.client import Client
from capipool.client.transport import Transport
from capipool.machinery import objects
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.patch import merge
from capipool.machinery.resource import Resource
from capipool.migrate import marks
from capipool.migrate.naming import Renaming
from capipool.migrate.run import Run, Settings
from capipool.testing import virtual

DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)
CLUSTERS = Resource("cluster.x-k8s.io", "v1beta2", "Cluster", "clusters")
MACHINES = Resource("cluster.x-k8s.io", "v1beta2", "Machine", "machines")
NEW_POOLS = Resource("cluster.x-k8s.io", "v1beta2", "MachinePool", "machinepools")
OLD_POOLS = Resource("exp.cluster.x-k8s.io", "v1alpha3", "MachinePool", "machinepools")
OLD_INFRA = Resource("exp.infrastructure.cluster.x-k8s.io", "v1alpha3", "DevMachinePool", "devmachinepools")
NEW_INFRA = Resource("infrastructure.cluster.x-k8s.io", "v1beta2", "DevMachinePool", "devmachinepools")
DEV_CLUSTERS = Resource("infrastructure.cluster.x-k8s.io", "v1beta2", "DevCluster", "devclusters")
CONFIGS = Resource("bootstrap.cluster.x-k8s.io", "v1beta2", "KubeadmConfig", "kubeadmconfigs")
SECRETS = Resource("", "v1", "Secret", "secrets")
NAMESPACES = Resource("", "v1", "Namespace", "namespaces", False)

LOOKED_AT = (CLUSTERS, MACHINES, OLD_POOLS, NEW_POOLS, OLD_INFRA, NEW_INFRA, CONFIGS, SECRETS, DEV_CLUSTERS)

OLD_FINALIZER = "machinepool.exp.cluster.x-k8s.io"
LABEL = "cluster.x-k8s.io/cluster-name"

_STRING: Raw = {"type": "string"}
_INTEGER: Raw = {"type": "integer"}
_FREE: Raw = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_STRINGS: Raw = {"type": "array", "items": _STRING}


def _object(**properties: Raw) -> Raw:
    return {"type": "object", "properties": properties}


_POOL_SCHEMA = _object(
    spec=_object(
        clusterName=_STRING,
        replicas=_INTEGER,
        minReadySeconds=_INTEGER,
        providerIDList=_STRINGS,
        failureDomains=_STRINGS,
        strategy=_FREE,
        template=_object(
            metadata=_object(
                name=_STRING,
                generateName=_STRING,
                namespace=_STRING,
                labels={"type": "object", "additionalProperties": _STRING},
                annotations={"type": "object", "additionalProperties": _STRING},
                ownerReferences={"type": "array", "items": _FREE},
            ),
            spec=_object(
                clusterName=_STRING,
                version=_STRING,
                providerID=_STRING,
                failureDomain=_STRING,
                nodeDrainTimeout=_STRING,
                infrastructureRef=_FREE,
                bootstrap=_object(configRef=_FREE, data=_STRING, dataSecretName=_STRING),
            ),
        ),
    ),
    status=_FREE,
)


def old_definition(resource: Resource, schema: Raw | None = None) -> Raw:
    """The definition of an old kind."""
    schema = schema or _object(spec=_FREE, status=_FREE)
    version = {"name": resource.version, "served": True, "storage": True, "subresources": {"status": {}}}
    names = {"kind": resource.kind, "plural": resource.plural, "singular": resource.kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": names | {"listKind": f"{resource.kind}List"},
            "versions": [version | {"schema": {"openAPIV3Schema": schema}}],
        },
    }


def old_definitions() -> list[Raw]:
    """The definitions of the old groups."""
    return [old_definition(OLD_POOLS, _POOL_SCHEMA), old_definition(OLD_INFRA)]


class World:
    """An embedded server with the old world in it."""

    def __init__(self, embedded: Embedded) -> None:
        self.embedded = embedded
        self.client: Client = embedded.client

    async def create(self, resource: Resource, raw: Raw, status: Raw | None = None) -> Raw:
        """Create an object, with a status."""
        raw = {"apiVersion": resource.api_version, "kind": resource.kind, **raw}
        made = await self.client.create(objects.from_raw(Unstructured, raw), resource=resource)
        if status is not None:
            meta = made.metadata
            patch = {"status": status}
            made = await self.client.patch(resource, meta.name, meta.namespace, patch=patch, subresource="status")
        return objects.to_raw(made)

    async def list(self, resource: Resource) -> list[Raw]:
        """All objects of a kind."""
        return [objects.to_raw(found) for found in await self.client.list(resource)]

    async def cluster(self, name: str, namespace: str) -> Raw:
        """A cluster, with its infrastructure."""
        meta = {"name": name, "namespace": namespace}
        reference = {"apiGroup": DEV_CLUSTERS.group, "kind": "DevCluster", "name": name}
        made = await self.create(CLUSTERS, {"metadata": meta, "spec": {"infrastructureRef": reference}})
        backend = {"backend": {"inMemory": {}}}
        await self.create(DEV_CLUSTERS, {"metadata": meta | owned(made), "spec": backend})
        return made

    async def pool(self, name: str, cluster: Raw, *, machines: int = 1, **changes: Any) -> Raw:
        """An old pool with its infrastructure, config, secret and machines: children of several kinds."""
        made = await self.create(OLD_POOLS, old_pool(name, cluster, **changes), old_pool_status(machines))
        meta = child_meta(name, made, cluster)
        infra = meta | {"finalizers": ["devmachinepool.exp.infrastructure.cluster.x-k8s.io"]}
        spec = {"backend": {"inMemory": {}}, "providerIDList": made["spec"].get("providerIDList", [])}
        old = await self.create(OLD_INFRA, {"metadata": infra, "spec": spec}, {"ready": True, "replicas": machines})
        config = await self.create(CONFIGS, {"metadata": meta, "spec": {"verbosity": 1}})
        secret = {
            "metadata": child_meta(name, config, cluster),
            "type": "cluster.x-k8s.io/secret",
            "data": {"value": "eA=="},
        }
        await self.create(SECRETS, secret)
        for number in range(machines):
            await self._machine(f"{name}-{number}", made, old, cluster)
        return made

    async def _machine(self, name: str, pool: Raw, infra: Raw, cluster: Raw) -> None:
        owners = [*owned(pool)["ownerReferences"], *owned(infra, controller=False)["ownerReferences"]]
        namespace = cluster["metadata"]["namespace"]
        meta = {
            "name": name,
            "namespace": namespace,
            "ownerReferences": owners,
            "labels": {LABEL: cluster["metadata"]["name"], "exp.cluster.x-k8s.io/pool": pool["metadata"]["name"]},
        }
        reference = {"apiGroup": OLD_INFRA.group, "kind": "DevMachinePool", "name": infra["metadata"]["name"]}
        spec = {
            "clusterName": cluster["metadata"]["name"],
            "bootstrap": {"dataSecretName": pool["metadata"]["name"]},
            "infrastructureRef": reference,
            "providerID": f"dev:///{name}",
        }
        await self.create(MACHINES, {"metadata": meta, "spec": spec})

    def run(self, transport: Transport | None = None, **settings: Any) -> Run:
        """A run of a command, as a new process would make it."""
        return Run(
            client=Client(transport or self.embedded.transport()),
            renaming=Renaming(),
            converters=kinds.converters,
            clock=self.embedded.clock,
            rng=self.embedded.rng,
            settings=Settings(**{"page": 7, "pause_timeout": 5.0} | settings),
        )

    async def picture(self, *, names: bool = False) -> dict[str, Raw]:
        """Everything there is, without what a server gives at each write.

        With `names`, UIDs are replaced by what has them, so that two migrations can be compared.
        """
        found = {r: await self.list(r) for r in LOOKED_AT}
        uids = {raw["metadata"]["uid"]: _title(r, raw) for r, raws in found.items() for raw in raws}
        return {
            _title(resource, raw): _without_uids(marks.stable(raw), uids) if names else marks.stable(raw)
            for resource, raws in found.items()
            for raw in raws
        }


def _title(resource: Resource, raw: Raw) -> str:
    meta = raw["metadata"]
    return f"{resource.kind}.{resource.group} {meta.get('namespace', '')}/{meta['name']}"


def _without_uids(value: Any, uids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _without_uids(item, uids) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_uids(item, uids) for item in value]
    return uids.get(value, value) if isinstance(value, str) else value


def owned(owner: Raw, *, controller: bool = True) -> Raw:
    """Metadata that says who the owner is."""
    meta = owner["metadata"]
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"]}
    return {"ownerReferences": [reference | ({"controller": True} if controller else {})]}


def child_meta(name: str, owner: Raw, cluster: Raw) -> Raw:
    """Metadata of an object that hangs on a pool."""
    meta = cluster["metadata"]
    return {"name": name, "namespace": meta["namespace"], "labels": {LABEL: meta["name"]}, **owned(owner)}


def old_pool(name: str, cluster: Raw, **changes: Any) -> Raw:
    """A pool as v1alpha3 had it, with something in every field that matters."""
    meta = cluster["metadata"]
    namespace = meta["namespace"]
    spec: Raw = {
        "clusterName": meta["name"],
        "replicas": 2,
        "minReadySeconds": 30,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        "providerIDList": [f"dev:///{name}-0"],
        "failureDomains": ["1", "2"],
        "template": {
            "metadata": {"generateName": "x-", "labels": {"a": "b"}},
            "spec": {
                "clusterName": meta["name"],
                "version": "v1.18.2",
                "nodeDrainTimeout": "1m0s",
                "infrastructureRef": {
                    "apiVersion": OLD_INFRA.api_version,
                    "kind": "DevMachinePool",
                    "name": name,
                    "namespace": namespace,
                },
                "bootstrap": {
                    "configRef": {
                        "apiVersion": "bootstrap.cluster.x-k8s.io/v1alpha3",
                        "kind": "KubeadmConfig",
                        "name": name,
                        "namespace": namespace,
                    },
                    "dataSecretName": name,
                },
            },
        },
    }
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": {LABEL: meta["name"], "exp.cluster.x-k8s.io/tier": "gold"},
        "annotations": {"machinepool.exp.cluster.x-k8s.io/note": "kept"},
        "finalizers": [OLD_FINALIZER, "example.org/mine"],
        **owned(cluster),
    }
    return merge.apply({"metadata": metadata, "spec": spec}, changes)


def old_pool_status(replicas: int) -> Raw:
    """What v1alpha3's controller wrote."""
    return {
        "replicas": replicas,
        "readyReplicas": replicas,
        "availableReplicas": replicas,
        "nodeRefs": [{"kind": "Node", "apiVersion": "v1", "name": "node-0"}],
        "phase": "Running",
        "bootstrapReady": True,
        "infrastructureReady": True,
        "observedGeneration": 1,
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2021-01-01T00:00:00Z"}],
    }


@asynccontextmanager
async def open_world() -> AsyncIterator[World]:
    """An embedded server in memory, on virtual time, with the old definitions."""
    settings = AppSettings(controllers=False)
    async with Embedded(settings, clock=virtual.clock(), rng=random.Random(1)) as embedded:
        world = World(embedded)
        for raw in old_definitions():
            await world.create(DEFINITIONS, raw)
        yield world


async def small(world: World) -> None:
    """One cluster, two pools: one with a Machine and everything, one paused."""
    cluster = await world.cluster("c", "default")
    await world.pool("a", cluster)
    await world.pool("p", cluster, machines=0, metadata={"annotations": {"cluster.x-k8s.io/paused": "by hand"}})
