"""SSH keys of machines. Azure wants one for each Linux machine, and people often none.

Used by admission. The key made here is thrown away: its private half is never seen by anybody, so it opens nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from functools import cache

from capipool.machinery import errors
from capipool.machinery.errors import FieldError

_TYPES = (
    *("ssh-rsa", "ssh-ed25519", "ssh-dss", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    *("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"),
)


@cache
def throw_away() -> str:
    """A public key, in base64 as `sshPublicKey` has it. One a process: making one takes a while."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    line = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return base64.b64encode(line + b"\n").decode()


def check(value: str, path: str) -> Iterator[FieldError]:
    """A line of an authorized_keys file, in base64."""
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        yield errors.invalid(path, value, "must be in base64: `base64 -w0 < id_rsa.pub` makes it")
        return
    if not any(_is_key(line) for line in text.splitlines()):
        said = "must be, under its base64, a line of an authorized_keys file, as `ssh-rsa AAAA... me@here`"
        yield errors.invalid(path, value, said)


def _is_key(line: str) -> bool:
    """Whether a line holds a key: a type, and data that says the same type. Options may come before."""
    words = line.split()
    for index, word in enumerate(words[:-1]):
        if word in _TYPES:
            return _type_of(words[index + 1]) == word
    return False


def _type_of(data: str) -> str:
    """The type inside of a key's data: a length of four bytes, and so many letters."""
    try:
        raw = base64.b64decode(data, validate=True)
    except binascii.Error:
        return ""
    return raw[4 : 4 + int.from_bytes(raw[:4])].decode(errors="replace")
