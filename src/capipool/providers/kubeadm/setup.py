"""What the composition root takes from the kubeadm provider: its kinds, their rules and conversion, its controller."""

from __future__ import annotations

import random
from functools import partial

from capipool.api.constants import Label
from capipool.machinery.admission import Converter, Rules
from capipool.machinery.crd import AGE, Column, Version, Webhook, crd
from capipool.machinery.objects import Raw
from capipool.providers.kubeadm import admission, conversion
from capipool.providers.kubeadm.api.v1beta1.kubeadmconfig import KubeadmConfig as OldKubeadmConfig
from capipool.providers.kubeadm.api.v1beta1.kubeadmconfig import KubeadmConfigTemplate as OldKubeadmConfigTemplate
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig, KubeadmConfigTemplate
from capipool.providers.kubeadm.apply import Applier
from capipool.providers.kubeadm.observe import Observer
from capipool.providers.kubeadm.reconciler import KubeadmConfigReconciler, Watches
from capipool.providers.kubeadm.world import Settings
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.workload.connections import Connections

NAME = "kubeadmconfig"
LABELS = {
    Label.PROVIDER_NAME: "bootstrap-kubeadm",
    "cluster.x-k8s.io/v1beta1": "v1beta1",
    "cluster.x-k8s.io/v1beta2": "v1beta2",
}
"""Which of our versions follows which contract, for tools and core to look for."""

_CLUSTER = Column("Cluster", r".metadata.labels['cluster\.x-k8s\.io/cluster-name']")


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


def crds(webhook: Webhook | None = None) -> list[Raw]:
    """The definitions of the provider's kinds. With a webhook, a real cluster converts through it."""
    return [
        crd(
            Version(type=OldKubeadmConfig, deprecated=True, columns=(_CLUSTER, AGE)),
            Version(type=KubeadmConfig, storage=True, columns=_COLUMNS),
            categories=("cluster-api",),
            labels=LABELS,
            webhook=webhook,
        ),
        crd(
            Version(type=OldKubeadmConfigTemplate, deprecated=True, status=False, columns=(AGE,)),
            Version(type=KubeadmConfigTemplate, storage=True, status=False, columns=_TEMPLATE_COLUMNS),
            categories=("cluster-api",),
            labels=LABELS,
            webhook=webhook,
        ),
    ]


_COLUMNS = (
    _CLUSTER,
    Column("Paused", '.status.conditions[?(@.type=="Paused")].status', priority=10),
    Column("Data secret created", ".status.initialization.dataSecretCreated"),
    AGE,
)
_TEMPLATE_COLUMNS = (
    Column("ClusterClass", '.metadata.ownerReferences[?(@.kind=="ClusterClass")].name'),
    Column("Cluster", '.metadata.ownerReferences[?(@.kind=="Cluster")].name'),
    AGE,
)


def rules() -> list[Rules]:
    """What admission does for the provider's kinds."""
    return admission.rules()


def converters() -> list[Converter]:
    """How the versions of the provider's kinds become each other."""
    kinds = (KubeadmConfig.RESOURCE.kind, KubeadmConfigTemplate.RESOURCE.kind)
    return [Converter(group=conversion.GROUP, kind=kind, convert=conversion.convert) for kind in kinds]
