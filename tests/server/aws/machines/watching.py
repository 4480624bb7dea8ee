"""Calls to AWS that a test looks at, and lets fail: before they are made, or when they are done."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import boto3

from capipool.machinery.objects import Raw
from capipool.providers.aws.calls import Account, Calls, Clients
from capipool.sdk.errors import PermissionDenied
from tests.shared import REPOSITORY

READS = ("describe_", "get_", "assume_role")
Fault = Callable[[str, bool], Awaitable[None]]


@functools.cache
def allowed() -> frozenset[str]:
    """The actions that the policy of docs/aws-machines.md allows."""
    text = (REPOSITORY / "docs" / "aws-machines.md").read_text()
    policy = json.loads(text.partition("```json\n")[2].partition("```")[0])
    return frozenset(action for statement in policy["Statement"] for action in statement["Action"])


def action(service: str, operation: str) -> str:
    """What IAM calls a call."""
    return f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"


async def no_fault(operation: str, done: bool) -> None:
    """All goes well."""


@functools.cache
def _session() -> Any:
    """The library's session, once for all tests: it reads the descriptions of services, which are long."""
    return boto3.session.Session()


class Watched(Calls):
    """Calls of all accounts, noted, and failed where a test wants it."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(rng=random.Random(4), endpoint=endpoint, rate=1000)
        clients = Clients(endpoint)
        clients._session = _session()
        self._shared.make_client = clients.make
        self.made: list[tuple[str, Raw]] = []
        self.fault: Fault = no_fault
        """Called before (`done` False) and after each call; what it raises is what the caller gets."""

    def of(self, account: Account | None) -> Calls:
        """The calls of an account, watched with these."""
        made = super().of(account)
        if made is not self:
            made.__class__ = _Following
            made.watched = self  # type: ignore[attr-defined]
        return made

    async def call(self, region: str, service: str, operation: str, **parameters: Any) -> Raw:
        """Make one call of the process itself."""
        return await self.watch(super().call, region, service, operation, parameters)

    async def watch(self, call: Any, region: str, service: str, operation: str, parameters: Raw) -> Raw:
        """Make a call by `call`, noted and failed as wanted."""
        self.made.append((operation, parameters))
        if (named := action(service, operation)) not in allowed() and service != "sts":
            raise PermissionDenied(named, detail="the policy in docs/aws-machines.md does not allow it")
        await self.fault(operation, False)
        answer: Raw = await call(region, service, operation, **parameters)
        await self.fault(operation, True)
        return answer

    def written(self) -> list[str]:
        """The calls that change something, since the last time."""
        made, self.made = self.made, []
        return [operation for operation, _ in made if not operation.startswith(READS)]


class _Following(Calls):
    """The calls of another account than the process's own."""

    watched: Watched

    async def call(self, region: str, service: str, operation: str, **parameters: Any) -> Raw:
        return await self.watched.watch(super().call, region, service, operation, parameters)
