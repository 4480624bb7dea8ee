"""What the composition root may tell the reconcilers of core."""

from __future__ import annotations

from dataclasses import dataclass

from capipool.api import labels
from capipool.machinery.objects import Object


@dataclass(frozen=True, slots=True)
class Options:
    """Which objects to reconcile, and how many at once."""

    namespace: str = ""
    """Reconcile objects of this namespace only; empty means all namespaces."""
    watch_filter: str = ""
    """Reconcile objects whose label `cluster.x-k8s.io/watch-filter` has this value only; empty means all objects."""
    machine_pool: bool = True
    """The feature gate `MachinePool`. Off: no controller touches pools, and those that exist stay as they are."""
    concurrency: int = 10
    """Objects of one kind that are reconciled at the same time."""

    def selects(self, obj: Object) -> bool:
        """Whether an object is ours to reconcile."""
        if self.namespace and obj.metadata.namespace != self.namespace:
            return False
        return labels.is_watched(obj.metadata.labels, self.watch_filter)
