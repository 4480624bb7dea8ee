"""AWS as moto has it, over HTTP on a free port, with what moto leaves out closed here and nowhere else."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import urllib.request
from collections.abc import Iterator
from typing import Any
from unittest import mock

import boto3
from moto.autoscaling.models import InstanceState
from moto.autoscaling.responses import AutoScalingResponse
from moto.backends import get_backend
from moto.core.responses import ActionResult, EmptyResult
from moto.core.types import Base64EncodedString
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
ACCOUNT = "123456789012"
PUBLISHER = "819546954734"
"""Whose images upstream looks for unless told otherwise."""
IGNORED = {
    "CapacityRebalance": ("capacity_rebalance", bool),
    "DefaultCooldown": ("default_cooldown", int),
    "DefaultInstanceWarmup": ("default_instance_warmup", int),
}
"""Settings of a group that moto forgets."""
_NUMBERS = itertools.count(1)
_OPEN = ("Pending", "InProgress", "Cancelling")


class Cloud:
    """A region with a network, an image and whatever is made in it."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.ec2 = self.client("ec2")
        self.groups = self.client("autoscaling")

    def client(self, service: str) -> Any:
        """The library's client, for the test's own hands."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def furnish(self, cluster: str) -> dict[str, str]:
        """Make a network with tags as upstream sets them; return the subnet, the security group and an image."""
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a")
        subnet_id = subnet["Subnet"]["SubnetId"]
        group = self.ec2.create_security_group(GroupName=f"{cluster}-node", Description="n", VpcId=vpc)["GroupId"]
        self.tag(subnet_id, {f"kubernetes.io/cluster/{cluster}": "owned"})
        prefix = "sigs.k8s.io/cluster-api-provider-aws"
        self.tag(group, {f"{prefix}/cluster/{cluster}": "owned", f"{prefix}/role": "node"})
        return {"subnet": subnet_id, "group": group, "image": self.image("v1.31.0")}

    def image(self, version: str, os_name: str = "ubuntu-24.04") -> str:
        """Publish a node image."""
        name = f"capa-ami-{os_name}-{version}-{next(_NUMBERS):04}"
        made = self.ec2.register_image(Name=name, Architecture="x86_64", VirtualizationType="hvm")
        image = get_backend("ec2")[ACCOUNT][REGION].amis[made["ImageId"]]
        image.owner_id, image.architecture, image.virtualization_type = PUBLISHER, "x86_64", "hvm"  # moto forgets them
        return str(made["ImageId"])

    def tag(self, resource: str, tags: dict[str, str]) -> None:
        self.ec2.create_tags(Resources=[resource], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])

    def group(self, name: str) -> Any:
        """A group, or None."""
        found = self.groups.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return found[0] if found else None

    def versions(self, name: str) -> list[Any]:
        """The versions of a launch template, the oldest first."""
        found = self.ec2.describe_launch_template_versions(LaunchTemplateName=name)["LaunchTemplateVersions"]
        return sorted(found, key=lambda v: v["VersionNumber"])

    def running(self) -> list[tuple[str, str]]:
        """(node name, provider ID) of what runs, as a kubelet on it registers that is named after its resource."""
        backend = get_backend("ec2")[ACCOUNT][REGION]
        found = [i for r in list(backend.reservations.values()) for i in list(r.instances)]
        return [(i.id, f"aws:///{i.placement.zone}/{i.id}") for i in found if i.state == "running"]

    def instances(self, name: str) -> list[Any]:
        group = self.group(name)
        return list(group["Instances"]) if group else []


@contextlib.contextmanager
def running() -> Iterator[Cloud]:
    """Moto's server for as long as the context is open, with an account of its own."""
    environment = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, environment))
        _close_gaps(stack)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server.start()
        stack.callback(server.stop)
        host, port = server.get_host_and_port()
        reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset, timeout=10).close()  # moto's accounts are the process's
        yield Cloud(f"http://{host}:{port}")


def _close_gaps(stack: contextlib.ExitStack) -> None:
    def patch(owner: Any, name: str, value: Any) -> None:
        stack.enter_context(mock.patch.object(owner, name, value, create=True))

    patch(LaunchTemplateVersion, "user_data", property(_user_data))
    patch(InstanceState, "launch_template", property(_instance_version))
    patch(InstanceState, "__init__", _remembering(InstanceState.__init__))
    for name in ("create_auto_scaling_group", "update_auto_scaling_group"):
        patch(AutoScalingResponse, name, _keeping(getattr(AutoScalingResponse, name)))
    patch(AutoScalingResponse, "start_instance_refresh", _start_refresh)
    patch(AutoScalingResponse, "describe_instance_refreshes", _describe_refreshes)
    patch(AutoScalingResponse, "cancel_instance_refresh", _cancel_refresh)


def _user_data(self: LaunchTemplateVersion) -> Any:
    data = self.data.get("UserData")
    return data if data is None or isinstance(data, Base64EncodedString) else Base64EncodedString(data)


def _remembering(init: Any) -> Any:
    def made(self: InstanceState, *arguments: Any, **named: Any) -> None:
        init(self, *arguments, **named)
        if not hasattr(self.instance, "launched_from"):
            self.instance.launched_from = self.auto_scaling_group.launch_template_version  # type: ignore[attr-defined]

    return made


def _instance_version(self: InstanceState) -> dict[str, Any] | None:
    template = self.auto_scaling_group.ec2_launch_template
    if template is None:
        return None
    version = self.instance.launched_from  # type: ignore[attr-defined]
    return {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": str(version)}


def _keeping(method: Any) -> Any:
    def answered(self: AutoScalingResponse) -> Any:
        answer = method(self)
        group = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
        for name, (attribute, kind) in IGNORED.items():
            if (value := self._get_param(name)) is not None:
                setattr(group, attribute, str(value).lower() == "true" if kind is bool else int(value))
        return answer

    return answered


def _refreshes(self: AutoScalingResponse) -> list[dict[str, Any]]:
    backend: Any = self.autoscaling_backend
    if not hasattr(backend, "refreshes"):
        backend.refreshes = {}
    found: list[dict[str, Any]] = backend.refreshes.setdefault(self._get_param("AutoScalingGroupName"), [])
    return found


def _start_refresh(self: AutoScalingResponse) -> ActionResult:
    made = {
        "InstanceRefreshId": f"refresh-{next(_NUMBERS)}",
        "AutoScalingGroupName": self._get_param("AutoScalingGroupName"),
        "Status": "InProgress",
        "PercentageComplete": 0,
        "DesiredConfiguration": self._get_param("DesiredConfiguration"),
    }
    _refreshes(self).insert(0, made)
    return ActionResult({"InstanceRefreshId": made["InstanceRefreshId"]})


def _describe_refreshes(self: AutoScalingResponse) -> ActionResult:
    return ActionResult({"InstanceRefreshes": _refreshes(self)})


def _cancel_refresh(self: AutoScalingResponse) -> Any:
    for refresh in _refreshes(self):
        if refresh["Status"] in _OPEN:
            refresh["Status"] = "Cancelled"
    return EmptyResult()
