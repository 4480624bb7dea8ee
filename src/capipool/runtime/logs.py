"""Structured logging: where the runtime logs, and how the composition root says what it looks like.

structlog takes a quarter of a second to import, so it is imported when the first line is logged.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from typing import Any, Literal, TextIO

from capipool.machinery.resource import ObjectKey

Level = Literal["debug", "info", "warning", "error"]
_LEVELS: dict[Level, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}


_SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b[a-z0-9]{6}\.[a-z0-9]{16}\b"
    r"|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*",
    re.DOTALL,
)
"""Private keys, bootstrap tokens, JSON web tokens."""


def redact(text: str) -> str:
    """A text without what looks like a secret."""
    return _SECRETS.sub("[redacted]", text)


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

            preload()
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
_set_up: Callable[[], None] | None = None
"""What is left to do before the first line is logged."""


def configure(*, level: Level = "info", json: bool = False, stream: TextIO | None = None) -> None:
    """Set up logging for the process: lines for people, or one JSON object a line. Called by the composition root.

    Takes effect with the first line, or with `preload`.
    """
    global _threshold, _set_up
    _threshold = _LEVELS[level]
    _set_up = lambda: _configure(_LEVELS[level], json, stream or sys.stderr)  # noqa: E731


def preload() -> None:
    """Import what logging needs now, rather than with the first line. May be called in a thread, when there is time."""
    global _set_up
    import structlog  # noqa: F401

    if (set_up := _set_up) is not None:
        _set_up = None
        set_up()


def _configure(threshold: int, json: bool, out: TextIO) -> None:
    import structlog

    shared: list[Any] = [
        _without_secrets,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, *_rendering(json, out)],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,  # so that a process may set logging up anew
    )


def _without_secrets(_logger: Any, _method: str, facts: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut out what looks like a secret, which error messages of others may hold."""
    for name, value in facts.items():
        if isinstance(value, str):
            facts[name] = redact(value)
    return facts


def _rendering(json: bool, out: TextIO) -> list[Any]:
    import structlog

    if json:
        # Without local variables, which may hold what nobody should read.
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [structlog.processors.ExceptionRenderer(frames), structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=plain, sort_keys=False)]
