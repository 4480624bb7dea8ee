"""Machine templates: what of them a machine is replaced for, and what is changed in place. Pure.

Sets and deployments decide by it which machines are as wanted. Knows neither.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from capipool.api.core import MachineSpec, MachineTemplateSpec
from capipool.api.v1beta2.shared import MachineDeletion
from capipool.machinery import codec, names


def rollout_fields(template: MachineTemplateSpec) -> MachineSpec:
    """What of a template a machine must be replaced for; the rest is changed in place."""
    return msgspec.structs.replace(
        template.spec, deletion=MachineDeletion(), min_ready_seconds=None, readiness_gates=(), taints=()
    )


def is_up_to_date(current: MachineTemplateSpec, desired: MachineTemplateSpec) -> bool:
    """Whether machines of the one template are what the other asks for."""
    return rollout_fields(current) == rollout_fields(desired)


def is_outdated_by_time(created: dt.datetime | None, rollout_after: dt.datetime | None, now: dt.datetime) -> bool:
    """Whether `rollout.after` has passed, and what was made before it is to be replaced."""
    if created is None or rollout_after is None:
        return False
    return created < rollout_after <= now


def changes(current: MachineTemplateSpec, desired: MachineTemplateSpec) -> tuple[str, ...]:
    """What differs in a way that machines are replaced for, one line each, for people."""
    old, new = rollout_fields(current), rollout_fields(desired)
    found = []
    if old.version != new.version:
        found.append(f"Version {old.version or 'not set'}, {new.version or 'none'} required")
    if old.failure_domain != new.failure_domain:
        found.append(f"Failure domain {old.failure_domain or 'not set'}, {new.failure_domain or 'none'} required")
    for said, before, after in (
        ("bootstrap", old.bootstrap.config_ref, new.bootstrap.config_ref),
        ("infrastructure", old.infrastructure_ref, new.infrastructure_ref),
    ):
        if before != after:
            kind = (after or before).kind if (after or before) is not None else said  # type: ignore[union-attr]
            found.append(f"{kind} is not up-to-date")
    if old.bootstrap.data_secret_name != new.bootstrap.data_secret_name:
        found.append(
            f"Bootstrap data secret {old.bootstrap.data_secret_name}, {new.bootstrap.data_secret_name} required"
        )
    return tuple(found)


def template_hash(template: MachineTemplateSpec) -> str:
    """A short hash of what machines are replaced for."""
    return names.short_hash(codec.encode_json(rollout_fields(template)).decode(), length=10)
