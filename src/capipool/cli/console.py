"""Where words go: data to standard output, everything else to standard error, colours only where a terminal shows them.

Every command runs through `run`, which turns what can go wrong into one line and an exit code.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NoReturn

from capipool.cli.kinds import BadWords
from capipool.cli.tree import Line
from capipool.client.kubeconfig import KubeconfigError
from capipool.machinery.errors import ApiError

FAILURE = 1
USAGE = 2
INTERRUPTED = 130

_CODES = {"green": "32", "yellow": "33", "red": "31", "dim": "2", "bold": "1"}


class Failure(Exception):
    """What a command could not do, in words for the user: shown as one line, exit code 1."""


def out(text: str = "", *, flush: bool = True) -> None:
    """A line of what the user asked for."""
    print(text, flush=flush)


def note(text: str) -> None:
    """A line about the work, on standard error: it never gets into a pipe."""
    print(text, file=sys.stderr, flush=True)


def colourful() -> bool:
    """Whether standard output is a terminal that wants colours (see no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def style(text: str, name: str) -> str:
    """Coloured text, where colours are shown."""
    return f"\x1b[{_CODES[name]}m{text}\x1b[0m" if name and colourful() else text


def lines(laid_out: Iterable[Line]) -> None:
    """Print a tree."""
    for line in laid_out:
        out(style(line.text, line.style))


def usage(message: str) -> NoReturn:
    """End with the exit code for a command line that makes no sense."""
    note(f"error: {message}")
    raise SystemExit(USAGE)


LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def fast_loop() -> asyncio.AbstractEventLoop:
    """The event loop of processes that serve."""
    import uvloop

    return uvloop.new_event_loop()


def run(work: Coroutine[Any, Any, int | None], *, loop_factory: LoopFactory | None = None) -> NoReturn:
    """Run a command to its end and exit: 0, 1 for a failure said in one line, 130 for Ctrl-C."""
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            code = runner.run(work) or 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough; Python would complain about it once more while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except BadWords as error:
        note(f"error: {error}")
        code = USAGE
    except OSError as error:
        note(f"error: {_without_number(error)}")
        code = FAILURE
    except (ApiError, Failure, KubeconfigError) as error:
        note(f"error: {error}")
        code = FAILURE
    raise SystemExit(code)


def _without_number(error: OSError) -> str:
    """What the system could not do: with the file first, and without Python's `[Errno 2]`."""
    if error.filename is None or error.strerror is None:
        return error.strerror or str(error)
    return f"{error.filename}: {error.strerror}"
