"""Revisions: the name of what instances are made from. A fresh token never makes a new one, any real change does.

A revision is a hash over the provider's normalised launch content, the Kubernetes version, and a digest of the
bootstrap data without tokens. A bootstrap provider that knows where its tokens are writes that digest beside the data;
for any other the data is hashed with everything masked that looks like a bootstrap token. Pure.
"""

from __future__ import annotations

import hashlib
import re

from capipool.machinery import codec, names
from capipool.machinery.objects import Raw

DIGEST_ANNOTATION = "capipool.io/bootstrap-digest"
"""On a bootstrap data secret: a digest of its content without tokens, by who rendered it."""

LENGTH = 10
"""Long enough that two revisions of one pool never meet, short enough for a label and for people."""

_TOKEN = re.compile(rb"(?<![a-z0-9])[a-z0-9]{6}\.[a-z0-9]{16}(?![a-z0-9])")


def revision(content: Raw, *, version: str, bootstrap_digest: str) -> str:
    """Name what instances are made from. The order of keys means nothing, that of lists does."""
    whole = {"content": content, "version": version, "bootstrap": bootstrap_digest}
    return names.short_hash(_canonical(whole), LENGTH)


def bootstrap_digest(data: bytes, format: str = "") -> str:
    """Digest bootstrap data with its bootstrap tokens masked."""
    return hashlib.sha256(format.encode() + b"\0" + mask_tokens(data)).hexdigest()


def mask_tokens(data: bytes) -> bytes:
    """Replace everything that has the form of a bootstrap token (`abcdef.0123456789abcdef`)."""
    return _TOKEN.sub(b"[token]", data)


def _canonical(value: object) -> str:
    return codec.encode_json(_sorted(value)).decode()


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return value
