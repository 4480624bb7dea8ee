"""What the composition root takes from the Azure provider to run it: its controllers."""

from __future__ import annotations

import asyncio
import importlib.util
import random
from functools import partial

from capipool.api import labels
from capipool.providers.azure.aks import setup as aks
from capipool.providers.azure.calls import Calls
from capipool.providers.azure.cluster import AGAIN, AzureClusterReconciler
from capipool.providers.azure.identities import keeping
from capipool.providers.azure.identities.credentials import TOKEN_FILE
from capipool.providers.azure.identities.finding import Identities
from capipool.providers.azure.kinds import crds, rules
from capipool.providers.azure.machines.files import TemplateFiles
from capipool.providers.azure.machines.reconciler import INTERVALS, AzureMachineReconciler
from capipool.providers.azure.pools import setup as pools
from capipool.runtime import logs
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import Selecting
from capipool.sdk import Intervals
from capipool.workload.connections import Connections

__all__ = ["available", "crds", "rules", "setup"]

_log = logs.Logger("capipool.providers.azure.setup")

_CLOSING_SECONDS = 5.0
_LIBRARIES = ("azure.core", "azure.identity", "azure.mgmt.compute")


def available() -> bool:
    """Whether Azure's libraries are installed. Looks for them without importing them, which takes its time."""
    try:
        return all(importlib.util.find_spec(name) is not None for name in _LIBRARIES)
    except ModuleNotFoundError:  # the package `azure` itself is not there
        return False


def setup(
    manager: Manager,
    connections: Connections,
    *,
    rng: random.Random,
    subscription: str = "",
    token_file: str = "",
    endpoint: str = "",
    authority: str = "",
    ca_file: str = "",
    intervals: Intervals | None = None,
    machine_intervals: Intervals | None = None,
    concurrency: int = 20,
    watch_filter: str = "",
    machine_pools: bool = True,
) -> None:
    """Add the Azure provider to a manager.

    `subscription` is for clusters that name none; `token_file` holds the pod's own token for workload identity.
    `endpoint`, `authority` and `ca_file` are another's than Azure's own. `intervals` is how often pools are looked at,
    `machine_intervals` how often single machines are, and clusters that lack something. With `watch_filter` it sees to
    objects alone that carry it as their label `cluster.x-k8s.io/watch-filter`. Without `machine_pools` it sees to
    clusters and single machines alone.
    """
    selects = partial(labels.selects, watch_filter)
    identities = Identities(
        manager.client, manager.caches, subscription=subscription, token_file=token_file or TOKEN_FILE
    )
    calls = Calls(credentials=identities.credential, endpoint=endpoint, authority=authority, ca_file=ca_file)
    manager.add_task("azure's connections", partial(_close_at_end, calls))
    if machine_pools:
        pools.setup(
            manager,
            connections,
            calls,
            identities,
            concurrency=concurrency,
            watch_filter=watch_filter,
            intervals=intervals,
        )
    aks.setup(
        manager,
        calls,
        identities,
        concurrency=concurrency,
        watch_filter=watch_filter,
        intervals=intervals,
        cluster_intervals=machine_intervals,
        machine_pools=machine_pools,
    )
    often = machine_intervals or INTERVALS
    machines = AzureMachineReconciler(manager, calls, identities, intervals=often)
    selecting = Selecting(machines, machines.objects.get, selects)
    machines.add_to(manager.controller("azuremachine", selecting, concurrency=concurrency))
    files = TemplateFiles(manager, identities)
    selecting = Selecting(files, files.objects.get, selects)
    files.add_to(manager.controller("azuremachinetemplate-files", selecting, concurrency=4))
    keeping.setup(manager)
    clusters = AzureClusterReconciler(manager, calls, identities, again=often.converging or AGAIN)
    selecting = Selecting(clusters, clusters.objects.get, selects)
    clusters.add_to(manager.controller("azurecluster", selecting, concurrency=4))


async def _close_at_end(calls: Calls) -> None:
    """Close the connections once the manager stops, which ends its tasks after its controllers.

    What goes wrong then must not get out: the manager would take it for a failure, and wait to begin this anew.
    """
    try:
        await asyncio.Event().wait()
    finally:
        try:
            async with asyncio.timeout(_CLOSING_SECONDS):
                await calls.close()
        except Exception as error:
            _log.warning("azure's connections were not closed", exc_info=error)
