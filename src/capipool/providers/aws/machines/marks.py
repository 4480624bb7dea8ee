"""What machines leave in AWS and in their objects, for whoever comes after: tags and annotations. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from capipool.api.constants import Label
from capipool.machinery import clock
from capipool.machinery.objects import Object, Raw
from capipool.providers.aws import tags
from capipool.providers.aws.machines.api import AWSMachine

FINALIZER = "awsmachine.infrastructure.cluster.x-k8s.io"
MACHINE = "capipool.io/machine"
"""Tag of an instance: whose it is, as `<namespace>/<name>/<uid>`."""
LAUNCH = "capipool.io/aws-launch"
"""Annotation: a launch was begun. See `Attempt`."""
APPLIED_TAGS = "sigs.k8s.io/cluster-api-provider-aws-last-applied-tags"
"""Annotation, upstream's: the user's tags as they were written last, as JSON. One that left is removed in AWS."""
APPLIED_GROUPS = "sigs.k8s.io/cluster-api-provider-aws-last-applied-security-groups"
"""Annotation, upstream's: the security groups as they were written last, as JSON. Others' groups are left alone."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A launch that was begun, written down before the call is made.

    Without a recorded id an instance may exist all the same. Whoever finds this looks for that instance first, and
    launches with the same token, which makes no second one.
    """

    token: str
    """EC2's client token."""
    digest: str
    """Of what was asked for: EC2 takes a token for the same request alone."""
    at: dt.datetime

    def to_annotation(self) -> str:
        """As the annotation has it."""
        return f"{self.token} {self.digest} {clock.format_time(self.at)}"


def attempt(obj: AWSMachine) -> Attempt | None:
    """The launch that was begun, if there is one."""
    parts = obj.metadata.annotations.get(LAUNCH, "").split()
    if len(parts) != 3:
        return None
    try:
        return Attempt(parts[0], parts[1], clock.parse_time(parts[2]))
    except ValueError:
        return None


def new_attempt(obj: AWSMachine, digest: str, now: dt.datetime) -> Attempt:
    """A fresh launch. Its token is this machine's, of this moment."""
    seed = f"{obj.metadata.uid} {digest} {now.isoformat()}"
    return Attempt(hashlib.sha256(seed.encode()).hexdigest()[:32], digest, clock.to_seconds(now))


def mark(obj: Object) -> str:
    """The value of the tag that says whose an instance is."""
    return f"{obj.metadata.namespace}/{obj.metadata.name}/{obj.metadata.uid}"


def user_tags(obj: AWSMachine, cluster_tags: Mapping[str, str]) -> dict[str, str]:
    """The user's tags: the machine's win over the cluster's."""
    return {**cluster_tags, **obj.spec.additional_tags}


def wanted_tags(
    obj: AWSMachine, cluster: str, cluster_tags: Mapping[str, str], *, kubernetes: str = ""
) -> dict[str, str]:
    """All tags of a machine's instance; of ours only `Name` can be another's.

    `kubernetes` is what the cluster calls itself, where that is another name: nodes of EKS need it.
    """
    role = "control-plane" if is_control_plane(obj) else "node"
    fixed = {
        MACHINE: mark(obj),
        tags.cluster_tag(cluster): "owned",
        tags.kubernetes_tag(kubernetes or cluster): "owned",
        tags.ROLE: role,
    }
    return {"Name": obj.metadata.name, **user_tags(obj, cluster_tags), **fixed}


def is_control_plane(obj: AWSMachine) -> bool:
    """Whether the machine is one of its cluster's control plane."""
    return Label.MACHINE_CONTROL_PLANE in obj.metadata.labels


def applied_tags(obj: AWSMachine) -> frozenset[str]:
    """The keys of the user's tags as they were written last."""
    return _keys(obj, APPLIED_TAGS)


def applied_groups(obj: AWSMachine) -> frozenset[str]:
    """The security groups as they were written last."""
    return _keys(obj, APPLIED_GROUPS)


def applied(user: Mapping[str, str], groups: frozenset[str] | set[str]) -> dict[str, str]:
    """Both annotations, for what was written now."""
    said: Raw = {group: {} for group in sorted(groups)}
    return {APPLIED_TAGS: _json(dict(user)), APPLIED_GROUPS: _json(said)}


def _keys(obj: AWSMachine, annotation: str) -> frozenset[str]:
    try:
        said = json.loads(obj.metadata.annotations.get(annotation, "{}"))
    except ValueError:
        return frozenset()
    return frozenset(said) if isinstance(said, dict) else frozenset()


def _json(value: Raw) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
