"""The wire to AWS: counts a process's calls, refuses what the documented policy does not allow, fails what is told.

Stands where the library's clients stand, so that everything above them is the real thing.
"""

from __future__ import annotations

import asyncio
import enum
import json
import re
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from capipool.providers.aws.calls import Clients

DOCS = Path(__file__).parents[3] / "docs" / "aws.md"
READS = ("Describe", "Get", "List")
_ACTIONS = {"s3:ListObjectsV2": "s3:ListBucket"}
"""Where the permission is not named after the call."""


class Fault(enum.Enum):
    """What happens to a call."""

    THROTTLED = "throttled"
    DENIED = "denied"
    NO_ROOM = "no room"
    LOST = "carried out, and the answer lost"
    DEATH = "carried out, and the process dead before it could note the answer"


_CODES = {
    Fault.THROTTLED: "RequestLimitExceeded",
    Fault.DENIED: "UnauthorizedOperation",
    Fault.NO_ROOM: "InsufficientInstanceCapacity",
}


@cache
def policy() -> frozenset[str]:
    """The actions that the documentation's policy allows."""
    block = re.search(r"```json\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert block is not None, "docs/aws.md shows no policy"
    return frozenset(a for s in json.loads(block[1])["Statement"] for a in s["Action"])


def is_write(action: str) -> bool:
    """Whether a call changes something."""
    return not action.partition(":")[2].startswith(READS)


class Wire:
    """One process's way to AWS. A test sets `fault`, and looks at `calls`."""

    def __init__(self, endpoint: str) -> None:
        self._clients = Clients(endpoint)
        self.calls: list[str] = []
        """Every call, as `service:Operation`."""
        self.fault: Callable[[int, str], Fault | None] = lambda number, action: None
        """What is to happen to a call, by its number since `reset` (from 1) and its name."""
        self.struck: list[tuple[int, str]] = []
        """The calls that something happened to."""
        self.on_death: Callable[[], None] = lambda: None
        self._dead = threading.Event()
        self._buried = threading.Event()
        self._number = 0
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Count from one again."""
        with self._lock:
            self._number, self.calls, self.struck = 0, [], []

    def writes(self) -> list[str]:
        """The calls that change something."""
        return [c for c in self.calls if is_write(c)]

    def bury(self) -> None:
        """Whoever waits in a dead process waits no longer."""
        self._dead.set()
        self._buried.set()

    def make_client(self, service: str, region: str) -> Any:
        """A client whose calls go over this wire."""
        return _Client(self, service, self._clients.make(service, region, None))

    def send(self, action: str, call: Callable[[], Any]) -> Any:
        """Make one call, in a thread."""
        if self._dead.is_set():
            self._stay_dead(action)
        with self._lock:
            self._number += 1
            self.calls.append(action)
            fault = self.fault(self._number, action)
            if fault is not None:
                self.struck.append((self._number, action))
        if _ACTIONS.get(action, action) not in policy():
            raise _refusal(action, "UnauthorizedOperation", f"docs/aws.md does not allow {action}")
        if fault in _CODES:
            raise _refusal(action, _CODES[fault], "as the test wants it")
        answer = call()
        if fault is Fault.LOST:
            raise ReadTimeoutError(endpoint_url="moto")
        if fault is Fault.DEATH:
            self._dead.set()
            self.on_death()
            self._stay_dead(action)
        return answer

    def _stay_dead(self, action: str) -> None:
        """A dead process makes no calls and hears no answers."""
        self._buried.wait(30)
        raise _refusal(action, "Dead", "the process is dead")


class _Client:
    def __init__(self, wire: Wire, service: str, client: Any) -> None:
        self._wire, self._service, self._client = wire, service, client

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self._client, operation)
        action = f"{self._service}:{self._client.meta.method_to_api_mapping[operation]}"
        return lambda **parameters: self._wire.send(action, lambda: method(**parameters))


def _refusal(action: str, code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, action)


def soon(callback: Callable[[], None]) -> Callable[[], None]:
    """The callback, to be called by any thread, run on the event loop."""
    loop = asyncio.get_running_loop()
    return lambda: loop.call_soon_threadsafe(callback) and None
