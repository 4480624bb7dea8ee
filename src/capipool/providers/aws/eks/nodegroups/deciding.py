"""What to ask of EKS, given a node group and what is wanted of it. Pure, and table-tested."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from capipool.machinery import codec
from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool, UpdateConfig
from capipool.providers.aws.eks.nodegroups.picture import NodeGroup, Wish, minor

CONFIG, VERSION = "ConfigUpdate", "VersionUpdate"
"""The kinds of updates, as EKS calls them. The one takes seconds, the other replaces nodes."""
_SAME = ("scalingConfig", "tags", "subnets", "nodeRole")
"""What of a new group makes it no other: sizes and tags can be changed later, the two others never."""
_EFFECTS = {"no-schedule": "NO_SCHEDULE", "no-execute": "NO_EXECUTE", "prefer-no-schedule": "PREFER_NO_SCHEDULE"}
_CAPACITY = {"onDemand": "ON_DEMAND", "spot": "SPOT"}


@dataclass(frozen=True, slots=True)
class Note:
    """Why something that is wanted is not done, and the way out."""

    reason: str
    message: str
    severity: str = "Warning"


@dataclass(frozen=True, slots=True)
class Update:
    """One update to be asked for."""

    kind: str
    parameters: Raw
    about: str
    """Says what it is to bring: the same wish is not repeated at full speed."""


@dataclass(frozen=True, slots=True)
class Step:
    """The updates that are wanted, the first one first: EKS takes one at a time."""

    updates: tuple[Update, ...] = ()
    notes: tuple[Note, ...] = field(default=())


# --- a new node group


def creation(wish: Wish) -> Raw:
    """What CreateNodegroup is told, beside names. What is not given is left to EKS."""
    obj, spec, template = wish.obj, wish.obj.spec, wish.template
    made: Raw = {
        "scalingConfig": _sizes(wish, None),
        "subnets": list(wish.subnets),
        "nodeRole": wish.role,
        "labels": dict(spec.labels) or None,
        "taints": [*_taints(obj).values()] or None,
        "tags": dict(wish.marks or {}),
        "capacityType": _CAPACITY.get(spec.capacity_type),
        "updateConfig": _update_config(spec.update_config),
        "nodeRepairConfig": {"enabled": True} if _repairs(obj) else None,
        "remoteAccess": _remote_access(wish),
        "diskSize": spec.disk_size,
        "instanceTypes": [spec.instance_type] if spec.instance_type else None,
    }
    if template is not None:
        made["launchTemplate"] = {"id": template.id, "version": str(template.number)}
    if not wish.own_image:  # whose image it is, its owner says what is in it
        made["amiType"] = spec.ami_type or None
        made["version"] = _text(first) if (first := _first_version(wish)) is not None else None
        made["releaseVersion"] = spec.ami_version or None
    return {key: value for key, value in made.items() if value is not None}


def creation_digest(request: Raw) -> str:
    """Tells wishes for a new node group apart, whatever its size: one that failed is made anew for another wish."""
    return _digest({key: value for key, value in request.items() if key not in _SAME})


def _first_version(wish: Wish) -> tuple[int, int] | None:
    """What a new group begins with: never more than the control plane runs."""
    wanted, most = minor(wish.version), minor(wish.plane_version)
    return wanted if wanted is None or most is None else min(wanted, most)


def _remote_access(wish: Wish) -> Raw | None:
    """Who may log in. Without groups EKS lets everybody in: the cluster's is named, unless that is what is wanted."""
    access = wish.obj.spec.remote_access
    if access is None:
        return None
    groups = [] if access.public else [*access.source_security_groups, *filter(None, [wish.cluster_group])]
    key = access.ssh_key_name or wish.ssh_key
    return ({"ec2SshKey": key} if key else {}) | ({"sourceSecurityGroups": groups} if groups else {})


# --- one that is there


def decide(wish: Wish, group: NodeGroup) -> Step:
    """What is to be updated: first what takes seconds, then what replaces nodes, and that with the new limits."""
    notes: list[Note] = []
    found = (_config(wish, group), _version(wish, group, notes))
    return Step(tuple(update for update in found if update is not None), tuple(notes))


def _config(wish: Wish, group: NodeGroup) -> Update | None:
    obj = wish.obj
    made: Raw = {}
    if labels := _label_changes(obj, group):
        made["labels"] = labels
    if taints := _taint_changes(obj, group):
        made["taints"] = taints
    sizes = _sizes(wish, group)
    if any(group.sizes.get(name) != size for name, size in sizes.items()):
        made["scalingConfig"] = sizes
    wanted = _update_config(obj.spec.update_config)
    if wanted is not None and wanted != _known(group.raw.get("updateConfig")):
        made["updateConfig"] = wanted
    if _repairs(obj) != bool((group.raw.get("nodeRepairConfig") or {}).get("enabled")):
        made["nodeRepairConfig"] = {"enabled": _repairs(obj)}
    return Update(CONFIG, made, f"{', '.join(made)} ({_digest(made)})") if made else None


def _sizes(wish: Wish, group: NodeGroup | None) -> Raw:
    """The sizes to be told. A bound that is not given follows the number of nodes.

    Where somebody else scales, the desired number of a group that exists is told only if it would be out of bounds.
    """
    scaling = wish.obj.spec.scaling
    least, most = (scaling.min_size, scaling.max_size) if scaling is not None else (None, None)
    external = wish.external and group is not None
    count = group.desired if external and group is not None else wish.replicas
    if external and group is not None:
        least = int(group.sizes.get("minSize", 0)) if least is None else least
        most = max(int(group.sizes.get("maxSize", 1)), least) if most is None else most
        least = min(least, most)
    most = max(count, least or 0, 1) if most is None else most
    least = min(count, most) if least is None else least
    desired = min(max(count, least), most)
    told: Raw = {"minSize": least, "maxSize": most}
    return told if external and desired == count else told | {"desiredSize": desired}


def _label_changes(obj: AWSManagedMachinePool, group: NodeGroup) -> Raw:
    more = {k: v for k, v in obj.spec.labels.items() if group.labels.get(k) != v}
    gone = sorted(group.labels.keys() - obj.spec.labels.keys())
    return ({"addOrUpdateLabels": more} if more else {}) | ({"removeLabels": gone} if gone else {})


def _taint_changes(obj: AWSManagedMachinePool, group: NodeGroup) -> Raw:
    """A taint is known by its key and effect: another value is an update, and no removal."""
    wanted = _taints(obj)
    there = {(str(t.get("key")), str(t.get("effect"))): t for t in group.taints}
    more = [t for about, t in wanted.items() if about not in there or _value(there[about]) != _value(t)]
    gone = [t for about, t in there.items() if about not in wanted]
    return ({"addOrUpdateTaints": more} if more else {}) | ({"removeTaints": gone} if gone else {})


def _version(wish: Wish, group: NodeGroup, notes: list[Note]) -> Update | None:
    """The one thing that nodes are replaced for next: another template, the next minor version, another release."""
    template = wish.template
    if template is not None and template.rolls and (template.id, template.number) != group.template:
        reference = {"id": template.id, "version": str(template.number)}
        return Update(VERSION, {"launchTemplate": reference}, f"version {template.number} of the launch template")
    if wish.own_image:
        return None
    has, wanted = minor(str(group.raw.get("version") or "")), minor(wish.version)
    if has is not None and wanted is not None and wanted != has:
        return _next_minor(wish, has=has, wanted=wanted, notes=notes)
    release = wish.obj.spec.ami_version
    if release and release != group.raw.get("releaseVersion"):
        return Update(VERSION, {"releaseVersion": release}, f"release {release}")
    return None


def _next_minor(wish: Wish, *, has: tuple[int, int], wanted: tuple[int, int], notes: list[Note]) -> Update | None:
    if wanted < has:
        said = f"version {_text(wanted)} is wanted, and the node group has {_text(has)}: EKS goes back to no older one"
        notes.append(Note("DowngradeRefused", said))
        return None
    following, most = (has[0], has[1] + 1), minor(wish.plane_version)
    if most is not None and wanted > most:
        said = (
            f"version {_text(wanted)} is wanted, and the EKS cluster runs {_text(most)}: upgrade the cluster first, "
            "nodes never run ahead of it"
        )
        notes.append(Note("WaitingForControlPlaneVersion", said))
        if following > most:
            return None
    return Update(VERSION, {"version": _text(following)}, f"version {_text(following)}")


# --- as EKS writes it


def _taints(obj: AWSManagedMachinePool) -> dict[tuple[str, str], Raw]:
    made: dict[tuple[str, str], Raw] = {}
    for taint in obj.spec.taints:
        effect = _EFFECTS[taint.effect]
        made[taint.key, effect] = {"key": taint.key, "value": taint.value, "effect": effect}
    return made


def _value(taint: Raw) -> str:
    return str(taint.get("value") or "")


def _update_config(config: UpdateConfig | None) -> Raw | None:
    if config is None:
        return None
    if config.max_unavailable is not None:
        return {"maxUnavailable": config.max_unavailable}
    return {"maxUnavailablePercentage": config.max_unavailable_percentage}


def _known(config: Any) -> Raw:
    """Without what EKS adds, such as the strategy."""
    return {k: v for k, v in (config or {}).items() if k.startswith("maxUnavailable") and v is not None}


def _repairs(obj: AWSManagedMachinePool) -> bool:
    config = obj.spec.node_repair_config
    return config is not None and bool(config.enabled)


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _digest(wanted: Raw) -> str:
    return hashlib.sha256(codec.encode_json(_sorted(wanted))).hexdigest()[:12]


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(v) for v in value] if isinstance(value, list) else value
