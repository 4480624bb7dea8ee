"""`capipool manifests`: what to apply to a real Kubernetes first."""

from __future__ import annotations

from capipool.app import kinds, manifests
from capipool.app import providers as known
from capipool.cli import console
from capipool.cli.options import Output
from capipool.machinery import codec


async def print_manifests(*, providers: str, output: Output) -> int:
    """Print every object, for these providers: YAML documents, or one JSON `List`."""
    try:
        chosen = known.parse(providers)
    except known.UnknownProvider as error:
        console.usage(str(error))
    objects = manifests.manifests(kinds.crds(chosen))
    if output is Output.json:
        console.out(codec.format_json({"apiVersion": "v1", "kind": "List", "items": objects}))
    else:
        console.out("---\n".join(codec.encode_yaml(obj) for obj in objects).rstrip())
    return 0
