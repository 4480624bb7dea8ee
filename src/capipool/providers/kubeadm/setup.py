"""What the composition root takes from the kubeadm provider to run it: its controller."""

from __future__ import annotations

import random
from functools import partial

from capipool.providers.kubeadm.apply import Applier
from capipool.providers.kubeadm.observe import Observer
from capipool.providers.kubeadm.reconciler import KubeadmConfigReconciler, Watches
from capipool.providers.kubeadm.world import Settings
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.workload.connections import Connections

NAME = "kubeadmconfig"


def setup(
    manager: Manager,
    connections: Connections,
    *,
    settings: Settings | None = None,
    concurrency: int = 10,
    token_rng: random.Random | None = None,
) -> Controller:
    """Add the controller of KubeadmConfigs to a manager.

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
    controller = manager.controller(NAME, reconciler, concurrency=concurrency)
    watches = Watches(caches=manager.caches, client=manager.client, connections=connections)
    watches.add_to(controller)
    manager.add_task(f"{NAME} secrets", partial(watches.follow_secrets, controller))
    return controller
