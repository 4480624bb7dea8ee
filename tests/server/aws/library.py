"""AWS's library with things in a dictionary: for a multitude of pools, where HTTP would cost more than it is worth.

Answers as AWS does to the few calls that a plain pool makes; counts every one.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any


class Library:
    """Every client of every service in one."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.groups: dict[str, dict[str, Any]] = {}
        self.templates: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)

    def make_client(self, service: str, region: str) -> Any:
        """A client of any service."""
        return self

    def __getattr__(self, operation: str) -> Any:
        if operation.startswith("__"):
            raise AttributeError(operation)
        method = getattr(type(self), f"_{operation}")

        def call(**parameters: Any) -> Any:
            self.calls[operation] += 1
            return method(self, **parameters)

        return call

    def _describe_security_groups(self, **_: Any) -> Any:
        return {"SecurityGroups": []}

    def _describe_subnets(self, **_: Any) -> Any:
        tag = {"Key": "kubernetes.io/role/internal-elb", "Value": "1"}
        return {
            "Subnets": [{"SubnetId": "subnet-1", "VpcId": "v", "AvailabilityZone": "a", "CidrBlock": "", "Tags": [tag]}]
        }

    def _describe_auto_scaling_groups(self, AutoScalingGroupNames: list[str], **_: Any) -> Any:
        return {"AutoScalingGroups": [self.groups[n] for n in AutoScalingGroupNames if n in self.groups]}

    def _describe_launch_templates(self, Filters: list[Any]) -> Any:
        return {"LaunchTemplates": [self.templates[n] for n in Filters[0]["Values"] if n in self.templates]}

    def _describe_launch_template_versions(self, LaunchTemplateId: str, Versions: list[str]) -> Any:
        found = [t for t in self.templates.values() if t["LaunchTemplateId"] == LaunchTemplateId]
        return {"LaunchTemplateVersions": [{**t, "VersionNumber": 1} for t in found]}

    def _create_launch_template(self, LaunchTemplateName: str, VersionDescription: str, **given: Any) -> Any:
        made = {
            "LaunchTemplateId": f"lt-{next(self._numbers)}",
            "LaunchTemplateName": LaunchTemplateName,
            "VersionDescription": VersionDescription,
            "Tags": given["TagSpecifications"][0]["Tags"],
        }
        self.templates[LaunchTemplateName] = made
        return {"LaunchTemplate": made}

    def _create_auto_scaling_group(self, AutoScalingGroupName: str, **given: Any) -> Any:
        reference = given["LaunchTemplate"]
        instances = [
            {
                "InstanceId": f"i-{next(self._numbers)}",
                "AvailabilityZone": "a",
                "LifecycleState": "InService",
                "LaunchTemplate": reference,
            }
            for _ in range(given["DesiredCapacity"])
        ]
        about = {
            "AutoScalingGroupName": AutoScalingGroupName,
            "AutoScalingGroupARN": f"arn:aws:as:r::{AutoScalingGroupName}",
        }
        self.groups[AutoScalingGroupName] = {**given, **about, "Instances": instances}
        return {}

    def running(self) -> list[tuple[str, str]]:
        """(node name, provider ID) of what runs."""
        found = [i for g in self.groups.values() for i in g["Instances"]]
        return [(i["InstanceId"], f"aws:///a/{i['InstanceId']}") for i in found]
