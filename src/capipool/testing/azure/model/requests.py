"""The log of all requests, for tests that count them."""

from __future__ import annotations

from dataclasses import dataclass

MOST = 100_000
"""Requests that are remembered: a server that is left running does not grow without end."""


@dataclass(frozen=True)
class Request:
    """One request, as it came. Holds no header and no body: neither a token nor user data."""

    method: str
    path: str
    action: str
    """Its kind; see `faults`. Empty where no path matched."""
    mutating: bool
    """Whether it wants something changed, judged by its kind: POSTs that only read are not."""
    status: int
    """As answered; 0 where the connection was closed instead."""

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"


class RequestLog:
    """Every request since the start, or since `clear`, the oldest first. Requests for tokens count, too."""

    def __init__(self) -> None:
        self.all: list[Request] = []

    @property
    def mutating(self) -> list[Request]:
        """Those that want something changed."""
        return [request for request in self.all if request.mutating]

    def of(self, action: str) -> list[Request]:
        """Those of one kind."""
        return [request for request in self.all if request.action.lower() == action.lower()]

    def add(self, request: Request) -> None:
        """Take down one more; of very many, the oldest are forgotten."""
        self.all.append(request)
        if len(self.all) > MOST:
            del self.all[: MOST // 10]

    def clear(self) -> None:
        """Forget what came so far."""
        self.all.clear()
