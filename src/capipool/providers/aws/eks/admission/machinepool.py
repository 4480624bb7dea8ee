"""What admission says to an AWSManagedMachinePool: upstream's rules, and what only EKS would refuse. Pure.

The rules hold on create and on update alike. A field that is accepted and not acted on is answered with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from capipool.machinery import errors
from capipool.machinery.admission import ALLOWED, Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.providers.aws.admission import check_hooks, check_launch_template, check_tags, ignored_fields
from capipool.providers.aws.eks import naming
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,62}")
_ROLE = re.compile(r"[\w+=,.@-]{1,64}")
_MOST_TAINTS = 50
_CUSTOM = "CUSTOM"
_NO_WISH = (None, "", _CUSTOM, "AL2_x86_64")
"""Types of image that nobody asked for, the schema's default among them."""
_FIXED = (
    *("amiType", "availabilityZoneSubnetType", "availabilityZones", "diskSize", "instanceType", "remoteAccess"),
    "subnetIDs",
)
_FIXED_ONCE_SET = ("capacityType", "eksNodegroupName", "roleName", "rolePath", "rolePermissionsBoundary")
_NOT_BESIDE_TEMPLATE: Mapping[str, str] = {
    "instanceType": "say it in awsLaunchTemplate.instanceType",
    "diskSize": "say it in awsLaunchTemplate.rootVolume",
    "remoteAccess": "say it in awsLaunchTemplate.sshKeyName and awsLaunchTemplate.additionalSecurityGroups",
}
_NOT_IN_TEMPLATE: Mapping[str, str] = {
    "iamInstanceProfile": "EKS makes one of roleName",
    "spotMarketOptions": "say capacityType: spot",
}
_EKS_IMAGE = "EKS chooses the image by amiType, unless ami.id names one"
_IGNORED: Mapping[tuple[str, ...], str] = {
    (
        "lifecycleHooks",
    ): "EKS has hooks of its own, by which it drains nodes, and its Auto Scaling group is not changed",
    ("awsLaunchTemplate", "name"): "the launch template is named after the pool",
    ("awsLaunchTemplate", "versionNumber"): "capipool counts the versions itself",
    ("awsLaunchTemplate", "ami", "eksLookupType"): _EKS_IMAGE,
    ("awsLaunchTemplate", "imageLookupFormat"): _EKS_IMAGE,
    ("awsLaunchTemplate", "imageLookupOrg"): _EKS_IMAGE,
    ("awsLaunchTemplate", "imageLookupBaseOS"): _EKS_IMAGE,
}


def rules() -> list[Rules]:
    """The rules of the kind."""
    return [Rules(resource=AWSManagedMachinePool.RESOURCE, default=_default, validate=_validate)]


def _default(admit: Admit) -> Raw:
    """Upstream's defaults: the node group's name, and one node away at a time."""
    made = dict(admit.object or {})
    spec = naming.named(made, "eksNodegroupName", limit=naming.NODEGROUP_NAME_LIMIT)
    if spec.get("updateConfig") is None:
        spec["updateConfig"] = {"maxUnavailable": 1}
    return made | {"spec": spec}


def _validate(admit: Admit) -> Verdict:
    if admit.object is None:
        return ALLOWED
    spec = admit.object.get("spec") or {}
    found = list(check(spec, "spec"))
    if admit.old is not None:
        found += _changes(admit.old.get("spec") or {}, spec, "spec")
    return Verdict(errors=tuple(found), warnings=tuple(_warnings(spec)))


def check(spec: Raw, path: str) -> Iterator[FieldError]:
    """What is wrong with a spec, whatever it was before."""
    name = spec.get("eksNodegroupName") or ""
    if name and not _NAME.fullmatch(name):
        yield errors.invalid(
            f"{path}.eksNodegroupName", name, "must be 1 to 63 letters, digits, _ and -, no sign first"
        )
    role = spec.get("roleName") or ""
    if role and not _ROLE.fullmatch(role):
        yield errors.invalid(
            f"{path}.roleName", role, "must be the name of a role: 1 to 64 letters, digits and +=,.@_-"
        )
    yield from check_tags(spec.get("additionalTags") or {}, f"{path}.additionalTags")
    yield from check_hooks(spec.get("lifecycleHooks") or (), f"{path}.lifecycleHooks")
    yield from _scaling(spec.get("scaling") or {}, f"{path}.scaling")
    yield from _update_config(spec.get("updateConfig"), f"{path}.updateConfig")
    yield from _taints(spec.get("taints") or (), f"{path}.taints")
    access = spec.get("remoteAccess") or {}
    if access.get("public") and access.get("sourceSecurityGroups"):
        where = f"{path}.remoteAccess.sourceSecurityGroups"
        yield errors.invalid(where, access["sourceSecurityGroups"], "must be empty where public is true")
    yield from _template(spec, path)


def _scaling(scaling: Raw, path: str) -> Iterator[FieldError]:
    least, most = scaling.get("minSize"), scaling.get("maxSize")
    if least is not None and least < 0:
        yield errors.invalid(f"{path}.minSize", least, "must not be negative")
    if most is not None and most < 1:
        yield errors.invalid(f"{path}.maxSize", most, "must be at least 1: EKS takes no less, even for 0 nodes")
    if least is not None and most is not None and most < least:
        yield errors.invalid(f"{path}.maxSize", most, f"must not be less than minSize, {least}")


def _update_config(config: Raw | None, path: str) -> Iterator[FieldError]:
    if config is None:
        return
    given = [name for name in ("maxUnavailable", "maxUnavailablePercentage") if config.get(name) is not None]
    if len(given) != 1:
        yield errors.invalid(path, config, "must have one of maxUnavailable and maxUnavailablePercentage")


def _taints(taints: Any, path: str) -> Iterator[FieldError]:
    if len(taints) > _MOST_TAINTS:
        yield errors.invalid(path, len(taints), f"must be at most {_MOST_TAINTS} taints")
    seen: set[tuple[Any, Any]] = set()
    for index, taint in enumerate(taints):
        about = (taint.get("key"), taint.get("effect"))
        if about in seen:
            yield errors.invalid(f"{path}[{index}].key", taint.get("key"), "another taint has this key and effect")
        seen.add(about)


def _template(spec: Raw, path: str) -> Iterator[FieldError]:
    template = spec.get("awsLaunchTemplate")
    if template is None:
        if spec.get("amiType") == _CUSTOM:
            yield errors.invalid(f"{path}.amiType", _CUSTOM, "needs awsLaunchTemplate.ami.id: whose image would it be")
        return
    where = f"{path}.awsLaunchTemplate"
    for name, way_out in _NOT_BESIDE_TEMPLATE.items():
        if spec.get(name) is not None:
            yield errors.invalid(f"{path}.{name}", spec[name], f"not together with awsLaunchTemplate: {way_out}")
    for name, way_out in _NOT_IN_TEMPLATE.items():
        if template.get(name):
            yield errors.invalid(f"{where}.{name}", template[name], f"not in the template of a node group: {way_out}")
    if template.get("marketType") == "Spot":
        said = "not in the template of a node group: say capacityType: spot"
        yield errors.invalid(f"{where}.marketType", "Spot", said)
    image = (template.get("ami") or {}).get("id")
    if spec.get("amiType") == _CUSTOM and not image:
        yield errors.required(f"{where}.ami.id", "amiType is CUSTOM: an image of your own has to be named")
    if image and spec.get("amiVersion"):
        yield errors.invalid(f"{path}.amiVersion", spec["amiVersion"], "not together with awsLaunchTemplate.ami.id")
    yield from check_launch_template(template, where)


def _changes(old: Raw, new: Raw, path: str) -> Iterator[FieldError]:
    for name in _FIXED:
        if (old.get(name) or None) != (new.get(name) or None):
            yield errors.invalid(f"{path}.{name}", new.get(name), f"cannot be changed: it was {old.get(name)}")
    for name in _FIXED_ONCE_SET:
        if old.get(name) and old[name] != new.get(name):
            yield errors.invalid(f"{path}.{name}", new.get(name), f"cannot be changed: it was {old[name]}")
    before, after = old.get("awsLaunchTemplate"), new.get("awsLaunchTemplate")
    if (before is None) != (after is None):
        said = "a node group has a launch template from its beginning, or never: make another pool"
        yield errors.invalid(f"{path}.awsLaunchTemplate", after, said)
    elif before is not None and after is not None:
        if before.get("name") != after.get("name"):
            yield errors.invalid(f"{path}.awsLaunchTemplate.name", after.get("name"), "cannot be changed")
        if bool((before.get("ami") or {}).get("id")) != bool((after.get("ami") or {}).get("id")):
            said = "whether the image is your own or EKS's cannot be changed: make another pool"
            yield errors.invalid(f"{path}.awsLaunchTemplate.ami.id", (after.get("ami") or {}).get("id"), said)


def _warnings(spec: Raw) -> Iterator[str]:
    yield from ignored_fields(spec, _IGNORED)
    if (spec.get("awsLaunchTemplate") or {}).get("ami", {}).get("id") and spec.get("amiType") not in _NO_WISH:
        yield "spec.amiType: accepted, but awsLaunchTemplate.ami.id is the image"
