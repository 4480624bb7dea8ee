"""Faults to order: what goes wrong next, by the kind of request or operation.

An *action* names a kind as ARM's role definitions do, without `Microsoft.Compute/`: `virtualMachineScaleSets/write`,
`virtualMachineScaleSets/delete/action`, `virtualMachines/delete`. Patterns may hold `*`: `virtualMachineScaleSets/*`.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from capipool.testing.azure.model.failures import ArmError, patience


@dataclass(eq=False)
class _Ordered:
    pattern: str
    times: int

    def matches(self, action: str) -> bool:
        return self.times > 0 and fnmatch.fnmatchcase(action.lower(), self.pattern.lower())


@dataclass(eq=False)
class Failure(_Ordered):
    """An operation that begins well and ends badly."""

    code: str
    message: str = ""
    canceled: bool = False
    leaves_failed: bool = True


@dataclass(eq=False)
class Refusal(_Ordered):
    """A request that is answered with an error, and changes nothing."""

    error: ArmError


@dataclass(eq=False)
class Loss(_Ordered):
    """A connection that ends before the answer."""

    carried_out: bool


class Faults:
    """What is ordered, and not yet struck. Each order is used up by `times` requests or operations that match it."""

    def __init__(self) -> None:
        self._failures: list[Failure] = []
        self._refusals: list[Refusal] = []
        self._losses: list[Loss] = []
        self._boots: list[Failure] = []
        self._held: list[str] = []
        self.page_size = 0
        """The most items in an answer of a list; 0: all."""
        self.group_case: Callable[[str], str] | None = None
        """How answers change the letters of resource group names: `str.upper`, `str.lower`, or None for as given."""

    @property
    def struck(self) -> bool:
        """Whether everything that was ordered has happened."""
        ordered: list[_Ordered] = [*self._failures, *self._refusals, *self._losses, *self._boots]
        return not any(order.times > 0 for order in ordered)

    def clear(self) -> None:
        """Take all orders back. What is held stays held."""
        for orders in (self._failures, self._refusals, self._losses, self._boots):
            orders.clear()
        self.page_size, self.group_case = 0, None

    def fail(self, action: str, code: str, message: str = "", *, times: int = 1, leaves_failed: bool = True) -> None:
        """Let the next long-running operation end as Failed. New machines stay listed as Failed, or vanish again."""
        self._failures.append(Failure(action, times, code, message, leaves_failed=leaves_failed))

    def cancel(self, action: str, *, times: int = 1) -> None:
        """Let the next long-running operation end as Canceled."""
        self._failures.append(Failure(action, times, "OperationPreempted", canceled=True))

    def fail_boot(self, code: str = "OSProvisioningTimedOut", message: str = "", *, times: int = 1) -> None:
        """Let the next machine that would run end as Failed, and with it the operation that wanted it."""
        self._boots.append(Failure("*", times, code, message))

    def refuse(self, action: str, code: str, message: str = "", *, status: int = 0, times: int = 1) -> None:
        """Answer the next request with an error at once, as for quota and SKUs that are not available."""
        self._refusals.append(Refusal(action, times, ArmError(code, message, status=status)))

    def throttle(self, action: str = "*", *, times: int = 1, retry_after: float = 1.0) -> None:
        """Answer 429 so many times."""
        error = ArmError("TooManyRequests", headers=patience(retry_after))
        self._refusals.append(Refusal(action, times, error))

    def lose_answer(self, action: str = "*", *, times: int = 1) -> None:
        """Carry the request out, and close the connection instead of an answer.

        aiohttp repeats a GET, a PUT or a DELETE once by itself when its connection breaks: order two losses to have
        the caller see one.
        """
        self._losses.append(Loss(action, times, carried_out=True))

    def lose_request(self, action: str = "*", *, times: int = 1) -> None:
        """Close the connection, and carry nothing out."""
        self._losses.append(Loss(action, times, carried_out=False))

    def hold(self, pattern: str = "*") -> None:
        """Keep operations that begin from now on in progress, until they are released."""
        self._held.append(pattern)

    def release(self, pattern: str = "*") -> None:
        """Hold no more of what matches. Use `Arm.release`, which lets the held ones go on, too."""
        self._held = [p for p in self._held if p != pattern and pattern != "*"]

    def holds(self, action: str) -> bool:
        """Whether operations of that kind stay in progress."""
        return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in self._held)

    def take_failure(self, action: str) -> Failure | None:
        """The failure that strikes this operation, used up."""
        return _take(self._failures, action)

    def take_boot(self) -> Failure | None:
        """The failure that strikes this machine, used up."""
        return _take(self._boots, "")

    def take_refusal(self, action: str) -> ArmError | None:
        """The error that this request gets, used up."""
        refusal = _take(self._refusals, action)
        return refusal.error if refusal else None

    def take_loss(self, action: str) -> Loss | None:
        """Whether this request's connection breaks, used up."""
        return _take(self._losses, action)


T = TypeVar("T", bound=_Ordered)


def _take(orders: list[T], action: str) -> T | None:
    for order in orders:
        if order.matches(action):
            order.times -= 1
            return order
    return None
