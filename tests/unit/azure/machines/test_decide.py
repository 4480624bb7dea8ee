"""What is done about a machine, by what Azure and the management cluster say."""

import datetime as dt
from typing import Any

import pytest

from capipool.api.core import Cluster, Machine
from capipool.machinery import objects
from capipool.machinery.objects import ObjectMeta, Raw
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.machine import AzureMachine
from capipool.providers.azure.machines import decide, statuses
from capipool.providers.azure.machines.decide import Act, World
from capipool.sdk import InsufficientCapacity

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HERE = "azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/m"


def azure_machine(*, ready: bool = False, **spec: Any) -> AzureMachine:
    raw = {"metadata": {"name": "m", "namespace": "n"}, "spec": spec, "status": {"ready": True} if ready else {}}
    return objects.from_raw(AzureMachine, raw)


def machine(data: str | None = "boot") -> Machine:
    reference = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "AzureMachine", "name": "m"}
    bootstrap = {"dataSecretName": data} if data is not None else {}
    spec = {"clusterName": "c", "bootstrap": bootstrap, "infrastructureRef": reference}
    return objects.from_raw(Machine, {"metadata": {"name": "m", "namespace": "n"}, "spec": spec})


def cluster(*, provisioned: bool = True) -> Cluster:
    raw = {"metadata": {"name": "c"}, "status": {"initialization": {"infrastructureProvisioned": provisioned}}}
    return objects.from_raw(Cluster, {"spec": {}, **raw})


def place() -> AzureCluster:
    return objects.new(AzureCluster, metadata=ObjectMeta(name="c"))


def found(state: str, *statuses: Raw) -> Raw:
    return {"id": HERE, "properties": {"provisioningState": state, "instanceView": {"statuses": list(statuses)}}}


def world(obj: AzureMachine | None = None, **known: Any) -> World:
    return World(obj or azure_machine(), machine(), cluster(), place(), **known)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (World(azure_machine(), None, None, None), "WaitingForMachine"),
        (World(azure_machine(), machine(), None, None), "WaitingForMachine"),
        (World(azure_machine(), machine(), cluster(), None), "WaitingForClusterInfrastructure"),
        (World(azure_machine(), machine(), cluster(provisioned=False), place()), "WaitingForClusterInfrastructure"),
        (World(azure_machine(), machine(None), cluster(), place()), "WaitingForBootstrapData"),
    ],
)
def test_a_machine_waits_until_all_is_there(seen: World, reason: str) -> None:
    step = decide.waits(seen)
    assert step is not None
    assert (step.act, step.reason) == (Act.NOTHING, reason)


def test_a_machine_that_was_made_needs_its_boot_data_no_more() -> None:
    assert decide.waits(World(azure_machine(providerID=HERE), machine(None), cluster(), place())) is None
    assert decide.waits(world()) is None


RUNNING: Raw = {"code": "PowerState/running"}
GONE = azure_machine(providerID=HERE)
NO_ROOM = InsufficientCapacity(wanted=1, detail="AllocationFailed")
FAILED: Raw = {"code": "ProvisioningState/failed/OSProvisioningTimedOut", "message": "no agent"}


@pytest.mark.parametrize(
    ("seen", "act", "reason", "failure", "state"),
    [
        (world(), Act.CREATE, "VMCreating", "", "Creating"),
        (world(busy=True), Act.LOOK, "VMCreating", "", "Creating"),
        (world(error=NO_ROOM), Act.LOOK, "VMProvisionFailed", "CreateError", "Failed"),
        (world(GONE), Act.NOTHING, "VMNotFound", "UpdateError", "Deleted"),
        (world(found=found("Creating")), Act.LOOK, "VMCreating", "", "Creating"),
        (world(found=found("Deleting")), Act.LOOK, "VMDeleting", "", "Deleting"),
        (world(found=found("Succeeded", RUNNING)), Act.TEND, "", "", "Succeeded"),
        (world(found=found("Updating", RUNNING)), Act.TEND, "", "", "Updating"),
        (world(found=found("Succeeded", {"code": "PowerState/deallocated"})), Act.TEND, "VMStopped", "", "Succeeded"),
        (world(found=found("Failed", FAILED)), Act.LOOK, "VMProvisionFailed", "CreateError", "Failed"),
        (
            world(azure_machine(ready=True), found=found("Failed")),
            Act.LOOK,
            "VMProvisionFailed",
            "UpdateError",
            "Failed",
        ),
    ],
)
def test_each_state_has_its_step(seen: World, act: Act, reason: str, failure: str, state: str) -> None:
    step = decide.decide(seen)
    assert (step.act, step.reason, step.failure, step.state) == (act, reason, failure, state)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (world(found=found("Failed", FAILED)), "provisioning failed: OSProvisioningTimedOut: no agent"),
        (world(found=found("Failed"), error=NO_ROOM), "AllocationFailed"),
        (world(found=found("Failed")), "Azure does not say why"),
        (
            world(azure_machine(spotVMOptions={}), found=found("Succeeded", {"code": "PowerState/deallocated"})),
            "Azure took the spot machine back",
        ),
        (world(GONE), "was not deleted from here"),
    ],
)
def test_a_person_reads_why(seen: World, said: str) -> None:
    assert said in decide.decide(seen).message


def test_a_status_says_a_failure_while_there_is_one() -> None:
    obj = azure_machine()
    failed = statuses.of_step(obj, decide.decide(world(found=found("Failed", FAILED))), NOW)
    assert failed["failureReason"] == "CreateError"
    patch = statuses.patch(obj, failed)
    assert patch is not None
    after = objects.from_raw(AzureMachine, {**objects.to_raw(obj), "status": patch})
    well = statuses.of_step(after, decide.decide(world(found=found("Succeeded", RUNNING))), NOW)
    again = statuses.patch(after, well)
    assert again is not None
    assert (again["failureReason"], again["failureMessage"]) == (None, None)


def test_a_status_that_says_so_already_is_not_written() -> None:
    obj = azure_machine()
    status = statuses.of_step(obj, decide.decide(world()), NOW)
    patch = statuses.patch(obj, status)
    assert patch is not None
    after = objects.from_raw(AzureMachine, {**objects.to_raw(obj), "status": patch})
    later = statuses.of_step(after, decide.decide(world()), NOW + dt.timedelta(hours=1))
    assert statuses.patch(after, later) is None


def test_trouble_with_calls_leaves_a_running_machine_running() -> None:
    types = [c["type"] for c in statuses.of_error(azure_machine(ready=True), "Throttled", "later", NOW)["conditions"]]
    assert types == ["Ready"]


@pytest.mark.parametrize(("state", "said"), [("Succeeded", "True"), ("Creating", "False"), ("Failed", "False")])
def test_the_bootstrap_extension_tells_how_the_machine_became_a_node(state: str, said: str) -> None:
    obj = azure_machine()
    extension = {"name": "CAPZ.Linux.Bootstrapping", "properties": {"provisioningState": state}}
    made = statuses.with_bootstrap({"conditions": []}, obj, [extension], NOW)
    assert [(c["type"], c["status"]) for c in made["conditions"]] == [("BootstrapSucceeded", said)]
    assert statuses.with_bootstrap({"conditions": []}, obj, [{"name": "other"}], NOW) == {"conditions": []}
