"""`Table`, `PartialObjectMetadata` and `PartialObjectMetadataList` from raw objects."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec

from capipool.apiserver.builtin.definition import Column, Definition
from capipool.apiserver.printing import ages, jsonpath
from capipool.apiserver.printing.kinds import AGE, NAME, PRINTERS, Printer
from capipool.machinery.objects import Raw

Include = Literal["None", "Metadata", "Object"]
"""What each row carries of its object, as the query parameter `includeObject` says.

`Metadata` where it says nothing.
"""

META = "meta.k8s.io/v1"


def printers(definition: Definition) -> tuple[Printer, ...]:
    """The columns of a kind: its own, or those of its CRD after the name, or name and age."""
    if definition.builtin:
        return PRINTERS.get(definition.resource.group_kind, (NAME, AGE))
    if not definition.columns:
        return (NAME, AGE)
    return (NAME, *(Printer(column, _cell(column)) for column in definition.columns))


def table(
    definition: Definition,
    objects: Iterable[Raw],
    *,
    now: dt.datetime,
    include: Include = "Metadata",
    metadata: Mapping[str, Any] | None = None,
    headers: bool = True,
) -> Raw:
    """A table of objects.

    `metadata` is that of the list (resourceVersion, continue, remainingItemCount); a single object's table, and one in
    a watch event, takes the object's resourceVersion. `headers`: only the first event of a watch carries them.
    """
    columns = printers(definition)
    rows = [_row(columns, obj, now, include) for obj in objects]
    return {
        "kind": "Table",
        "apiVersion": META,
        "metadata": dict(metadata or {}),
        "columnDefinitions": [_header(p.column) for p in columns] if headers else [],
        "rows": rows,
    }


def _header(column: Column) -> Raw:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row(columns: tuple[Printer, ...], obj: Raw, now: dt.datetime, include: Include) -> Raw:
    row: Raw = {"cells": [printer.cell(obj, now) for printer in columns]}
    if include == "Metadata":
        row["object"] = partial(obj)
    elif include == "Object":
        row["object"] = obj
    return row


def partial(obj: Raw) -> Raw:
    """An object's `PartialObjectMetadata`."""
    return {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": obj.get("metadata") or {}}


def partial_list(objects: Iterable[Raw], metadata: Mapping[str, Any]) -> Raw:
    """A `PartialObjectMetadataList`."""
    items = [partial(obj) for obj in objects]
    return {"kind": "PartialObjectMetadataList", "apiVersion": META, "metadata": dict(metadata), "items": items}


def _cell(column: Column) -> Callable[[Mapping[str, Any], dt.datetime], Any]:
    find, show = jsonpath.compile(column.json_path), _SHOW.get(column.type, _text)

    def cell(obj: Mapping[str, Any], now: dt.datetime) -> Any:
        found = find(obj)
        return show(found[0], now) if found and found[0] is not None else None

    return cell


def _text(value: Any, _: dt.datetime) -> Any:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _integer(value: Any, _: dt.datetime) -> Any:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(value: Any, _: dt.datetime) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _boolean(value: Any, _: dt.datetime) -> Any:
    return value if isinstance(value, bool) else None


_SHOW: dict[str, Callable[[Any, dt.datetime], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": lambda value, now: ages.since(value, now),
}
