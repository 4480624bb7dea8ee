"""What a reconcile found out, for the status of the provider's object. Pure.

The reconciler makes one at the end of each pass; `PoolProvider.status` turns it into the shape of a contract.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from capipool.api.constants import ConditionType, Reason
from capipool.machinery import conditions
from capipool.machinery.conditions import Condition, ConditionStatus
from capipool.machinery.objects import Raw
from capipool.sdk.engine.picture import InstanceState
from capipool.sdk.engine.plan import Wait
from capipool.sdk.provider import Group, Instance

PROVISIONED = "Provisioned"
"""Condition: whether the cloud has the group."""


@dataclass(frozen=True, slots=True)
class InstanceNode:
    """What the status says of an instance's node."""

    ready: bool = False
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One pass."""

    now: dt.datetime
    generation: int
    before: Sequence[Condition] = ()
    """The conditions that the object has."""
    was_provisioned: bool = False
    group: Group | None = None
    nodes: Mapping[str, InstanceNode] = field(default_factory=dict)
    """By provider ID."""
    waits: tuple[Wait, ...] = ()
    """What the pool waits for, the most telling first; none means that it is as its spec wants it."""
    outdated: int = 0
    paused: bool = False
    deleting: str = ""
    """What the deletion waits for; empty where the object is not being deleted."""

    @property
    def provisioned(self) -> bool:
        """Whether the group exists, or has existed: provisioning happens once."""
        return self.was_provisioned or self.group is not None

    @property
    def up_to_date_replicas(self) -> int | None:
        """How many instances were launched from the wanted specification; None while the group was not seen."""
        if self.group is None:
            return None
        there = sum(i.state is not InstanceState.TERMINATING for i in self.group.instances)
        return max(0, there - self.outdated)

    def conditions(self) -> tuple[Condition, ...]:
        """`Ready` first, the one that people look at; it carries the reason of what holds the pool up."""
        made = [self._ready(), self._provisioned(), self._up_to_date()]
        made.append(self._flag(ConditionType.PAUSED, self.paused, Reason.PAUSED, Reason.NOT_PAUSED))
        deleting = bool(self.deleting)
        if deleting or conditions.find(self.before, ConditionType.DELETING):
            made.append(
                self._flag(ConditionType.DELETING, deleting, Reason.DELETING, Reason.NOT_DELETING, self.deleting)
            )
        return conditions.set_all(self.before, (m for m in made if m is not None), self.now)

    def v1beta2(self) -> Raw:
        """The status by the contract of v1beta2, with `ready` beside it for readers of the older one."""
        status: Raw = {
            "conditions": [msgspec.to_builtins(condition) for condition in self.conditions()],
            "initialization": {"provisioned": True} if self.provisioned else None,
            "observedGeneration": self.generation,
            "ready": self.provisioned,
        }
        if self.group is not None:
            status["replicas"] = sum(i.state is not InstanceState.TERMINATING for i in self.group.instances)
            status["instances"] = [self.instance(i) for i in self.group.instances] or None
        return status

    def instance(self, instance: Instance) -> Raw:
        """An entry of `status.instances`."""
        node = self.nodes.get(instance.provider_id, InstanceNode())
        entry: Raw = {"instanceName": instance.name or instance.id, "providerID": instance.provider_id}
        if instance.addresses:
            entry["addresses"] = [{"type": kind, "address": address} for kind, address in instance.addresses]
        if node.version:
            entry["version"] = node.version
        return entry | {"ready": node.ready}

    def _ready(self) -> Condition:
        if self.deleting:
            return self._condition(ConditionType.READY, "False", Reason.DELETING, self.deleting)
        if self.paused and not self.waits:
            return self._condition(ConditionType.READY, "Unknown", Reason.PAUSED, "reconciliation is paused")
        if not self.waits:
            return self._condition(ConditionType.READY, "True", Reason.READY, "")
        said = "; ".join(wait.message for wait in self.waits)
        return self._condition(ConditionType.READY, "False", self.waits[0].reason, said)

    def _provisioned(self) -> Condition | None:
        if self.paused or (self.group is None and self.was_provisioned):
            return None
        if self.group is not None:
            return self._condition(PROVISIONED, "True", Reason.PROVISIONED, "")
        first = self.waits[0] if self.waits else Wait(Reason.NOT_PROVISIONED, "the instance group does not exist yet")
        return self._condition(PROVISIONED, "False", first.reason, first.message)

    def _up_to_date(self) -> Condition | None:
        if self.group is None or self.paused:
            return None
        if not self.outdated:
            return self._condition(ConditionType.UP_TO_DATE, "True", Reason.UP_TO_DATE, "")
        said = f"{self.outdated} of {len(self.group.instances)} instances were launched from an older specification"
        return self._condition(ConditionType.UP_TO_DATE, "False", Reason.NOT_UP_TO_DATE, said)

    def _flag(self, type_: str, on: bool, yes: str, no: str, message: str = "") -> Condition:
        return self._condition(type_, "True" if on else "False", yes if on else no, message if on else "")

    def _condition(self, type_: str, status: ConditionStatus, reason: str, message: str) -> Condition:
        return Condition(type=type_, status=status, reason=reason, message=message, observed_generation=self.generation)
