"""The end of a node group: it goes, then the launch template, then the role; whatever is missing counts as gone.

Used by the reconciler. Given only the object: its MachinePool, Cluster and control plane may be gone.
"""

from __future__ import annotations

import contextlib

from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.eks.nodegroups import picture, roles
from capipool.providers.aws.eks.nodegroups.cloud import Home
from capipool.providers.aws.eks.nodegroups.deciding import Note
from capipool.providers.aws.eks.nodegroups.keeping import CLUSTER_ANNOTATION, Keeper, name_of
from capipool.providers.aws.eks.nodegroups.picture import MOST_ISSUES, NodeGroup
from capipool.providers.aws.places import Places
from capipool.runtime.events import EventRecorder
from capipool.sdk import NotOwned, OperationInProgress, ProviderError


class Remover:
    """Removes what was made for pools."""

    def __init__(self, keeper: Keeper, places: Places, events: EventRecorder) -> None:
        self._keeper = keeper
        self._places = places
        self._events = events

    async def remove(self, obj: AWSManagedMachinePool) -> Note | None:
        """Take one step; None once nothing is left. Idempotent. Raises ProviderError, ApiError."""
        home = self._home(obj)
        if home is None:
            said = f"nothing says any more where node group {name_of(obj)} would be: if there is one, it is left"
            self._events.event(obj, "Warning", "EKSNodegroupKept", said)
            return None
        group = await self._keeper.nodegroups.look(home)
        if group is not None and picture.is_ours(obj, group, home.place.cluster):
            return await self._remove_group(obj, home, group)
        if group is not None:
            said = f"node group {home.name} is left as it is: it is another's"
            self._events.event(obj, "Normal", "EKSNodegroupKept", said)
        if obj.spec.aws_launch_template is not None:
            with contextlib.suppress(NotOwned):
                await self._keeper.templates.delete(home.place, obj)
        await roles.delete(home.place, obj)
        self._keeper.forget(obj)
        return None

    def _home(self, obj: AWSManagedMachinePool) -> Home | None:
        place = self._places.of_object(obj)
        cluster = obj.metadata.annotations.get(CLUSTER_ANNOTATION) or (place.kubernetes if place is not None else "")
        return Home(place, cluster, name_of(obj)) if place is not None and cluster else None

    async def _remove_group(self, obj: AWSManagedMachinePool, home: Home, group: NodeGroup) -> Note:
        failed = group.status == picture.DELETE_FAILED
        said = f"the node group is {group.status}"
        if group.issues:
            said += f": {'; '.join(group.issues[:MOST_ISSUES])}"
        try:
            await self._keeper.nodegroups.delete(home, group)
        except OperationInProgress:
            return Note("Deleting", f"{said}; it is deleted when that has ended", "Info")
        except ProviderError as error:
            self._events.event(obj, "Warning", "FailedDeleteEKSNodegroup", str(error))
            return Note("DeletingFailed", str(error), "Error")
        self._keeper.nodegroups.drop(home, group)
        if failed:
            return Note("DeletingFailed", f"{said}. It is tried again", "Error")
        return Note("Deleting", "the node group is being deleted", "Info")
