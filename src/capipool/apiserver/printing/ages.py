"""How old something is, in the few characters that a column has."""

from __future__ import annotations

import datetime as dt
from typing import Any

from capipool.machinery.clock import parse_time

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def human(seconds: float) -> str:
    """A duration as kubectl shows one.

    Two units at most, fewer the longer it is (`90s`, `5m30s`, `3h`, `2d4h`, `3y`).
    """
    if seconds < -1:
        return "<invalid>"
    s = max(0, int(seconds))
    if s < 2 * _MINUTE:
        return f"{s}s"
    if s < 10 * _MINUTE:
        return _pair(s, _MINUTE, "m", 1, "s")
    if s < 3 * _HOUR:
        return f"{s // _MINUTE}m"
    if s < 8 * _HOUR:
        return _pair(s, _HOUR, "h", _MINUTE, "m")
    if s < 2 * _DAY:
        return f"{s // _HOUR}h"
    if s < 8 * _DAY:
        return _pair(s, _DAY, "d", _HOUR, "h")
    if s < 2 * _YEAR:
        return f"{s // _DAY}d"
    return _pair(s, _YEAR, "y", _DAY, "d") if s < 8 * _YEAR else f"{s // _YEAR}y"


def _pair(seconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large}{large_name}" + (f"{rest}{small_name}" if rest else "")


def since(moment: Any, now: dt.datetime, missing: str | None = "<unknown>") -> str | None:
    """How long ago a time of the wire was; `missing` where there is none, `<invalid>` where it is no time."""
    if not moment:
        return missing
    try:
        return human((now - parse_time(moment)).total_seconds())
    except (ValueError, TypeError):
        return "<invalid>"
