"""What an AzureManagedMachinePool says of itself, by the contract of v1beta1. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec

from capipool.machinery.objects import Raw
from capipool.providers.azure import ids
from capipool.providers.azure.aks.pools.decide import Note, Pool
from capipool.providers.azure.aks.pools.progress import Progress
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.providers.azure.operations import Operation
from capipool.sdk import ProviderError, conditions

READY = "AgentPoolsReady"
_FIRST = ("Creating", "Failed", "Canceled", "Unknown")
"""States of a pool that may never have had nodes."""
_NAMES = {"Creating": "Creating", "Deleting": "Deleting"}
_OUT = "PowerState/deallocated"


def provider_ids(machines: Iterable[Raw]) -> list[str]:
    """The nodes that there are, as the cloud provider names them: neither those that go nor those that are parked."""
    there = (m for m in machines if (m.get("properties") or {}).get("provisioningState") != "Deleting")
    return sorted(ids.provider_id(str(m["id"])) for m in there if not _is_parked(m))


def of_pool(
    obj: AzureManagedMachinePool,
    pool: Pool | None,
    *,
    notes: Sequence[Note],
    progress: Progress,
    now: dt.datetime,
) -> Raw:
    """All but the replicas. Once is ready for good, but for a pool that goes."""
    state = pool.state if pool is not None else "Creating"
    failure = progress.failure
    note = _of_failure(failure) if failure is not None and not failure.quiet else None
    note = note or next(iter(notes), None) or _of_state(state, pool)
    return {
        "ready": (bool(obj.status.ready) or state not in _FIRST) and state != "Deleting",
        "longRunningOperationStates": operations(progress.operation),
        "conditions": _conditions(obj, note, now),
    }


def waiting(obj: AzureManagedMachinePool, note: Note, now: dt.datetime) -> Raw:
    """Where nothing is known of the pool now, or nothing can be done."""
    return {"conditions": _conditions(obj, note, now)}


def of_error(obj: AzureManagedMachinePool, error: ProviderError, now: dt.datetime) -> Raw:
    """Where Azure could not be asked."""
    return waiting(obj, _of_failure(error), now)


def operations(operation: Operation | None) -> list[Raw] | None:
    """As the status has it; None where there is none."""
    return [msgspec.to_builtins(operation.encode())] if operation is not None else None


def _conditions(obj: AzureManagedMachinePool, note: Note | None, now: dt.datetime) -> list[Raw]:
    about = {"reason": note.reason, "message": note.message, "severity": note.severity} if note is not None else {}
    wanted = [conditions.condition(type_, note is None, **about) for type_ in ("Ready", READY)]
    return conditions.merged(obj.status.conditions, wanted, now)


def _of_failure(error: ProviderError) -> Note:
    return Note(error.reason, str(error))


def _of_state(state: str, pool: Pool | None) -> Note | None:
    if pool is not None and state == "Succeeded":
        return None
    if state in ("Failed", "Canceled"):
        return Note(state, f"the last change of the agent pool ended as {state}, and is repeated")
    return Note(_NAMES.get(state, "Updating"), f"the agent pool is {state}", conditions.INFO)


def _is_parked(machine: Raw) -> bool:
    view = (machine.get("properties") or {}).get("instanceView") or {}
    return any(str(s.get("code")) == _OUT for s in view.get("statuses") or ())
