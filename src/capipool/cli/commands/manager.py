"""`capipool manager`: from the command line to the controllers, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import NoReturn

from capipool.app import gates, standalone
from capipool.app import providers as known
from capipool.app.clouds import Clouds
from capipool.app.providers import UnknownProvider
from capipool.app.standalone import StandaloneSettings
from capipool.cli import console
from capipool.cli.commands import logging
from capipool.client import credentials
from capipool.machinery.errors import NotFound
from capipool.runtime.logs import Level
from capipool.runtime.manager import LostLeadership, Manager


def manager(
    *,
    kubeconfig: Path | None,
    leader_elect: bool,
    metrics_port: int,
    namespace: str,
    watch_filter: str,
    providers: str,
    feature_gates: str,
    log_level: Level,
    log_format: str,
) -> NoReturn:
    """Run until SIGTERM or Ctrl-C, then end with exit code 0."""
    try:
        enabled = gates.parse(feature_gates, os.environ)
        chosen = known.parse(providers, among=known.STANDALONE)
    except (gates.UnknownGate, UnknownProvider) as error:
        console.usage(str(error))
    logging.configure(log_level, log_format)
    settings = StandaloneSettings(
        gates=enabled,
        leader_elect=leader_elect,
        namespace=namespace,
        watch_filter=watch_filter,
        providers=chosen,
        clouds=Clouds.of(os.environ),
        metrics_port=metrics_port,
    )
    console.run(_run(kubeconfig, settings), loop_factory=console.fast_loop)


async def _run(kubeconfig: Path | None, settings: StandaloneSettings) -> int:
    endpoint = credentials.find(os.environ, explicit=str(kubeconfig or ""))
    work = asyncio.create_task(standalone.run(endpoint, settings, _say_started))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        try:
            await work
        except NotFound as error:
            hint = "install the manifests first: capipool manifests | kubectl apply --server-side -f -"
            more = "or leave a provider out with --providers, or the lease with --no-leader-elect"
            raise console.Failure(f"{error}\n{hint}\n{more}") from None
        except LostLeadership as error:
            raise console.Failure(str(error) or "leadership was lost") from None
    return 0


async def _say_started(running: Manager) -> None:
    await running.started.wait()
    console.out("capipool manager is running")
