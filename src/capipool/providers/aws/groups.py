"""An Auto Scaling group as it should be, and what differs from how it is. Pure; `provider` makes the calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.aws import durations
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.sdk import Instance, InstanceState

PROCESSES = {
    "launch": "Launch",
    "terminate": "Terminate",
    "add_to_load_balancer": "AddToLoadBalancer",
    "alarm_notification": "AlarmNotification",
    "az_rebalance": "AZRebalance",
    "health_check": "HealthCheck",
    "instance_refresh": "InstanceRefresh",
    "replace_unhealthy": "ReplaceUnhealthy",
    "scheduled_actions": "ScheduledActions",
}

_IN_SERVICE = ("InService", "EnteringStandby", "Standby")


def template_reference(template_id: str, version: int) -> Raw:
    """A version by its number: the group never launches what is being written just now."""
    return {"LaunchTemplateId": template_id, "Version": str(version)}


def sizes(pool: AWSMachinePool, *, desired: int, external: bool) -> tuple[int, int]:
    """Smallest and largest size so that AWS need not change the desired number, and choose who goes, by itself.

    Where somebody else scales (`external`), the spec's bounds hold, and AWS clamps the number between them.
    """
    least, most = pool.spec.min_size, pool.spec.max_size
    return (least, most) if external else (min(least, desired), max(most, desired))


def settings(
    pool: AWSMachinePool, *, template_id: str, version: int, subnets: Sequence[str], sizes: tuple[int, int]
) -> Raw:
    """What create and update say alike. `sizes`: the smallest and the largest there is to be now."""
    spec = pool.spec
    reference = template_reference(template_id, version)
    made: Raw = {
        "MinSize": sizes[0],
        "MaxSize": sizes[1],
        "VPCZoneIdentifier": ",".join(sorted(subnets)),
        "CapacityRebalance": bool(spec.capacity_rebalance),
        "DefaultCooldown": durations.seconds(spec.default_cool_down or "5m"),
        "DefaultInstanceWarmup": durations.seconds(spec.default_instance_warmup or "5m"),
    }
    mixed = spec.mixed_instances_policy
    if mixed is None:
        return made | {"LaunchTemplate": reference}
    whole: Raw = {"LaunchTemplate": {"LaunchTemplateSpecification": reference}}
    if mixed.overrides:
        whole["LaunchTemplate"]["Overrides"] = [{"InstanceType": o.instance_type} for o in mixed.overrides]
    if (spread := mixed.instances_distribution) is not None:
        said: Raw = {
            "OnDemandAllocationStrategy": spread.on_demand_allocation_strategy or None,
            "OnDemandBaseCapacity": spread.on_demand_base_capacity,
            "OnDemandPercentageAboveBaseCapacity": spread.on_demand_percentage_above_base_capacity,
            "SpotAllocationStrategy": spread.spot_allocation_strategy or None,
        }
        whole["InstancesDistribution"] = {key: value for key, value in said.items() if value is not None}
    return made | {"MixedInstancesPolicy": whole}


def changed(wanted: Raw, group: Raw) -> Raw:
    """The settings that differ. What AWS adds by itself (names, defaults of a policy) is no difference."""
    found = {key: value for key, value in wanted.items() if not _covers(_comparable(key, group.get(key)), value)}
    if "LaunchTemplate" in wanted and group.get("MixedInstancesPolicy"):
        found["LaunchTemplate"] = wanted["LaunchTemplate"]
    if (mixed := wanted.get("MixedInstancesPolicy")) and _overrides(group) and not _overrides(wanted):
        # Left out they would stay.
        found["MixedInstancesPolicy"] = {**mixed, "LaunchTemplate": {**mixed["LaunchTemplate"], "Overrides": []}}
    return found


def _overrides(group: Raw) -> list[Raw]:
    policy = (group.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    return list(policy.get("Overrides") or ())


def _comparable(key: str, value: Any) -> Any:
    if key == "VPCZoneIdentifier":
        return ",".join(sorted((value or "").replace(" ", "").split(",")))
    return bool(value) if key == "CapacityRebalance" else value


def _covers(there: Any, wanted: Any) -> bool:
    """Whether all that is wanted is there; more of AWS's own may be."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(_covers(there.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(there, list)
            and len(there) == len(wanted)
            and all(_covers(t, w) for t, w in zip(there, wanted, strict=True))
        )
    return bool(there == wanted)


def launch_template(group: Raw) -> Raw:
    """The version that a group launches from, wherever it says so."""
    mixed = (group.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    found: Raw = mixed.get("LaunchTemplateSpecification") or group.get("LaunchTemplate") or {}
    return found


def suspended(pool: AWSMachinePool) -> set[str] | None:
    """The processes to be suspended; None where the spec says nothing: others may suspend what they like."""
    wanted = pool.spec.suspend_processes
    if wanted is None:
        return None
    said = {name: getattr(wanted.processes, field) for field, name in PROCESSES.items()}
    return {name for name, value in said.items() if value or (wanted.all and value is not False)}


def provider_id(instance: Raw) -> str:
    """What the cloud provider writes into a Node on the instance."""
    return f"aws:///{instance['AvailabilityZone']}/{instance['InstanceId']}"


def state(instance: Raw) -> InstanceState:
    """Where an instance is in its life. One in standby serves: somebody put it there by hand."""
    life = str(instance.get("LifecycleState", ""))
    if life.startswith(("Terminat", "Detach")):
        return InstanceState.TERMINATING
    return InstanceState.PENDING if life.startswith("Pending") else InstanceState.RUNNING


def instances(group: Raw) -> list[Raw]:
    """The instances of a group. Those that wait in a warm pool are none: they serve nobody."""
    return [i for i in group["Instances"] if not str(i.get("LifecycleState", "")).startswith("Warmed")]


def protectable(group: Raw, *, protected: bool) -> set[str]:
    """The instances whose protection from scale-in AWS would change, out of those that have it, or have it not."""
    those = [i for i in group["Instances"] if i.get("LifecycleState") in _IN_SERVICE]
    return {i["InstanceId"] for i in those if bool(i.get("ProtectedFromScaleIn")) is protected}


def instance(raw: Raw, revision: str, *, ours: bool = False, held: bool = False) -> Instance:
    """An instance of a group. `ours`: what protects it from scale-in came from here."""
    return Instance(
        id=raw["InstanceId"],
        provider_id=provider_id(raw),
        state=state(raw),
        revision=revision,
        zone=raw["AvailabilityZone"],
        protected=bool(raw.get("ProtectedFromScaleIn")) and not ours,
        held=held,
    )


def number(reference: Raw) -> int:
    """The number of a version of a launch template; 0 where it is none."""
    version = str(reference.get("Version", ""))
    return int(version) if version.isdecimal() else 0
