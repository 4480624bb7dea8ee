"""What to do about an AzureMachine that is to be there, from what is known of it. Pure and total."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from capipool.api.core import Cluster, Machine
from capipool.machinery.objects import Raw
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.machine import AzureMachine
from capipool.sdk import ProviderError

WAITING_FOR_MACHINE = "WaitingForMachine"
WAITING_FOR_CLUSTER = "WaitingForClusterInfrastructure"
WAITING_FOR_BOOTSTRAP = "WaitingForBootstrapData"
CREATING, UPDATING, DELETING = "VMCreating", "VMUpdating", "VMDeleting"
STOPPED, FAILED, MISSING = "VMStopped", "VMProvisionFailed", "VMNotFound"
CREATE_ERROR, UPDATE_ERROR = "CreateError", "UpdateError"
"""Upstream's failure reasons: the machine was never there, or is not any more what it was."""


class Act(Enum):
    """What to do next."""

    NOTHING = "nothing"
    """Wait for something that is watched."""
    LOOK = "look"
    """Come again soon: something is under way."""
    CREATE = "create"
    TEND = "tend"
    """It runs: see to its tags and extensions."""


@dataclass(frozen=True, slots=True)
class World:
    """What is known."""

    obj: AzureMachine
    machine: Machine | None
    cluster: Cluster | None
    azure: AzureCluster | None
    found: Raw | None = None
    """The virtual machine with its instance view."""
    busy: bool = False
    """An operation on it is under way."""
    error: ProviderError | None = None
    """Why the last operation on it failed."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, and what to say."""

    act: Act
    reason: str = ""
    """Why it does not run; empty where it does."""
    message: str = ""
    failure: str = ""
    """The failure's reason where the machine will not become well by itself."""
    state: str = ""
    """Azure's state of the machine, as the status has it."""


def waits(world: World) -> Step | None:
    """What has to come first, before Azure is asked anything; None where everything is there."""
    obj, machine, cluster = world.obj, world.machine, world.cluster
    if machine is None or cluster is None:
        return Step(Act.NOTHING, WAITING_FOR_MACHINE, "no Machine owns it yet", state=obj.status.vm_state)
    if world.azure is None or not cluster.status.initialization.infrastructure_provisioned:
        said = f"the infrastructure of cluster {cluster.metadata.name} is not provisioned yet"
        return Step(Act.NOTHING, WAITING_FOR_CLUSTER, said, state=obj.status.vm_state)
    if machine.spec.bootstrap.data_secret_name is None and not obj.spec.provider_id:
        said = f"Machine {machine.metadata.name} has no bootstrap data yet"
        return Step(Act.NOTHING, WAITING_FOR_BOOTSTRAP, said, state=obj.status.vm_state)
    return None


def decide(world: World) -> Step:
    """The next step for a machine that waits for nothing."""
    found, obj = world.found, world.obj
    if found is not None:
        return _of_machine(world, found)
    if obj.spec.provider_id:
        said = "the virtual machine does not exist any more, and was not deleted from here: it is not made again"
        return Step(Act.NOTHING, MISSING, said, failure=UPDATE_ERROR, state="Deleted")
    if world.busy:
        return Step(Act.LOOK, CREATING, "the virtual machine is being created", state="Creating")
    if world.error is not None:
        return Step(Act.LOOK, FAILED, str(world.error), failure=_failure(world), state="Failed")
    return Step(Act.CREATE, CREATING, "the virtual machine is being created", state="Creating")


def refused(message: str) -> Step:
    """The step of a machine that Azure will never make as its spec has it."""
    return Step(Act.LOOK, FAILED, message, failure=CREATE_ERROR, state="Failed")


def _of_machine(world: World, found: Raw) -> Step:
    state = str(found.get("properties", {}).get("provisioningState", ""))
    match state.lower():
        case "creating":
            return Step(Act.LOOK, CREATING, "the virtual machine is being created", state=state)
        case "deleting":
            return Step(Act.LOOK, DELETING, "the virtual machine is being deleted", state=state)
        case "failed" | "canceled":
            return Step(Act.LOOK, FAILED, _why(world, found), failure=_failure(world), state=state)
    power = power_state(found)
    if power in ("deallocated", "deallocating", "stopped", "stopping"):
        return Step(Act.TEND, STOPPED, _stopped(world.obj, power), state=state)
    return Step(Act.TEND, state=state)


def _failure(world: World) -> str:
    return UPDATE_ERROR if world.obj.status.ready else CREATE_ERROR


def _stopped(obj: AzureMachine, power: str) -> str:
    if obj.spec.spot_vm_options is not None:
        return f"the virtual machine is {power}: Azure took the spot machine back, or somebody stopped it"
    return f"the virtual machine is {power}: somebody stopped it"


def _why(world: World, found: Raw) -> str:
    """Azure's own words: those of the operation, else those of the instance view."""
    if world.error is not None:
        return str(world.error)
    for status in _statuses(found):
        parts = str(status.get("code", "")).split("/")
        if parts[0] == "ProvisioningState" and parts[1].lower() == "failed":
            code, message = (parts[2] if len(parts) > 2 else ""), str(status.get("message") or "")
            return ": ".join(said for said in ("provisioning failed", code, message) if said)
    return "provisioning failed, and Azure does not say why"


def power_state(found: Raw) -> str:
    """`running`, `deallocated`, ...; empty where Azure does not say."""
    codes = (str(status.get("code", "")) for status in _statuses(found))
    return next((code.partition("/")[2].lower() for code in codes if code.startswith("PowerState/")), "")


def _statuses(found: Raw) -> list[Raw]:
    view = (found.get("properties") or {}).get("instanceView") or {}
    return [status for status in view.get("statuses") or () if isinstance(status, dict)]
