"""The kubeconfig of an AKS cluster for controllers. Pure.

What AKS gives out is passed on, but where local accounts are disabled: there it names a program that asks for a token,
and controllers get the token itself.
"""

from __future__ import annotations

from typing import Any

from capipool.machinery import codec
from capipool.machinery.errors import BadRequest
from capipool.sdk import CloudUnavailable


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
