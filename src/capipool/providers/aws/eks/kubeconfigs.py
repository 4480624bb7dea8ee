"""Kubeconfig secrets of an EKS cluster: one for controllers, with a token, and one for people. Pure.

Names, users and keys are upstream's, so that whoever reads its secrets reads ours.
"""

from __future__ import annotations

import base64
from typing import Any

from capipool.api.builtin import Secret
from capipool.api.constants import Label
from capipool.api.core import Cluster
from capipool.machinery import codec, objects
from capipool.machinery.objects import ObjectMeta, OwnerReference, Raw
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.facts import EKSCluster
from capipool.workload.connections import KUBECONFIG_KEY, kubeconfig_secret_name

SECRET_TYPE = "cluster.x-k8s.io/secret"
RELATIVE_KEY, TOKEN_KEY = "relative", "token-file"
"""A kubeconfig that reads its token from the file beside it, and that file: for who mounts the secret."""
_EXEC_VERSION = "client.authentication.k8s.io/v1beta1"


def of_controllers(cluster: EKSCluster, token: str) -> dict[str, bytes]:
    """What the secret for controllers holds."""
    user = f"{cluster.name}-capi-admin"
    return {
        KUBECONFIG_KEY: _config(cluster, user, {"token": token}),
        RELATIVE_KEY: _config(cluster, user, {"tokenFile": f"./{TOKEN_KEY}"}),
        TOKEN_KEY: token.encode(),
    }


def of_people(cluster: EKSCluster, *, method: str, region: str) -> dict[str, bytes]:
    """What the secret for people holds: a program of theirs gets the token, as who they are."""
    command: Raw = {"apiVersion": _EXEC_VERSION}
    if method == "aws-cli":
        arguments = ["eks", "get-token", "--cluster-name", cluster.name, *(("--region", region) if region else ())]
        command |= {"command": "aws", "args": arguments}
    else:
        command |= {"command": "aws-iam-authenticator", "args": ["token", "-i", cluster.name]}
    return {KUBECONFIG_KEY: _config(cluster, f"{cluster.name}-user", {"exec": command})}


def secret(obj: AWSManagedControlPlane, cluster: Cluster, data: dict[str, bytes], *, people: bool) -> Secret:
    """The secret as Cluster API's contract has it, owned by the control plane."""
    owner = OwnerReference(
        api_version=AWSManagedControlPlane.RESOURCE.api_version,
        kind=AWSManagedControlPlane.RESOURCE.kind,
        name=obj.metadata.name,
        uid=obj.metadata.uid,
        controller=True,
    )
    of = f"{cluster.metadata.name}-user" if people else cluster.metadata.name
    meta = ObjectMeta(
        name=kubeconfig_secret_name(of),
        namespace=cluster.metadata.namespace,
        labels={Label.CLUSTER_NAME: cluster.metadata.name},
        owner_references=(owner,),
    )
    return objects.new(Secret, metadata=meta, type=SECRET_TYPE, data=data)


def is_ours(present: Secret, obj: AWSManagedControlPlane) -> bool:
    """Whether a secret is kept by this control plane, and not by a person."""
    kind = AWSManagedControlPlane.RESOURCE.group_kind
    return any(o.group_kind == kind and o.name == obj.metadata.name for o in present.metadata.owner_references)


def token_of(present: Secret | None) -> str:
    """The token in a secret for controllers; empty where there is none."""
    return present.data.get(TOKEN_KEY, b"").decode("ascii", "replace") if present is not None else ""


def _config(cluster: EKSCluster, user: str, credentials: Raw) -> bytes:
    context = f"{user}@{cluster.name}"
    server = {"server": cluster.endpoint, "certificate-authority-data": _one_line(cluster.authority)}
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster.name, "cluster": server}],
        "contexts": [{"name": context, "context": {"cluster": cluster.name, "user": user}}],
        "current-context": context,
        "users": [{"name": user, "user": credentials}],
    }
    return codec.encode_yaml(config).encode()


def _one_line(authority: str) -> str:
    """Base64 as one line, whatever line breaks it came with."""
    return base64.b64encode(base64.b64decode(authority)).decode()
