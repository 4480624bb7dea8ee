"""Volumes that are attached to a node still: what a machine waits for between draining its node and going away.

A machine that goes with a volume attached may take the volume with it, or keep it from being attached elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from capipool.api.builtin import Node, PersistentVolume, Pod, VolumeAttachment
from capipool.client.client import Client


async def attached(client: Client, node: Node, *, ignored: Iterable[Pod] = ()) -> tuple[str, ...]:
    """The volumes attached to a node, by name of their PersistentVolume where it is known, else by the node's name.

    Volumes of `ignored` pods do not count: a drain left those pods where they are, so their volumes stay too. Costs
    one call; another where something is attached. Raises ApiError.
    """
    attachments = await client.list(VolumeAttachment)
    claimed = {
        a.spec.source.persistent_volume_name
        for a in attachments
        if a.status.attached and a.spec.node_name == node.metadata.name and a.spec.source.persistent_volume_name
    }
    named = {volume.name for volume in node.status.volumes_attached}
    if not claimed and not named:
        return ()
    volumes = await client.list(PersistentVolume)
    by_handle = {_handle(v): v.metadata.name for v in volumes}
    there = {name for name in claimed if name} | {by_handle.get(name, name) for name in named}
    staying = _claims(ignored)
    stay = {v.metadata.name for v in volumes if _claim(v) in staying}
    return tuple(sorted(there - stay))


def _handle(volume: PersistentVolume) -> str:
    """How a node calls a volume of a CSI driver."""
    csi = volume.spec.csi
    return f"kubernetes.io/csi/{csi.driver}^{csi.volume_handle}" if csi is not None else ""


def _claim(volume: PersistentVolume) -> tuple[str, str] | None:
    claim = volume.spec.claim_ref
    return (claim.namespace, claim.name) if claim is not None else None


def _claims(pods: Iterable[Pod]) -> set[tuple[str, str] | None]:
    """The claims that pods use, those made for one pod alone included."""
    found: set[tuple[str, str] | None] = set()
    for pod in pods:
        namespace = pod.metadata.namespace
        for volume in pod.spec.volumes:
            if volume.persistent_volume_claim is not None:
                found.add((namespace, volume.persistent_volume_claim.claim_name))
            elif volume.ephemeral is not None:
                found.add((namespace, f"{pod.metadata.name}-{volume.name}"))
    return found
