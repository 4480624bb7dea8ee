"""A chain of conversions with the kinds of a cluster of today, and Azure's beside them."""

from __future__ import annotations

from capipool.app import kinds
from capipool.machinery.resource import GroupKind
from capipool.migrate.conversion.chain import Chain
from capipool.migrate.definitions import Definitions, stand_in
from capipool.migrate.naming import Renaming

AZURE = GroupKind("infrastructure.cluster.x-k8s.io", "AzureMachinePool")


def definitions() -> Definitions:
    return Definitions([*kinds.crds(), stand_in(AZURE, "v1beta1")])


def chain() -> Chain:
    found = definitions()
    return Chain.of(Renaming(), found.newest_version, kinds.converters(found.contract_version))
