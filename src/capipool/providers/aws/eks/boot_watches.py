"""Which change elsewhere makes which boot data be looked at again. Used by `bootstrapping`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from capipool.api.core import Cluster, Machine, MachinePool, MachineSpec
from capipool.machinery import objects
from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.eks import boot_world
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.api.eksconfig import EKSConfig
from capipool.providers.aws.eks.api.nodeadmconfig import NodeadmConfig
from capipool.providers.aws.eks.deciding import AUTHORITY_ANNOTATION, SERVICES_ANNOTATION
from capipool.runtime.cache import Caches
from capipool.runtime.controller import Controller
from capipool.sdk.inputs import SecretMeta
from capipool.workload.connections import kubeconfig_secret_name

BY_SECRET = "eks.secret"


class Watches:
    """Maps changes to the configurations of one kind."""

    def __init__(self, caches: Caches, kind: type[NodeadmConfig] | type[EKSConfig]) -> None:
        self._kind = kind.RESOURCE.group_kind
        self._by_cluster = f"eks.{kind.RESOURCE.kind}"
        self._configs = caches.of(kind)
        self._machines = caches.of(Machine)
        self._pools = caches.of(MachinePool)
        self._clusters = caches.of(Cluster)
        self._control_planes = caches.of(AWSManagedControlPlane)
        self._secrets = caches.of(SecretMeta)
        self._configs.add_index(BY_SECRET, _secrets_of)
        self._machines.add_index(self._by_cluster, lambda machine: self._cluster_of(machine, machine.spec))
        self._pools.add_index(self._by_cluster, lambda pool: self._cluster_of(pool, pool.spec.template.spec))

    def add_to(self, controller: Controller) -> None:
        """Have the controller watch all that matters."""
        controller.watch(self._configs, _config_changed)
        controller.watch(self._machines, self._machine_changed)
        controller.watch(self._pools, self._pool_changed)
        controller.watch(self._clusters, self._cluster_changed)
        controller.watch(self._control_planes, self._control_plane_changed)
        controller.watch(self._secrets, self._secret_changed)

    def _cluster_of(self, owner: Object, spec: MachineSpec) -> Iterable[str]:
        """Only owners that boot from this kind are worth finding."""
        namespace = owner.metadata.namespace
        return [str(ObjectKey(namespace, spec.cluster_name))] if self._config_of(namespace, spec) else []

    def _config_of(self, namespace: str, spec: MachineSpec) -> list[ObjectKey]:
        reference = spec.bootstrap.config_ref
        return [ObjectKey(namespace, reference.name)] if reference and reference.group_kind == self._kind else []

    def _machine_changed(self, old: Machine | None, new: Machine | None) -> Iterable[ObjectKey]:
        if new is None or (old is not None and old.spec == new.spec):
            return ()
        return self._config_of(new.metadata.namespace, new.spec)

    def _pool_changed(self, old: MachinePool | None, new: MachinePool | None) -> Iterable[ObjectKey]:
        if new is None or (old is not None and old.spec.template == new.spec.template):
            return ()
        return self._config_of(new.metadata.namespace, new.spec.template.spec)

    def _cluster_changed(self, old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
        if new is None or (old is not None and _of_cluster(old) == _of_cluster(new)):
            return ()
        return self._of_cluster(new.key)

    def _of_cluster(self, cluster: ObjectKey) -> list[ObjectKey]:
        specs = [machine.spec for machine in self._machines.by(self._by_cluster, str(cluster))]
        specs += [pool.spec.template.spec for pool in self._pools.by(self._by_cluster, str(cluster))]
        return [key for spec in specs for key in self._config_of(cluster.namespace, spec)]

    def _control_plane_changed(
        self, old: AWSManagedControlPlane | None, new: AWSManagedControlPlane | None
    ) -> Iterable[ObjectKey]:
        if new is None or (old is not None and _of_control_plane(old) == _of_control_plane(new)):
            return ()
        namespace, kind = new.metadata.namespace, Cluster.RESOURCE.group_kind
        owners = [o.name for o in new.metadata.owner_references if o.group_kind == kind]
        return [key for name in owners for key in self._of_cluster(ObjectKey(namespace, name))]

    def _secret_changed(self, old: SecretMeta | None, new: SecretMeta | None) -> Iterable[ObjectKey]:
        """A secret that content comes from, a data secret that somebody deleted or changed, a kubeconfig that came."""
        secret = new or old
        if secret is None:
            return ()
        namespace, name = secret.key
        owned = [o.name for o in secret.metadata.owner_references if o.group_kind == self._kind]
        found = {ObjectKey(namespace, owner) for owner in owned}
        found |= {config.key for config in self._configs.by(BY_SECRET, str(secret.key))}
        suffix = kubeconfig_secret_name("")
        if old is None and name.endswith(suffix):
            found |= set(self._of_cluster(ObjectKey(namespace, name.removesuffix(suffix))))
        return found


def _secrets_of(config: NodeadmConfig | EKSConfig) -> Iterable[str]:
    spec = objects.to_raw(config).get("spec") or {}
    return [str(ObjectKey(config.metadata.namespace, name)) for name in boot_world.secret_names(spec)]


def _config_changed(
    old: NodeadmConfig | EKSConfig | None, new: NodeadmConfig | EKSConfig | None
) -> Iterable[ObjectKey]:
    """All but its own status, which only the reconciler writes."""
    return () if new is None or (old is not None and _of_config(old) == _of_config(new)) else [new.key]


def _of_config(config: NodeadmConfig | EKSConfig) -> Any:
    meta = config.metadata
    return config.spec, meta.labels, meta.annotations, meta.owner_references, meta.deletion_timestamp


def _of_cluster(cluster: Cluster) -> Any:
    return cluster.spec, cluster.status.initialization


def _of_control_plane(obj: AWSManagedControlPlane) -> Any:
    marks = obj.metadata.annotations
    facts = tuple(marks.get(name) for name in (AUTHORITY_ANNOTATION, SERVICES_ANNOTATION))
    return obj.spec.eks_cluster_name, obj.spec.control_plane_endpoint, facts, obj.metadata.owner_references
