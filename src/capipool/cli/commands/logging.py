"""Logs go to standard error: readable in a terminal, JSON elsewhere, unless told otherwise."""

from __future__ import annotations

import sys

from capipool.runtime import logs


def configure(level: logs.Level, format_: str) -> None:
    """Set up logging for this process. `format_` is auto, text or json."""
    as_json = format_ == "json" or (format_ == "auto" and not sys.stderr.isatty())
    logs.configure(level=level, json=as_json, stream=sys.stderr)
