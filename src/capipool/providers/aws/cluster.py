"""Reconciles AWSClusters as facts: the network and the security groups are found, never made.

Used by `setup`. Subnets and groups come from the spec, or by the tags that upstream and others put on them.
"""

from __future__ import annotations

import datetime as dt

from capipool.api.constants import GROUP, Annotation
from capipool.api.core import Cluster
from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws import statuses, tags
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.network import Subnet
from capipool.providers.aws.calls import Calls
from capipool.runtime import reconcile
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import RequeueAfter, Result
from capipool.sdk import ProviderError
from capipool.sdk.inputs import is_paused

_AGAIN = dt.timedelta(minutes=1)
_ROLES = ("node", "lb", "controlplane", "apiserver-lb", "bastion")


class AWSClusterReconciler:
    """Takes an AWSCluster to its facts. There is nothing to delete: nothing was made."""

    def __init__(self, manager: Manager, calls: Calls, *, default_region: str = "") -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._calls = calls
        self._default_region = default_region
        self.objects = manager.caches.of(AWSCluster)
        self.clusters = manager.caches.of(Cluster)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Safe to repeat; an object that somebody else manages is left alone."""
        obj = self.objects.get(key)
        if obj is None or obj.deleting or Annotation.MANAGED_BY in obj.metadata.annotations:
            return reconcile.DONE
        cluster = self._owner(obj)
        if cluster is None or is_paused(obj, cluster):
            return reconcile.DONE
        region = obj.spec.region or self._default_region
        missing = "" if obj.spec.control_plane_endpoint.host else "spec.controlPlaneEndpoint"
        missing = missing if region else "spec.region"
        if missing:
            said = f"{missing} must be given: capipool makes no network and no load balancer"
            await self._write(obj, _status(obj, self._clock.now(), reason="ClusterFactsMissing", message=said))
            return reconcile.DONE
        try:
            facts = await self._facts(obj, cluster, region)
        except ProviderError as error:
            await self._write(obj, _status(obj, self._clock.now(), reason=error.reason, message=str(error)))
            return RequeueAfter(error.delay or _AGAIN)
        await self._write(obj, _status(obj, self._clock.now()) | facts)
        return reconcile.DONE

    def _owner(self, obj: AWSCluster) -> Cluster | None:
        for owner in obj.metadata.owner_references:
            if owner.group_kind == (GROUP, Cluster.RESOURCE.kind):
                return self.clusters.get(ObjectKey(obj.metadata.namespace, owner.name))
        return None

    async def _facts(self, obj: AWSCluster, cluster: Cluster, region: str) -> Raw:
        """Security groups by role and the zones of the subnets; subnets that the spec lacks are written there."""
        name = cluster.metadata.name
        groups = {role: {"id": id, "name": role} for role, id in obj.spec.network.security_group_overrides.items()}
        if "node" not in groups:
            groups = await self._security_groups(name, region) | groups
        subnets = obj.spec.network.subnets or await self._subnets(obj, name, region)
        zones = sorted({subnet.availability_zone for subnet in subnets if subnet.availability_zone})
        return {
            "ready": True,
            "networkStatus": {"securityGroups": groups},
            "failureDomains": {zone: {"controlPlane": True} for zone in zones},
        }

    async def _security_groups(self, cluster: str, region: str) -> Raw:
        filters = [{"Name": f"tag:{tags.cluster_tag(cluster)}", "Values": ["owned", "shared"]}]
        answer = await self._calls.call(region, "ec2", "describe_security_groups", Filters=filters)
        found: Raw = {}
        for group in sorted(answer["SecurityGroups"], key=lambda g: str(g["GroupId"])):
            role = tags.from_aws(group.get("Tags") or ()).get(tags.ROLE, "")
            if role in _ROLES and role not in found:
                found[role] = {"id": group["GroupId"], "name": group["GroupName"]}
        return found

    async def _subnets(self, obj: AWSCluster, cluster: str, region: str) -> tuple[Subnet, ...]:
        filters = [{"Name": f"tag:kubernetes.io/cluster/{cluster}", "Values": ["owned", "shared"]}]
        if vpc := obj.spec.network.vpc.id:
            filters.append({"Name": "vpc-id", "Values": [vpc]})
        answer = await self._calls.call(region, "ec2", "describe_subnets", Filters=filters)
        found = sorted(answer["Subnets"], key=lambda s: str(s["SubnetId"]))
        public = {"kubernetes.io/role/elb"}
        written = [
            {
                "id": subnet["SubnetId"],
                "availabilityZone": subnet["AvailabilityZone"],
                "cidrBlock": subnet["CidrBlock"],
                "isPublic": bool(public & tags.from_aws(subnet.get("Tags") or ()).keys()),
            }
            for subnet in found
        ]
        if written:
            await self._patch(obj, {"spec": {"network": {"subnets": written}}})
        return tuple(Subnet(id=s["id"], availability_zone=s["availabilityZone"]) for s in written)

    async def _patch(self, obj: AWSCluster, patch: Raw) -> None:
        await self._client.patch(AWSCluster, obj.metadata.name, obj.metadata.namespace, patch=patch)

    async def _write(self, obj: AWSCluster, status: Raw) -> None:
        before = objects.to_raw(obj).get("status", {})
        patch = merge.diff(before, {**before, **status})
        if patch is not None:
            meta = obj.metadata
            await self._client.patch(
                AWSCluster, meta.name, meta.namespace, patch={"status": patch}, subresource="status"
            )


def _status(obj: AWSCluster, now: dt.datetime, *, reason: str = "", message: str = "") -> Raw:
    """`Ready` and `NetworkReady`; `ready` once is ready for good."""
    wanted = [
        statuses.condition(type_, not reason, reason=reason, message=message, severity="Warning")
        for type_ in ("Ready", "NetworkReady")
    ]
    return {"ready": obj.status.ready, "conditions": statuses.conditions(obj.status.conditions, wanted, now)}
