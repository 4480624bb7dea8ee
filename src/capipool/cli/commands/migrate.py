"""`capipool migrate`: plan, apply, undo, commit on a cluster, and convert on files."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from capipool.app import kinds
from capipool.cli import console
from capipool.cli.commands import apply as files
from capipool.cli.commands import logging
from capipool.cli.options import Output
from capipool.cli.progress import Progress
from capipool.cli.session import connect
from capipool.cli.table import align
from capipool.machinery import codec
from capipool.machinery.clock import SystemClock
from capipool.migrate import apply as applying
from capipool.migrate import commit as committing
from capipool.migrate import observe, offline, planning
from capipool.migrate import plan as plans
from capipool.migrate import undo as undoing
from capipool.migrate.apply import Refused, WrongPhase
from capipool.migrate.conversion.chain import CannotConvert
from capipool.migrate.naming import GROUPS, NameTaken, Renaming
from capipool.migrate.plan import Plan
from capipool.migrate.run import Failed, Run, Settings
from capipool.migrate.source import ClusterSource, FileSource, Source

_EVERY_SECONDS = 1.0
"""Between two lines of progress where no terminal shows them in place."""
_SHOWN = 6
"""Changes that a row of the table names."""


def renaming(given: Sequence[str]) -> Renaming:
    """The renaming that `--rename OLD=NEW` adds to. Ends with the exit code for wrong usage where one is malformed."""
    groups = dict(GROUPS)
    for pair in given:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            console.usage(f"--rename {pair}: write it as OLD=NEW, two API groups")
        groups[old] = new
    return Renaming(groups)


async def plan(
    paths: Sequence[str], *, output: Output, kubeconfig: Path | None, rename: Sequence[str], recursive: bool
) -> int:
    """Show what a migration would do. Exit code 1 where something stands in the way."""
    names = renaming(rename)
    if paths:
        raws = [document.raw for document in files.read(paths, recursive=recursive)]
        made = await _plan(FileSource(raws, kinds.crds(), renaming=names), names, output)
    else:
        async with connect(kubeconfig) as session:
            made = await _plan(ClusterSource(session.client), names, output)
    show(made, output)
    return console.FAILURE if made.obstacles else 0


async def _plan(source: Source, names: Renaming, output: Output) -> Plan:
    with _Told(output) as told:
        return await planning.plan(await observe.scene(source, names, kinds.converters), told.tell)


def show(made: Plan, output: Output) -> None:
    """Print a plan: for a program, or as a table and what stands in the way."""
    if output is Output.json:
        console.out(codec.format_json(plans.as_json(made)))
        return
    if made.moves or made.touches:
        rows = [["ACTION", "OBJECT", "BECOMES", "CHANGES"]]
        for move in made.moves:
            rows.append(["move", str(move.source), f"{move.target.kind} {move.version}", _cut(move.changes)])
        rows += [["follow", str(touch.ref), "", _cut(touch.changes)] for touch in made.touches]
        for line in align(rows):
            console.out(line)
    for move in made.moves:
        for path in move.dropped:
            console.out(f"dropped: {move.source}: {path}")
    for name, versions in made.stored.items():
        console.out(f"stored: {name} remembers {', '.join(versions)}")
    for obstacle in made.obstacles:
        console.out(console.style(f"obstacle: {obstacle}", "red"))
    console.out(str(plans.summary(made)))


async def apply(
    *,
    kubeconfig: Path | None,
    rename: Sequence[str],
    namespace: str | None,
    pause_timeout: float,
    controllers_stopped: bool,
) -> int:
    """Migrate. Exit code 1 where anything failed, with the list."""

    async def work(run: Run) -> int:
        made = await applying.apply(run)
        if not made.moves:
            console.out("nothing to migrate: no object of the old groups is left")
        else:
            console.out(f"migrated and verified: {plans.summary(made)}")
            console.out(
                "everything is still paused, and the old objects are there: look, then `capipool migrate commit`"
            )
        return 0

    return await _run(
        work, kubeconfig, rename, namespace, pause_timeout=pause_timeout, controllers_stopped=controllers_stopped
    )


async def undo(*, kubeconfig: Path | None, namespace: str | None) -> int:
    """Bring back the beginning."""

    async def work(run: Run) -> int:
        console.out("everything is as it was" if await undoing.undo(run) else "nothing to undo")
        return 0

    return await _run(work, kubeconfig, (), namespace)


async def commit(*, kubeconfig: Path | None, namespace: str | None) -> int:
    """End the migration."""

    async def work(run: Run) -> int:
        console.out("committed" if await committing.commit(run) else "committed before")
        return 0

    return await _run(work, kubeconfig, (), namespace)


async def convert(paths: Sequence[str], *, output: Output, rename: Sequence[str], recursive: bool) -> int:
    """Convert files to standard output; what is dropped is told on standard error."""
    raws = [document.raw for document in files.read(paths, recursive=recursive)]
    names = renaming(rename)
    scene = await observe.scene(FileSource(raws, kinds.crds(), renaming=names), names, kinds.converters)
    try:
        results = offline.convert(scene, raws)
    except (CannotConvert, NameTaken) as error:
        raise console.Failure(str(error)) from error
    for result in results:
        for path in result.dropped:
            console.note(f"dropped: {result.ref}: {path}")
    if output is Output.json:
        items = [result.object for result in results]
        console.out(codec.format_json({"apiVersion": "v1", "kind": "List", "items": items}))
    else:
        console.out("---\n".join(codec.encode_yaml(result.object) for result in results).rstrip())
    return 0


async def _run(
    work: Callable[[Run], Awaitable[int]],
    kubeconfig: Path | None,
    rename: Sequence[str],
    namespace: str | None,
    **settings: Any,
) -> int:
    names = renaming(rename)
    logging.configure("warning", "auto")
    async with connect(kubeconfig) as session:
        with _Told(Output.table) as told:
            run = Run(
                client=session.client,
                renaming=names,
                converters=kinds.converters,
                clock=SystemClock(),
                rng=random.SystemRandom(),
                settings=Settings(namespace=namespace or session.namespace, **settings),
                tell=told.tell,
            )
            return await _reported(work(run))


async def _reported(work: Awaitable[int]) -> int:
    """What a run ends with; what went wrong is listed."""
    try:
        return await work
    except Refused as error:
        for obstacle in error.plan.obstacles:
            console.note(f"obstacle: {obstacle}")
        console.note(f"error: {error}")
    except Failed as error:
        for failure in error.failures:
            console.note(f"failed: {failure}")
        console.note(f"error: {error}; it can be given again, and goes on where it was")
    except WrongPhase as error:
        console.note(f"error: {error}")
    return console.FAILURE


def _cut(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:_SHOWN])
    return f"{shown}, and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else shown


class _Told:
    """Progress, now and then: thousands of objects would be thousands of lines. Nothing where a program reads."""

    def __init__(self, output: Output) -> None:
        self._progress = Progress() if output is Output.table else None
        self._last = 0.0

    def __enter__(self) -> _Told:
        if self._progress is not None:
            self._progress.__enter__()
        return self

    def __exit__(self, *ended: object) -> None:
        if self._progress is not None:
            self._progress.__exit__(None, None, None)

    def tell(self, text: str) -> None:
        """Show where the work is, unless it was shown just now."""
        now = asyncio.get_running_loop().time()
        if self._progress is not None and now - self._last >= _EVERY_SECONDS:
            self._last = now
            self._progress.update(text)
