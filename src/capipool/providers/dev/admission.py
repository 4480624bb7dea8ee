"""What admission says to the kinds of the development provider. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from capipool.machinery import durations, errors, percentages
from capipool.machinery.admission import ALLOWED, Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.providers.dev.api.cluster import DevCluster
from capipool.providers.dev.api.machine import DevMachine, DevMachineTemplate
from capipool.providers.dev.api.machinepool import DevMachinePool

_BACKENDS = ("docker", "inMemory")


def rules() -> list[Rules]:
    """The rules of every kind."""
    return [
        Rules(resource=DevCluster.RESOURCE, validate=lambda a: _judge(a, ("spec",), _nothing)),
        Rules(resource=DevMachinePool.RESOURCE, validate=lambda a: _judge(a, ("spec",), _pool)),
        Rules(resource=DevMachine.RESOURCE, validate=lambda a: _judge(a, ("spec",), _machine)),
        Rules(
            resource=DevMachineTemplate.RESOURCE,
            validate=lambda a: _judge(a, ("spec", "template", "spec"), _machine),
        ),
    ]


def _judge(admit: Admit, path: tuple[str, ...], more: Callable[[Raw, str], list[FieldError]]) -> Verdict:
    """Exactly one backend; Docker with a warning; and what the kind has beyond that."""
    if admit.object is None:
        return ALLOWED
    spec: Any = admit.object
    for step in path:
        spec = (spec or {}).get(step) or {}
    field = ".".join((*path, "backend"))
    given = spec.get("backend")
    if not given:
        return Verdict(errors=(errors.required(field, f"one of {', '.join(_BACKENDS)}"),))
    chosen = [name for name in _BACKENDS if given.get(name) is not None]
    if len(chosen) != 1:
        said = f"exactly one of {', '.join(_BACKENDS)} must be given"
        return Verdict(errors=(errors.invalid(field, given, said),))
    if chosen == ["docker"]:
        warning = f"{field}.docker: accepted, but capipool does not run containers: nothing is made; use inMemory"
        return Verdict(warnings=(warning,))
    return Verdict(errors=tuple(more(given["inMemory"], f"{field}.inMemory")))


def _nothing(backend: Raw, path: str) -> list[FieldError]:
    return []


def _machine(backend: Raw, path: str) -> list[FieldError]:
    return [e for part in ("vm", "node", "etcd", "apiServer") for e in _startup(backend, part, path)]


def _pool(backend: Raw, path: str) -> list[FieldError]:
    found = [e for part in ("vm", "node") for e in _startup(backend, part, path)]
    rollout = backend.get("rollout") or {}
    amounts = {name: rollout[name] for name in ("maxSurge", "maxUnavailable") if rollout.get(name) is not None}
    for name, value in amounts.items():
        found += _amount(value, f"{path}.rollout.{name}")
    if (
        not found
        and len(amounts) == 2
        and all(percentages.scaled(v, 100, round_up=True) == 0 for v in amounts.values())
    ):
        said = "must not be 0 while maxSurge is 0: a rollout could not go on"
        found.append(errors.invalid(f"{path}.rollout.maxUnavailable", amounts["maxUnavailable"], said))
    return found


def _amount(value: int | str, path: str) -> list[FieldError]:
    try:
        percentages.scaled(value, 100, round_up=True)
    except ValueError:
        return [errors.invalid(path, value, "must be a number or a percentage like 25%")]
    negative = isinstance(value, int) and value < 0
    return [errors.invalid(path, value, "must not be negative")] if negative else []


def _startup(backend: Raw, part: str, path: str) -> list[FieldError]:
    provisioning = (backend.get(part) or {}).get("provisioning") or {}
    where = f"{path}.{part}.provisioning"
    found = []
    if (duration := provisioning.get("startupDuration")) is not None:
        try:
            durations.parse(duration)
        except ValueError:
            found.append(errors.invalid(f"{where}.startupDuration", duration, "must be a duration like 500ms or 1m30s"))
    if jitter := provisioning.get("startupJitter"):
        try:
            good = float(jitter) >= 0
        except ValueError:
            good = False
        if not good:
            found.append(errors.invalid(f"{where}.startupJitter", jitter, "must be a number like 0.5, not negative"))
    return found
