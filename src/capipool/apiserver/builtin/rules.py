"""What is particular to single built-in kinds: what the server fills in, and what no schema can refuse.

Every function is pure, takes (object, old object or None) and never changes them. Rules see objects that fit their
schema.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

from capipool.machinery import names, selectors
from capipool.machinery.errors import BadRequest, FieldError, forbidden, invalid, not_supported, required
from capipool.machinery.objects import Raw

MAX_DATA_BYTES = 1024 * 1024
"""As much as a Secret or a ConfigMap may hold."""

_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_KEY_RULE = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"

# -- namespaces -------------------------------------------------------------------------------------------------------


def prepare_namespace(obj: Raw, old: Raw | None) -> Raw:
    """A namespace carries its name as a label, and on creation the finalizer by which its content is deleted first."""
    meta = obj.get("metadata") or {}
    labels = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta.get("name", "")}
    result = {**obj, "metadata": {**meta, "labels": labels}}
    if old is None:
        return result | {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    return result


# -- secrets and configmaps -------------------------------------------------------------------------------------------


def prepare_secret(obj: Raw, old: Raw | None) -> Raw:
    """`stringData` goes into `data` and is not kept."""
    plain = obj.get("stringData")
    if not isinstance(plain, Mapping) or not all(isinstance(v, str) for v in plain.values()):
        return obj
    encoded = {k: base64.b64encode(v.encode()).decode() for k, v in plain.items()}
    result = {k: v for k, v in obj.items() if k != "stringData"}
    return result | {"data": {**(obj.get("data") or {}), **encoded}} if encoded else result


_NEEDED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def validate_secret(obj: Raw, old: Raw | None) -> list[FieldError]:
    """Keys, size, the keys that a type needs, and what may not change. No error shows a value."""
    data = obj.get("data") or {}
    errors = _data_keys(data, "data")
    if sum(len(v) * 3 // 4 for v in data.values()) > MAX_DATA_BYTES:
        detail = f"may not be more than {MAX_DATA_BYTES} bytes"
        errors.append(FieldError(type="FieldValueTooLong", path="data", detail=detail))
    for key in _NEEDED_KEYS.get(obj.get("type", ""), ()):
        if key not in data:
            errors.append(required(f"data[{key}]"))
    if old is not None and obj.get("type") != old.get("type"):
        errors.append(invalid("type", obj.get("type"), "field is immutable"))
    return errors + _frozen(obj, old, ("data",))


def validate_configmap(obj: Raw, old: Raw | None) -> list[FieldError]:
    """Keys, size, and what may not change."""
    text, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    errors = _data_keys(text, "data") + _data_keys(binary, "binaryData")
    errors += [invalid(f"data[{k}]", k, "duplicate of key present in binaryData") for k in text if k in binary]
    if sum(len(v) for v in text.values()) + sum(len(v) * 3 // 4 for v in binary.values()) > MAX_DATA_BYTES:
        detail = f"may not be more than {MAX_DATA_BYTES} bytes"
        errors.append(FieldError(type="FieldValueTooLong", path="", detail=detail))
    return errors + _frozen(obj, old, ("data", "binaryData"))


def _data_keys(data: Iterable[str], path: str) -> list[FieldError]:
    return [invalid(f"{path}[{k}]", k, _KEY_RULE) for k in data if not _DATA_KEY.fullmatch(k) or k in (".", "..")]


def _frozen(obj: Raw, old: Raw | None, fields: tuple[str, ...]) -> list[FieldError]:
    if old is None or old.get("immutable") is not True:
        return []
    why = "field is immutable when `immutable` is set"
    changed = [field for field in fields if (obj.get(field) or {}) != (old.get(field) or {})]
    if obj.get("immutable") is not True:
        changed.append("immutable")
    return [forbidden(field, why) for field in changed]


# -- nodes ------------------------------------------------------------------------------------------------------------


def validate_node(obj: Raw, old: Raw | None) -> list[FieldError]:
    """Taints are well formed and unique by key and effect; a provider ID never changes once it is set."""
    spec = obj.get("spec") or {}
    errors = []
    seen = set()
    for i, taint in enumerate(spec.get("taints") or ()):
        path = f"spec.taints[{i}]"
        if not names.is_qualified_name(taint["key"]):
            errors.append(invalid(f"{path}.key", taint["key"], "must be a qualified name"))
        if not names.is_label_value(taint.get("value", "")):
            errors.append(invalid(f"{path}.value", taint["value"], "must be a valid label value"))
        if (identity := (taint["key"], taint["effect"])) in seen:
            errors.append(FieldError(type="FieldValueDuplicate", path=path, value=taint))
        seen.add(identity)
    before = ((old or {}).get("spec") or {}).get("providerID")
    if before and spec.get("providerID") != before:
        errors.append(forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid'))
    return errors


# -- pods -------------------------------------------------------------------------------------------------------------

_MUTABLE_POD_FIELDS = frozenset(
    {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates", "nodeName"}
)
_CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")


def prepare_pod(obj: Raw, old: Raw | None) -> Raw:
    """A new pod is pending."""
    status = obj.get("status")
    if old is not None or not isinstance(status, dict | None) or (status or {}).get("phase"):
        return obj
    return {**obj, "status": {**(status or {}), "phase": "Pending"}}


def validate_pod(obj: Raw, old: Raw | None) -> list[FieldError]:
    """At least one container, names that are labels, and a spec that hardly changes."""
    errors = _containers(obj.get("spec"), "spec")
    if old is not None and not errors:
        errors += _pod_changes(obj["spec"], old.get("spec") or {})
    return errors


def _containers(spec: Any, path: str) -> list[FieldError]:
    if not spec:
        return [required(f"{path}.containers")]
    errors = [] if spec["containers"] else [required(f"{path}.containers")]
    for field in _CONTAINER_LISTS:
        for i, container in enumerate(spec.get(field) or ()):
            if not names.is_dns_label(container["name"]):
                errors.append(
                    invalid(f"{path}.{field}[{i}].name", container["name"], "must be a lowercase RFC 1123 label")
                )
            if not container.get("image"):
                errors.append(required(f"{path}.{field}[{i}].image"))
    return errors


def _pod_changes(spec: Raw, old: Raw) -> list[FieldError]:
    # A pod is bound once. Everything that binds goes through here, since there is no scheduler with a door of its own.
    rebound = old.get("nodeName") and spec.get("nodeName") != old.get("nodeName")
    if not rebound and _without_mutable(spec) == _without_mutable(old):
        return []
    detail = (
        "pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, "
        "`spec.activeDeadlineSeconds`, `spec.terminationGracePeriodSeconds`, `spec.tolerations`"
    )
    return [forbidden("spec", detail)]


def _without_mutable(spec: Raw) -> Raw:
    kept = {k: v for k, v in spec.items() if k not in _MUTABLE_POD_FIELDS}
    for field in _CONTAINER_LISTS:
        kept[field] = [{k: v for k, v in c.items() if k != "image"} for c in spec.get(field) or ()]
    return kept


# -- workloads --------------------------------------------------------------------------------------------------------


def validate_workload(obj: Raw, old: Raw | None) -> list[FieldError]:
    """Deployments and their like: the selector selects the template's pods, is not empty, and never changes."""
    spec = obj.get("spec")
    if not spec:
        return [required("spec.selector"), required("spec.template")]
    errors = _replicas(spec) + _selects(spec)
    if old is not None and spec.get("selector") != (old.get("spec") or {}).get("selector"):
        errors.append(invalid("spec.selector", spec.get("selector"), "field is immutable"))
    return errors + _containers(spec["template"].get("spec"), "spec.template.spec")


def _replicas(spec: Raw) -> list[FieldError]:
    replicas = spec.get("replicas", 0)
    return [invalid("spec.replicas", replicas, "must be greater than or equal to 0")] if replicas < 0 else []


def _selects(spec: Raw) -> list[FieldError]:
    try:
        selector = selectors.from_object(spec["selector"])
    except BadRequest as error:
        return [invalid("spec.selector", spec["selector"], error.message)]
    if selector is None or not selector.requirements:
        return [invalid("spec.selector", spec["selector"], "empty selector is invalid")]
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if not selector.matches(labels):
        return [invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")]
    return []


def validate_budget(obj: Raw, old: Raw | None) -> list[FieldError]:
    """A disruption budget says how many at least, or how many at most, not both."""
    spec = obj.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        return [invalid("spec", "object", "minAvailable and maxUnavailable cannot be both set")]
    errors = []
    for field in ("minAvailable", "maxUnavailable"):
        value = spec.get(field, 0)
        if isinstance(value, str) and not re.fullmatch(r"(100|[0-9]{1,2})%", value):
            errors.append(invalid(f"spec.{field}", value, "a valid percent string must be a number followed by '%'"))
        elif isinstance(value, int) and value < 0:
            errors.append(invalid(f"spec.{field}", value, "must be greater than or equal to 0"))
    try:
        selectors.from_object(spec.get("selector"))
    except BadRequest as error:
        errors.append(invalid("spec.selector", spec.get("selector"), error.message))
    return errors


# -- others -----------------------------------------------------------------------------------------------------------


def validate_lease(obj: Raw, old: Raw | None) -> list[FieldError]:
    """Durations are positive, transitions are counted."""
    spec = obj.get("spec") or {}
    errors = []
    if (seconds := spec.get("leaseDurationSeconds")) is not None and seconds <= 0:
        errors.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if (transitions := spec.get("leaseTransitions")) is not None and transitions < 0:
        errors.append(invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
    return errors


def validate_binding(obj: Raw, old: Raw | None) -> list[FieldError]:
    """Role bindings: which role is granted never changes."""
    if obj["roleRef"]["kind"] not in ("Role", "ClusterRole"):
        return [not_supported("roleRef.kind", obj["roleRef"]["kind"], ("Role", "ClusterRole"))]
    if old is not None and obj["roleRef"] != old.get("roleRef"):
        return [invalid("roleRef", "object", "cannot change roleRef")]
    return []


def validate_event(obj: Raw, old: Raw | None) -> list[FieldError]:
    """An event lies in the namespace of what it is about (in `default` for what has none)."""
    about = obj["involvedObject"].get("namespace", "")
    where = obj["metadata"].get("namespace", "")
    if about and where and about != where:
        return [invalid("involvedObject.namespace", about, "does not match event.namespace")]
    return []


# -- events of the newer group ----------------------------------------------------------------------------------------

_EVENT_NAMES = (
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedCount", "count"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedSource", "source"),
)
_TO_CORE = dict(_EVENT_NAMES)
_FROM_CORE = {core: newer for newer, core in _EVENT_NAMES}


def event_to_core(obj: Raw) -> Raw:
    """An event of `events.k8s.io` as it is stored: as one of the core group."""
    return {_TO_CORE.get(k, k): v for k, v in obj.items()} | {"apiVersion": "v1"}


def event_from_core(obj: Raw) -> Raw:
    """The inverse of `event_to_core`."""
    return {_FROM_CORE.get(k, k): v for k, v in obj.items()} | {"apiVersion": "events.k8s.io/v1"}
