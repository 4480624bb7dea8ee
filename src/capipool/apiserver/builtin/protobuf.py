"""Objects of built-in kinds as Go clients send them: Kubernetes' protobuf, turned into the JSON that is spoken here.

kubectl's `create` and `drain`, and every controller written in Go, send built-in kinds in this form and take JSON in
reply. The table beside this module (`protobuf.txt`) gives each message's fields as `number=name:type`, where a type is

    str int bool bytes json time microtime qty intstr         a scalar, or a message that JSON has as one
    Name  []T  {}T                                             another message, a repeated field, a map
    T?                                                         kept where it is zero; others are not told from absent

What a client of a newer version sends and the table does not know is dropped, as kube-apiserver does.
"""

from __future__ import annotations

import base64
import datetime as dt
import pathlib
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import msgspec

from capipool.machinery.clock import UTC, format_micro_time, format_time
from capipool.machinery.errors import BadRequest, UnsupportedMediaType
from capipool.machinery.objects import Raw

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_FIELD = re.compile(r"(\d+)=(\w+):((?:\[\]|\{\})?)(\w+)(\??)")


class _Field(NamedTuple):
    name: str
    shape: str
    type: str
    keeps_zero: bool


@cache
def _messages() -> dict[str, dict[int, _Field]]:
    text = pathlib.Path(__file__).with_name("protobuf.txt").read_text("utf-8")
    lines = (line.partition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {
        message: {
            int(n): _Field(name, shape, type_, zero == "?") for n, name, shape, type_, zero in _FIELD.findall(rest)
        }
        for message, _, rest in lines
    }


def decode(body: bytes) -> Raw:
    """The object in a body.

    Raises BadRequest where it is malformed, UnsupportedMediaType for a kind not in the table.
    """
    if not body.startswith(_MAGIC):
        raise BadRequest("the body is not Kubernetes protobuf: it does not begin with its mark")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        type_meta = dict(_fields(envelope.get(1, b"")))
        api_version, kind = type_meta.get(1, b"").decode(), type_meta.get(2, b"").decode()
        message = "EventsV1Event" if (api_version, kind) == ("events.k8s.io/v1", "Event") else kind
        if message not in _messages():
            raise UnsupportedMediaType(
                f"{api_version} {kind} is not understood as protobuf here: send application/json"
            )
        return {"apiVersion": api_version, "kind": kind, **_message(envelope.get(2, b""), message)}
    except (ValueError, IndexError, AttributeError, TypeError, OverflowError, msgspec.DecodeError) as error:
        raise BadRequest("the body is not Kubernetes protobuf: it is cut short or malformed") from error


def _message(data: bytes, name: str) -> Raw:
    fields = _messages()[name]
    result: Raw = {}
    for number, value in _fields(data):
        field = fields.get(number)
        if field is None:
            continue
        if field.shape == "{}":
            entry = dict(_fields(value))
            key = entry.get(1, b"").decode()
            result.setdefault(field.name, {})[key] = _value(entry.get(2, b""), field.type)
        elif field.shape == "[]":
            result.setdefault(field.name, []).append(_value(value, field.type))
        else:
            read = _value(value, field.type)
            if field.keeps_zero or read not in ("", 0, False, None, {}):
                result[field.name] = read
    return result


def _value(value: Any, type_: str) -> Any:
    read = _SCALARS.get(type_)
    return _message(value, type_) if read is None else read(value)


def _integer(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _time(form: Callable[[dt.datetime], str]) -> Callable[[bytes], str | None]:
    def read(value: bytes) -> str | None:
        parts = dict(_fields(value))
        if not parts:
            return None
        moment = dt.timedelta(seconds=_integer(parts.get(1, 0)), microseconds=parts.get(2, 0) // 1000)
        return form(dt.datetime(1970, 1, 1, tzinfo=UTC) + moment)

    return read


def _int_or_string(value: bytes) -> int | str:
    parts = dict(_fields(value))
    return _string(parts.get(3, b"")) if parts.get(1) else _integer(parts.get(2, 0))


def _string(value: bytes) -> str:
    return value.decode()


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "str": _string,
    "int": _integer,
    "bool": bool,
    "bytes": lambda value: base64.b64encode(value).decode(),
    "json": lambda value: msgspec.json.decode(dict(_fields(value)).get(1, b"{}")),
    "time": _time(format_time),
    "microtime": _time(format_micro_time),
    "qty": lambda value: _string(dict(_fields(value)).get(1, b"")),
    "intstr": _int_or_string,
}


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message.

    Numbers with integers or bytes. Raises ValueError or IndexError where it is malformed.
    """
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        wire = tag & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        if wire == 2:
            length, position = _varint(data, position)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if position + length > len(data):
            raise ValueError("cut short")
        yield tag >> 3, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return result, position
        shift += 7
        if shift > 63:
            raise ValueError("a number too long")
