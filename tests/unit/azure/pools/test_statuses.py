"""Statuses and conditions by the contract of v1beta1, of pools and of their machines."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from capipool.api.builtin import Node
from capipool.api.core import Cluster, MachinePool
from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.api.machinepoolmachine import AzureMachinePoolMachine
from capipool.providers.azure.pools import statuses
from capipool.providers.azure.pools.machines import Described
from capipool.providers.azure.pools.seen import Seen
from capipool.sdk import Group, Instance, InstanceState, InstanceView, InsufficientCapacity, Pool, Report
from capipool.sdk.engine.plan import Wait
from tests.server.azure.pools.lab import machine_pool
from tests.unit.azure.pools.test_instances import SET

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def pool(replicas: int = 2, spec: Raw | None = None) -> Pool[AzureMachinePool]:
    obj = objects.from_raw(AzureMachinePool, machine_pool("mp", spec))
    template = {
        "clusterName": "c",
        "bootstrap": {"dataSecretName": "b"},
        "infrastructureRef": {"apiGroup": "x", "kind": "y", "name": "mp"},
    }
    raw: Raw = {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "MachinePool", "metadata": {"name": "mp"}}
    raw["spec"] = {"clusterName": "c", "replicas": replicas, "template": {"spec": template}}
    cluster: Raw = {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": {"name": "c"}, "spec": {}}
    return Pool(obj, objects.from_raw(MachinePool, raw), objects.from_raw(Cluster, cluster))


def instance(number: int = 0, state: InstanceState = InstanceState.RUNNING, **more: Any) -> Instance:
    provider_id = f"azure://{SET}/virtualMachines/{number}"
    return Instance(id=f"mp_{number}@1", name=f"mp_{number}", provider_id=provider_id, state=state, **more)


def group(*those: Instance, state: str = "Succeeded", **more: Any) -> Group:
    raw: Raw = {"properties": {"provisioningState": state}}
    return Group(desired=len(those), revision="r", instances=those, native=Seen(raw, ()), **more)


def report(**fields: Any) -> Report:
    return Report(now=NOW, generation=1, **fields)


def said(made: Raw) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c.get("reason", "")) for c in made["conditions"]}


def status(about: Report, replicas: int = 2) -> Raw:
    return statuses.status(pool(replicas), about, kind="AzureMachinePoolMachine")


def test_a_pool_at_rest_is_ready_and_says_so_in_every_condition() -> None:
    made = status(report(group=group(instance(0), instance(1))))
    assert {value for value, _ in said(made).values()} == {"True"}
    assert (made["ready"], made["replicas"], made["provisioningState"]) == (True, 2, "Succeeded")
    assert made["lastReconciledReplicas"] == 2


def test_a_pool_that_lacks_instances_is_still_provisioned() -> None:
    """Cluster API reads provider IDs of ready pools alone."""
    wait = Wait("ScalingUp", "1 more to come")
    made = status(report(group=group(instance(0)), waits=(wait,)))
    assert made["ready"] is True
    assert made["provisioningState"] == "Updating"
    assert said(made)["Ready"] == ("False", "ScalingUp")
    assert said(made)["ScaleSetDesiredReplicas"] == ("False", "ScaleSetScalingUp")


def test_what_azure_refuses_is_a_condition_of_its_own_with_the_code() -> None:
    problem = InsufficientCapacity(wanted=1, detail="AllocationFailed: no room")
    made = status(report(group=group(instance(0), problem=problem), waits=(Wait(problem.reason, str(problem)),)))
    found = {c["type"]: c for c in made["conditions"]}
    for type_ in ("Ready", "ScaleSetDesiredReplicas", "BootstrapSucceeded"):
        assert "AllocationFailed" in found[type_]["message"]
    assert found["Ready"]["severity"] == "Warning"


@pytest.mark.parametrize(
    ("state", "reason"),
    [("Creating", "ScaleSetCreating"), ("Deleting", "ScaleSetDeleting"), ("Failed", "ScaleSetProvisionFailed")],
)
def test_the_state_of_the_scale_set_is_told_with_upstreams_reasons(state: str, reason: str) -> None:
    assert said(status(report(group=group(state=state))))["ScaleSetRunning"] == ("False", reason)


def test_before_there_is_a_scale_set_nothing_is_said_of_it_but_why() -> None:
    made = status(report(waits=(Wait("InvalidConfiguration", "spec.template.vmSize: no such size"),)))
    assert said(made) == {
        "Ready": ("False", "InvalidConfiguration"),
        "ScaleSetRunning": ("False", "ScaleSetProvisionFailed"),
    }
    assert "ready" not in made


def test_outdated_instances_are_counted() -> None:
    made = status(report(group=group(instance(0), instance(1)), outdated=1))
    assert said(made)["ScaleSetModelUpdated"] == ("False", "ScaleSetModelOutOfDate")


def test_a_pool_that_goes_says_what_it_waits_for() -> None:
    made = statuses.deletion(pool().object, report(deleting="node a is being drained"))
    assert said(made)["Ready"] == ("False", "Deleting")
    assert said(made)["ScaleSetRunning"] == ("False", "ScaleSetDeleting")


def view(one: Instance, node: Raw | None = None, *, outdated: bool = False) -> InstanceView:
    resource = AzureMachinePoolMachine.RESOURCE
    raw = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "m"}}
    raw |= {"spec": {"providerID": "x"}}
    there = objects.from_raw(AzureMachinePoolMachine, raw)
    made = objects.from_raw(Node, node) if node is not None else None
    return InstanceView(instance=one, node=made, object=there, now=NOW, outdated=outdated)


def node(ready: str = "True") -> Raw:
    condition = {"type": "Ready", "status": ready, "message": "kubelet stopped"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n", "uid": "u"},
        "status": {"conditions": [condition], "nodeInfo": {"kubeletVersion": "v1.31.0"}},
    }


def test_a_machine_with_a_ready_node_is_ready() -> None:
    made = Described().machine_status(pool(), view(instance(), node()))
    assert (made["ready"], made["provisioningState"], made["version"]) == (True, "Succeeded", "v1.31.0")
    assert made["nodeRef"]["name"] == "n"
    assert made["latestModelApplied"] is True
    assert {value for value, _ in said(made).values()} == {"True"}


@pytest.mark.parametrize(
    ("one", "there", "wanted"),
    [
        (instance(state=InstanceState.PENDING), None, {"BootstrapSucceeded": "BootstrapInProgress"}),
        (instance(), None, {"NodeHealthy": "NodeProvisioning"}),
        (instance(), node("False"), {"NodeHealthy": "NodeConditionsFailed", "Ready": "NodeConditionsFailed"}),
        (instance(state=InstanceState.FAILED, message="m"), None, {"BootstrapSucceeded": "BootstrapFailed"}),
    ],
)
def test_a_machine_that_is_not_ready_says_why(one: Instance, there: Raw | None, wanted: dict[str, str]) -> None:
    made = Described().machine_status(pool(), view(one, there, outdated=True))
    found = said(made)
    assert made["ready"] is False
    assert {type_: found[type_][1] for type_ in wanted} == wanted


@pytest.mark.parametrize(
    ("mode", "provider_id", "name", "spec"),
    [
        ("Uniform", f"azure://{SET}/virtualMachines/3", "mp-3", {"instanceID": "3"}),
        ("Flexible", "azure:///subscriptions/S/x/virtualMachines/mp_1A2b", "mp-mp-1a2b", {}),
    ],
)
def test_machines_are_called_as_upstream_calls_them(mode: str, provider_id: str, name: str, spec: Raw) -> None:
    about, one = (
        pool(spec={"orchestrationMode": mode}),
        Instance(id="i", provider_id=provider_id, state=InstanceState.RUNNING),
    )
    assert Described().machine_name(about, one) == name
    made = Described().machine(about, one)
    assert made["spec"] == {"providerID": provider_id} | spec
    assert made["metadata"]["labels"] == {
        "c": "owned",
        "azuremachinepool.infrastructure.cluster.x-k8s.io/machine-pool": "mp",
    }
