"""Lifecycle hooks: those of the spec, and one of ours by which nodes are drained before AWS ends their instances.

Others' hooks are left alone, and so is what they hold. Used by the provider.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.aws import durations, failures
from capipool.providers.aws.api.machinepool import AWSMachinePool, LifecycleHook
from capipool.providers.aws.autoscaling import AutoScaling
from capipool.providers.aws.places import Place
from capipool.sdk import GroupChanged, InvalidConfiguration

DRAIN_HOOK = "capipool-drain"
"""The name of the hook that capipool completes: one in the spec, or one that the annotation asks for."""
DRAIN_ANNOTATION = "capipool.io/drain-terminations"
"""On an AWSMachinePool, `true`: hold the terminations that AWS begins by itself until the node is drained."""
APPLIED_ANNOTATION = "capipool.io/applied-hooks"
"""On an AWSMachinePool: names of the hooks that were put on its group, so that those that left the spec are removed."""
DRAIN_SECONDS = 3600
"""How long AWS waits for the drain where no hook of that name in the spec says it; then it goes on."""
LOOK_SECONDS = 3600.0
"""How old what is known of a group's hooks may be: somebody may have changed them. A changed spec is seen at once."""
_TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
_DEFAULTS: Mapping[str, Any] = {"HeartbeatTimeout": 3600, "DefaultResult": "ABANDON"}


def wanted(pool: AWSMachinePool) -> list[Raw]:
    """The hooks that a pool's group is to have, as AWS takes them. Pure."""
    made = [raw(each) for each in pool.spec.lifecycle_hooks]
    if pool.metadata.annotations.get(DRAIN_ANNOTATION) == "true" and not drains_by_spec(pool):
        own = {"LifecycleHookName": DRAIN_HOOK, "LifecycleTransition": _TERMINATING}
        made.append({**own, "HeartbeatTimeout": DRAIN_SECONDS, "DefaultResult": "CONTINUE"})
    return made


def drains_by_spec(pool: AWSMachinePool) -> bool:
    """Whether the spec has the hook by which nodes are drained. Pure."""
    return any(h.name == DRAIN_HOOK and h.lifecycle_transition == _TERMINATING for h in pool.spec.lifecycle_hooks)


def drains(pool: AWSMachinePool) -> bool:
    """Whether terminations are held until the node is drained. Pure."""
    return drains_by_spec(pool) or pool.metadata.annotations.get(DRAIN_ANNOTATION) == "true"


def raw(hook: LifecycleHook) -> Raw:
    """A lifecycle hook as AWS takes it, defaults filled in. Pure."""
    made: Raw = {"LifecycleHookName": hook.name, "LifecycleTransition": hook.lifecycle_transition, **_DEFAULTS}
    if hook.heartbeat_timeout:
        made["HeartbeatTimeout"] = durations.seconds(hook.heartbeat_timeout)
    said = {
        "DefaultResult": hook.default_result,
        "NotificationMetadata": hook.notification_metadata,
        "NotificationTargetARN": hook.notification_target_arn,
        "RoleARN": hook.role_arn,
    }
    return made | {key: value for key, value in said.items() if value}


def applied(pool: AWSMachinePool) -> set[str]:
    """The names of the hooks that were put on the group. Pure."""
    return {name for name in pool.metadata.annotations.get(APPLIED_ANNOTATION, "").split(",") if name}


class Hooks:
    """Keeps the hooks of groups as they should be."""

    def __init__(self, scaling: AutoScaling) -> None:
        self._scaling = scaling
        self._seen: dict[tuple[object, ...], tuple[float, Sequence[Raw], Sequence[Raw]]] = {}
        """By group: when it was looked at (loop time), what was wanted, and what was there."""
        self._released: dict[tuple[object, ...], set[str]] = {}
        """By group: instances that we let go, and that another's hook may hold still."""

    async def ensure(self, place: Place, pool: AWSMachinePool) -> None:
        """Put what differs, remove what left the spec. Raises GroupChanged, ProviderError."""
        name, those = pool.metadata.name, wanted(pool)
        gone = applied(pool) - {hook["LifecycleHookName"] for hook in those}
        if not those and not gone:
            return
        there = await self._look(place, name, those)
        known = {hook["LifecycleHookName"]: hook for hook in there}
        differing = [h for h in those if not _same(known.get(h["LifecycleHookName"], {}), h)]
        if differing or gone & known.keys():
            self._seen.pop((place.key, name), None)
        for hook in differing:
            await self._scaling.write(place, name, "put_lifecycle_hook", **hook)
        for each in sorted(gone & known.keys()):
            await self._scaling.write(place, name, "delete_lifecycle_hook", LifecycleHookName=each)

    def is_held(self, place: Place, pool: AWSMachinePool, instance: Raw) -> bool:
        """Whether an instance waits for us to let it go."""
        waits = instance.get("LifecycleState") == "Terminating:Wait" and drains(pool)
        return waits and instance["InstanceId"] not in self._released.get((place.key, pool.metadata.name), ())

    async def release(self, place: Place, name: str, id: str) -> None:
        """Complete our hook. What another's hook still holds is held by that alone."""
        # Nothing to complete: its time was over, an answer was lost, or somebody removed the hook.
        with contextlib.suppress(GroupChanged, failures.NoAction, InvalidConfiguration):
            await self._scaling.write(
                place,
                name,
                "complete_lifecycle_action",
                LifecycleHookName=DRAIN_HOOK,
                InstanceId=id,
                LifecycleActionResult="CONTINUE",
            )
        self._released.setdefault((place.key, name), set()).add(id)

    def keep(self, place: Place, name: str, ids: Collection[str]) -> None:
        """These are the instances of the group: others need not be remembered."""
        if (released := self._released.get((place.key, name))) is not None:
            released.intersection_update(ids)

    def drop(self, place: Place, name: str) -> None:
        """Nobody wants to know of the group any more."""
        self._seen.pop((place.key, name), None)
        self._released.pop((place.key, name), None)

    async def _look(self, place: Place, name: str, those: Sequence[Raw]) -> Sequence[Raw]:
        now = asyncio.get_running_loop().time()
        known = self._seen.get((place.key, name))
        if known is not None and known[0] >= now - LOOK_SECONDS and known[1] == those:
            return known[2]
        answer = await place.call("autoscaling", "describe_lifecycle_hooks", AutoScalingGroupName=name)
        there: Sequence[Raw] = answer["LifecycleHooks"]
        self._seen[place.key, name] = (now, those, there)
        return there


def _same(there: Raw, hook: Raw) -> bool:
    return all(there.get(key) == value for key, value in hook.items())
