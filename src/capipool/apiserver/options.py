"""Query parameters and delete options as data, read strictly: what the server does not understand it refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, cast

import msgspec

from capipool.apiserver.builtin import protobuf
from capipool.machinery import codec
from capipool.machinery.calls import Call
from capipool.machinery.errors import BadRequest, Invalid, not_supported
from capipool.machinery.resource import GroupKind

FieldValidation = Literal["Ignore", "Warn", "Strict"]
Propagation = Literal["Orphan", "Background", "Foreground"]
_TRUE = ("true", "1", "t", "T", "TRUE", "True")
_FALSE = ("false", "0", "f", "F", "FALSE", "False", "")


class WriteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What creates, updates and patches can be told."""

    dry_run: bool = False
    field_manager: str = ""
    field_validation: FieldValidation = "Warn"
    force: bool = False


_PLAIN = WriteOptions()


class DeleteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What deletions can be told."""

    dry_run: bool = False
    propagation: Propagation | None = None
    uid: str = ""
    resource_version: str = ""
    grace_period_seconds: int | None = None


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean parameter, false when absent. Raises BadRequest."""
    value = query.get(name, "")
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise BadRequest(f"invalid value {value!r} for the parameter {name}: it must be true or false")


def number(query: Mapping[str, str], name: str) -> int:
    """A whole number, 0 when absent. Raises BadRequest."""
    value = query.get(name, "")
    if not value:
        return 0
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise BadRequest(f"invalid value {value!r} for the parameter {name}: it must be a whole number, 0 or more")
    return int(value)


def revision(text: str) -> int:
    """A resourceVersion as a number, 0 when empty. Raises BadRequest."""
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadRequest(f"invalid resource version {text!r}")
    return int(text)


def write_options(call: Call) -> WriteOptions:
    """The options of a write. Raises BadRequest or Invalid."""
    query = call.query
    if not query:
        return _PLAIN
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Ignore", "Warn", "Strict"):
        errors = [not_supported("fieldValidation", validation, ("Ignore", "Warn", "Strict"))]
        raise Invalid.of(GroupKind("meta.k8s.io", "CreateOptions"), "", errors)
    return WriteOptions(
        dry_run=_dry_run(query.get("dryRun", "")),
        field_manager=query.get("fieldManager", ""),
        field_validation=cast(FieldValidation, validation),
        force=flag(query, "force"),
    )


def delete_options(call: Call) -> DeleteOptions:
    """The options of a deletion, from its body and its query. Raises BadRequest or Invalid."""
    if not call.body and not call.query:
        return DeleteOptions()
    body = _delete_body(call)
    query = call.query
    grace = body.get("gracePeriodSeconds")
    if grace is None and query.get("gracePeriodSeconds"):
        grace = number(query, "gracePeriodSeconds")
    orphan = body.get("orphanDependents")
    propagation = body.get("propagationPolicy") or query.get("propagationPolicy") or None
    if propagation is None and isinstance(orphan, bool):
        propagation = "Orphan" if orphan else "Background"
    if propagation not in (None, "Orphan", "Background", "Foreground"):
        errors = [not_supported("propagationPolicy", propagation, ("Foreground", "Background", "Orphan"))]
        raise Invalid.of(GroupKind("meta.k8s.io", "DeleteOptions"), "", errors)
    preconditions = body.get("preconditions") or {}
    return DeleteOptions(
        dry_run=_dry_run(body.get("dryRun") or query.get("dryRun", "")),
        propagation=cast(Propagation | None, propagation),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        grace_period_seconds=max(grace, 0) if grace is not None else None,
    )


class _Preconditions(msgspec.Struct, rename="camel"):
    uid: str | None = None
    resource_version: str | None = None


class _DeleteBody(msgspec.Struct, rename="camel"):
    grace_period_seconds: int | None = None
    preconditions: _Preconditions | None = None
    orphan_dependents: bool | None = None
    propagation_policy: str | None = None
    dry_run: list[str] | None = None


def _delete_body(call: Call) -> dict[str, Any]:
    if not call.body:
        return {}
    raw = decode_body(call.body, call.content_type)
    try:
        msgspec.convert(raw, _DeleteBody)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the delete options are malformed: {error}") from error
    return raw


def _dry_run(value: str | list[str]) -> bool:
    values = [value] if isinstance(value, str) else value
    wanted = [v for v in values if v]
    if any(v != "All" for v in wanted):
        errors = [not_supported("dryRun", wanted, ("All",))]
        raise Invalid.of(GroupKind("meta.k8s.io", "CreateOptions"), "", errors)
    return bool(wanted)


def decode_body(body: bytes, content_type: str) -> dict[str, Any]:
    """The object in a body, JSON, YAML or protobuf by its content type. Raises BadRequest, UnsupportedMediaType."""
    if content_type.startswith(protobuf.MEDIA_TYPE):
        return protobuf.decode(body)
    if "yaml" in content_type:
        documents = list(codec.decode_yaml(body, "the body"))
        if len(documents) != 1 or not isinstance(documents[0], dict):
            raise BadRequest("the body must hold exactly one object")
        return documents[0]
    return decode_object(body)


MAX_DEPTH = 200
"""How deeply a body may nest: what works on objects recurses, and must never run out of stack half-way."""


def decode_object(body: bytes) -> dict[str, Any]:
    """A JSON object from a client. Raises BadRequest where it is malformed or nests too deeply."""
    value = decode_any(body)
    if not isinstance(value, dict):
        raise BadRequest(f"the body is not a JSON object but {type(value).__name__}")
    return value


def decode_any(body: bytes) -> Any:
    """JSON from a client. Raises BadRequest where it is malformed or nests too deeply."""
    try:
        value = codec.decode_json(body)
    except RecursionError:
        raise _too_deep() from None
    # Only what has so many brackets can be so deep: most bodies are let through at the speed of counting.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise _too_deep()
    return value


def _too_deep() -> BadRequest:
    return BadRequest(f"the body nests more than {MAX_DEPTH} levels deep")


_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')


def _depth(body: bytes) -> int:
    """How deeply JSON nests. It must be well formed: in what is not, looking for the end of a string may take long."""
    deepest = depth = 0
    for token in _TOKENS.findall(body):
        if token in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in b"]}":
            depth -= 1
    return deepest
