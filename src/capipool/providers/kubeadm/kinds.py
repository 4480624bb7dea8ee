"""The kinds of the kubeadm provider: definitions, rules and conversions. Imported by who serves or installs them."""

from __future__ import annotations

from capipool.api.constants import Label
from capipool.machinery.admission import Converter, Rules
from capipool.machinery.crd import AGE, Column, Version, Webhook, crd
from capipool.machinery.objects import Raw
from capipool.providers.kubeadm import admission, conversion
from capipool.providers.kubeadm.api.v1beta1.kubeadmconfig import KubeadmConfig as OldKubeadmConfig
from capipool.providers.kubeadm.api.v1beta1.kubeadmconfig import KubeadmConfigTemplate as OldKubeadmConfigTemplate
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig, KubeadmConfigTemplate

LABELS = {
    Label.PROVIDER_NAME: "bootstrap-kubeadm",
    "cluster.x-k8s.io/v1beta1": "v1beta1",
    "cluster.x-k8s.io/v1beta2": "v1beta2",
}
"""Which of our versions follows which contract, for tools and core to look for."""

_CLUSTER = Column("Cluster", r".metadata.labels['cluster\.x-k8s\.io/cluster-name']")


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
