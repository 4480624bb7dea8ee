"""Logs go to standard error: readable in a terminal, JSON elsewhere, unless told otherwise."""

from __future__ import annotations

import sys
from typing import get_args

from capipool.cli import console
from capipool.runtime import logs


def configure(level: str, format_: str) -> None:
    """Set up logging for this process; ends with a usage error for a word it does not know."""
    levels = get_args(logs.Level)
    if level not in levels:
        console.usage(f"--log-level is {level!r}; it must be one of {', '.join(levels)}")
    if format_ not in ("auto", "text", "json"):
        console.usage(f"--log-format is {format_!r}; it must be auto, text or json")
    as_json = format_ == "json" or (format_ == "auto" and not sys.stderr.isatty())
    logs.configure(level=next(name for name in levels if name == level), json=as_json, stream=sys.stderr)
