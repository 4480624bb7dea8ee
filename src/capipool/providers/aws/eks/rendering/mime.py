"""User data of several parts, as cloud-init and nodeadm read it. The same parts are the same bytes."""

from __future__ import annotations

import base64
import hashlib
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

_PLAIN = re.compile(r"[\t\n -~]*")
"""What goes through unchanged, however a reader treats line ends and bytes."""
_LINE = 76


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: its type, its content, and a name where its reader saves it as a file."""

    type: str
    content: str = field(repr=False)
    name: str = ""


def multipart(parts: Sequence[Part]) -> bytes:
    """All parts in one. What is not printable ASCII goes as base64: only readers of MIME see such parts."""
    bodies = [_part(part) for part in parts]
    boundary = _boundary(bodies)
    head = f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="{boundary}"\n\n'
    return (head + "".join(f"--{boundary}\n{body}\n" for body in bodies) + f"--{boundary}--\n").encode("ascii")


def _part(part: Part) -> str:
    headers = [f"Content-Type: {part.type}", "MIME-Version: 1.0"]
    body = part.content
    if _PLAIN.fullmatch(body):
        headers.append("Content-Transfer-Encoding: 7bit")
    else:
        headers.append("Content-Transfer-Encoding: base64")
        body = "\n".join(textwrap.wrap(base64.b64encode(body.encode()).decode(), _LINE)) + "\n"
    if part.name:
        headers.append(f'Content-Disposition: attachment; filename="{part.name}"')
    return "\n".join(headers) + "\n\n" + body


def _boundary(bodies: Sequence[str]) -> str:
    """A line that is in no part: made from all of them, so that nobody can write it into one."""
    digest = hashlib.sha256()
    for body in bodies:
        digest.update(f"{len(body)}:".encode() + body.encode())
    return f"capipool-{digest.hexdigest()[:32]}"
