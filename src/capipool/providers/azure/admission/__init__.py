"""What admission says to the kinds of the Azure provider. Pure, and free of Azure's libraries.

The rules hold on create and on update alike, and refuse what only Azure would refuse, minutes later. A field that is
accepted and not acted on is answered with a warning that names it. What needs other objects, as the version of a
pool's MachinePool, is not for admission, which sees one object: the reconcilers say it in a condition.
"""

from __future__ import annotations

from capipool.machinery.admission import Rules
from capipool.providers.azure.admission import clusteridentities, clusters, machines, managed, pools


def rules() -> list[Rules]:
    """The rules of every kind."""
    return [*pools.rules(), *clusters.rules(), *clusteridentities.rules(), *machines.rules(), *managed.rules()]
