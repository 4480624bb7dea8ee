"""Workload clusters of the development cloud, as address spaces of the embedded server; and who may use them."""

from __future__ import annotations

import hashlib
import hmac

from capipool.apiserver.authn import SPACE_GROUP, Authenticator
from capipool.apiserver.server import Server
from capipool.client import kubeconfig
from capipool.machinery.calls import User
from capipool.machinery.resource import ObjectKey

PREFIX = "/workload"


def space_of(cluster: ObjectKey) -> str:
    """The address space of a workload cluster."""
    return f"{cluster.namespace}/{cluster.name}"


def user_of(space: str) -> User:
    """The administrator of one workload cluster, who is nobody elsewhere."""
    return User(f"admin@{space}", ("system:masters", SPACE_GROUP + space))


class Spaces:
    """Makes and drops address spaces. Tokens follow from a secret of the installation, so none needs to be stored."""

    def __init__(self, server: Server, authenticator: Authenticator, *, url: str, ca: bytes, secret: bytes) -> None:
        self._server = server
        self._authenticator = authenticator
        self._url = url
        self._ca = ca
        self._secret = secret
        for space in server.spaces():
            if space:
                self._let_in(space)

    async def ensure(self, namespace: str, name: str) -> bytes:
        """The administrator's kubeconfig of a workload cluster, whose API server is made where it is not there yet.

        Idempotent: the same kubeconfig for as long as the server keeps its address and its certificate authority.
        """
        space = space_of(ObjectKey(namespace, name))
        await self._server.ensure_space(space)
        return kubeconfig.build(
            server=f"{self._url}{PREFIX}/{space}",
            ca=self._ca,
            cluster=name,
            user=f"{name}-admin",
            token=self._let_in(space),
        )

    async def drop(self, namespace: str, name: str) -> None:
        """Delete a workload cluster with everything in it. Idempotent."""
        await self._server.drop_space(space_of(ObjectKey(namespace, name)))

    def _let_in(self, space: str) -> str:
        token = hmac.new(self._secret, f"token {space}".encode(), hashlib.sha256).hexdigest()
        self._authenticator.add_token(token, user_of(space))
        return token
