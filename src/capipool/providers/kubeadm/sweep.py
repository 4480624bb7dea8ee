"""Removes dead tokens that nobody remembers: of KubeadmConfigs that are gone, or of a process that died in between.

A real cluster's token cleaner does that too; one without it would gather them for as long as it lives.
"""

from __future__ import annotations

import datetime as dt

from capipool.api.builtin import Secret
from capipool.client.client import Client
from capipool.machinery import errors
from capipool.machinery.resource import ObjectKey
from capipool.providers.kubeadm import tokens

EVERY = dt.timedelta(hours=1)
GRACE = dt.timedelta(minutes=5)
"""How long a token is left dead: who made it may be about to prolong it, by a clock that is behind."""


class Sweeper:
    """Sweeps each workload cluster now and then, in the course of work that goes there anyway."""

    def __init__(self) -> None:
        self._last: dict[ObjectKey, dt.datetime] = {}

    async def sweep(self, cluster: ObjectKey, client: Client, now: dt.datetime) -> int:
        """Remove dead tokens made here, if that was not done lately. Returns how many. Raises ApiError."""
        last = self._last.get(cluster)
        if last is not None and now - last < EVERY:
            return 0
        self._last[cluster] = now
        removed = 0
        for secret in await client.list(Secret, tokens.NAMESPACE, labels=tokens.OWNER_LABEL):
            token = tokens.from_secret(secret)
            if secret.type == tokens.SECRET_TYPE and token is not None and token.left(now) < -GRACE:
                removed += await _delete(client, secret)
        return removed


async def _delete(client: Client, secret: Secret) -> int:
    try:
        await client.delete(Secret, secret.metadata.name, secret.metadata.namespace, uid=secret.metadata.uid)
    except (errors.NotFound, errors.Conflict):
        return 0
    return 1
