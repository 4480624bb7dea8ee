"""Keeps the secret `<template>-azure-json` for each AzureMachineTemplate: boot data of machines takes a file from it.

A template does not say whose it is. The MachineDeployment or MachineSet that refers to it does.
"""

from __future__ import annotations

from collections.abc import Iterable

from capipool.api.core import Cluster, MachineDeployment, MachineSet
from capipool.machinery import objects
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.api.machine import AzureMachine, AzureMachineTemplate
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.identities.finding import Identities
from capipool.providers.azure.machines.model import as_pool
from capipool.providers.azure.pools.secrets import CloudConfigs
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager

User = MachineDeployment | MachineSet


class TemplateFiles(CloudConfigs[AzureMachineTemplate]):
    """The secrets of templates."""

    def __init__(self, manager: Manager, identities: Identities) -> None:
        super().__init__(manager, identities, AzureMachineTemplate)
        self._deployments = manager.caches.of(MachineDeployment)
        self._sets = manager.caches.of(MachineSet)

    def add_to(self, controller: Controller) -> None:
        """Have the controller watch all that the files are made from, and who uses a template."""
        super().add_to(controller)
        controller.watch(self._deployments, _user_changed)
        controller.watch(self._sets, _user_changed)

    def _pool(self, obj: AzureMachineTemplate) -> AzureMachinePool:
        machine = objects.new(AzureMachine, metadata=obj.metadata, spec=obj.spec.template.spec)
        return as_pool(machine, "")

    def _cluster(self, obj: AzureMachineTemplate) -> Cluster | None:
        namespace = obj.metadata.namespace
        users: list[User] = [*self._deployments.list(namespace), *self._sets.list(namespace)]
        named = sorted({user.spec.cluster_name for user in users if _used(user) == obj.key})
        return self._cluster_named(obj, named[0]) if named else None


def _used(user: User) -> ObjectKey | None:
    """The template that a deployment or a set refers to; None where that is of another kind."""
    reference = user.spec.template.spec.infrastructure_ref
    if reference.group_kind != AzureMachineTemplate.RESOURCE.group_kind:
        return None
    return ObjectKey(user.metadata.namespace, reference.name)


def _user_changed(old: User | None, new: User | None) -> Iterable[ObjectKey]:
    key = _used(new) if new is not None else None
    if key is None or (old is not None and _used(old) == key):
        return ()
    return (key,)
