"""Where machines go, and which go first: pure choices over what a scale set has."""

from __future__ import annotations

from collections.abc import Sequence

from capipool.testing.azure.model.machines import Machine, Provisioning


def zones_for(existing: Sequence[Machine], zones: Sequence[str], count: int) -> list[str]:
    """A zone for each new machine: always the one with the fewest, in the order given. Without zones, none."""
    if not zones:
        return [""] * count
    counts = {zone: sum(machine.zone == zone for machine in existing) for zone in zones}
    chosen = []
    for _ in range(count):
        zone = min(zones, key=lambda z: counts[z])
        counts[zone] += 1
        chosen.append(zone)
    return chosen


def leaving(machines: Sequence[Machine], count: int, policy: dict[str, object]) -> list[Machine]:
    """The machines that go when the capacity is lowered: those protected from scale-in never, so it may be fewer.

    Zones are kept balanced first. Then the rule decides: `Default` the newest, `NewestVM` the newest, `OldestVM` the
    oldest; with `prioritizeUnhealthyVMs`, Failed and unhealthy ones go before others.
    """
    rules = policy.get("rules")
    rule = str(rules[0]) if isinstance(rules, list) and rules else "Default"
    left = [m for m in machines if not m.deleting]
    chosen: list[Machine] = []
    while len(chosen) < count:
        candidates = [m for m in left if not m.protected("protectFromScaleIn")]
        if not candidates:
            break
        machine = _next(candidates, left, rule, bool(policy.get("prioritizeUnhealthyVMs")))
        left.remove(machine)
        chosen.append(machine)
    return chosen


def _next(candidates: list[Machine], left: list[Machine], rule: str, unhealthy_first: bool) -> Machine:
    if unhealthy_first and (bad := [m for m in candidates if unhealthy(m)]):
        candidates = bad
    order = list(candidates)
    fullest = max(order, key=lambda m: sum(other.zone == m.zone for other in left)).zone
    crowd = sum(m.zone == fullest for m in left)
    order = [m for m in order if sum(other.zone == m.zone for other in left) == crowd]
    return order[0] if rule == "OldestVM" else order[-1]


def unhealthy(machine: Machine) -> bool:
    """Whether a machine counts as unhealthy for policies."""
    return machine.provisioning is Provisioning.FAILED or machine.health.lower() != "healthy"
