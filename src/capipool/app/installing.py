"""Puts our CustomResourceDefinitions into a server, and leaves those that are as they should be alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from capipool.client.client import Client
from capipool.machinery import codec, objects
from capipool.machinery.errors import NotFound
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource

CRDS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)
DIGEST = "capipool.io/definition-digest"
"""Says which definition was installed, so that a start compares a line instead of thousands of fields."""


async def install(client: Client, definitions: Iterable[Raw]) -> None:
    """Create what is missing, update what another version of capipool installed. Idempotent."""
    for definition in definitions:
        await _install(client, _marked(definition))


async def _install(client: Client, definition: Raw) -> None:
    metadata = definition["metadata"]
    try:
        current = await client.get(CRDS, metadata["name"])
    except NotFound:
        await client.create(objects.from_raw(objects.Unstructured, definition), resource=CRDS)
        return
    if current.metadata.annotations.get(DIGEST) != metadata["annotations"][DIGEST]:
        wanted = {"metadata": {k: metadata.get(k) for k in ("labels", "annotations")}, "spec": definition["spec"]}
        await client.patch(CRDS, metadata["name"], patch=wanted)


def _marked(definition: Raw) -> Raw:
    digest = hashlib.sha256(codec.encode_json(definition)).hexdigest()[:16]
    metadata = definition["metadata"]
    annotations = {**(metadata.get("annotations") or {}), DIGEST: digest}
    return {**definition, "metadata": {**metadata, "annotations": annotations}}
