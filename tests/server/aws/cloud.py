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
from moto.backends import get_backend
from moto.server import ThreadedMotoServer

from tests.server.aws import gaps

REGION = "us-east-1"
ACCOUNT = "123456789012"
PUBLISHER = "819546954734"
"""Whose images upstream looks for unless told otherwise."""
_NUMBERS = itertools.count(1)


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

    @property
    def scaling(self) -> Any:
        """Moto's own state of Auto Scaling, for what no call can bring about."""
        return get_backend("autoscaling")[ACCOUNT][REGION]

    def members(self, name: str) -> list[tuple[str, str]]:
        """(instance, the key that it was launched with) of a group, by moto's own state: costs no call."""
        group = self.scaling.autoscaling_groups.get(name)
        return (
            [(s.instance.id, self._key(group, s.instance.launched_from)) for s in group.instance_states]
            if group
            else []
        )

    def _key(self, group: Any, version: Any) -> str:
        return str(group.ec2_launch_template.get_version(version).data.get("KeyName", ""))

    def newest(self, name: str) -> str:
        """The key in the newest version of a launch template, by moto's own state."""
        found = [t for t in get_backend("ec2")[ACCOUNT][REGION].launch_templates.values() if t.name == name]
        return str(found[0].versions[-1].data.get("KeyName", "")) if found else ""

    def template_names(self) -> list[str]:
        """The names of all launch templates, by moto's own state."""
        return sorted(t.name for t in get_backend("ec2")[ACCOUNT][REGION].launch_templates.values())

    def image_of(self, instance: str) -> str:
        """What an instance was launched from."""
        backend = get_backend("ec2")[ACCOUNT][REGION]
        return str(backend.get_instance(instance).image_id)

    def interrupt(self, instance: str) -> None:
        """AWS takes an instance back, as for a spot interruption or to balance zones, and launches another."""
        self.scaling.terminate_instance(instance, False)

    def finish_deletion(self, name: str) -> None:
        """A group that is being deleted is gone."""
        self.scaling.slow_deletion = False
        self.scaling.delete_auto_scaling_group(name)

    def instances(self, name: str) -> list[Any]:
        group = self.group(name)
        return list(group["Instances"]) if group else []


@contextlib.contextmanager
def running(*, close_gaps: bool = True) -> Iterator[Cloud]:
    """Moto's server for as long as the context is open, with an account of its own."""
    environment = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, environment))
        if close_gaps:
            gaps.close(stack)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server.start()
        stack.callback(server.stop)
        host, port = server.get_host_and_port()
        reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset, timeout=10).close()  # moto's accounts are the process's
        yield Cloud(f"http://{host}:{port}")
