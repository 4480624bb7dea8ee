"""What the composition root takes from the development provider: its kinds, their rules, its controllers."""

from __future__ import annotations

from collections.abc import Iterable

from capipool import sdk
from capipool.api.constants import Label
from capipool.api.core import Cluster
from capipool.machinery.admission import Rules
from capipool.machinery.crd import AGE, Column, Scale, Version, crd
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.dev import admission
from capipool.providers.dev.api.cloud import DevInstance, DevScalingGroup
from capipool.providers.dev.api.cluster import DevCluster
from capipool.providers.dev.api.machine import DevMachine, DevMachineTemplate
from capipool.providers.dev.api.machinepool import DevMachinePool
from capipool.providers.dev.cloud import Cloud
from capipool.providers.dev.cluster import DevClusterReconciler
from capipool.providers.dev.kubelets import Kubelets
from capipool.providers.dev.provider import DevPoolProvider
from capipool.providers.dev.spaces import WorkloadSpaces
from capipool.runtime.manager import Manager
from capipool.workload.connections import Connections

LABELS = {Label.PROVIDER_NAME: "infrastructure-dev", "cluster.x-k8s.io/v1beta2": "v1beta2"}
"""Which of our versions follows which contract, for tools and core to look for."""

_CLUSTER = Column("Cluster", r".metadata.labels['cluster\.x-k8s\.io/cluster-name']")


def setup(manager: Manager, connections: Connections, spaces: WorkloadSpaces, *, concurrency: int = 20) -> None:
    """Add the development cloud to a manager: its own machinery, and the controllers of its provider."""
    cloud = Cloud(manager)
    cloud.add_to(manager.controller("devscalinggroup", cloud, concurrency=concurrency))
    sdk.setup(manager, connections, DevPoolProvider(manager), concurrency=concurrency)
    manager.add_task("simulated kubelets", Kubelets(manager, connections).run)
    clusters = DevClusterReconciler(manager, connections, spaces)
    controller = manager.controller("devcluster", clusters, concurrency=4)
    controller.watch(clusters.objects, _cluster_changed)
    controller.watch(clusters.clusters, _owner_changed)


def crds() -> list[Raw]:
    """The definitions of the provider's kinds, and of the cloud's own."""
    return [
        _kind(DevCluster, _CLUSTER, AGE),
        _kind(
            DevMachinePool,
            _CLUSTER,
            Column("Replicas", ".status.replicas", "integer"),
            Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
            Column("Why", '.status.conditions[?(@.type=="Ready")].reason'),
            AGE,
        ),
        _kind(DevMachine, _CLUSTER, Column("Provider ID", ".spec.providerID", priority=10), AGE),
        _kind(DevMachineTemplate, AGE),
        crd(
            Version(
                type=DevScalingGroup,
                storage=True,
                columns=(
                    Column("Cluster", ".spec.clusterName"),
                    Column("Desired", ".spec.replicas", "integer"),
                    Column("Revision", ".spec.template.revision"),
                    Column("Problem", ".status.problem"),
                    AGE,
                ),
                scale=Scale(),
            ),
            short_names=("dsg",),
            categories=("dev-cloud",),
        ),
        crd(
            Version(
                type=DevInstance,
                storage=True,
                columns=(
                    Column("Group", ".spec.group"),
                    Column("Zone", ".spec.zone"),
                    Column("Version", ".spec.version"),
                    Column("Revision", ".spec.revision"),
                    Column("Failure", ".status.message"),
                    AGE,
                ),
            ),
            short_names=("di",),
            categories=("dev-cloud",),
        ),
    ]


def rules() -> list[Rules]:
    """What admission does for the provider's kinds."""
    return admission.rules()


def _kind(type_: type, *columns: Column) -> Raw:
    return crd(
        Version(type=type_, storage=True, columns=columns),
        categories=("cluster-api",),
        labels=LABELS,
    )


def _cluster_changed(old: DevCluster | None, new: DevCluster | None) -> Iterable[ObjectKey]:
    """Its own status is written here, and is no news."""
    if new is None:
        return ()
    return () if old is not None and _facts(old) == _facts(new) else [new.key]


def _facts(obj: DevCluster) -> tuple[object, ...]:
    meta = obj.metadata
    return (meta.uid, obj.spec, meta.annotations, meta.deletion_timestamp, meta.owner_references)


def _owner_changed(old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
    """A Cluster that comes, is paused, or goes on."""
    if new is None or new.spec.infrastructure_ref is None:
        return ()
    if old is not None and (old.spec.paused, old.spec.infrastructure_ref) == (
        new.spec.paused,
        new.spec.infrastructure_ref,
    ):
        return ()
    reference = new.spec.infrastructure_ref
    same = reference.group_kind == DevCluster.RESOURCE.group_kind
    return [ObjectKey(new.metadata.namespace, reference.name)] if same else ()
