"""Kubeconfig secrets of an AKS cluster: one for controllers, and one for people. Pure.

Names and keys are upstream's, so that whoever reads its secrets reads ours. What AKS gives out is passed on, but where
local accounts are disabled: there it names a program that asks for a token, and controllers get the token itself.
"""

from __future__ import annotations

from typing import Any

from capipool.api.builtin import Secret
from capipool.api.constants import Label
from capipool.api.core import Cluster
from capipool.machinery import codec, objects
from capipool.machinery.errors import BadRequest
from capipool.machinery.objects import ObjectMeta, OwnerReference
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.sdk import CloudUnavailable
from capipool.workload.connections import KUBECONFIG_KEY, kubeconfig_secret_name

SECRET_TYPE = "cluster.x-k8s.io/secret"


def with_token(given: bytes, token: str, *, name: str) -> bytes:
    """The kubeconfig that AKS gives users, with a token instead of its program. Raises CloudUnavailable."""
    try:
        found: Any = next(codec.decode_yaml(given))
        clusters = found["clusters"]
        entry = clusters[0]["name"]
    except (BadRequest, StopIteration, LookupError, TypeError):
        # NB: the texts of these errors may quote what could not be read.
        raise CloudUnavailable(f"the credential of {name}", detail="what AKS gave is no kubeconfig") from None
    user = f"{name}-capi-admin"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": clusters,
        "contexts": [{"name": name, "context": {"cluster": entry, "user": user}}],
        "current-context": name,
        "users": [{"name": user, "user": {"token": token}}],
    }
    return codec.encode_yaml(config).encode()


def secret(obj: AzureManagedControlPlane, cluster: Cluster, config: bytes, *, people: bool) -> Secret:
    """The secret as Cluster API's contract has it, owned by the control plane."""
    owner = OwnerReference(
        api_version=AzureManagedControlPlane.RESOURCE.api_version,
        kind=AzureManagedControlPlane.RESOURCE.kind,
        name=obj.metadata.name,
        uid=obj.metadata.uid,
        controller=True,
    )
    meta = ObjectMeta(
        name=kubeconfig_secret_name(f"{cluster.metadata.name}-user" if people else cluster.metadata.name),
        namespace=cluster.metadata.namespace,
        labels={Label.CLUSTER_NAME: cluster.metadata.name},
        owner_references=(owner,),
    )
    return objects.new(Secret, metadata=meta, type=SECRET_TYPE, data={KUBECONFIG_KEY: config})


def is_ours(present: Secret, obj: AzureManagedControlPlane) -> bool:
    """Whether a secret is kept by this control plane, and not by a person."""
    kind = AzureManagedControlPlane.RESOURCE.group_kind
    return any(o.group_kind == kind and o.name == obj.metadata.name for o in present.metadata.owner_references)
