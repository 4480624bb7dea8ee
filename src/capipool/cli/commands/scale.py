"""`capipool scale`: set the replicas of anything with a scale subresource."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from capipool.cli import console, kinds
from capipool.cli.session import connect


async def scale(words: Sequence[str], *, replicas: int, kubeconfig: Path | None, namespace: str | None) -> int:
    """Patch the scale subresource of one object and say so."""
    word, name = kinds.split_target(words)
    if name is None:
        raise kinds.BadWords(f"say which one to scale: {word}/NAME")
    async with connect(kubeconfig) as session:
        kind = kinds.find(await session.kinds(), word)
        if "scale" not in kind.subresources:
            raise console.Failure(f"a {kind.resource.kind} has no replicas to scale")
        await session.client.update_scale(kind.resource, name, namespace or session.namespace, replicas=replicas)
        console.out(f"{kind.resource.kind.lower()}.{kind.resource.group}/{name} scaled to {replicas}")
    return 0
