"""Shows each instance of a pool as an AWSMachine, where that is asked for, so that Cluster API makes a Machine of it.

Used by the provider, which the SDK asks through `DescribesMachines`. The controller of single AWSMachines leaves alone
those that a pool owns.
"""

from __future__ import annotations

from typing import ClassVar

from capipool.machinery.objects import Raw
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.machines.api import AWSMachine
from capipool.providers.aws.machines.marks import FINALIZER
from capipool.providers.aws.observing import Observer
from capipool.sdk import Instance, InstanceState, InstanceView, Pool
from capipool.sdk.conditions import condition, merged

MACHINES_ANNOTATION = "capipool.io/machines"
"""On an AWSMachinePool, `true`: its instances are Machines, too."""
_STATES = {
    InstanceState.PENDING: "pending",
    InstanceState.RUNNING: "running",
    InstanceState.FAILED: "stopped",
    InstanceState.TERMINATING: "shutting-down",
}
"""What upstream says in `status.instanceState`: EC2's words."""


class ShowsMachines:
    """What `sdk.DescribesMachines` asks of the provider."""

    machine_kind: ClassVar = AWSMachine
    machine_finalizer: ClassVar[str] = FINALIZER
    _observer: Observer

    def wants_machines(self, pool: Pool[AWSMachinePool]) -> bool:
        """Where the annotation asks for them."""
        return pool.object.metadata.annotations.get(MACHINES_ANNOTATION) == "true"

    def machine_name(self, pool: Pool[AWSMachinePool], instance: Instance) -> str:
        """The pool's name, and the instance's id without its prefix."""
        return f"{pool.object.metadata.name}-{instance.id.removeprefix('i-')}"

    def machine(self, pool: Pool[AWSMachinePool], instance: Instance) -> Raw:
        """Which instance it is, and of which type."""
        template = pool.object.spec.aws_launch_template
        kind = self._observer.type_of(pool.key, instance.id) or template.instance_type or "unknown"
        return {"spec": {"providerID": instance.provider_id, "instanceID": instance.id, "instanceType": kind}}

    def machine_status(self, pool: Pool[AWSMachinePool], view: InstanceView) -> Raw:
        """By the contract of v1beta1, as upstream's AWSMachines have it."""
        state = view.instance.state
        running = state is InstanceState.RUNNING
        wanted = [
            condition(type_, running, reason="InstanceNotReady", message=f"the instance is {_STATES[state]}")
            for type_ in ("Ready", "InstanceReady")
        ]
        return {
            "ready": running,
            "instanceState": _STATES[state],
            "conditions": merged(view.object.status.conditions, wanted, view.now),
        }
