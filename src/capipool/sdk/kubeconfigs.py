"""The kubeconfig secret of a cluster, by Cluster API's contract: for providers that keep one, or read it.

Used by controllers of cluster and control plane kinds. What a kubeconfig says, and how long it is good, is the
provider's; connections read it (`workload.connections`). Its content is a secret, and gets into no text here.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from capipool.api.builtin import Secret
from capipool.api.constants import Label
from capipool.api.core import Cluster
from capipool.client import kubeconfig
from capipool.client.client import Client
from capipool.machinery import errors, objects
from capipool.machinery.objects import Object, ObjectMeta, Raw
from capipool.workload.connections import KUBECONFIG_KEY, kubeconfig_secret_name

SECRET_TYPE = "cluster.x-k8s.io/secret"


def secret(owner: Object, cluster: Cluster, data: Mapping[str, bytes], *, people: bool = False) -> Secret:
    """The secret as the contract has it, owned by a provider's object. `people`: the other one, which is not read."""
    meta = ObjectMeta(
        name=_name(cluster, people),
        namespace=cluster.metadata.namespace,
        labels={Label.CLUSTER_NAME: cluster.metadata.name},
        owner_references=(objects.owner_reference(owner, controller=True),),
    )
    return objects.new(Secret, metadata=meta, type=SECRET_TYPE, data=dict(data))


def is_kept_by(present: Secret, owner: Object) -> bool:
    """Whether a secret is a provider's object's, and not a person's: theirs is left alone."""
    kind, name = owner.RESOURCE.group_kind, owner.metadata.name
    return any(o.group_kind == kind and o.name == name for o in present.metadata.owner_references)


async def find(client: Client, cluster: Cluster, *, people: bool = False) -> Secret | None:
    """The secret that is there. Raises ApiError."""
    try:
        return await client.get(Secret, _name(cluster, people), cluster.metadata.namespace)
    except errors.NotFound:
        return None


async def store(client: Client, wanted: Secret, present: Secret | None) -> bool:
    """Write a secret where it is not as it should be; whether one was changed that was there. Raises ApiError."""
    if present is None:
        await client.create(wanted)
        return False
    if all(present.data.get(key) == value for key, value in wanted.data.items()):
        return False
    meta = wanted.metadata
    await client.patch(Secret, meta.name, meta.namespace, patch={"data": objects.to_raw(wanted)["data"]})
    return True


async def endpoint(client: Client, cluster: Cluster) -> Raw:
    """Where the API server is, as the kubeconfig has it: host and port; empty where nothing says. Raises ApiError."""
    present = await find(client, cluster)
    if present is None:
        return {}
    try:
        parts = urlsplit(kubeconfig.parse(present.data.get(KUBECONFIG_KEY, b"")).server)
    except kubeconfig.KubeconfigError:
        return {}
    return {"host": parts.hostname, "port": parts.port or 443} if parts.hostname else {}


def _name(cluster: Cluster, people: bool) -> str:
    return kubeconfig_secret_name(f"{cluster.metadata.name}-user" if people else cluster.metadata.name)
