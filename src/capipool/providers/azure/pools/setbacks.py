"""Operations that failed: what is not tried again at full speed, and for how long. In memory; time is an argument."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from capipool.machinery.resource import ObjectKey
from capipool.sdk import InsufficientCapacity, ProviderError, QuotaExceeded

FIRST = dt.timedelta(seconds=30)
LONGEST = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Setback:
    """One failure, and how often it has been had in a row."""

    error: ProviderError
    until: dt.datetime
    """Not tried again before."""
    times: int
    about: str
    """What was wanted: another wish is tried at once."""


class Setbacks:
    """The latest failure of each pool."""

    def __init__(self) -> None:
        self._known: dict[ObjectKey, Setback] = {}
        self._marks: dict[ObjectKey, str] = {}

    def note(self, key: ObjectKey, error: ProviderError, *, about: str, now: dt.datetime) -> None:
        """An attempt failed: each in a row doubles the wait."""
        before = self._known.get(key)
        times = before.times + 1 if before is not None and before.about == about else 1
        wait = min((type(error).delay or FIRST) * 2 ** min(times - 1, 10), LONGEST)
        self._known[key] = Setback(error, now + wait, times, about)

    def note_once(self, key: ObjectKey, error: ProviderError, *, about: str, mark: str, now: dt.datetime) -> None:
        """The same for a failure that is seen again and again; `mark` tells one from another."""
        if self._marks.get(key) != mark:
            self._marks[key] = mark
            self.note(key, error, about=about, now=now)

    def forget(self, key: ObjectKey) -> None:
        """What is wanted is there."""
        self._known.pop(key, None)

    def drop(self, key: ObjectKey) -> None:
        """The pool is gone, and with it what failures of it were seen."""
        self.forget(key)
        self._marks.pop(key, None)

    def current(self, key: ObjectKey, now: dt.datetime) -> ProviderError | None:
        """What went wrong last, with the time that is left before it is tried again."""
        known = self._known.get(key)
        if known is None:
            return None
        known.error.delay = max(known.until - now, dt.timedelta(seconds=1))
        return known.error

    def hold_launches(self, key: ObjectKey, *, now: dt.datetime) -> None:
        """Raise the failure, if Azure had no room for instances, whoever asked, and it is too early to ask again."""
        known = self._known.get(key)
        if known is not None and isinstance(known.error, InsufficientCapacity | QuotaExceeded):
            self.hold(key, about=known.about, now=now)

    def settle(self, key: ObjectKey, *, now: dt.datetime) -> None:
        """All is there that was wanted: what failed on the way there is forgotten, once its wait is over."""
        known = self._known.get(key)
        if known is not None and now >= known.until:
            self.forget(key)

    def is_held(self, key: ObjectKey, *, now: dt.datetime) -> bool:
        """Whether it is too early to try again, whatever failed."""
        known = self._known.get(key)
        return known is not None and now < known.until

    def hold(self, key: ObjectKey, *, about: str, now: dt.datetime) -> None:
        """Raise the failure, if the same thing is wanted and it is too early to try again."""
        known = self._known.get(key)
        if known is not None and known.about == about and now < known.until:
            error = self.current(key, now)
            assert error is not None
            raise error
