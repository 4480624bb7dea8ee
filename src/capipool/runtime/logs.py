"""Structured logging: where the runtime logs, and how the composition root says what it looks like.

structlog takes a quarter of a second to import, so it is imported when the first line is logged.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import Any, Literal, TextIO

from capipool.machinery.resource import ObjectKey

Level = Literal["debug", "info", "warning", "error"]
_LEVELS: dict[Level, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Subject:
    """What a task works on: every line that it logs names it."""

    __slots__ = ("controller", "key", "reconcile_id")

    def __init__(self, controller: str, key: ObjectKey, reconcile_id: str) -> None:
        self.controller = controller
        self.key = key
        self.reconcile_id = reconcile_id


subject: ContextVar[Subject | None] = ContextVar("subject", default=None)
"""The reconcile that the current task runs; set by the controller."""


class Logger:
    """A named structlog logger that costs nothing until it is used. Levels below the configured one stay cheap."""

    __slots__ = ("_bound", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        self._bound: Any = None

    def debug(self, event: str, **facts: Any) -> None:
        """For who debugs capipool itself."""
        if _threshold <= 10:
            self._log("debug", event, facts)

    def info(self, event: str, **facts: Any) -> None:
        """Something happened that an operator may want to know."""
        if _threshold <= 20:
            self._log("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Something is off, and capipool goes on without help."""
        if _threshold <= 30:
            self._log("warning", event, facts)

    def error(self, event: str, **facts: Any) -> None:
        """Something failed. `exc_info=error` shows the traceback."""
        self._log("error", event, facts)

    def _log(self, level: Level, event: str, facts: dict[str, Any]) -> None:
        if self._bound is None:
            import structlog

            self._bound = structlog.get_logger(self._name)
        if (about := subject.get()) is not None:
            facts = {
                "controller": about.controller,
                "namespace": about.key.namespace,
                "name": about.key.name,
                "reconcile_id": about.reconcile_id,
                **facts,
            }
        getattr(self._bound, level)(event, logger=self._name, **facts)


_threshold = _LEVELS["info"]


def configure(*, level: Level = "info", json: bool = False, stream: TextIO | None = None) -> None:
    """Set up logging for the process: lines for people, or one JSON object a line. Called by the composition root."""
    global _threshold
    import structlog

    _threshold = _LEVELS[level]
    out = stream or sys.stderr
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    ending: list[Any] = (
        [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
        if json
        else [
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback, sort_keys=False
            )
        ]
    )
    structlog.configure(
        processors=shared + ending,
        wrapper_class=structlog.make_filtering_bound_logger(_threshold),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=True,
    )
