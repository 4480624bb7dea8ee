"""Every controller and provider, in one list: the map of what runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from capipool.app.clouds import Clouds
from capipool.core import setup as core
from capipool.core.options import Options
from capipool.providers.aws import setup as aws
from capipool.providers.azure import setup as azure
from capipool.providers.dev import setup as dev
from capipool.providers.dev.spaces import WorkloadSpaces
from capipool.providers.kubeadm import setup as kubeadm
from capipool.runtime.manager import Manager
from capipool.workload.connections import Connections


def add_all(
    manager: Manager,
    connections: Connections,
    *,
    gates: Mapping[str, bool],
    chosen: Collection[str],
    clouds: Clouds,
    spaces: WorkloadSpaces | None,
    watch_filter: str = "",
) -> None:
    """Add them to a manager, whose caches say which namespace they see.

    Of the providers, those `chosen` by name (`app.providers`). Without `spaces` there is no development cloud: it needs
    the embedded server. With `watch_filter` they see to objects alone that carry it as their label
    `cluster.x-k8s.io/watch-filter`.
    """
    pools = gates["MachinePool"]
    options = Options(namespace=manager.caches.namespace, watch_filter=watch_filter, machine_pool=pools)
    core.setup(manager, connections, options)
    if "kubeadm" in chosen:
        kubeadm.setup(manager, connections, watch_filter=watch_filter)
    if "dev" in chosen and spaces is not None:
        dev.setup(manager, connections, spaces, machine_pools=pools, watch_filter=watch_filter)
    if "aws" in chosen:
        aws.setup(
            manager,
            connections,
            rng=manager.rng,
            region=clouds.aws_region,
            machine_pools=pools,
            watch_filter=watch_filter,
        )
    if "azure" in chosen:
        azure.setup(
            manager,
            connections,
            rng=manager.rng,
            subscription=clouds.azure_subscription,
            token_file=clouds.azure_token_file,
            endpoint=clouds.azure_endpoint,
            authority=clouds.azure_authority,
            ca_file=clouds.azure_ca_file,
            machine_pools=pools,
            watch_filter=watch_filter,
        )
