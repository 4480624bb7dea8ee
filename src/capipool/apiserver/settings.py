"""What an API server can be told, with what unset means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Limits and intervals of one API server. The defaults are right for anything but tests of the limits."""

    watch_window: int = 4096
    """Changes that each collection remembers, so that a watch may resume; older ones are answered with 410.

    A watch that lags further behind than this is ended, so that one stuck client never fills the memory."""
    history_bytes: int = 32 * 1024 * 1024
    """What all collections together may remember of changes: of many busy ones each remembers less."""
    watch_timeout: timedelta = timedelta(minutes=40)
    """How long a watch lasts whose client did not say; up to twice this, so that not all end at once."""
    bookmark_interval: timedelta = timedelta(minutes=1)
    """How often a quiet watch is told how far it has come, if it asked for bookmarks."""
    event_ttl: timedelta = timedelta(hours=1)
    """How long an event is kept after it was last written."""
    max_body_bytes: int = 3 * 1024 * 1024
    """Requests larger than this are refused, as kube-apiserver does."""


DEFAULTS = Settings()
