"""Reconciles AWSClusters as facts: the network, the security groups and the endpoint are found, never made.

Used by `setup`. What the spec gives is taken; the rest is found by tags, and the endpoint by the cluster's kubeconfig.
"""

from __future__ import annotations

import datetime as dt

from capipool.api import labels
from capipool.api.core import Cluster
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.identities.finding import Identities
from capipool.providers.aws.machines.api import AWSMachine
from capipool.providers.aws.network import FOUND_ANNOTATION, Facts, Networks
from capipool.runtime import reconcile
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import RequeueAfter, Result
from capipool.sdk import ProviderError, conditions, kubeconfigs, writes
from capipool.sdk.conditions import condition, merged
from capipool.sdk.inputs import cluster_of, is_paused
from capipool.sdk.keeping import Remains
from capipool.workload.connections import kubeconfig_secret_name

FINALIZER = "awscluster.infrastructure.cluster.x-k8s.io"
"""Upstream's. An AWSCluster stays until its pools and machines are gone: it says where they are, and who calls."""
AGAIN = dt.timedelta(seconds=20)
"""When to look again for what is missing."""
REST = dt.timedelta(minutes=10)
"""When to look again at what was found: a subnet may have got the cluster's tag since."""
OUT_OF_SCOPE = "capipool makes no VPC, subnet, security group or load balancer: it takes those that are there"


class AWSClusterReconciler:
    """Takes an AWSCluster to its facts. There is nothing to delete in AWS: nothing was made."""

    def __init__(
        self,
        manager: Manager,
        calls: Calls,
        *,
        default_region: str = "",
        again: dt.timedelta = AGAIN,
        rest: dt.timedelta = REST,
    ) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._identities = Identities(manager.client, manager.caches, calls)
        self._default_region = default_region
        self._again = again
        self._rest = rest
        self.objects = manager.caches.of(AWSCluster)
        self.clusters = manager.caches.of(Cluster)
        self.remains = Remains(manager.caches, (AWSMachinePool, AWSManagedMachinePool, AWSMachine))

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Safe to repeat; an object that somebody else manages is left alone."""
        obj = self.objects.get(key)
        if obj is None or labels.is_externally_managed(obj.metadata.annotations):
            return reconcile.DONE
        cluster = cluster_of(obj, self.clusters)
        if is_paused(obj, cluster):
            return reconcile.DONE
        if obj.deleting:
            return await self._release(obj)
        if cluster is None:
            return reconcile.DONE
        if FINALIZER not in obj.metadata.finalizers:
            await writes.set_finalizers(self._client, obj, [*obj.metadata.finalizers, FINALIZER])
            return RequeueAfter(dt.timedelta(0))
        return await self._observe(obj, cluster)

    async def _observe(self, obj: AWSCluster, cluster: Cluster) -> Result:
        """Find what there is, and write it down."""
        region = obj.spec.region or self._default_region
        endpoint = await self._endpoint(obj, cluster)
        if missing := _missing(cluster, region, endpoint):
            await writes.bring(
                self._client, obj, status=self._status(obj, reason="ClusterFactsMissing", message=missing)
            )
            return RequeueAfter(self._again)
        try:
            calls = self._identities.calls(obj.metadata.namespace, obj.spec.identity_ref)
            facts = await Networks(calls).facts(obj, cluster.metadata.name, region)
        except ProviderError as error:
            await writes.bring(self._client, obj, status=self._status(obj, reason=error.reason, message=str(error)))
            return RequeueAfter(error.delay or self._again)
        await self._write_spec(obj, facts, endpoint)
        await writes.bring(self._client, obj, status=self._status(obj, facts=facts))
        return RequeueAfter(self._rest if facts.subnets else self._again)

    async def _release(self, obj: AWSCluster) -> Result:
        """Let the object go once nothing of its cluster is left; what goes last is watched."""
        if FINALIZER not in obj.metadata.finalizers:
            return reconcile.DONE
        if waits := self.remains.waits_for(obj):
            status = self._status(obj, reason="Deleting", message=waits, severity=conditions.INFO)
            await writes.bring(self._client, obj, status=status)
        else:
            await writes.remove_finalizer(self._client, obj, FINALIZER)
        return reconcile.DONE

    async def _endpoint(self, obj: AWSCluster, cluster: Cluster) -> Raw:
        """Where the API server is: by this object, by its Cluster, or by the cluster's kubeconfig; empty: unknown."""
        given = obj.spec.control_plane_endpoint
        if given.host:
            return {"host": given.host, "port": given.port}
        known = cluster.spec.control_plane_endpoint
        if known.host and known.port:
            return {"host": known.host, "port": known.port}
        return await kubeconfigs.endpoint(self._client, cluster)

    # --- what is written

    async def _write_spec(self, obj: AWSCluster, facts: Facts, endpoint: Raw) -> None:
        """Write down what was found: core reads the endpoint there, pools and people the network.

        Raises Conflict where somebody wrote meanwhile: what he gave is not to be replaced by what was found.
        """
        patch: Raw = {}
        if not obj.spec.control_plane_endpoint.host:
            patch["controlPlaneEndpoint"] = endpoint
        network: Raw = {"subnets": list(facts.subnets)} if facts.found else {}
        if facts.vpc and not obj.spec.network.vpc.id:
            network["vpc"] = {"id": facts.vpc}
        if network:
            patch["network"] = network
        if patch:
            meta = obj.metadata
            marks = {"metadata": {"annotations": {FOUND_ANNOTATION: "true"}}} if facts.found else {}
            await self._client.patch(
                AWSCluster,
                meta.name,
                meta.namespace,
                patch={"spec": patch, **marks},
                resource_version=meta.resource_version,
            )

    def _status(
        self,
        obj: AWSCluster,
        *,
        facts: Facts | None = None,
        reason: str = "",
        message: str = "",
        severity: str = conditions.WARNING,
    ) -> Raw:
        """`ready` once is ready for good. A cluster may be used before its subnets are found: pools may name theirs."""

        def said(type_: str, ok: bool, reason: str, message: str, severity: str = conditions.WARNING) -> Raw:
            return condition(type_, ok, reason=reason, message=message, severity=severity)

        wanted = [said("Ready", not reason, reason, message, severity)]
        wanted.append(said("NetworkCreated", False, "OutOfScope", OUT_OF_SCOPE, conditions.INFO))
        made: Raw = {"ready": obj.status.ready or facts is not None}
        if facts is not None:
            tagged = "with the cluster's tags was found, and the spec names none"
            wanted.append(said("SubnetsReady", bool(facts.subnets), "SubnetsNotFound", f"no subnet {tagged}"))
            no_group = f"no security group for nodes {tagged}"
            wanted.append(said("ClusterSecurityGroupsReady", "node" in facts.groups, "NotFound", no_group))
            made["networkStatus"] = {"securityGroups": facts.groups}
            made["failureDomains"] = {zone: {"controlPlane": True} for zone in facts.zones}
        made["conditions"] = merged(obj.status.conditions, wanted, self._clock.now())
        return made


def _missing(cluster: Cluster, region: str, endpoint: Raw) -> str:
    """What of the facts nobody gives, and who could."""
    if not region:
        return "spec.region must be given: neither the object nor the process says one"
    if not endpoint:
        secret = kubeconfig_secret_name(cluster.metadata.name)
        said = f"spec.controlPlaneEndpoint must be given, or the cluster's kubeconfig in the Secret {secret}, key value"
        return f"{said}: {OUT_OF_SCOPE}"
    return ""
