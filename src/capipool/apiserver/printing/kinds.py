"""The columns of the built-in kinds, as kubectl users know them.

One entry a kind: its columns, each with the function that gives its cell. A column marked wide is shown by `-o wide`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from capipool.apiserver.builtin.definition import Column
from capipool.apiserver.printing import ages, pods
from capipool.machinery import selectors
from capipool.machinery.errors import BadRequest
from capipool.machinery.resource import GroupKind

Raw = Mapping[str, Any]
NONE = "<none>"


class Printer(NamedTuple):
    """A column with the function that gives its cell from an object and the time."""

    column: Column
    cell: Callable[[Raw, dt.datetime], Any]


def _column(name: str, cell: Callable[[Raw], Any], *, type_: str = "string", wide: bool = False) -> Printer:
    return Printer(Column(name=name, type=type_, priority=1 if wide else 0), lambda obj, _: cell(obj))


def _number(name: str, cell: Callable[[Raw], Any]) -> Printer:
    return _column(name, cell, type_="integer")


def _wide(name: str, cell: Callable[[Raw], Any]) -> Printer:
    return _column(name, cell, wide=True)


def _at(obj: Raw, *path: str) -> Any:
    """The value at a path of fields; None where there is none."""
    value: Any = obj
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _field(*path: str, missing: Any = "") -> Callable[[Raw], Any]:
    def cell(obj: Raw) -> Any:
        value = _at(obj, *path)
        return missing if value is None or value == "" else value

    return cell


def _count(*path: str) -> Callable[[Raw], int]:
    return lambda obj: len(_at(obj, *path) or ())


def _joined(items: Iterable[Any]) -> str:
    return ",".join(str(i) for i in items) or NONE


NAME = Printer(
    Column(name="Name", format="name", description="The name, unique in its namespace."),
    lambda obj, _: obj["metadata"]["name"],
)
AGE = Printer(
    Column(name="Age", description="How long ago it was created."),
    lambda obj, now: ages.since(_at(obj, "metadata", "creationTimestamp"), now),
)
_CREATED = _column("Created At", _field("metadata", "creationTimestamp"), type_="date")


# -- nodes ------------------------------------------------------------------------------------------------------------

_ROLE = "node-role.kubernetes.io/"


def _node_status(node: Raw) -> str:
    conditions = {c.get("type"): c.get("status") for c in _at(node, "status", "conditions") or ()}
    word = {"True": "Ready", None: "Unknown"}.get(conditions.get("Ready"), "NotReady")
    return word + (",SchedulingDisabled" if _at(node, "spec", "unschedulable") else "")


def _node_roles(node: Raw) -> str:
    labels = _at(node, "metadata", "labels") or {}
    roles = {k.removeprefix(_ROLE) for k in labels if k.startswith(_ROLE)}
    if role := labels.get("kubernetes.io/role"):
        roles.add(role)
    return _joined(sorted(r for r in roles if r))


def _address(kind: str) -> Callable[[Raw], str]:
    def cell(node: Raw) -> str:
        return next((a["address"] for a in _at(node, "status", "addresses") or () if a.get("type") == kind), NONE)

    return cell


def _info(name: str, missing: str = "<unknown>") -> Callable[[Raw], Any]:
    return _field("status", "nodeInfo", name, missing=missing)


_NODE = (
    NAME,
    _column("Status", _node_status),
    _column("Roles", _node_roles),
    AGE,
    _column("Version", _info("kubeletVersion", "")),
    _wide("Internal-IP", _address("InternalIP")),
    _wide("External-IP", _address("ExternalIP")),
    _wide("OS-Image", _info("osImage")),
    _wide("Kernel-Version", _info("kernelVersion")),
    _wide("Container-Runtime", _info("containerRuntimeVersion")),
)

# -- pods -------------------------------------------------------------------------------------------------------------


def _pod_ip(pod: Raw) -> str:
    found = _at(pod, "status", "podIPs") or ()
    return str(found[0].get("ip") if found else _at(pod, "status", "podIP") or NONE)


def _gates(pod: Raw) -> str:
    gates = [g.get("conditionType") for g in _at(pod, "spec", "readinessGates") or ()]
    true = {c.get("type") for c in _at(pod, "status", "conditions") or () if c.get("status") == "True"}
    return f"{sum(g in true for g in gates)}/{len(gates)}" if gates else NONE


_POD = (
    NAME,
    _column("Ready", pods.ready),
    _column("Status", pods.state),
    Printer(Column(name="Restarts"), pods.restarts),
    AGE,
    _wide("IP", _pod_ip),
    _wide("Node", _field("spec", "nodeName", missing=NONE)),
    _wide("Nominated Node", _field("status", "nominatedNodeName", missing=NONE)),
    _wide("Readiness Gates", _gates),
)

# -- events -----------------------------------------------------------------------------------------------------------


def _seen(*names: str) -> Callable[[Raw, dt.datetime], Any]:
    def cell(event: Raw, now: dt.datetime) -> Any:
        return ages.since(next((event[n] for n in names if event.get(n)), None), now)

    return cell


def _last_seen(event: Raw, now: dt.datetime) -> Any:
    last = _at(event, "series", "lastObservedTime")
    return ages.since(last, now) if last else _seen("lastTimestamp", "deprecatedLastTimestamp", "eventTime")(event, now)


def _either(*names: str) -> Callable[[Raw], Any]:
    return lambda event: next((event[n] for n in names if event.get(n)), "")


def _object(event: Raw) -> str:
    about = _either("involvedObject", "regarding")(event) or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def _source(event: Raw) -> str:
    source = _either("source", "deprecatedSource")(event) or {}
    component = source.get("component") or _either("reportingComponent", "reportingController")(event)
    return ", ".join(part for part in (component, source.get("host")) if part)


_EVENT = (
    Printer(Column(name="Last Seen"), _last_seen),
    _column("Type", _field("type")),
    _column("Reason", _field("reason")),
    _column("Object", _object),
    _wide("Subobject", lambda event: (_either("involvedObject", "regarding")(event) or {}).get("fieldPath", "")),
    _wide("Source", _source),
    _column("Message", lambda event: str(_either("message", "note")(event)).strip()),
    Printer(Column(name="First Seen", priority=1), _seen("firstTimestamp", "deprecatedFirstTimestamp", "eventTime")),
    _wide("Count", lambda event: _at(event, "series", "count") or _either("count", "deprecatedCount")(event) or 1),
    Printer(Column(name="Name", priority=1, format="name"), NAME.cell),
)

# -- workloads --------------------------------------------------------------------------------------------------------


def _selector(obj: Raw) -> str:
    try:
        return str(selectors.from_object(_at(obj, "spec", "selector")) or NONE)
    except BadRequest:
        return "<invalid>"


def _containers(field: str) -> Callable[[Raw], str]:
    return lambda obj: _joined(c.get(field, "") for c in _at(obj, "spec", "template", "spec", "containers") or ())


def _of_wanted(name: str) -> Callable[[Raw], str]:
    return lambda obj: f"{_at(obj, 'status', name) or 0}/{_at(obj, 'spec', 'replicas') or 0}"


def _pairs(pairs: Mapping[str, str] | None) -> str:
    return _joined(f"{k}={v}" for k, v in sorted((pairs or {}).items()))


def _status(name: str, field: str) -> Printer:
    return _number(name, _field("status", field, missing=0))


_TEMPLATE = (_wide("Containers", _containers("name")), _wide("Images", _containers("image")))
_SELECTOR = _wide("Selector", _selector)

_DAEMON_SET = (
    NAME,
    _status("Desired", "desiredNumberScheduled"),
    _status("Current", "currentNumberScheduled"),
    _status("Ready", "numberReady"),
    _status("Up-to-date", "updatedNumberScheduled"),
    _status("Available", "numberAvailable"),
    _column("Node Selector", lambda obj: _pairs(_at(obj, "spec", "template", "spec", "nodeSelector"))),
    AGE,
    *_TEMPLATE,
    _SELECTOR,
)
_DEPLOYMENT = (
    NAME,
    _column("Ready", _of_wanted("readyReplicas")),
    _status("Up-to-date", "updatedReplicas"),
    _status("Available", "availableReplicas"),
    AGE,
    *_TEMPLATE,
    _SELECTOR,
)
_REPLICA_SET = (
    NAME,
    _number("Desired", _field("spec", "replicas", missing=0)),
    _status("Current", "replicas"),
    _status("Ready", "readyReplicas"),
    AGE,
    *_TEMPLATE,
    _SELECTOR,
)
_STATEFUL_SET = (NAME, _column("Ready", _of_wanted("readyReplicas")), AGE, *_TEMPLATE)
_BUDGET = (
    NAME,
    _column("Min Available", lambda obj: str(_field("spec", "minAvailable", missing="N/A")(obj))),
    _column("Max Unavailable", lambda obj: str(_field("spec", "maxUnavailable", missing="N/A")(obj))),
    _status("Allowed Disruptions", "disruptionsAllowed"),
    AGE,
)

# -- storage and network ----------------------------------------------------------------------------------------------

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(*path: str) -> Callable[[Raw], str]:
    return lambda obj: ",".join(_MODES.get(m, m) for m in _at(obj, *path) or ())


def _claim(volume: Raw) -> str:
    ref = _at(volume, "spec", "claimRef") or {}
    return f"{ref.get('namespace', '')}/{ref.get('name', '')}" if ref else ""


_VOLUME_ATTACHMENT = (
    NAME,
    _column("Attacher", _field("spec", "attacher")),
    _column("PV", _field("spec", "source", "persistentVolumeName")),
    _column("Node", _field("spec", "nodeName")),
    _column("Attached", _field("status", "attached", missing=False), type_="boolean"),
    AGE,
)
_VOLUME = (
    NAME,
    _column("Capacity", _field("spec", "capacity", "storage")),
    _column("Access Modes", _modes("spec", "accessModes")),
    _column("Reclaim Policy", _field("spec", "persistentVolumeReclaimPolicy")),
    _column("Status", _field("status", "phase")),
    _column("Claim", _claim),
    _column("StorageClass", _field("spec", "storageClassName")),
    _column("Reason", _field("status", "reason")),
    AGE,
    _wide("VolumeMode", _field("spec", "volumeMode", missing="<unset>")),
)
_CLAIM = (
    NAME,
    _column("Status", _field("status", "phase")),
    _column("Volume", _field("spec", "volumeName")),
    _column("Capacity", _field("status", "capacity", "storage")),
    _column("Access Modes", _modes("status", "accessModes")),
    _column("StorageClass", _field("spec", "storageClassName")),
    AGE,
    _wide("VolumeMode", _field("spec", "volumeMode", missing="<unset>")),
)


def _ports(service: Raw) -> str:
    return _joined(
        f"{p.get('port')}" + (f":{p['nodePort']}" if p.get("nodePort") else "") + f"/{p.get('protocol', 'TCP')}"
        for p in _at(service, "spec", "ports") or ()
    )


def _external(service: Raw) -> str:
    balancer = [i.get("ip") or i.get("hostname") for i in _at(service, "status", "loadBalancer", "ingress") or ()]
    found = [*balancer, *(_at(service, "spec", "externalIPs") or ())]
    if not found and _at(service, "spec", "type") == "LoadBalancer":
        return "<pending>"
    return _joined(found) if found else str(_at(service, "spec", "externalName") or NONE)


_SERVICE = (
    NAME,
    _column("Type", _field("spec", "type", missing="ClusterIP")),
    _column("Cluster-IP", _field("spec", "clusterIP", missing=NONE)),
    _column("External-IP", _external),
    _column("Port(s)", _ports),
    AGE,
    _wide("Selector", lambda obj: _pairs(_at(obj, "spec", "selector"))),
)


def _endpoints(obj: Raw) -> str:
    found = [
        f"{a.get('ip')}:{p.get('port')}"
        for s in obj.get("subsets") or ()
        for p in s.get("ports") or [{}]
        for a in s.get("addresses") or ()
    ]
    return _joined(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "")


# -- access -----------------------------------------------------------------------------------------------------------


def _role(obj: Raw) -> str:
    return f"{_at(obj, 'roleRef', 'kind')}/{_at(obj, 'roleRef', 'name')}"


def _subjects(kind: str) -> Callable[[Raw], str]:
    def name(subject: Raw) -> str:
        where = subject.get("namespace")
        return f"{where}/{subject.get('name')}" if where else str(subject.get("name"))

    return lambda obj: ", ".join(name(s) for s in obj.get("subjects") or () if s.get("kind") == kind)


_BINDING = (
    NAME,
    _column("Role", _role),
    AGE,
    _wide("Users", _subjects("User")),
    _wide("Groups", _subjects("Group")),
    _wide("ServiceAccounts", _subjects("ServiceAccount")),
)
_WEBHOOKS = (NAME, _number("Webhooks", _count("webhooks")), AGE)
_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"

PRINTERS: dict[GroupKind, tuple[Printer, ...]] = {
    GroupKind("", "Namespace"): (NAME, _column("Status", _field("status", "phase")), AGE),
    GroupKind("", "Secret"): (NAME, _column("Type", _field("type")), _number("Data", _count("data")), AGE),
    GroupKind("", "ConfigMap"): (
        NAME,
        _number("Data", lambda o: len(o.get("data") or ()) + len(o.get("binaryData") or ())),
        AGE,
    ),
    GroupKind("", "Event"): _EVENT,
    GroupKind("events.k8s.io", "Event"): _EVENT,
    GroupKind("", "Node"): _NODE,
    GroupKind("", "Pod"): _POD,
    GroupKind("", "ServiceAccount"): (NAME, _number("Secrets", _count("secrets")), AGE),
    GroupKind("", "Service"): _SERVICE,
    GroupKind("", "Endpoints"): (NAME, _column("Endpoints", _endpoints), AGE),
    GroupKind("", "PersistentVolume"): _VOLUME,
    GroupKind("", "PersistentVolumeClaim"): _CLAIM,
    GroupKind("apps", "DaemonSet"): _DAEMON_SET,
    GroupKind("apps", "Deployment"): _DEPLOYMENT,
    GroupKind("apps", "ReplicaSet"): _REPLICA_SET,
    GroupKind("apps", "StatefulSet"): _STATEFUL_SET,
    GroupKind("coordination.k8s.io", "Lease"): (NAME, _column("Holder", _field("spec", "holderIdentity")), AGE),
    GroupKind("policy", "PodDisruptionBudget"): _BUDGET,
    GroupKind("storage.k8s.io", "VolumeAttachment"): _VOLUME_ATTACHMENT,
    GroupKind("scheduling.k8s.io", "PriorityClass"): (
        NAME,
        _number("Value", _field("value", missing=0)),
        _column("Global-Default", _field("globalDefault", missing=False), type_="boolean"),
        AGE,
        _column("PreemptionPolicy", _field("preemptionPolicy")),
    ),
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): (NAME, _CREATED),
    GroupKind(_ADMISSION, "ValidatingWebhookConfiguration"): _WEBHOOKS,
    GroupKind(_ADMISSION, "MutatingWebhookConfiguration"): _WEBHOOKS,
    GroupKind(_RBAC, "Role"): (NAME, _CREATED),
    GroupKind(_RBAC, "ClusterRole"): (NAME, _CREATED),
    GroupKind(_RBAC, "RoleBinding"): _BINDING,
    GroupKind(_RBAC, "ClusterRoleBinding"): _BINDING,
}
"""By kind, whatever the version. A kind that is not here is shown by its name and its age."""
