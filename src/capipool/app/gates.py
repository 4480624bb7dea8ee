"""Feature gates: what upstream calls them, what they are by default, and how they are set."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULTS: Mapping[str, bool] = {"MachinePool": True, "MachineSetPreflightChecks": True, "MachineTaintPropagation": True}
"""MachinePool is on as upstream's since 1.7. Taints are kept in step here without a gate upstream still has off."""

_ENVIRONMENT = {"EXP_MACHINE_POOL": "MachinePool"}
_WORDS = {"true": True, "false": False, "1": True, "0": False, "t": True, "f": False}


class UnknownGate(ValueError):
    """A gate of this name does not exist, or its value is neither true nor false."""


def parse(text: str, environment: Mapping[str, str]) -> dict[str, bool]:
    """Read `A=true,B=false` over what environment variables say over the defaults.

    Raises UnknownGate, naming what is wrong and what there is.
    """
    gates = dict(DEFAULTS)
    for variable, gate in _ENVIRONMENT.items():
        if value := environment.get(variable):
            gates[gate] = _truth(value, variable)
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = part.partition("=")
        if name not in DEFAULTS:
            raise UnknownGate(f"no feature gate is called {name!r}; there are: {', '.join(sorted(DEFAULTS))}")
        if not equals:
            raise UnknownGate(f"feature gate {name} needs a value: {name}=true or {name}=false")
        gates[name] = _truth(value, f"feature gate {name}")
    return gates


def _truth(value: str, what: str) -> bool:
    truth = _WORDS.get(value.strip().lower())
    if truth is None:
        raise UnknownGate(f"{what} is {value!r}; it must be true or false")
    return truth
