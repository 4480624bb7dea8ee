"""The tests of a provider that shows its instances as Machines: the contract of `sdk.DescribesMachines`.

A lab for them returns, from `make_object`, pools that want Machines.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any, cast

from capipool.api.builtin import Node, NodeCondition, NodeSpec, NodeStatus
from capipool.contract import infra_machine
from capipool.contract.versions import V1BETA1, V1BETA2
from capipool.machinery import names, objects
from capipool.machinery.crd import Version, crd
from capipool.machinery.objects import ObjectMeta, Raw, Unstructured
from capipool.machinery.patch import merge
from capipool.sdk import DescribesMachines, Instance, InstanceState, InstanceView, Pool
from capipool.sdk.machines import plan
from capipool.testing.conformance.lab import Lab

_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class MachinesConformance:
    """Subclass it, name the subclass `Test...`, and give it a fixture `lab`."""

    async def test_its_pools_want_machines_and_its_kind_can_say_of_which_kind(self, lab: Lab) -> None:
        """`status.infrastructureMachineKind` is how Cluster API finds the objects."""
        provider = _provider(lab)
        assert provider.wants_machines(lab.pool())
        status = _schema(provider, lab)["properties"]["status"]
        known = "infrastructureMachineKind" in status.get("properties", {})
        assert known or status.get("x-kubernetes-preserve-unknown-fields")

    async def test_each_instance_has_a_name_of_its_own_that_stays(self, lab: Lab) -> None:
        """Names are computed from the instance, and may be asked for at any time."""
        provider, first, second = _provider(lab), lab.pool("first"), lab.pool("second")
        found = []
        for pool in (first, second):
            group = await lab.created(pool, replicas=3)
            found += [provider.machine_name(pool, i) for i in group.instances]
            assert found[-3:] == [provider.machine_name(pool, i) for i in group.instances]
        assert len(set(found)) == 6
        assert [name for name in found if not names.is_dns_subdomain(name)] == []

    async def test_an_object_has_the_provider_id_of_its_instance_and_nothing_that_is_the_sdks(self, lab: Lab) -> None:
        """The SDK sees to names, owners and finalizers; asking again gives the same."""
        provider, pool = _provider(lab), lab.pool()
        for instance in (await lab.created(pool, replicas=2)).instances:
            said = provider.machine(pool, instance)
            assert said == provider.machine(pool, instance)
            assert said["spec"]["providerID"] == instance.provider_id
            assert set(said) <= {"metadata", "spec"}
            assert set(said.get("metadata") or {}) <= {"labels", "annotations"}

    async def test_an_object_as_it_is_created_has_nothing_left_to_be_changed(self, lab: Lab) -> None:
        """Every field is known to the kind, in the form in which it comes back."""
        provider, pool = _provider(lab), lab.pool()
        for instance in (await lab.created(pool, replicas=1)).instances:
            obj, raw = _object(provider, pool, instance)
            assert plan.difference(obj, raw) is None
            assert _unknown(raw["spec"], _schema(provider, lab, machine=True)["properties"]["spec"]) == []

    async def test_an_instance_that_runs_is_provisioned_in_the_words_of_the_contract(self, lab: Lab) -> None:
        """Only then does Cluster API take the provider ID over into the Machine."""
        provider, pool = _provider(lab), lab.pool()
        await lab.created(pool, replicas=1)
        group = await lab.until(pool, lambda g: all(i.state is InstanceState.RUNNING for i in g.instances))
        obj, _ = _object(provider, pool, group.instances[0])
        written = _with_status(provider, pool, obj, group.instances[0], _NOW)
        said = Unstructured(status=objects.to_raw(written).get("status", {}))
        assert any(infra_machine.provisioned(said, contract) for contract in (V1BETA1, V1BETA2))

    async def test_a_status_once_written_stays_while_nothing_happens(self, lab: Lab) -> None:
        """Neither time nor a heartbeat of the node is a change: a pool at rest writes nothing."""
        provider, pool = _provider(lab), lab.pool()
        await lab.created(pool, replicas=1)
        group = await lab.until(pool, lambda g: all(i.state is InstanceState.RUNNING for i in g.instances))
        obj, _ = _object(provider, pool, group.instances[0])
        written = _with_status(provider, pool, obj, group.instances[0], _NOW)
        later = _NOW + dt.timedelta(hours=1)
        said = provider.machine_status(pool, _view(group.instances[0], written, later))
        assert plan.status_difference(written, said) is None

    async def test_an_instance_that_goes_or_has_no_node_can_be_described_too(self, lab: Lab) -> None:
        """In whatever state it is."""
        provider, pool = _provider(lab), lab.pool()
        instance = (await lab.created(pool, replicas=1)).instances[0]
        obj, _ = _object(provider, pool, instance)
        for state in InstanceState:
            seen = dataclasses.replace(instance, state=state)
            view = InstanceView(instance=seen, node=None, object=obj, now=_NOW, outdated=True)
            assert isinstance(provider.machine_status(pool, view), dict)


def _provider(lab: Lab) -> DescribesMachines:
    assert isinstance(lab.provider, DescribesMachines), "the lab's provider does not implement DescribesMachines"
    return lab.provider


def _object(provider: DescribesMachines, pool: Pool[Any], instance: Instance) -> tuple[Any, Raw]:
    """The object of an instance as the API server has it, and as it was sent there."""
    raw = plan.whole(provider, pool, instance)
    return objects.from_raw(provider.machine_kind, raw), raw


def _with_status(provider: DescribesMachines, pool: Pool[Any], obj: Any, instance: Instance, now: dt.datetime) -> Any:
    """The object once its status is written."""
    patch = plan.status_difference(obj, provider.machine_status(pool, _view(instance, obj, now))) or {}
    raw = objects.to_raw(obj)
    return objects.from_raw(type(obj), raw | {"status": merge.apply(raw.get("status", {}), patch)})


def _view(instance: Instance, obj: Any, now: dt.datetime) -> InstanceView:
    ready = NodeCondition(type="Ready", status="True", last_transition_time=_NOW)
    node = objects.new(
        Node,
        metadata=ObjectMeta(name="n", uid="n", resource_version=str(now.timestamp())),
        spec=NodeSpec(provider_id=instance.provider_id),
        status=NodeStatus(conditions=(ready,)),
    )
    return InstanceView(instance=instance, node=node, object=obj, now=now)


def _schema(provider: DescribesMachines, lab: Lab, *, machine: bool = False) -> Raw:
    """The schema of the pool's kind, or of its machines'."""
    kind = provider.machine_kind if machine else lab.provider.kind
    made = crd(Version(type=kind, storage=True))
    return cast(Raw, made["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def _unknown(value: Any, schema: Raw, path: str = "spec") -> list[str]:
    """Fields that a schema does not know, which the API server would drop."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return []
    if isinstance(value, list):
        return [found for item in value for found in _unknown(item, schema.get("items", {}), f"{path}[]")]
    if not isinstance(value, dict) or "additionalProperties" in schema:
        return []
    known = schema.get("properties", {})
    inside = [
        found for key in value.keys() & known.keys() for found in _unknown(value[key], known[key], f"{path}.{key}")
    ]
    return [f"{path}.{key}" for key in value.keys() - known.keys()] + inside
