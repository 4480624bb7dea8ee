"""What admission says to the kinds of the AWS provider. Pure.

The rules hold on create and on update alike, and refuse what only AWS would refuse, minutes later, in a log. A field
that is accepted and not acted on is answered with a warning that names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from capipool.machinery import errors
from capipool.machinery.admission import ALLOWED, Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.providers.aws import durations
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import AWSMachinePool

TAGS = 50
"""How many tags of a user's own AWS lets a resource carry."""
_TAG = re.compile(r"[a-zA-Z0-9\s_.:=+\-@/]*")
_HEARTBEAT = (30, 172800)
"""Seconds that a lifecycle hook may wait."""
_NAME = (3, 128)
_GP3_THROUGHPUT = (125, 2000)
_PROVISIONED = ("io1", "io2")

_IGNORED_POOL: Mapping[tuple[str, ...], str] = {
    ("awsLaunchTemplate", "name"): "the launch template is named after the pool",
    ("awsLaunchTemplate", "versionNumber"): "capipool counts the versions itself",
}
_NO_NETWORK = "no network is made"
_NO_RULE = "no security group is changed"
_NO_BUCKET = "no bucket is made, and no policy of one is changed"
_IGNORED_CLUSTER: Mapping[tuple[str, ...], str] = {
    ("partition",): "AWS's library knows the partition of a region",
    ("bastion",): "no bastion host is made",
    ("controlPlaneLoadBalancer",): "no load balancer is made: give controlPlaneEndpoint",
    ("secondaryControlPlaneLoadBalancer",): "no load balancer is made",
    ("s3Bucket", "presignedURLDuration"): "pools fetch by their profile: a signed URL would end before a later launch",
    ("s3Bucket", "nodesIAMInstanceProfiles"): _NO_BUCKET,
    ("s3Bucket", "controlPlaneIAMInstanceProfile"): _NO_BUCKET,
    ("network", "cni"): _NO_RULE,
    ("network", "additionalControlPlaneIngressRules"): _NO_RULE,
    ("network", "additionalNodeIngressRules"): _NO_RULE,
    ("network", "nodePortIngressRuleCidrBlocks"): _NO_RULE,
    **{
        ("network", "vpc", name): _NO_NETWORK
        for name in (
            "availabilityZoneSelection",
            "availabilityZoneUsageLimit",
            "carrierGatewayId",
            "cidrBlock",
            "elasticIpPool",
            "emptyRoutesDefaultVPCSecurityGroup",
            "internetGatewayId",
            "ipamPool",
            "ipv6",
            "privateDnsHostnameTypeOnLaunch",
            "secondaryCidrBlocks",
            "subnetSchema",
            "tags",
        )
    },
}
_DEFAULTS: Mapping[tuple[str, ...], Any] = {
    ("network", "vpc", "availabilityZoneSelection"): "Ordered",
    ("network", "vpc", "availabilityZoneUsageLimit"): 3,
    ("network", "vpc", "subnetSchema"): "PreferPrivate",
}
"""What a field says where nobody said anything: no reason to warn."""


def rules() -> list[Rules]:
    """The rules of every kind."""
    return [
        Rules(resource=AWSMachinePool.RESOURCE, default=_default_pool, validate=_judge_pool),
        Rules(resource=AWSCluster.RESOURCE, validate=_judge_cluster),
    ]


def _judge_pool(admit: Admit) -> Verdict:
    """A pool's name is that of its group and its template; on update nobody could change it any more."""
    verdict = _judge(admit, _pool, _warn_pool)
    name = str(((admit.object or {}).get("metadata") or {}).get("name", ""))
    if admit.operation != "CREATE" or not name or _NAME[0] <= len(name) <= _NAME[1]:
        return verdict
    said = f"a launch template's name, which is the pool's, has {_NAME[0]} to {_NAME[1]} characters"
    return Verdict(errors=(errors.invalid("metadata.name", name, said), *verdict.errors), warnings=verdict.warnings)


def _judge_cluster(admit: Admit) -> Verdict:
    """A region never changes: what is there stays there."""
    verdict = _judge(admit, _cluster, _warn_cluster)
    before = ((admit.old or {}).get("spec") or {}).get("region")
    region = ((admit.object or {}).get("spec") or {}).get("region")
    if admit.object is None or not before or before == region:
        return verdict
    return Verdict(errors=(errors.forbidden("spec.region", f"is {before} and never changes"), *verdict.errors))


def _judge(admit: Admit, check: Callable[[Raw], Iterator[FieldError]], warn: Callable[[Raw], Iterator[str]]) -> Verdict:
    if admit.object is None:
        return ALLOWED
    spec = admit.object.get("spec") or {}
    return Verdict(errors=tuple(check(spec)), warnings=tuple(warn(spec)))


def _default_pool(admit: Admit) -> Raw:
    """Upstream's defaults: five minutes to cool down and to warm up."""
    made = dict(admit.object or {})
    spec = dict(made.get("spec") or {})
    for name in ("defaultCoolDown", "defaultInstanceWarmup"):
        if spec.get(name) in (None, "", "0s"):
            spec[name] = "5m0s"
    return made | {"spec": spec}


# --- AWSMachinePool


def _pool(spec: Raw) -> Iterator[FieldError]:
    yield from _sizes(spec)
    yield from check_tags(spec.get("additionalTags") or {}, "spec.additionalTags")
    template = spec.get("awsLaunchTemplate") or {}
    yield from check_launch_template(template, "spec.awsLaunchTemplate")
    if template.get("spotMarketOptions") is not None and spec.get("mixedInstancesPolicy") is not None:
        yield errors.forbidden(
            "spec.awsLaunchTemplate.spotMarketOptions", "not beside mixedInstancesPolicy, which has its own"
        )
    yield from check_references(spec.get("subnets") or (), "spec.subnets")
    yield from _refresh(spec.get("refreshPreferences") or {}, "spec.refreshPreferences")
    yield from check_hooks(spec.get("lifecycleHooks") or (), "spec.lifecycleHooks")
    for name in ("defaultCoolDown", "defaultInstanceWarmup"):
        yield from _duration(spec.get(name), f"spec.{name}")


def _sizes(spec: Raw) -> Iterator[FieldError]:
    least, most = spec.get("minSize", 1), spec.get("maxSize", 1)
    if least > most:
        yield errors.invalid("spec.minSize", least, f"must not be over maxSize ({most})")


def check_launch_template(template: Raw, path: str) -> Iterator[FieldError]:
    """What instances are made from: groups, market, volumes."""
    yield from check_references(template.get("additionalSecurityGroups") or (), f"{path}.additionalSecurityGroups")
    yield from check_market(template, path)
    if root := template.get("rootVolume"):
        yield from check_volume(root, f"{path}.rootVolume")
    for index, volume in enumerate(template.get("nonRootVolumes") or ()):
        where = f"{path}.nonRootVolumes[{index}]"
        if not volume.get("deviceName"):
            yield errors.required(f"{where}.deviceName", "the device that the volume becomes")
        yield from check_volume(volume, where)


def check_volume(volume: Raw, path: str) -> Iterator[FieldError]:
    """A disk: what belongs to its type."""
    kind, throughput = volume.get("type"), volume.get("throughput")
    if kind in _PROVISIONED and not volume.get("iops"):
        yield errors.required(f"{path}.iops", f"volumes of type {kind} need it")
    if throughput is None:
        return
    if kind != "gp3":
        yield errors.invalid(f"{path}.throughput", throughput, "is for volumes of type gp3 only")
    elif not _GP3_THROUGHPUT[0] <= throughput <= _GP3_THROUGHPUT[1]:
        yield errors.invalid(f"{path}.throughput", throughput, "must be 125 to 2000 MiB/s")


def check_market(template: Raw, path: str) -> Iterator[FieldError]:
    """Spot, on demand or reserved: what excludes what."""
    market, spot = template.get("marketType"), template.get("spotMarketOptions")
    reservation = template.get("capacityReservationId")
    preference = template.get("capacityReservationPreference")
    if spot is not None and market in ("OnDemand", "CapacityBlock"):
        yield errors.forbidden(f"{path}.spotMarketOptions", f"not with marketType {market}")
    if spot is not None and reservation:
        yield errors.forbidden(f"{path}.spotMarketOptions", "not with a capacity reservation")
    if market == "Spot" and reservation:
        yield errors.forbidden(f"{path}.capacityReservationId", "not with marketType Spot")
    if market == "CapacityBlock" and not reservation:
        yield errors.required(f"{path}.capacityReservationId", "marketType CapacityBlock needs it")
    if reservation and preference not in (None, "", "CapacityReservationsOnly"):
        said = "must be empty or CapacityReservationsOnly where a reservation is named"
        yield errors.invalid(f"{path}.capacityReservationPreference", preference, said)


def _refresh(preferences: Raw, path: str) -> Iterator[FieldError]:
    least, most = preferences.get("minHealthyPercentage"), preferences.get("maxHealthyPercentage")
    if most is not None and least is None:
        yield errors.required(f"{path}.minHealthyPercentage", "needed where maxHealthyPercentage is given")
    if least is not None and not 0 <= least <= 100:
        yield errors.invalid(f"{path}.minHealthyPercentage", least, "must be 0 to 100")
    if most is not None and least is not None and most - least > 100:
        yield errors.invalid(f"{path}.maxHealthyPercentage", most, "must not be over minHealthyPercentage by over 100")
    if preferences.get("strategy") not in (None, "", "Rolling"):
        yield errors.invalid(f"{path}.strategy", preferences["strategy"], "must be Rolling")


def check_hooks(hooks: Sequence[Raw], path: str) -> Iterator[FieldError]:
    """Lifecycle hooks: their names, who is told, how long they wait."""
    names: set[str] = set()
    for index, hook in enumerate(hooks):
        where, name = f"{path}[{index}]", hook.get("name", "")
        if not name:
            yield errors.required(f"{where}.name", "a hook is known by its name")
        elif name in names:
            yield errors.invalid(f"{where}.name", name, "another hook has this name")
        names.add(name)
        if bool(hook.get("notificationTargetARN")) != bool(hook.get("roleARN")):
            missing = "roleARN" if hook.get("notificationTargetARN") else "notificationTargetARN"
            yield errors.required(f"{where}.{missing}", "notificationTargetARN and roleARN go together")
        yield from _heartbeat(hook.get("heartbeatTimeout"), f"{where}.heartbeatTimeout")


def _heartbeat(value: str | None, path: str) -> Iterator[FieldError]:
    found = list(_duration(value, path))
    if not found and value and not _HEARTBEAT[0] <= durations.seconds(value) <= _HEARTBEAT[1]:
        found = [errors.invalid(path, value, "must be 30s to 48h")]
    yield from found


def _duration(value: str | None, path: str) -> Iterator[FieldError]:
    try:
        bad = bool(value) and durations.seconds(value or "") < 0
    except ValueError:
        yield errors.invalid(path, value, "must be a duration like 30s or 1h30m")
        return
    if bad:
        yield errors.invalid(path, value, "must not be negative")


def check_references(references: Sequence[Raw], path: str) -> Iterator[FieldError]:
    """References to something in AWS: an id or filters."""
    for index, reference in enumerate(references):
        if reference.get("id") and reference.get("filters"):
            yield errors.forbidden(f"{path}[{index}].filters", "give an id or filters, not both")
        elif not reference.get("id") and not reference.get("filters"):
            yield errors.required(f"{path}[{index}].id", "or filters")


def check_tags(tags: Mapping[str, str], path: str) -> Iterator[FieldError]:
    """Tags as AWS takes them."""
    if len(tags) > TAGS:
        yield errors.invalid(path, len(tags), f"must be at most {TAGS} tags")
    for key, value in tags.items():
        where = f"{path}[{key}]"
        if not 1 <= len(key) <= 128 or not _TAG.fullmatch(key):
            yield errors.invalid(where, key, "a key has 1 to 128 letters, digits, spaces and _.:=+-@/")
        elif key.lower().startswith("aws:"):
            yield errors.invalid(where, key, "keys that begin with aws: are AWS's own")
        if len(value) > 256 or not _TAG.fullmatch(value):
            yield errors.invalid(where, value, "a value has at most 256 letters, digits, spaces and _.:=+-@/")


# --- AWSCluster


def _cluster(spec: Raw) -> Iterator[FieldError]:
    yield from check_tags(spec.get("additionalTags") or {}, "spec.additionalTags")
    if not spec.get("region"):
        return
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]+", spec["region"]):
        yield errors.invalid("spec.region", spec["region"], "must be the name of a region, like eu-central-1")


# --- warnings


def _warn_pool(spec: Raw) -> Iterator[str]:
    yield from ignored_fields(spec, _IGNORED_POOL)
    if (spec.get("ignition") or {}).get("storageType") == "UnencryptedUserData" and spec["ignition"].get("version"):
        yield "spec.ignition.version: accepted, but boot data that is user data says its own version"


def _warn_cluster(spec: Raw) -> Iterator[str]:
    yield from ignored_fields(spec, _IGNORED_CLUSTER)


def ignored_fields(spec: Raw, fields: Mapping[tuple[str, ...], str], prefix: str = "spec") -> Iterator[str]:
    """Warnings for fields that are given and not acted on; `fields` says why, by their path below the spec."""
    for path, why in fields.items():
        value: Any = spec
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if _says_something(value) and value != _DEFAULTS.get(path):
            yield f"{prefix}.{'.'.join(path)}: accepted, but {why}"


def _says_something(value: Any) -> bool:
    """Whether a value is more than empty, whatever empty parts it has."""
    if isinstance(value, dict):
        return any(map(_says_something, value.values()))
    return value not in (None, "", [], False)
