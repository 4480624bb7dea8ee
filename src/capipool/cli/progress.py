"""Progress of long work: one line that changes in a terminal, a line for each change elsewhere."""

from __future__ import annotations

import shutil
import sys
from types import TracebackType
from typing import Self

from capipool.cli import console

_CLEAR = "\r\x1b[2K"


class Progress:
    """Shows the state of one piece of work. Repeating a state shows nothing."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live and self._last:
            sys.stdout.write(_CLEAR)
            sys.stdout.flush()

    def update(self, text: str) -> None:
        """Show where the work is."""
        if text == self._last:
            return
        self._last = text
        if self._live:
            # One character short of the width: a full line would wrap, and a wrapped line cannot be cleared.
            width = shutil.get_terminal_size().columns - 1
            sys.stdout.write(_CLEAR + console.style(f"  {text}"[:width], "dim"))
            sys.stdout.flush()
        else:
            console.out(f"  {text}")

    def done(self, text: str) -> None:
        """Say how it ended; the line stays."""
        if self._live:
            sys.stdout.write(_CLEAR)
            console.out(console.style(f"  {text}", "green"))
        elif text != self._last:
            console.out(f"  {text}")
        self._last = ""
