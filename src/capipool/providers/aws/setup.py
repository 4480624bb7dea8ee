"""What the composition root takes from the AWS provider to run it: its controllers."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Iterable

from capipool import sdk
from capipool.api.core import Cluster
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.cluster import AWSClusterReconciler
from capipool.providers.aws.kinds import crds, rules
from capipool.providers.aws.provider import AWSPoolProvider
from capipool.runtime.manager import Manager
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
    concurrency: int = 20,
) -> None:
    """Add the AWS provider to a manager.

    `region` is for clusters that name none, `endpoint` is another's than AWS's own; credentials come by the library's
    own chain. `calls` is for who makes them by other means.
    """
    made = calls or Calls(rng=rng, endpoint=endpoint)
    sdk.setup(manager, connections, AWSPoolProvider(manager, made, default_region=region), concurrency=concurrency)
    clusters = AWSClusterReconciler(manager, made, default_region=region)
    controller = manager.controller("awscluster", clusters, concurrency=4)
    controller.watch(clusters.objects, _cluster_changed)
    controller.watch(clusters.clusters, _owner_changed)


def _cluster_changed(old: AWSCluster | None, new: AWSCluster | None) -> Iterable[ObjectKey]:
    """Its own status is written here, and is no news."""
    if new is None:
        return ()
    return () if old is not None and _facts(old) == _facts(new) else [new.key]


def _facts(obj: AWSCluster) -> tuple[object, ...]:
    meta = obj.metadata
    return (meta.uid, obj.spec, meta.annotations, meta.deletion_timestamp, meta.owner_references)


def _owner_changed(old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
    """A Cluster that comes, is paused, or goes on."""
    if new is None or new.spec.infrastructure_ref is None:
        return ()
    reference = new.spec.infrastructure_ref
    if old is not None and (old.spec.paused, old.spec.infrastructure_ref) == (new.spec.paused, reference):
        return ()
    same = reference.group_kind == AWSCluster.RESOURCE.group_kind
    return [ObjectKey(new.metadata.namespace, reference.name)] if same else ()
