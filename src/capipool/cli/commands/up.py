"""`capipool up`: the one process, from its ready line to its orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from pathlib import Path
from typing import NoReturn

from capipool.app import gates
from capipool.app import providers as known
from capipool.app.clouds import Clouds
from capipool.app.datadir import DataDirInUse, DataDirUnusable
from capipool.app.embedded import Embedded
from capipool.app.providers import UnknownProvider
from capipool.app.settings import Settings
from capipool.cli import console
from capipool.cli.commands import logging
from capipool.runtime import logs
from capipool.runtime.logs import Level


def up(
    *,
    data_dir: Path,
    host: str,
    port: int,
    controllers: bool,
    namespace: str,
    watch_filter: str,
    providers: str,
    feature_gates: str,
    log_level: Level,
    log_format: str,
) -> NoReturn:
    """Serve until SIGTERM or Ctrl-C, then end with exit code 0. Usage errors end with 2, failures with 1."""
    try:
        enabled = gates.parse(feature_gates, os.environ)
        chosen = known.parse(providers)
    except (gates.UnknownGate, UnknownProvider) as error:
        console.usage(str(error))
    logging.configure(log_level, log_format)
    settings = Settings(
        data_dir=data_dir,
        host=host,
        port=port,
        controllers=controllers,
        namespace=namespace,
        watch_filter=watch_filter,
        providers=chosen,
        clouds=Clouds.of(os.environ),
        gates=enabled,
    )
    console.run(_serve(settings), loop_factory=console.fast_loop)


_GC_THRESHOLDS = (20_000, 50, 100)
"""Objects live as long as a cache holds them: looking for garbage among them often is work for nothing."""


async def _serve(settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop_or_die, stop, number)
    gc.set_threshold(*_GC_THRESHOLDS)
    try:
        async with Embedded(settings) as running:
            console.out(f"capipool is ready at {running.url}  KUBECONFIG={running.data_dir.kubeconfig}")
            # What logs import takes a while: off the loop, and not before the process serves.
            await asyncio.gather(asyncio.to_thread(logs.preload), _until(stop, running))
            console.note("capipool is stopping")
    except (DataDirInUse, DataDirUnusable) as error:
        raise console.Failure(str(error)) from None
    return 0


async def _until(stop: asyncio.Event, running: Embedded) -> None:
    """Wait for the signal, or for a part of the process to fail, which ends it all."""
    stopping = asyncio.create_task(stop.wait())
    failed = asyncio.create_task(running.failed())
    try:
        await asyncio.wait({stopping, failed}, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
    finally:
        for task in (stopping, failed):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


def _stop_or_die(stop: asyncio.Event, number: int) -> None:
    """The first signal asks for an orderly end; a second Ctrl-C does not wait for it. Nothing acknowledged is lost."""
    if stop.is_set() and number == signal.SIGINT:
        os._exit(console.INTERRUPTED)
    stop.set()
