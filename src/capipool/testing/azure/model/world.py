"""What every part of the model is given: time, randomness, durations, operations, faults. No state of its own."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from dataclasses import dataclass

from capipool.machinery.clock import Clock
from capipool.testing.azure.model.faults import Faults
from capipool.testing.azure.model.operations import Operations
from capipool.testing.azure.model.timing import Timing


@dataclass(frozen=True)
class World:
    """One subscription's surroundings."""

    subscription: str
    tenant: str
    clock: Clock
    rng: random.Random
    timing: Timing
    faults: Faults
    operations: Operations

    def guid(self) -> str:
        """A new unique id."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def hexadecimal(self, digits: int) -> str:
        """Random letters as in the names of Flexible machines."""
        return f"{self.rng.getrandbits(4 * digits):0{digits}x}"

    def group_path(self, group: str) -> str:
        """The id of a resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{group}"


def timestamp(moment: dt.datetime) -> str:
    """A time as Azure's compute writes it."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0+00:00"
