"""What the composition root takes from the AWS provider to run it: its controllers."""

from __future__ import annotations

import importlib.util
import random
from functools import partial

from capipool import sdk
from capipool.api import labels
from capipool.providers.aws import watching
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.cluster import AWSClusterReconciler
from capipool.providers.aws.eks import setup as eks
from capipool.providers.aws.identities import keeping
from capipool.providers.aws.identities.finding import Identities
from capipool.providers.aws.kinds import crds, rules
from capipool.providers.aws.machines import setup as machines
from capipool.providers.aws.provider import AWSPoolProvider
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import Selecting
from capipool.sdk import Intervals, news
from capipool.workload.connections import Connections

__all__ = ["available", "crds", "rules", "setup"]


def available() -> bool:
    """Whether AWS's library is installed. Looks for it without importing it, which takes its time."""
    return importlib.util.find_spec("boto3") is not None


def setup(
    manager: Manager,
    connections: Connections,
    *,
    rng: random.Random,
    region: str = "",
    endpoint: str = "",
    calls: Calls | None = None,
    intervals: Intervals | None = None,
    concurrency: int = 20,
    watch_filter: str = "",
    machine_pools: bool = True,
) -> None:
    """Add the AWS provider to a manager.

    `region` is for clusters that name none, `endpoint` is another's than AWS's own; credentials come by the library's
    own chain. `calls` is for who makes them by other means; `intervals` is how often pools and machines are looked
    at. With `watch_filter` it sees to objects alone that carry it as their label `cluster.x-k8s.io/watch-filter`.
    Without `machine_pools` it sees to clusters and single machines alone.
    """
    made = calls or Calls(rng=rng, endpoint=endpoint)
    if machine_pools:
        provider = AWSPoolProvider(manager, made, default_region=region)
        provider.intervals = intervals or provider.intervals
        pools = sdk.setup(manager, connections, provider, concurrency=concurrency, watch_filter=watch_filter)
        watching.watch(pools, manager)
    clusters = AWSClusterReconciler(manager, made, default_region=region)
    selecting = Selecting(clusters, clusters.objects.get, partial(labels.selects, watch_filter))
    controller = manager.controller("awscluster", selecting, concurrency=4)
    controller.watch(clusters.objects, news.of_object)
    controller.watch(clusters.clusters, news.infrastructure_of(AWSCluster))
    clusters.remains.watch(controller, clusters.objects)
    watching.watch_clusters(controller, manager, clusters.objects)
    keeping.setup(manager)
    machines.setup(
        manager,
        made,
        default_region=region,
        intervals=intervals,
        concurrency=concurrency,
        watch_filter=watch_filter,
    )
    identities = Identities(manager.client, manager.caches, made)
    eks.setup(
        manager,
        connections,
        calls=made,
        calls_of=identities.calls,
        region=region,
        intervals=intervals,
        watch_filter=watch_filter,
        machine_pools=machine_pools,
    )
