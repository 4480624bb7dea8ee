"""Which revision each instance is of, told by the scale set itself. Pure.

A scale set has one model, and Azure says of an instance only whether it has the latest one: a fresh token makes that
untrue for all of them. So the tags of the scale set hold, beside the revision of the model, up to which moment of
creation instances are of an earlier one. They are written in the very call that brings the new model, which is made
only if nobody changed the scale set since its instances were listed: there is no moment at which the two disagree.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

REVISION = "capipool.io_revision"
"""Tag: the revision of the model."""
HISTORY = "capipool.io_history"
"""Tag: `<revision>=<moment>` for each earlier one, the oldest first; moments in microseconds since 1970, in hex."""
KEPT = 9
"""Earlier revisions that the tag has room for (256 characters); the oldest are merged."""
UNKNOWN, MIXED = "unknown", "mixed"
"""Names of no revision: what was there before us, and what was merged."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class History:
    """The revisions of a scale set's instances."""

    current: str = ""
    """What instances are launched from now; empty where the scale set was not made here."""
    earlier: tuple[tuple[str, int], ...] = ()
    """(revision, moment of creation of its last instance), the oldest first."""

    @classmethod
    def read(cls, tags: Mapping[str, str]) -> History:
        """Read it from the tags of a scale set. What is malformed is left out."""
        earlier = []
        for entry in tags.get(HISTORY, "").split():
            revision, _, moment = entry.partition("=")
            try:
                earlier.append((revision, int(moment, 16)))
            except ValueError:
                continue
        return cls(tags.get(REVISION, ""), tuple(sorted(earlier, key=lambda e: e[1])))

    def tags(self) -> dict[str, str]:
        """As tags of the scale set."""
        said = " ".join(f"{revision}={moment:x}" for revision, moment in self.earlier)
        return {REVISION: self.current} | ({HISTORY: said} if said else {})

    def of(self, created: dt.datetime | None) -> str:
        """The revision of an instance that was created then; of an unknown moment, the oldest."""
        moment = _moment(created) if created is not None else 0
        return next((revision for revision, last in self.earlier if moment <= last), self.current)

    def followed_by(self, revision: str, created: Iterable[dt.datetime | None]) -> History:
        """The history once the model is of this revision. `created`: of all instances that there are now.

        Earlier revisions without instances are forgotten, and with none at all the history begins anew.
        """
        if revision == self.current:
            return self
        moments = [_moment(each) if each is not None else 0 for each in created]
        kept, before = [], -1
        for name, last in (*self.earlier, (self.current or UNKNOWN, max(moments, default=-1))):
            if any(before < moment <= last for moment in moments):
                kept.append((name, last))
            before = max(before, last)
        while len(kept) > KEPT:
            kept[:2] = [(MIXED, kept[1][1])]
        return History(revision, tuple(kept))

    def settled(self) -> History:
        """The history when every instance is known to be of the current revision."""
        return History(self.current)


def _moment(created: dt.datetime) -> int:
    return (created - _EPOCH) // dt.timedelta(microseconds=1)
