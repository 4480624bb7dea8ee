"""Names: what Kubernetes takes for one, and how a short one is made from a long one."""

from __future__ import annotations

import hashlib
import random
import re

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' suffix alphabet: no vowels and nothing that looks like another, so no word appears by chance."""

SUFFIX_LENGTH = 5
MAX_GENERATED_BASE = 63 - SUFFIX_LENGTH


def is_dns_label(name: str) -> bool:
    """RFC 1123 label: what a namespace or a service may be called (at most 63 characters)."""
    return len(name) <= 63 and _DNS_LABEL.fullmatch(name) is not None


def is_dns_subdomain(name: str) -> bool:
    """RFC 1123 subdomain: what most objects may be called (at most 253 characters)."""
    return len(name) <= 253 and _DNS_SUBDOMAIN.fullmatch(name) is not None


def is_label_value(value: str) -> bool:
    """What a label may hold: empty, or at most 63 of letters, digits, `-`, `_` and `.`."""
    return value == "" or (len(value) <= 63 and _QUALIFIED.fullmatch(value) is not None)


def is_qualified_name(name: str) -> bool:
    """What a label or annotation key may be: a name, with a DNS subdomain and a slash before it if wanted."""
    prefix, slash, last = name.rpartition("/")
    if slash and not is_dns_subdomain(prefix):
        return False
    return 0 < len(last) <= 63 and _QUALIFIED.fullmatch(last) is not None


def generate(base: str, rng: random.Random) -> str:
    """A name from `metadata.generateName`: the base, cut to fit, and five random characters."""
    return base[:MAX_GENERATED_BASE] + "".join(rng.choices(_ALPHABET, k=SUFFIX_LENGTH))


def short_hash(text: str, length: int = 8) -> str:
    """A stable short name part for any text: lower-case letters and digits, the same on every run and machine."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest())
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)
