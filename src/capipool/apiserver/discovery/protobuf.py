"""The OpenAPI v2 document in the protobuf form that older kubectls (1.26 and before) insist on.

A writer for just the messages of gnostic's OpenAPIv2.proto that such a document needs. Each function gives the bytes of
one message; a field number stands beside the field it is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""What the answer is called: the `@` that older clients ask with is no media type that they could read back."""

_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
_BYTES = 2
"""The wire type of everything here but booleans: a length, and so many bytes."""


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, content: bytes | str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _true(number: int) -> bytes:
    return _varint(number << 3) + b"\x01"


def _named(name: str, value: bytes) -> bytes:
    """Any of the `Named...` messages: name = 1, value = 2."""
    return _field(1, name) + _field(2, value)


def encode(document: Mapping[str, Any]) -> bytes:
    """`Document`: swagger = 1, info = 2, paths = 8, definitions = 9."""
    info = _field(1, document["info"]["title"]) + _field(2, document["info"]["version"])
    paths = b"".join(_field(2, _named(path, _path_item(item))) for path, item in document["paths"].items())
    definitions = b"".join(_field(1, _named(name, _schema(s))) for name, s in document["definitions"].items())
    return _field(1, document["swagger"]) + _field(2, info) + _field(8, paths) + _field(9, definitions)


def _path_item(item: Mapping[str, Any]) -> bytes:
    return b"".join(_field(_METHODS[method], _operation(operation)) for method, operation in item.items())


def _operation(operation: Mapping[str, Any]) -> bytes:
    """`Operation`: consumes = 7, parameters = 8, responses = 9, vendor_extension = 13."""
    consumes = b"".join(_field(7, each) for each in operation.get("consumes") or ())
    parameters = b"".join(_field(8, _query_parameter(p)) for p in operation.get("parameters") or ())
    responses = b"".join(_field(1, _named(code, _response(r))) for code, r in operation["responses"].items())
    return consumes + parameters + _field(9, responses) + _extensions(operation, 13)


def _query_parameter(parameter: Mapping[str, Any]) -> bytes:
    """`ParametersItem` of a `Parameter` of a `NonBodyParameter` of a `QueryParameterSubSchema`."""
    inner = _field(2, parameter["in"]) + _field(4, parameter["name"]) + _field(6, parameter["type"])
    return _field(1, _field(2, _field(3, inner)))


def _response(response: Mapping[str, Any]) -> bytes:
    """`ResponseValue` of a `Response`: description = 1."""
    return _field(1, _field(1, response["description"]))


def _schema(schema: Mapping[str, Any]) -> bytes:
    """`Schema`: _ref = 1, format = 2, description = 4, required = 19, and what it holds; vendor_extension = 31."""
    if "$ref" in schema:
        return _field(1, schema["$ref"])
    out = b"".join(_field(n, schema[k]) for k, n in (("format", 2), ("description", 4)) if k in schema)
    out += b"".join(_field(19, name) for name in schema.get("required") or ())
    if isinstance(schema.get("additionalProperties"), Mapping):
        out += _field(21, _field(1, _schema(schema["additionalProperties"])))
    elif schema.get("additionalProperties") is True:
        out += _field(21, _true(2))
    if "type" in schema:
        out += _field(22, _field(1, schema["type"]))
    if "items" in schema:
        out += _field(23, _field(1, _schema(schema["items"])))
    if "properties" in schema:
        out += _field(25, _named_schemas(schema["properties"].items()))
    return out + _extensions(schema, 31)


def _named_schemas(schemas: Iterable[tuple[str, Mapping[str, Any]]]) -> bytes:
    return b"".join(_field(1, _named(name, _schema(schema))) for name, schema in schemas)


def _extensions(holder: Mapping[str, Any], number: int) -> bytes:
    """`NamedAny` with an `Any` whose yaml = 2; JSON is YAML."""
    return b"".join(
        _field(number, _named(key, _field(2, msgspec.json.encode(value))))
        for key, value in holder.items()
        if key.startswith("x-")
    )
