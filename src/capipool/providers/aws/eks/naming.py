"""Names that upstream gives to things of EKS where the spec gives none. Pure."""

from __future__ import annotations

import hashlib

from capipool.machinery.objects import Raw

CLUSTER_NAME_LIMIT = 100
"""Characters that EKS takes in the name of a cluster."""
NODEGROUP_NAME_LIMIT = 64
"""One more than the characters that EKS takes in the name of a node group."""
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_PREFIX = "capa_"


def generated(name: str, namespace: str, *, limit: int) -> str:
    """The name of what is made for an object: its namespace and name, or a hash of both where that is too long."""
    plain = f"{namespace}_{name.replace('.', '_')}"
    if len(plain) < limit:
        return plain
    digest = hashlib.blake2b(plain.encode(), digest_size=32 - len(_PREFIX)).digest()
    return _PREFIX + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest)


def named(obj: Raw, field: str, *, limit: int) -> Raw:
    """An object's spec, with the name of what is made for the object where it gives none."""
    spec, meta = dict(obj.get("spec") or {}), obj.get("metadata") or {}
    if not spec.get(field) and meta.get("name"):
        spec[field] = generated(meta["name"], meta.get("namespace", ""), limit=limit)
    return spec
