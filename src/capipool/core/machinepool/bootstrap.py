"""Bootstrap data: where a pool's instances find what they boot with, and whether it is there. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from capipool.api.constants import Reason
from capipool.api.core import MachinePool
from capipool.core.bootstrap import BootstrapObject
from capipool.core.references import Absent
from capipool.core.writes import Problem


@dataclass(frozen=True, slots=True)
class BootstrapStep:
    """What the pool should say of its bootstrap data."""

    created: bool | None
    data_secret_name: str | None
    problem: Problem | None = None


def decide(pool: MachinePool, bootstrap: BootstrapObject | Absent | None) -> BootstrapStep:
    """Take over the secret's name once the bootstrap provider has made it; keep the old one until then."""
    before = pool.spec.template.spec.bootstrap.data_secret_name
    known = pool.status.initialization.bootstrap_data_secret_created
    if bootstrap is None:
        return _from_secret(before)
    if isinstance(bootstrap, Absent):
        return BootstrapStep(known, before, Problem(absent_reason(bootstrap, known), bootstrap.message))
    if bootstrap.object.deleting:
        return BootstrapStep(known, before)
    if not bootstrap.data_secret_created:
        return BootstrapStep(False, before)
    if not bootstrap.data_secret_name:
        return BootstrapStep(known, before, Problem(Reason.NOT_READY, _nameless(bootstrap)))
    return BootstrapStep(True, bootstrap.data_secret_name)


def absent_reason(absent: Absent, was_ready: bool | None) -> str:
    """The reason for a condition about an object that is not there: never made, deleted later, or not readable."""
    if absent.why == "not readable":
        return Reason.INTERNAL_ERROR
    return Reason.OBJECT_DELETED if was_ready else Reason.OBJECT_DOES_NOT_EXIST


def _from_secret(name: str | None) -> BootstrapStep:
    if name is not None:
        return BootstrapStep(True, name)
    message = "neither bootstrap.configRef nor bootstrap.dataSecretName is set in spec.template.spec"
    return BootstrapStep(None, None, Problem(Reason.OBJECT_DOES_NOT_EXIST, message))


def _nameless(bootstrap: BootstrapObject) -> str:
    obj = bootstrap.object
    return f"{obj.kind} {obj.metadata.name} says that its data secret was created, but not its name"
