"""`capipool up` as a process of its own, for tests."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
QUICKSTART = REPOSITORY / "examples" / "quickstart.yaml"
CAPIPOOL = Path(sys.executable).with_name("capipool")


@dataclass
class Up:
    """A running server: where its state is, and its process."""

    data_dir: Path
    process: subprocess.Popen[str]
    ready_line: str

    @property
    def kubeconfig(self) -> Path:
        return self.data_dir / "kubeconfig"

    def environment(self) -> dict[str, str]:
        """What a client's process needs to find this server."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def run(self, *words: str, stdin: str | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a client to its end and keep what it printed."""
        return subprocess.run(
            words, env=self.environment(), input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )

    def capipool(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run one of our own commands against it."""
        return self.run(str(CAPIPOOL), *words, stdin=stdin)

    def terminate(self) -> int:
        """Ask it to stop, as an operator would, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()
        self.wait()

    def wait(self) -> int:
        code = self.process.wait(timeout=30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def start(data_dir: Path, *options: str, environment: Mapping[str, str] | None = None) -> Up:
    """Start a server and return once it says that it is ready."""
    log = (data_dir.parent / f"{data_dir.name}.log").open("a")
    process = subprocess.Popen(
        [str(CAPIPOOL), "up", "--data-dir", str(data_dir), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    log.close()
    assert process.stdout is not None
    with selectors.DefaultSelector() as waiter:
        waiter.register(process.stdout, selectors.EVENT_READ)
        if not waiter.select(timeout=30):
            process.kill()
            raise AssertionError(f"not ready in time; see {log.name}")
    line = process.stdout.readline()
    assert line.startswith("capipool is ready"), f"{line!r}; see {log.name}: {Path(log.name).read_text()[-2000:]}"
    return Up(data_dir, process, line)


def eventually(check, *, seconds: float = 30.0, what: str = ""):  # type: ignore[no-untyped-def]
    """Call `check` until it returns something true; it looks at another process, so there is no event to wait for."""
    deadline = time.monotonic() + seconds
    while True:
        if found := check():
            return found
        assert time.monotonic() < deadline, what or "did not happen in time"
        time.sleep(0.1)
