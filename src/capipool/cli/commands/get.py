"""`capipool get`: tables as `kubectl` prints them, or the objects as JSON or YAML; `--watch` follows changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capipool.cli import console, kinds, table
from capipool.cli.kinds import Kind
from capipool.cli.options import Output
from capipool.cli.session import Session, connect
from capipool.machinery import codec


@dataclass(frozen=True, slots=True)
class Query:
    """What to show."""

    kind: Kind
    name: str | None
    namespace: str
    """Empty for all namespaces, and for kinds that have none."""
    labels: str
    output: Output
    all_namespaces: bool

    @property
    def path(self) -> str:
        """The collection's or the object's REST path."""
        return self.kind.resource.path(self.namespace or None, self.name)


async def get(
    words: Sequence[str],
    *,
    kubeconfig: Path | None,
    namespace: str | None,
    every: bool,
    labels: str,
    output: Output,
    watch: bool,
) -> int:
    """Print what matches; with `watch`, then a line for each change until interrupted."""
    word, name = kinds.split_target(words)
    if name and every:
        raise kinds.BadWords("a name goes with one namespace: leave --all-namespaces away")
    async with connect(kubeconfig) as session:
        kind = kinds.find(await session.kinds(), word)
        scope = "" if every or not kind.resource.namespaced else namespace or session.namespace
        query = Query(kind, name, scope, labels, output, every and kind.resource.namespaced)
        if output in (Output.table, Output.wide):
            await _tables(session, query, watch)
        elif watch:
            raise kinds.BadWords("--watch prints tables: leave --output away, or say -o wide")
        else:
            _print(await session.fetch(query.path, labels=query.labels), query)
    return 0


def _print(found: dict[str, Any], query: Query) -> None:
    match query.output:
        case Output.yaml:
            console.out(codec.encode_yaml(found).rstrip())
        case Output.name:
            group = f".{query.kind.resource.group}" if query.kind.resource.group else ""
            for item in found.get("items", [found]):
                console.out(f"{query.kind.resource.kind.lower()}{group}/{item['metadata']['name']}")
        case _:
            console.out(codec.format_json(found))


async def _tables(session: Session, query: Query, watch: bool) -> None:
    first = await session.fetch(query.path, labels=query.labels, as_table=True)
    shown = table.columns(first, wide=query.output is Output.wide)
    found = table.rows(first, shown, namespaces=query.all_namespaces)
    if len(found) == 1 and not watch:
        console.note(_nothing(query))
        return
    widths = table.measure(found)
    for line in table.align(found, widths):
        console.out(line)
    if watch:
        await _follow(session, query, shown, widths, str(first["metadata"].get("resourceVersion", "")))


def _nothing(query: Query) -> str:
    where = f" in namespace {query.namespace}" if query.namespace else ""
    return f"No {query.kind.resource.plural} found{where}."


async def _follow(session: Session, query: Query, shown: Sequence[int], widths: list[int], since: str) -> None:
    """Print the row of each object that changes. Ends with the connection or with Ctrl-C."""
    fields = f"metadata.name={query.name}" if query.name else ""
    watching = session.client.watch(
        query.kind.resource, query.namespace, labels=query.labels, fields=fields, resource_version=since
    )
    async for event in watching:
        if event.object is None:
            continue
        key = event.object.key
        path = query.kind.resource.path(key.namespace or None, key.name)
        try:
            row = await session.fetch(path, as_table=True)
        except console.Failure:
            continue
        for line in table.align(table.rows(row, shown, namespaces=query.all_namespaces)[1:], widths):
            console.out(line)
        await asyncio.sleep(0)
