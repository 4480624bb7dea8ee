"""`capipool kubeconfig`: the kubeconfig of a workload cluster, from the secret that the management cluster keeps."""

from __future__ import annotations

import base64
from pathlib import Path

from capipool.cli import console
from capipool.cli.commands.describe import CLUSTERS
from capipool.cli.session import SECRETS, connect
from capipool.machinery import objects
from capipool.machinery.errors import NotFound


async def print_kubeconfig(name: str, *, kubeconfig: Path | None, namespace: str | None) -> int:
    """Print it, for kubectl to use. Exit code 1 where the cluster does not exist or has none yet."""
    async with connect(kubeconfig) as session:
        scope = namespace or session.namespace
        await session.client.get(CLUSTERS, name, scope)
        secret = f"{name}-kubeconfig"
        try:
            found = objects.to_raw(await session.client.get(SECRETS, secret, scope))
        except NotFound:
            raise console.Failure(
                f"cluster {scope}/{name} has no kubeconfig yet: secret {secret} does not exist "
                f"(capipool describe cluster {name} says what is waited for)"
            ) from None
    value = (found.get("data") or {}).get("value", "")
    console.out(base64.b64decode(value).decode("utf-8", "replace").rstrip())
    return 0
