"""What moto leaves out of node groups, closed on top of moto: time that passes, updates, nodes, tags, policies.

Used by `world`. Written from AWS's own documentation of the calls, not from what capipool makes of them. A group is at
something until it is looked at once more, unless it stands still.
"""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import itertools
from typing import Any
from unittest import mock

from moto.autoscaling.models import autoscaling_backends
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.eks import urls
from moto.eks.exceptions import InvalidParameterException, ResourceInUseException, ResourceNotFoundException
from moto.eks.models import EKSBackend, Nodegroup
from moto.eks.responses import EKSResponse
from moto.iam.models import AWSManagedPolicy, IAMBackend

_GROUP = "{0}/clusters/(?P<name>[^/]+)/node-groups/(?P<nodegroupName>[^/]+)"
_PATHS = (
    f"{_GROUP}/update-version$",
    "{0}/clusters/(?P<name>[^/]+)/updates$",
    "{0}/clusters/(?P<name>[^/]+)/updates/(?P<updateId>[^/]+)$",
)
_NUMBERS = itertools.count(1)


def close(stack: contextlib.ExitStack) -> None:
    """Close them until the stack unwinds."""

    def patch(owner: Any, name: str, value: Any) -> None:
        stack.enter_context(mock.patch.object(owner, name, value, create=True))

    stack.enter_context(mock.patch.dict(urls.url_paths, dict.fromkeys(_PATHS, urls.response.dispatch)))
    patch(EKSResponse, "create_nodegroup", _create(EKSResponse.create_nodegroup))
    patch(EKSResponse, "describe_nodegroup", _describe(EKSResponse.describe_nodegroup))
    patch(EKSResponse, "delete_nodegroup", _delete)
    patch(EKSResponse, "update_nodegroup_config", _update_config(EKSResponse.update_nodegroup_config))
    patch(EKSResponse, "update_nodegroup_version", _update_version)
    patch(EKSResponse, "describe_update", _describe_update)
    patch(EKSResponse, "list_updates", _list_updates)
    patch(EKSBackend, "tag_resource", _tag(EKSBackend.tag_resource))
    patch(EKSBackend, "untag_resource", _untag)
    patch(IAMBackend, "attach_role_policy", _attach(IAMBackend.attach_role_policy))


def _find(self: EKSResponse) -> Nodegroup:
    found: Nodegroup = self.eks_backend.describe_nodegroup(
        cluster_name=self._get_param("name"), nodegroup_name=self._get_param("nodegroupName")
    )
    return found


def _create(create: Any) -> Any:
    def created(self: EKSResponse) -> Any:
        sizes = self._get_param("scalingConfig") or {}
        if not sizes["minSize"] <= sizes["desiredSize"] <= sizes["maxSize"] or sizes["maxSize"] < 1:
            raise InvalidParameterException(message=f"desired size out of bounds: {sizes}")
        answer = create(self)
        group: Any = _find(self)
        group.update_config = self._get_param("updateConfig") or {"maxUnavailable": 1}
        group.node_repair_config = self._get_param("nodeRepairConfig")
        group.version = self._get_param("version") or self.eks_backend.clusters[self._get_param("name")].version
        group.release_version = self._get_param("releaseVersion") or f"{group.version}.0-20260101"
        group.health, group.updates, group.asked_to_make = {"issues": []}, {}, dict(sizes)
        group.status = "CREATING"
        group.fails = getattr(self.eks_backend, "creation_fails", [])
        return answer

    return created


def _describe(describe: Any) -> Any:
    def described(self: EKSResponse) -> Any:
        """What a group becomes in this very look is for the next one."""
        group: Any = _find(self)
        if getattr(group, "stands", False):
            return describe(self)
        before = copy.copy(group)
        _advance(self.eks_backend, group)
        return ActionResult({"nodegroup": before})

    return described


def _advance(backend: EKSBackend, group: Any) -> None:
    if group.status == "CREATING":
        if group.fails:
            group.status, group.health = "CREATE_FAILED", {"issues": group.fails}
            return
        _launch(backend, group)
        group.status = "ACTIVE"
    elif group.status == "UPDATING":
        for update in group.updates.values():
            if update["status"] == "InProgress":
                _finish(backend, group, update)
        group.status = "ACTIVE"
    elif group.status == "DELETING":
        if failing := getattr(group, "deletion_fails", None):
            group.status, group.health = "DELETE_FAILED", {"issues": failing}
            return
        scaling = autoscaling_backends[backend.account_id][backend.region_name]
        for each in group.resources["autoScalingGroups"]:
            if each["name"] in scaling.autoscaling_groups:
                scaling.delete_auto_scaling_group(each["name"])
        backend.delete_nodegroup(group.cluster_name, group.nodegroup_name)


def _launch(backend: EKSBackend, group: Any) -> None:
    """EKS's own launch template and Auto Scaling group."""
    name = group.resources["autoScalingGroups"][0]["name"]
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    data = {"ImageId": "ami-12c6146b", "InstanceType": group.instance_types[0]}
    ec2.create_launch_template(name, "", data, {})
    sizes = group.scaling_config
    mark: Any = {"Key": "eks:nodegroup-name", "Value": group.nodegroup_name, "PropagateAtLaunch": True}
    autoscaling_backends[backend.account_id][backend.region_name].create_auto_scaling_group(
        name=name,
        availability_zones=[],
        desired_capacity=sizes["desiredSize"],
        max_size=sizes["maxSize"],
        min_size=sizes["minSize"],
        launch_config_name="",
        launch_template={"LaunchTemplateName": name, "Version": "1"},
        vpc_zone_identifier=",".join(group.subnets),
        default_cooldown=None,
        health_check_period=None,
        health_check_type=None,
        load_balancers=[],
        target_group_arns=[],
        placement_group=None,
        termination_policies=[],
        tags=[mark],
    )


def _scaling_group(backend: EKSBackend, group: Any) -> Any:
    name = group.resources["autoScalingGroups"][0]["name"]
    return autoscaling_backends[backend.account_id][backend.region_name].autoscaling_groups.get(name)


# --- updates


def _begin(self: EKSResponse, group: Any, kind: str) -> dict[str, Any]:
    if group.status not in ("ACTIVE", "DEGRADED"):
        raise ResourceInUseException(
            clusterName=group.cluster_name,
            nodegroupName=group.nodegroup_name,
            addonName=None,
            message=f"Nodegroup cannot be updated as it is currently {group.status}",
        )
    update = {
        "id": f"update-{next(_NUMBERS)}",
        "type": kind,
        "status": "InProgress",
        "createdAt": dt.datetime.now(dt.UTC),
        "params": [],
        "errors": [],
        "fails": list(getattr(group, "updates_fail", ())),
        "replaces": kind == "VersionUpdate",
    }
    group.updates[update["id"]] = update
    group.status = "UPDATING"
    return update


def _shown(update: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in update.items() if k not in ("fails", "replaces", "wanted")}


def _update_config(apply: Any) -> Any:
    def updated(self: EKSResponse) -> Any:
        group: Any = _find(self)
        sizes = {**group.scaling_config, **(self._get_param("scalingConfig") or {})}
        if not sizes["minSize"] <= sizes["desiredSize"] <= sizes["maxSize"]:
            raise InvalidParameterException(message=f"desired size out of bounds: {sizes}")
        update = _begin(self, group, "ConfigUpdate")
        if not update["fails"]:
            apply(self)
        return ActionResult({"update": _shown(update)})

    return updated


def _update_version(self: EKSResponse) -> Any:
    group: Any = _find(self)
    version = self._get_param("version")
    if version and int(version.split(".")[1]) != int(group.version.split(".")[1]) + 1:
        raise InvalidParameterException(message=f"Version {version} is not one after {group.version}")
    update = _begin(self, group, "VersionUpdate")
    names = ("version", "releaseVersion", "launchTemplate")
    update["wanted"] = {name: self._get_param(name) for name in names if self._get_param(name)}
    return ActionResult({"update": _shown(update)})


def _finish(backend: EKSBackend, group: Any, update: dict[str, Any]) -> None:
    if update["fails"]:
        update |= {"status": "Failed", "errors": update["fails"]}
        return
    made, sizes = _scaling_group(backend, group), group.scaling_config
    if made is not None:
        made.min_size, made.max_size = sizes["minSize"], sizes["maxSize"]
        made.set_desired_capacity(sizes["desiredSize"])
        for state in list(made.instance_states) if update["replaces"] else ():
            made.autoscaling_backend.terminate_instance(state.instance.id, False)
    wanted = update.get("wanted", {})
    if "version" in wanted:
        group.version, group.release_version = wanted["version"], f"{wanted['version']}.0-20260101"
    group.release_version = wanted.get("releaseVersion", group.release_version)
    group.launch_template = wanted.get("launchTemplate", group.launch_template)
    update["status"] = "Successful"


def _describe_update(self: EKSResponse) -> Any:
    update = getattr(_find(self), "updates", {}).get(self._get_param("updateId"))
    if update is None:
        raise ResourceNotFoundException(
            clusterName=None, nodegroupName=None, fargateProfileName=None, addonName=None, message="No such update"
        )
    return ActionResult({"update": _shown(update)})


def _list_updates(self: EKSResponse) -> Any:
    return ActionResult({"updateIds": list(getattr(_find(self), "updates", {}))})


# --- the end, tags, policies


def _delete(self: EKSResponse) -> Any:
    group: Any = _find(self)
    if group.status in ("CREATING", "UPDATING", "DELETING"):
        raise ResourceInUseException(
            clusterName=group.cluster_name,
            nodegroupName=group.nodegroup_name,
            addonName=None,
            message=f"Nodegroup is {group.status}",
        )
    group.status = "DELETING"
    return ActionResult({"nodegroup": group})


def _by_arn(self: EKSBackend, arn: str) -> Any:
    groups = [g for c in self.clusters.values() for g in c.nodegroups.values()]
    return next((g for g in groups if g.arn == arn), None)


def _tag(tag: Any) -> Any:
    def tagged(self: EKSBackend, resource_arn: str, tags: dict[str, str]) -> Any:
        group = _by_arn(self, resource_arn)
        if group is None:
            return tag(self, resource_arn, tags)
        group.tags.update(tags)
        return None

    return tagged


def _untag(self: EKSBackend, resource_arn: str, tag_keys: Any) -> None:
    group = _by_arn(self, resource_arn)
    for key in [tag_keys] if isinstance(tag_keys, str) else tag_keys:
        group.tags.pop(key, None)


def _attach(attach: Any) -> Any:
    """AWS has its own policies, and moto has them only where it is told to load them all."""
    policy: Any = AWSManagedPolicy

    def attached(self: IAMBackend, policy_arn: str, role_name: str) -> None:
        if policy_arn.startswith("arn:aws:iam::aws:policy/") and policy_arn not in self.managed_policies:
            name = policy_arn.rsplit("/", 1)[1]
            made: Any = policy(name, account_id="aws", region="us-east-1", document="{}", path="/")
            self.managed_policies[policy_arn] = made
        attach(self, policy_arn, role_name)

    return attached
