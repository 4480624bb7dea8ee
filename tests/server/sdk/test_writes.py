"""What controllers of a provider's own kinds write, on a server."""

from __future__ import annotations

import pytest

from capipool.api.builtin import Secret
from capipool.api.core import Cluster
from capipool.machinery import errors, objects
from capipool.machinery.objects import ObjectMeta, Raw
from capipool.providers.dev.api.cluster import ClusterBackend, DevCluster, DevClusterSpec, InMemoryCluster
from capipool.sdk import kubeconfigs, writes
from capipool.testing.embedded import embedded

META = ObjectMeta(name="c", namespace="default")
SPEC = DevClusterSpec(backend=ClusterBackend(in_memory=InMemoryCluster()))


async def test_what_is_so_already_is_not_written() -> None:
    async with embedded(controllers=False) as running:
        made = await running.client.create(objects.new(DevCluster, metadata=META, spec=SPEC))
        wanted: dict[str, Raw] = {
            "spec": {"controlPlaneEndpoint": {"host": "h", "port": 1}},
            "annotations": {"a": "b", "absent": None},
            "status": {"initialization": {"provisioned": True}, "failureDomains": None},
        }
        await writes.bring(running.client, made, **wanted)
        once = await running.client.get(DevCluster, "c", "default")
        assert once.spec.control_plane_endpoint.host == "h"
        assert once.metadata.annotations == {"a": "b"}
        assert once.status.initialization.provisioned
        await writes.bring(running.client, once, **wanted)
        again = await running.client.get(DevCluster, "c", "default")
        assert again.metadata.resource_version == once.metadata.resource_version
        await writes.bring(running.client, again, annotations={"a": None})
        assert (await running.client.get(DevCluster, "c", "default")).metadata.annotations == {}


async def test_finalizers_of_an_object_that_changed_meanwhile_are_left() -> None:
    async with embedded(controllers=False) as running:
        meta = objects.replace_part(META, finalizers=("test/mine", "test/theirs"))
        made = await running.client.create(objects.new(DevCluster, metadata=meta, spec=SPEC))
        await writes.bring(running.client, made, annotations={"a": "b"})
        with pytest.raises(errors.Conflict):
            await writes.remove_finalizer(running.client, made, "test/mine")
        for _ in range(2):
            await writes.remove_finalizer(
                running.client, await running.client.get(DevCluster, "c", "default"), "test/mine"
            )
        left = await running.client.get(DevCluster, "c", "default")
        assert list(left.metadata.finalizers) == ["test/theirs"]


async def test_a_kubeconfig_secret_is_made_once_and_changed_where_it_differs() -> None:
    async with embedded(controllers=False) as running:
        client = running.client
        owner = await client.create(objects.new(DevCluster, metadata=META, spec=SPEC))
        cluster = await client.create(
            objects.from_raw(
                Cluster,
                {
                    "apiVersion": Cluster.RESOURCE.api_version,
                    "kind": "Cluster",
                    "metadata": {"name": "c", "namespace": "default"},
                    "spec": {
                        "infrastructureRef": {
                            "apiGroup": DevCluster.RESOURCE.group,
                            "kind": "DevCluster",
                            "name": "c",
                        }
                    },
                },
            )
        )
        assert await kubeconfigs.endpoint(client, cluster) == {}
        changed = []
        for text in (b"not a kubeconfig", b"not a kubeconfig", b"nor this"):
            wanted = kubeconfigs.secret(owner, cluster, {"value": text})
            changed.append(await kubeconfigs.store(client, wanted, await kubeconfigs.find(client, cluster)))
        assert changed == [False, False, True]
        present = await client.get(Secret, "c-kubeconfig", "default")
        assert present.data == {"value": b"nor this"}
        assert kubeconfigs.is_kept_by(present, owner)
        assert await kubeconfigs.endpoint(client, cluster) == {}
