"""Reconciles AWSManagedControlPlanes: reads the EKS cluster that they name, and keeps its kubeconfigs fresh.

Used by `setup`. Makes, changes and deletes nothing in AWS: the cluster is somebody else's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from capipool.api.core import Cluster
from capipool.machinery import objects
from capipool.providers.aws.api.cluster import IdentityReference
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.eks import deciding, kubeconfigs, naming, reading, tokens
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.eks.deciding import Plan
from capipool.providers.aws.eks.facts import EKSCluster
from capipool.providers.aws.machines.api import AWSMachine
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, RequeueAfter, Result
from capipool.sdk import Intervals, ProviderError, writes
from capipool.sdk import kubeconfigs as secrets
from capipool.sdk.inputs import cluster_of
from capipool.sdk.keeping import Remains
from capipool.sdk.managed import planes

CallsOf = Callable[[str, IdentityReference | None], Calls]
"""The calls for a namespace and an `identityRef`. Raises ProviderError where that may not be used."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the cluster is, and with whose calls it is read."""

    calls: Calls
    region: str
    name: str


class AWSManagedControlPlaneReconciler(planes.Reader[AWSManagedControlPlane]):
    """Takes an AWSManagedControlPlane to what its cluster is."""

    finalizer: ClassVar = "awsmanagedcontrolplane.controlplane.cluster.x-k8s.io"

    def __init__(
        self,
        manager: Manager,
        calls_of: CallsOf,
        *,
        default_region: str = "",
        intervals: Intervals = planes.INTERVALS,
    ) -> None:
        super().__init__(manager, AWSManagedControlPlane, intervals)
        self._calls_of = calls_of
        self._default_region = default_region
        self.remains = Remains(manager.caches, (AWSMachinePool, AWSManagedMachinePool, AWSMachine))

    async def _look(self, obj: AWSManagedControlPlane, cluster: Cluster) -> dt.timedelta | None:
        region = region_of(obj, self._default_region)
        if not region:
            await self._write(obj, deciding.unknown_region(obj, self._clock.now()))
            return None
        calls = self._calls_of(obj.metadata.namespace, obj.spec.identity_ref)
        return await self._follow(obj, cluster, _Place(calls, region, name_of(obj)))

    async def _fail(self, obj: AWSManagedControlPlane, error: ProviderError) -> None:
        await self._write(obj, deciding.failed(obj, error, self._clock.now()))

    async def _follow(self, obj: AWSManagedControlPlane, cluster: Cluster, place: _Place) -> dt.timedelta:
        """Look, and write what is so. Returns when to look again. Raises ProviderError, ApiError."""
        keep = deciding.keeps_subnets(obj)
        seen = await reading.look(place.calls, place.region, place.name, obj, keep=keep)
        active = seen.cluster.status == "ACTIVE"
        left = self._rest if active else self._converging
        if seen.cluster.usable and seen.cluster.status != "DELETING":
            left = min(left, await self._keep_kubeconfig(obj, cluster, seen.cluster, place))
            await self._keep_people_kubeconfig(obj, cluster, seen.cluster, place.region)
        plan = deciding.decide(obj, seen, self._clock.now(), initialized=seen.cluster.usable)
        await self._write(obj, plan)
        return left

    # --- kubeconfigs

    async def _keep_kubeconfig(
        self, obj: AWSManagedControlPlane, cluster: Cluster, found: EKSCluster, place: _Place
    ) -> dt.timedelta:
        """The secret for controllers, its token younger than `REFRESH`. Returns when it is to be replaced.

        A secret of that name that a person made is left alone: it is how controllers reach a cluster whose access
        does not go by AWS's identities.
        """
        present = await secrets.find(self._client, cluster)
        if present is not None and not secrets.is_kept_by(present, obj):
            return self._rest
        token, left = kubeconfigs.token_of(present), dt.timedelta(0)
        if (signed := tokens.signed_at(token)) is not None:
            left = signed + tokens.REFRESH - self._clock.now()
        if left <= dt.timedelta(0):
            token, left = await tokens.make(place.calls, place.region, found.name), tokens.REFRESH
        data = kubeconfigs.of_controllers(found, token)
        await secrets.store(self._client, secrets.secret(obj, cluster, data), present)
        return left

    async def _keep_people_kubeconfig(
        self, obj: AWSManagedControlPlane, cluster: Cluster, found: EKSCluster, region: str
    ) -> None:
        data = kubeconfigs.of_people(found, method=obj.spec.token_method, region=region)
        present = await secrets.find(self._client, cluster, people=True)
        if present is None or secrets.is_kept_by(present, obj):
            await secrets.store(self._client, secrets.secret(obj, cluster, data, people=True), present)

    # --- the object itself

    async def _release(self, obj: AWSManagedControlPlane) -> Result:
        """The secrets go with the object that owns them. Not before its pools, for which it says who calls."""
        if waits := self.remains.waits_for(obj):
            await self._write(obj, deciding.waiting(obj, waits, self._clock.now()))
            return await self._stay_reachable(obj)
        said = f"the EKS cluster {name_of(obj)} is left as it is: capipool deletes no control plane"
        self._events.event(obj, "Normal", "EKSClusterKept", said)
        await writes.remove_finalizer(self._client, obj, self.finalizer)
        return DONE

    async def _stay_reachable(self, obj: AWSManagedControlPlane) -> Result:
        """The nodes of pools that are left are still to be drained: the token is not to run out meanwhile."""
        cluster, region = cluster_of(obj, self.clusters), region_of(obj, self._default_region)
        if cluster is None or not region:
            return DONE
        try:
            place = _Place(self._calls_of(obj.metadata.namespace, obj.spec.identity_ref), region, name_of(obj))
            seen = await reading.look(place.calls, region, place.name, obj, keep=True)
            usable = seen.cluster.usable and seen.cluster.status != "DELETING"
            left = await self._keep_kubeconfig(obj, cluster, seen.cluster, place) if usable else self._rest
        except ProviderError:
            return RequeueAfter(self._rest)
        return RequeueAfter(min(left, self._rest))

    async def _write(self, obj: AWSManagedControlPlane, plan: Plan) -> None:
        """Of the network, what was found is added to what there is."""
        spec = dict(plan.spec)
        if "network" in spec:
            network = (objects.to_raw(obj).get("spec") or {}).get("network") or {}
            vpc = {**(network.get("vpc") or {}), **spec["network"].get("vpc", {})}
            spec["network"] = {**network, **spec["network"]} | ({"vpc": vpc} if vpc else {})
        await writes.bring(self._client, obj, spec=spec, annotations=plan.annotations, status=plan.status)


def region_of(obj: AWSManagedControlPlane, default: str) -> str:
    """Where the cluster is; empty where nobody says."""
    return obj.spec.region or default


def name_of(obj: AWSManagedControlPlane) -> str:
    """The cluster's name: admission writes it, and an object that never went through admission has upstream's."""
    meta = obj.metadata
    return obj.spec.eks_cluster_name or naming.generated(meta.name, meta.namespace, limit=naming.CLUSTER_NAME_LIMIT)
