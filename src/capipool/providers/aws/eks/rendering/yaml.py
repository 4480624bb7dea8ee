"""YAML in plain ASCII whose every scalar reads back to the byte, in Go and in Python.

A library's emitter leaves bare what its own reader takes for text; another reader may see a number in `1e3` or `0o7`.
So only words are bare here, and everything else that is text is quoted, or stands as a block.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from capipool.machinery.objects import Raw

_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9_./@-]|:(?=[A-Za-z0-9_./@-]))*")
_NOT_TEXT = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
"""Words that a reader of YAML 1.1 takes for something else."""
_BLOCK = re.compile(r"[!-~][\n -~]*")
"""Text that may stand as a block: printable ASCII that does not begin with a blank."""
_UNFOLDED = 2**31


def document(value: Raw) -> str:
    """One document in block style, keys in their order, ending with a newline."""
    import yaml  # here, because a third of a server's start-up is imports, and few need this one

    text: str = yaml.dump(
        value, Dumper=_dumper(), sort_keys=False, default_flow_style=False, allow_unicode=False, width=_UNFOLDED
    )
    return text


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes what is not a word; repeats what occurs twice instead of referring to it."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    Dumper.add_representer(str, _text)
    Dumper.add_representer(tuple, lambda dumper, data: dumper.represent_list(list(data)))
    return Dumper


def _text(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return None
    lines = text.split("\n")
    block = len(lines) > 1 and _BLOCK.fullmatch(text) and not any(line.endswith(" ") for line in lines)
    return "|" if block else '"'
