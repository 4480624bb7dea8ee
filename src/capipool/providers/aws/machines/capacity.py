"""Says in an AWSMachineTemplate what a node of it will have, so that an autoscaler can scale up from zero.

Used by `setup`. The cluster, and with it the region and who calls, is that of the MachineDeployment or MachineSet which
names the template.
"""

from __future__ import annotations

import datetime as dt

from capipool.api.core import Cluster, MachineDeployment, MachineSet
from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.machines.api import AWSMachineTemplate
from capipool.providers.aws.places import Place, Places
from capipool.runtime import reconcile
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import RequeueAfter, Result
from capipool.sdk.conditions import condition, merged
from capipool.sdk.errors import InvalidConfiguration, Missing, ProviderError
from capipool.sdk.inputs import is_paused

_AGAIN = dt.timedelta(minutes=5)
_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
_GPUS = {"NVIDIA": "nvidia.com/gpu", "AMD": "amd.com/gpu"}
USED_BY = "AWSMachineTemplate"
"""Index of MachineDeployments and MachineSets: the template they name."""

User = MachineDeployment | MachineSet


class CapacityReconciler:
    """Fills in the status of templates. There is nothing to delete: nothing was made."""

    def __init__(self, manager: Manager, calls: Calls, *, default_region: str = "") -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._places = Places(manager, calls, default_region=default_region)
        self._known: dict[tuple[tuple[str, str], str], Raw] = {}
        """By place and instance type, which never changes."""
        self.objects = manager.caches.of(AWSMachineTemplate)
        self.clusters = manager.caches.of(Cluster)
        self.deployments = manager.caches.of(MachineDeployment)
        self.sets = manager.caches.of(MachineSet)
        self.deployments.add_index(USED_BY, template_of)
        self.sets.add_index(USED_BY, template_of)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Safe to repeat; a template that nobody uses says nothing."""
        obj = self.objects.get(key)
        cluster = self._cluster(obj) if obj is not None else None
        if obj is None or obj.deleting or cluster is None or is_paused(obj, cluster):
            return reconcile.DONE
        instance_type = obj.spec.template.spec.instance_type
        try:
            status = await self._described(self._places.of(cluster), instance_type)
        except ProviderError as error:
            said = condition("Ready", False, reason=error.reason, message=str(error), severity="Warning")
            await self._write(obj, {}, said)
            return RequeueAfter(error.delay or _AGAIN)
        await self._write(obj, status, condition("Ready", True))
        return reconcile.DONE

    def _cluster(self, obj: AWSMachineTemplate) -> Cluster | None:
        """The cluster of whoever names the template."""
        value = str(obj.key)
        users: list[User] = [*self.deployments.by(USED_BY, value), *self.sets.by(USED_BY, value)]
        named = (self.clusters.get(ObjectKey(u.metadata.namespace, u.spec.cluster_name)) for u in users)
        return next((cluster for cluster in named if cluster is not None), None)

    async def _described(self, place: Place, instance_type: str) -> Raw:
        key = (place.key, instance_type)
        if (known := self._known.get(key)) is None:
            try:
                answer = await place.call("ec2", "describe_instance_types", InstanceTypes=[instance_type])
            except (Missing, InvalidConfiguration) as error:
                field = "spec.template.spec.instanceType"
                said = f"there is no such type of instance in {place.region}"
                raise InvalidConfiguration(field, detail=said, value=instance_type) from error
            known = self._known[key] = described(answer["InstanceTypes"][0])
        return known

    async def _write(self, obj: AWSMachineTemplate, status: Raw, ready: Raw) -> None:
        told = merged(obj.status.conditions, [ready], self._clock.now())
        before = objects.to_raw(obj).get("status", {})
        patch = merge.diff(before, {**before, **status, "conditions": told})
        if patch is not None:
            meta = obj.metadata
            await self._client.patch(
                AWSMachineTemplate, meta.name, meta.namespace, patch={"status": patch}, subresource="status"
            )


def described(info: Raw) -> Raw:
    """What a node of an instance type has, from what DescribeInstanceTypes answers. Pure."""
    capacity: Raw = {
        "cpu": str(info["VCpuInfo"]["DefaultVCpus"]),
        "memory": f"{info['MemoryInfo']['SizeInMiB']}Mi",
    }
    for gpu in (info.get("GpuInfo") or {}).get("Gpus") or ():
        if (name := _GPUS.get(gpu.get("Manufacturer", "").upper())) is not None:
            capacity[name] = str(int(capacity.get(name, 0)) + gpu.get("Count", 0))
    supported = (info.get("ProcessorInfo") or {}).get("SupportedArchitectures") or ()
    made: Raw = {"capacity": capacity}
    found = next((_ARCHITECTURES[each] for each in supported if each in _ARCHITECTURES), "")
    return made | ({"nodeInfo": {"architecture": found, "operatingSystem": "linux"}} if found else {})


def template_of(obj: User) -> tuple[str, ...]:
    """The template that machines are made from, if it is one of ours, as `<namespace>/<name>`."""
    reference = obj.spec.template.spec.infrastructure_ref
    if reference.group_kind != AWSMachineTemplate.RESOURCE.group_kind:
        return ()
    return (f"{obj.metadata.namespace}/{reference.name}",)
