"""Which version of a provider's kind is read, and by which contract: said by labels on its CustomResourceDefinition.

The label `cluster.x-k8s.io/<contract>` lists the versions that keep a contract, joined by underscores. Of several
contracts the newest that we know is taken, and of several versions of it the newest that is served.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from capipool.api.builtin import CustomResourceDefinition
from capipool.api.constants import GROUP
from capipool.machinery.resource import GroupKind

V1BETA1, V1BETA2 = "v1beta1", "v1beta2"
CONTRACTS = (V1BETA2, V1BETA1)
"""The contracts we know, the preferred one first."""

_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_STAGES = {"alpha": 0, "beta": 1, None: 2}


class Served(NamedTuple):
    """A version of a kind, and the contract by which it is read."""

    version: str
    contract: str


def served(definition: CustomResourceDefinition) -> Served | None:
    """How a kind is to be read; None where no label names a contract we know and a version that is served."""
    available = {version.name for version in definition.spec.versions if version.served}
    for contract in CONTRACTS:
        named = definition.metadata.labels.get(f"{GROUP}/{contract}", "").split("_")
        if found := available.intersection(named):
            return Served(max(found, key=age), contract)
    return None


def age(version: str) -> tuple[int, int, int]:
    """A key that sorts versions as Kubernetes does, the newest last: v1alpha2, v1beta1, v1, v2. Anything else first."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return (-1, 0, 0)
    return (_STAGES[found[2]], int(found[1]), int(found[3] or 0))


def version_of(kind: GroupKind, definitions: Iterable[CustomResourceDefinition]) -> str | None:
    """The version under which a reference to a kind is shown; None where the cluster does not have the kind so."""
    for definition in definitions:
        if definition.spec.group == kind.group and definition.spec.names.kind == kind.kind:
            found = served(definition)
            return found.version if found is not None else None
    return None
