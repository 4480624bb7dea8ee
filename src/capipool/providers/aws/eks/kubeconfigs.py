"""Kubeconfigs of an EKS cluster: one for controllers, with a token, and one for people. Pure.

Users and keys are upstream's, so that whoever reads its secrets reads ours.
"""

from __future__ import annotations

import base64
from typing import Any

from capipool.api.builtin import Secret
from capipool.machinery import codec
from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.facts import EKSCluster
from capipool.workload.connections import KUBECONFIG_KEY

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
