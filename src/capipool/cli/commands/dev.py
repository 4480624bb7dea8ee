"""`capipool dev azure`: the Resource Manager of `capipool.testing.azure` as a process, for tests in any language."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
from pathlib import Path

from capipool.cli import console
from capipool.testing import azure

CLIENT = "capipool"
"""A client id and a secret to show: the server lets everybody in."""


async def serve_azure(
    *, port: int, directory: Path, subscription: str, locations: str, groups: str, boot: float, operation: float
) -> int:
    """Serve until SIGTERM or Ctrl-C. Prints what clients need as shell variables, then one line that it is ready."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options = azure.Options(
        port=port,
        directory=directory / "azure",
        subscription=subscription or azure.Options.subscription,
        locations=_names(locations, "--locations"),
        groups=_names(groups, "--groups"),
        timing=azure.Timing(
            operation=dt.timedelta(seconds=operation),
            boot=dt.timedelta(seconds=boot),
            delete=dt.timedelta(seconds=operation),
            upgrade=dt.timedelta(seconds=boot),
            eviction=dt.timedelta(seconds=operation),
        ),
    )
    async with azure.serve(options) as arm:
        for name, value in _variables(arm).items():
            console.out(f"export {name}={value}")
        console.out(f"capipool dev azure is ready at {arm.url}  CA={arm.ca_file}")
        await stop.wait()
        console.note("capipool dev azure is stopping")
    return 0


def _names(text: str, option: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        console.usage(f"{option} must name at least one")
    return names


def _variables(arm: azure.Arm) -> dict[str, str]:
    """What azure-identity reads from the environment, and what is left for the client's own code to use."""
    return {
        "AZURE_SUBSCRIPTION_ID": arm.subscription,
        "AZURE_TENANT_ID": arm.tenant,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_CLIENT_SECRET": CLIENT,
        "AZURE_AUTHORITY_HOST": arm.url,
        "AZURE_RESOURCE_MANAGER": arm.url,
        "SSL_CERT_FILE": str(arm.ca_file),
    }
