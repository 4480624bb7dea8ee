"""Conversion of KubeadmConfig and KubeadmConfigTemplate between v1beta1 and v1beta2, without loss. Pure.

What one version cannot say goes into an annotation of the converted object, as the fields in which converting back
would differ from the original; each is put back only while the field it replaces is still what it was, so that an edit
made in the other version is never undone.

Source of the rules: Cluster API's conversion between the two (timeouts moved and became seconds, arguments became
lists, conditions moved).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from capipool.api import constants
from capipool.machinery import codec, durations
from capipool.machinery.objects import Raw
from capipool.providers.kubeadm.rendering import documents

JSON = Any
GROUP = "bootstrap.cluster.x-k8s.io"
OLD, NEW = "v1beta1", "v1beta2"

_COMPONENTS = ("apiServer", "controllerManager", "scheduler")
_MEANINGFUL_WHEN_EMPTY = frozenset({"controlPlane", "taints", "spec"})
_ABSENT = "absent"
"""Stands for the digest of a field that is not there."""
_MISSING: Any = object()


def convert(raw: Mapping[str, Any], version: str) -> Raw:
    """The object in a version. Never changes its input; the same version is the same object."""
    before = str(raw.get("apiVersion", "")).rpartition("/")[2]
    if before == version:
        return dict(raw)
    plain = _CONVERSIONS[version]
    source, leftovers = _take_leftovers(raw)
    converted = plain(source)
    converted = _put_back(converted, leftovers)
    lost = list(_differences(_CONVERSIONS[before](converted), source, ()))
    return _with_leftovers(converted, lost)


# --- what a version cannot say


def _take_leftovers(raw: Mapping[str, Any]) -> tuple[Raw, list[JSON]]:
    metadata = raw.get("metadata") or {}
    annotations = dict(metadata.get("annotations") or {})
    text = annotations.pop(constants.CONVERSION_DATA_ANNOTATION, None)
    if text is None:
        return dict(raw), []
    metadata = {**metadata, "annotations": annotations}
    if not annotations:
        del metadata["annotations"]
    return {**raw, "metadata": metadata}, _read_leftovers(text)


def _read_leftovers(text: str) -> list[JSON]:
    """Entries of our own form. What another program left there has no meaning here, and is dropped."""
    try:
        entries = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return []
    if not isinstance(entries, list):
        return []
    return [e for e in entries if isinstance(e, list) and len(e) in (2, 3) and isinstance(e[0], list) and e[0]]


def _with_leftovers(raw: Raw, lost: list[JSON]) -> Raw:
    if not lost:
        return raw
    metadata = dict(raw.get("metadata") or {})
    annotations = dict(metadata.get("annotations") or {})
    annotations[constants.CONVERSION_DATA_ANNOTATION] = codec.encode_json(lost).decode()
    return {**raw, "metadata": {**metadata, "annotations": annotations}}


def _differences(found: JSON, wanted: JSON, path: tuple[str, ...]) -> Iterator[JSON]:
    """Entries `[path, digest of what is found, what is wanted]`; without the last where it should not be there."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for key in found.keys() | wanted.keys():
            if path or key in ("spec", "status"):
                yield from _differences(found.get(key, _MISSING), wanted.get(key, _MISSING), (*path, key))
    elif found is _MISSING and wanted is not _MISSING:
        yield [list(path), _ABSENT, wanted]
    elif wanted is _MISSING and found is not _MISSING:
        yield [list(path), _digest(found)]
    elif found is not wanted and found != wanted:
        yield [list(path), _digest(found), wanted]


def _digest(value: JSON) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()[:16]


def _put_back(raw: Raw, entries: list[JSON]) -> Raw:
    for path, digest, *wanted in entries:
        changed: Raw = _put(raw, path, digest, wanted)
        raw = changed
    return raw


def _put(value: JSON, path: list[str], digest: str, wanted: list[JSON]) -> JSON:
    """The value with one field as it was, where nothing else happened to that field meanwhile."""
    if not isinstance(value, Mapping):
        return value
    key, *rest = path
    if rest:
        if key not in value and (digest != _ABSENT or not wanted):
            return value
        return {**value, key: _put(value.get(key, {}), rest, digest, wanted)}
    if (_digest(value[key]) if key in value else _ABSENT) != digest:
        return value
    without = {k: v for k, v in value.items() if k != key}
    return {**without, key: wanted[0]} if wanted else without


# --- objects


def _to_new(raw: Mapping[str, Any]) -> Raw:
    return _object(raw, NEW, _spec_to_new, _status_to_new)


def _to_old(raw: Mapping[str, Any]) -> Raw:
    return _object(raw, OLD, _spec_to_old, _status_to_old)


def _object(raw: Mapping[str, Any], version: str, spec: Callable[[Raw], Raw], status: Callable[[Raw], Raw]) -> Raw:
    result = {**raw, "apiVersion": f"{GROUP}/{version}"}
    if raw.get("kind") == "KubeadmConfigTemplate":
        return _at(result, ("spec", "template", "spec"), spec)
    result = _at(result, ("spec",), spec)
    if "status" in raw:
        result["status"] = status(raw["status"])
        if not result["status"]:
            del result["status"]
    return result


_CONVERSIONS: dict[str, Callable[[Mapping[str, Any]], Raw]] = {NEW: _to_new, OLD: _to_old}


# --- specs


def _spec_to_new(spec: Raw) -> Raw:
    spec = {k: v for k, v in spec.items() if k != "useExperimentalRetryJoin"}
    health_check = _seconds(_get(spec, "clusterConfiguration", "apiServer", "timeoutForControlPlane"))
    tls_bootstrap = _seconds(_get(spec, "joinConfiguration", "discovery", "timeout"))
    spec = _at(spec, ("clusterConfiguration",), _cluster_to_new)
    spec = _at(spec, ("initConfiguration",), _init_to_new)
    spec = _at(spec, ("joinConfiguration",), _join_to_new)
    if health_check is not None:
        spec = _set(spec, health_check, "initConfiguration", "timeouts", "controlPlaneComponentHealthCheckSeconds")
        spec = _set(spec, health_check, "joinConfiguration", "timeouts", "controlPlaneComponentHealthCheckSeconds")
    if tls_bootstrap is not None:
        spec = _set(spec, tls_bootstrap, "joinConfiguration", "timeouts", "tlsBootstrapSeconds")
    compact: Raw = _compact(_partitions(spec, lambda p: _drop(p, "layout") if p.get("diskLayout") else p))
    return compact


def _spec_to_old(spec: Raw) -> Raw:
    health_check = _get(spec, "initConfiguration", "timeouts", "controlPlaneComponentHealthCheckSeconds")
    tls_bootstrap = _get(spec, "joinConfiguration", "timeouts", "tlsBootstrapSeconds")
    spec = _at(spec, ("clusterConfiguration",), lambda part: _components(part, _arguments_to_old))
    spec = _at(spec, ("initConfiguration",), _init_to_old)
    spec = _at(spec, ("joinConfiguration",), lambda part: _registration(_drop(part, "timeouts"), _arguments_to_old))
    spec = {k: v for k, v in spec.items() if v != {} or k == "ntp"}
    if health_check is not None:
        timeout = documents.duration(health_check)
        spec = _set(spec, timeout, "clusterConfiguration", "apiServer", "timeoutForControlPlane")
    if tls_bootstrap is not None:
        spec = _set(spec, documents.duration(tls_bootstrap), "joinConfiguration", "discovery", "timeout")
    return _partitions(spec, lambda p: {"layout": False, **p})


def _cluster_to_new(cluster: Raw) -> Raw:
    cluster = _drop(cluster, "apiVersion", "kind", "clusterName", "kubernetesVersion", "networking")
    cluster = _at(cluster, ("apiServer",), lambda part: _drop(part, "timeoutForControlPlane"))
    return _components(cluster, _arguments_to_new)


def _init_to_new(init: Raw) -> Raw:
    return _tokens(_registration(_drop(init, "apiVersion", "kind"), _arguments_to_new), _token_to_new)


def _init_to_old(init: Raw) -> Raw:
    return _tokens(_registration(_drop(init, "timeouts"), _arguments_to_old), _token_to_old)


def _join_to_new(join: Raw) -> Raw:
    join = _at(_drop(join, "apiVersion", "kind"), ("discovery",), lambda part: _drop(part, "timeout"))
    return _registration(join, _arguments_to_new)


def _components(cluster: Raw, change: Callable[[JSON], JSON]) -> Raw:
    for path in (*((name,) for name in _COMPONENTS), ("etcd", "local")):
        cluster = _at(cluster, (*path, "extraArgs"), change)
    return cluster


def _registration(part: Raw, change: Callable[[JSON], JSON]) -> Raw:
    return _at(part, ("nodeRegistration", "kubeletExtraArgs"), change)


def _arguments_to_new(arguments: Mapping[str, str]) -> list[Raw]:
    return [{"name": name, "value": arguments[name]} for name in sorted(arguments)]


def _arguments_to_old(arguments: list[Raw]) -> Raw:
    """NB: of an argument given twice, the last stays; the list itself is kept as what is left over."""
    return {argument["name"]: argument["value"] for argument in arguments}


def _tokens(part: Raw, change: Callable[[Raw], Raw]) -> Raw:
    return _at(part, ("bootstrapTokens",), lambda tokens: [change(token) for token in tokens])


def _token_to_new(token: Raw) -> Raw:
    seconds = _seconds(token.get("ttl"))
    return _drop(token, "ttl") | ({} if seconds is None else {"ttlSeconds": seconds})


def _token_to_old(token: Raw) -> Raw:
    seconds = token.get("ttlSeconds")
    return _drop(token, "ttlSeconds") | ({} if seconds is None else {"ttl": documents.duration(seconds)})


def _partitions(spec: Raw, change: Callable[[Raw], Raw]) -> Raw:
    return _at(spec, ("diskSetup", "partitions"), lambda partitions: [change(p) for p in partitions])


# --- status


def _status_to_new(status: Raw) -> Raw:
    result = _drop(status, "ready", "conditions", "failureReason", "failureMessage", "v1beta2")
    legacy = {k: status[k] for k in ("conditions", "failureReason", "failureMessage") if status.get(k)}
    if legacy:
        result["deprecated"] = {"v1beta1": legacy}
    if status.get("ready"):
        result["initialization"] = {"dataSecretCreated": True}
    if conditions := _get(status, "v1beta2", "conditions"):
        result["conditions"] = conditions
    if not result.get("observedGeneration", 1):
        del result["observedGeneration"]
    return result


def _status_to_old(status: Raw) -> Raw:
    result = _drop(status, "deprecated", "conditions", "initialization")
    result |= _get(status, "deprecated", "v1beta1") or {}
    if (created := _get(status, "initialization", "dataSecretCreated")) is not None:
        result["ready"] = created
    if conditions := status.get("conditions"):
        result["v1beta2"] = {"conditions": conditions}
    return result


# --- reading and changing JSON


def _get(value: JSON, *path: str) -> JSON:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _at(value: Raw, path: tuple[str, ...], change: Callable[[Any], JSON]) -> Raw:
    """The value with what is at the path changed; itself where nothing is there."""
    key, *rest = path
    if value.get(key) is None:
        return value
    return {**value, key: _at(value[key], tuple(rest), change) if rest else change(value[key])}


def _set(value: Raw, leaf: JSON, *path: str) -> Raw:
    key, *rest = path
    return {**value, key: _set(value.get(key) or {}, leaf, *rest) if rest else leaf}


def _drop(value: Raw, *names: str) -> Raw:
    return {k: v for k, v in value.items() if k not in names}


def _compact(value: JSON, key: str = "spec") -> JSON:
    """Without empty objects and lists, which v1beta2 refuses, but for those whose being there says something."""
    if isinstance(value, Mapping):
        compact = {k: _compact(v, k) for k, v in value.items()}
        return {k: v for k, v in compact.items() if v not in ({}, []) or k in _MEANINGFUL_WHEN_EMPTY}
    if isinstance(value, list):
        return [_compact(item, key) for item in value]
    return value


def _seconds(duration: JSON) -> int | None:
    """A Go duration in whole seconds; None where there is none, or nothing that can be read."""
    try:
        return int(durations.parse(duration)) if isinstance(duration, str) else None
    except ValueError:
        return None
