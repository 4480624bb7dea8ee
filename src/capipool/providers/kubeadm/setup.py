"""What the composition root takes from the kubeadm provider to run it: its controller."""

from __future__ import annotations

import random
from functools import partial

from capipool.api import labels
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig
from capipool.providers.kubeadm.apply import Applier
from capipool.providers.kubeadm.observe import Observer
from capipool.providers.kubeadm.reconciler import KubeadmConfigReconciler, Watches
from capipool.providers.kubeadm.world import Settings
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import Selecting
from capipool.workload.connections import Connections

NAME = "kubeadmconfig"


def setup(
    manager: Manager,
    connections: Connections,
    *,
    settings: Settings | None = None,
    concurrency: int = 10,
    token_rng: random.Random | None = None,
    watch_filter: str = "",
) -> Controller:
    """Add the controller of KubeadmConfigs to a manager.

    With `watch_filter` it sees to objects alone that carry it as their label `cluster.x-k8s.io/watch-filter`.

    `token_rng` makes the tokens: the operating system's randomness unless a test gives its own.
    """
    settings = settings or Settings()
    observer = Observer(client=manager.client, caches=manager.caches, connections=connections, clock=manager.clock)
    applier = Applier(
        client=manager.client,
        connections=connections,
        events=manager.events,
        settings=settings,
        rng=token_rng or random.SystemRandom(),
    )
    reconciler = KubeadmConfigReconciler(observer=observer, applier=applier, settings=settings)
    configs = manager.caches.of(KubeadmConfig)
    selecting = Selecting(reconciler, configs.get, partial(labels.selects, watch_filter))
    controller = manager.controller(NAME, selecting, concurrency=concurrency)
    watches = Watches(caches=manager.caches, client=manager.client, connections=connections)
    watches.add_to(controller)
    manager.add_task(f"{NAME} secrets", partial(watches.follow_secrets, controller))
    return controller
