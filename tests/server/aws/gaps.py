"""What moto leaves out of Auto Scaling and launch templates, closed on top of moto, for as long as a context is open.

Used by `cloud`. Written from AWS's own documentation of the calls, not from what capipool makes of them.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import threading
from collections.abc import Callable
from typing import Any
from unittest import mock

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import (
    AutoScalingBackend,
    FakeAutoScalingGroup,
    InstanceState,
    TerminateInstanceActivity,
)
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.types import Base64EncodedString
from moto.ec2.exceptions import InvalidLaunchTemplateVersionNotFound
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion
from moto.ec2.responses.launch_templates import LaunchTemplates

IGNORED = {
    "CapacityRebalance": ("capacity_rebalance", bool),
    "DefaultCooldown": ("default_cooldown", int),
    "DefaultInstanceWarmup": ("default_instance_warmup", int),
}
"""Settings of a group that moto forgets."""
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
_OPEN = ("Pending", "InProgress", "Cancelling", "Baking")
_NUMBERS = itertools.count(1)
_SCALING = threading.RLock()
"""Moto answers in threads: what compares a group's instances with its number and launches must not do it twice."""


class AlreadyExists(AutoscalingClientError):
    code = "AlreadyExists"


class RefreshInProgress(AutoscalingClientError):
    code = "InstanceRefreshInProgress"


class NoActiveRefresh(AutoscalingClientError):
    code = "ActiveInstanceRefreshNotFound"


def close(stack: contextlib.ExitStack) -> None:
    """Close them until the stack unwinds."""

    def patch(owner: Any, name: str, value: Any) -> None:
        stack.enter_context(mock.patch.object(owner, name, value, create=True))

    patch(LaunchTemplateVersion, "user_data", property(_user_data))
    patch(LaunchTemplate, "get_version", _present(LaunchTemplate.get_version))
    describe = LaunchTemplates.describe_launch_template_versions
    patch(LaunchTemplates, "describe_launch_template_versions", _showing_state(describe))
    patch(LaunchTemplates, "delete_launch_template_versions", _delete_versions)
    patch(InstanceState, "launch_template", property(_instance_version))
    patch(InstanceState, "__init__", _remembering(InstanceState.__init__))
    patch(FakeAutoScalingGroup, "launch_template", property(_either(FakeAutoScalingGroup.launch_template)))
    launch = FakeAutoScalingGroup.replace_autoscaling_group_instances
    patch(FakeAutoScalingGroup, "replace_autoscaling_group_instances", _launching(launch))
    patch(FakeAutoScalingGroup, "set_desired_capacity", _scaling(FakeAutoScalingGroup.set_desired_capacity))
    patch(
        AutoScalingBackend, "describe_auto_scaling_groups", _retrying(AutoScalingBackend.describe_auto_scaling_groups)
    )
    patch(AutoScalingBackend, "terminate_instance", _terminate)
    delete = AutoScalingBackend.delete_auto_scaling_group
    patch(AutoScalingBackend, "delete_auto_scaling_group", _deleting(delete))
    for name in ("create_auto_scaling_group", "update_auto_scaling_group"):
        patch(AutoScalingResponse, name, _checked(name, _keeping(getattr(AutoScalingResponse, name))))
    for name in ("put_lifecycle_hook", "delete_lifecycle_hook"):
        patch(AutoScalingResponse, name, _hook_kept(getattr(AutoScalingResponse, name)))
    patch(AutoScalingResponse, "set_instance_protection", _protecting(AutoScalingResponse.set_instance_protection))
    patch(AutoScalingResponse, "describe_lifecycle_hooks", _describe_hooks)
    patch(AutoScalingResponse, "complete_lifecycle_action", _complete_action)
    patch(AutoScalingResponse, "describe_scaling_activities", _describe_activities)
    patch(AutoScalingResponse, "start_instance_refresh", _start_refresh)
    patch(AutoScalingResponse, "describe_instance_refreshes", _describe_refreshes)
    patch(AutoScalingResponse, "cancel_instance_refresh", _cancel_refresh)


# --- launch templates


def _user_data(self: LaunchTemplateVersion) -> Any:
    data = self.data.get("UserData")
    return data if data is None or isinstance(data, Base64EncodedString) else Base64EncodedString(data)


def _present(get: Any) -> Any:
    def found(self: LaunchTemplate, number: Any) -> LaunchTemplateVersion:
        version: LaunchTemplateVersion = get(self, number)
        if getattr(version, "deleted", False):
            raise InvalidLaunchTemplateVersionNotFound(template_id=self.id, version=number)
        return version

    return found


def _showing_state(method: Any) -> Any:
    """AWS shows how far metadata options are; it is no parameter of a version."""

    def answered(self: LaunchTemplates) -> Any:
        answer = method(self)
        for version in answer.result["LaunchTemplateVersions"]:
            if options := version["LaunchTemplateData"].get("MetadataOptions"):
                version["LaunchTemplateData"] = {
                    **version["LaunchTemplateData"],
                    "MetadataOptions": {**options, "State": "applied"},
                }
        return answer

    return answered


def _delete_versions(self: LaunchTemplates) -> ActionResult:
    template = self.ec2_backend.launch_templates[self._get_param("LaunchTemplateId")]
    gone, unknown = [], []
    for number in map(int, self._get_param("Versions", [])):
        about = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": number}
        if 1 <= number <= len(template.versions) and number != template.default_version_number:
            template.versions[number - 1].deleted = True
            gone.append(about)
        else:
            unknown.append({**about, "ResponseError": {"Code": "launchTemplateVersionDoesNotExist"}})
    return ActionResult(
        {
            "SuccessfullyDeletedLaunchTemplateVersions": gone,
            "UnsuccessfullyDeletedLaunchTemplateVersions": unknown,
        }
    )


# --- groups


def _checked(name: str, method: Any) -> Any:
    """What AWS refuses and moto lets through, or replaces a group for."""

    def answered(self: AutoScalingResponse) -> Any:
        there = self.autoscaling_backend.autoscaling_groups.get(self._get_param("AutoScalingGroupName"))
        if name.startswith("create") and there is not None:
            raise AlreadyExists("AutoScalingGroup by this name already exists")
        if name.startswith("update") and there is None:
            raise ValidationError("AutoScalingGroup name not found - null")
        sizes = [self._get_int_param(f) for f in ("MinSize", "DesiredCapacity", "MaxSize")]
        least, desired, most = (
            given if given is not None else getattr(there, known, None)
            for given, known in zip(sizes, ("min_size", "desired_capacity", "max_size"), strict=True)
        )
        if least > most:
            raise ValidationError(f"Max bound, {most}, must be greater than or equal to min bound, {least}")
        if sizes[1] is not None and not least <= desired <= most:
            raise ValidationError(f"Desired capacity:{desired} must be between the specified min and max")
        there_are = {id for zone in self.autoscaling_backend.ec2_backend.subnets.values() for id in zone}
        for subnet in filter(None, (self._get_param("VPCZoneIdentifier") or "").split(",")):
            if subnet not in there_are:
                raise ValidationError(f"The subnet ID '{subnet}' does not exist")
        return method(self)

    return answered


def _keeping(method: Any) -> Any:
    def answered(self: AutoScalingResponse) -> Any:
        groups = self.autoscaling_backend.autoscaling_groups
        before = groups.get(self._get_param("AutoScalingGroupName"))
        policy = before.mixed_instances_policy if before is not None else None
        answer = method(self)
        group = groups[self._get_param("AutoScalingGroupName")]
        if self._get_param("LaunchTemplate") is None and self._get_param("MixedInstancesPolicy") is None:
            group.mixed_instances_policy = policy  # an update that does not name it leaves it
        for name, (attribute, kind) in IGNORED.items():
            if (value := self._get_param(name)) is not None:
                setattr(group, attribute, str(value).lower() == "true" if kind is bool else int(value))
        for hook in self._get_param("LifecycleHookSpecificationList") or ():
            _keep_hook(self, group.name, hook["LifecycleHookName"], hook.get)
        return answer

    return answered


def _either(launch_template: Any) -> Any:
    """A group shows its template, or its policy, which has one."""

    def shown(self: FakeAutoScalingGroup) -> Any:
        return None if self.mixed_instances_policy else launch_template.__get__(self)

    return shown


def _remembering(init: Any) -> Any:
    def made(self: InstanceState, *arguments: Any, **named: Any) -> None:
        init(self, *arguments, **named)
        if not hasattr(self.instance, "launched_from"):
            group = self.auto_scaling_group
            version = group.launch_template_version
            if str(version).startswith("$"):
                version = group.ec2_launch_template.get_version(version).number
            self.instance.launched_from = version  # type: ignore[attr-defined]
            self.instance.launched_by = group.ec2_launch_template  # type: ignore[attr-defined]

    return made


def _instance_version(self: InstanceState) -> dict[str, Any] | None:
    template = getattr(self.instance, "launched_by", None)  # whatever the group launches from since
    if template is None:
        return None
    version = self.instance.launched_from  # type: ignore[attr-defined]
    return {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": str(version)}


def _launching(launch: Any) -> Any:
    """One by one, each into the zone that has the fewest; none where there is no room, or no template any more."""

    def launched(self: FakeAutoScalingGroup, count_needed: int, propagated_tags: dict[str, str]) -> None:
        for _ in range(count_needed):
            if why := _refusal(self):
                _activity(self, f"Launching a new EC2 instance.  Status Reason: {why}", why)
                return
            subnets = (self.vpc_zone_identifier or "").split(",")
            there = [str(i.instance.subnet_id) for i in self.instance_states]
            whole, self.vpc_zone_identifier = self.vpc_zone_identifier, min(subnets, key=there.count)
            try:
                launch(self, 1, propagated_tags)
            finally:
                self.vpc_zone_identifier = whole
            _activity(self, "Launching a new EC2 instance", "")

    return launched


def _refusal(group: FakeAutoScalingGroup) -> str:
    backend: Any = group.autoscaling_backend
    template = group.ec2_launch_template
    if template is not None and template.id not in backend.ec2_backend.launch_templates:
        return "The specified launch template, with template ID, does not exist. Launching EC2 instance failed."
    return str(getattr(backend, "no_room", ""))


def _scaling(scale: Any) -> Any:
    """Where a hook holds terminations, those that go are held; the one that goes first is the oldest."""

    def scaled(self: FakeAutoScalingGroup, capacity: int | None) -> None:
        with _SCALING:
            wanted = self.min_size if capacity is None else capacity
            active = self.active_instances()
            if wanted is not None and wanted < len(active) and _hooks_of(self):
                spared = [s for s in active if not s.protected_from_scale_in]
                for state in spared[: len(active) - wanted]:
                    _hold(self, state)
            scale(self, capacity)

    return scaled


def _retrying(describe: Any) -> Any:
    """AWS tries again and again to launch what is missing; here once for each look that finds the cause gone."""

    def described(self: AutoScalingBackend, *arguments: Any, **named: Any) -> list[FakeAutoScalingGroup]:
        groups: list[FakeAutoScalingGroup] = describe(self, *arguments, **named)
        for group in groups:
            with _SCALING:
                is_short = len(group.active_instances()) < (group.desired_capacity or 0)
                if is_short and "Launch" not in group.suspended_processes and not _refusal(group):
                    group.set_desired_capacity(group.desired_capacity)
        return groups

    return described


def _hooks_of(group: FakeAutoScalingGroup) -> list[str]:
    known = _hooks(group.autoscaling_backend).get(group.name, {})
    return [name for name, hook in known.items() if hook["LifecycleTransition"] == TERMINATING]


def _hold(group: FakeAutoScalingGroup, state: InstanceState) -> None:
    state.lifecycle_state = "Terminating:Wait"
    state.held_by = set(_hooks_of(group))  # type: ignore[attr-defined]


def _terminate(self: AutoScalingBackend, instance_id: str, should_decrement: bool) -> Any:
    states = [s for g in self.autoscaling_groups.values() for s in g.instance_states if s.instance.id == instance_id]
    if not states:
        raise ValidationError(f"Instance Id not found - No managed instance found for instance ID {instance_id}")
    state, group = states[0], states[0].auto_scaling_group
    before = group.desired_capacity or 0
    if should_decrement and before <= (group.min_size or 0):
        raise ValidationError("Terminating instance without replacement will violate group's min size constraint")
    if state.lifecycle_state.startswith("Terminating"):
        return TerminateInstanceActivity(state.instance, before)
    if should_decrement:
        group.desired_capacity = before - 1
    if _hooks_of(group):
        _hold(group, state)
        group.set_desired_capacity(group.desired_capacity)
    else:
        self.detach_instances(group.name, [instance_id], False)
        self.ec2_backend.terminate_instances([instance_id])
    return TerminateInstanceActivity(state.instance, before)


def _protecting(method: Any) -> Any:
    """One instance that is not in service has AWS refuse the others as well."""

    def answered(self: AutoScalingResponse) -> Any:
        group = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
        states = {s.instance.id: s.lifecycle_state for s in group.instance_states}
        for id in self._get_param("InstanceIds", []):
            if states.get(id) not in ("InService", "EnteringStandby", "Standby"):
                raise ValidationError(f"The instance {id} is not in InService or EnteringStandby or Standby.")
        return method(self)

    return answered


def _deleting(delete: Any) -> Any:
    """Where the cloud is slow, a group says for long that it is being deleted, its instances gone or not."""

    def deleted(self: AutoScalingBackend, group_name: str) -> None:
        group = self.autoscaling_groups.get(group_name)
        if group is not None and getattr(self, "slow_deletion", False):
            group.status = "Delete in progress"  # type: ignore[attr-defined]
            return
        if group is not None:
            for state in group.instance_states:
                state.protected_from_scale_in, state.lifecycle_state = False, "InService"
            _hooks(self).pop(group_name, None)  # ForceDelete waits for no hook
        delete(self, group_name)

    return deleted


# --- hooks


def _hooks(backend: Any) -> dict[str, dict[str, dict[str, Any]]]:
    if not hasattr(backend, "hooks_as_put"):
        backend.hooks_as_put = {}
    found: dict[str, dict[str, dict[str, Any]]] = backend.hooks_as_put
    return found


def _hook_kept(method: Any) -> Any:
    def answered(self: AutoScalingResponse) -> Any:
        answer = method(self)
        group, name = self._get_param("AutoScalingGroupName"), self._get_param("LifecycleHookName")
        _hooks(self.autoscaling_backend).setdefault(group, {}).pop(name, None)
        _keep_hook(self, group, name, self._get_param)
        return answer

    return answered


def _keep_hook(self: AutoScalingResponse, group: str, name: str, said: Callable[[str], Any]) -> None:
    if said("LifecycleTransition") is None:
        return
    more = {f: said(f) for f in ("NotificationTargetARN", "RoleARN", "NotificationMetadata")}
    _hooks(self.autoscaling_backend).setdefault(group, {})[name] = {
        "LifecycleHookName": name,
        "AutoScalingGroupName": group,
        "LifecycleTransition": said("LifecycleTransition"),
        "HeartbeatTimeout": int(said("HeartbeatTimeout") or 3600),
        "GlobalTimeout": 172800,
        "DefaultResult": said("DefaultResult") or "ABANDON",
        **{key: value for key, value in more.items() if value is not None},
    }


def _describe_hooks(self: AutoScalingResponse) -> ActionResult:
    known = _hooks(self.autoscaling_backend).get(self._get_param("AutoScalingGroupName"), {})
    return ActionResult({"LifecycleHooks": list(known.values())})


def _complete_action(self: AutoScalingResponse) -> ActionResult:
    group = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
    hook, id = self._get_param("LifecycleHookName"), self._get_param("InstanceId")
    state: Any = next((s for s in group.instance_states if s.instance.id == id), None)
    if state is None or hook not in getattr(state, "held_by", ()):
        raise ValidationError(f"No active Lifecycle Action found with instance ID {id}")
    state.held_by.discard(hook)
    if not state.held_by:
        group.instance_states = [s for s in group.instance_states if s is not state]
        self.autoscaling_backend.ec2_backend.terminate_instances([id])
    return EmptyResult()


# --- activities


def _activity(group: FakeAutoScalingGroup, description: str, why: str) -> None:
    backend: Any = group.autoscaling_backend
    if not hasattr(backend, "activities"):
        backend.activities = {}
    made = {
        "ActivityId": f"activity-{next(_NUMBERS)}",
        "AutoScalingGroupName": group.name,
        "Description": description,
        "Cause": "the difference between desired and actual capacity",
        "StartTime": dt.datetime.now(dt.UTC),
        "StatusCode": "Failed" if why else "Successful",
        "StatusMessage": why,
        "Progress": 100,
    }
    backend.activities.setdefault(group.name, []).insert(0, made)


def _describe_activities(self: AutoScalingResponse) -> ActionResult:
    known = getattr(self.autoscaling_backend, "activities", {}).get(self._get_param("AutoScalingGroupName"), [])
    return ActionResult({"Activities": known[: self._get_int_param("MaxRecords") or 100]})


# --- instance refreshes


def _refreshes(self: AutoScalingResponse) -> list[dict[str, Any]]:
    backend: Any = self.autoscaling_backend
    if not hasattr(backend, "refreshes"):
        backend.refreshes = {}
    found: list[dict[str, Any]] = backend.refreshes.setdefault(self._get_param("AutoScalingGroupName"), [])
    return found


def _start_refresh(self: AutoScalingResponse) -> ActionResult:
    if any(r["Status"] in _OPEN for r in _refreshes(self)):
        raise RefreshInProgress("An Instance Refresh is already in progress and blocks the execution of this one.")
    made = {
        "InstanceRefreshId": f"refresh-{next(_NUMBERS)}",
        "AutoScalingGroupName": self._get_param("AutoScalingGroupName"),
        "Status": "InProgress",
        "PercentageComplete": 0,
        "DesiredConfiguration": self._get_param("DesiredConfiguration"),
        "Preferences": self._get_param("Preferences"),
    }
    _refreshes(self).insert(0, made)
    return ActionResult({"InstanceRefreshId": made["InstanceRefreshId"]})


def _describe_refreshes(self: AutoScalingResponse) -> ActionResult:
    """Each look finds one more instance replaced, unless refreshes stand still."""
    for refresh in _refreshes(self):
        if refresh["Status"] == "InProgress" and not getattr(self.autoscaling_backend, "refreshes_stand", False):
            _advance(self.autoscaling_backend, refresh)
    return ActionResult({"InstanceRefreshes": _refreshes(self)})


def _advance(backend: AutoScalingBackend, refresh: dict[str, Any]) -> None:
    group = backend.autoscaling_groups[refresh["AutoScalingGroupName"]]
    wanted = refresh["DesiredConfiguration"]
    reference = wanted.get("LaunchTemplate") or wanted["MixedInstancesPolicy"]["LaunchTemplate"].get(
        "LaunchTemplateSpecification"
    )
    version = str(reference["Version"])
    old = [s for s in group.active_instances() if str(s.instance.launched_from) != version]  # type: ignore[attr-defined]
    if old:
        backend.terminate_instance(old[0].instance.id, False)
    left = max(len(old) - 1, 0)
    refresh["InstancesToUpdate"] = left
    refresh["PercentageComplete"] = 100 - 100 * left // max(len(group.instance_states), 1)
    if not left:
        refresh |= {"Status": "Successful", "EndTime": dt.datetime.now(dt.UTC)}


def _cancel_refresh(self: AutoScalingResponse) -> Any:
    open_ = [r for r in _refreshes(self) if r["Status"] in _OPEN]
    if not open_:
        raise NoActiveRefresh("No in progress or pending Instance Refresh found for Auto Scaling group")
    open_[0] |= {"Status": "Cancelled", "EndTime": dt.datetime.now(dt.UTC)}
    return ActionResult({"InstanceRefreshId": open_[0]["InstanceRefreshId"]})
