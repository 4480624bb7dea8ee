"""Where in AWS the things of a cluster are, and by whose calls they are reached: what pools need to know of it.

Made from an AWSCluster, or from the AWSManagedControlPlane of an EKS cluster; used by everything that launches.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from capipool.api.constants import Label
from capipool.api.core import Cluster
from capipool.machinery.objects import Object, Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.api.cluster import AWSCluster, AWSClusterSpec, IdentityReference, S3Bucket
from capipool.providers.aws.api.network import Subnet
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.identities.finding import Identities
from capipool.runtime.manager import Manager
from capipool.sdk import InvalidConfiguration

REGION_ANNOTATION = "capipool.io/aws-region"
"""On a pool: where its group is. Written before the group is made, so that it can always be deleted."""
IDENTITY_ANNOTATION = "capipool.io/aws-identity"
"""On a pool, `<kind>/<name>`: by which identity its group was made, where the cluster names one."""
_CORE_ROLES, _EKS_ROLES = ("node", "lb"), ("node", "node-eks-additional")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A region in an account, and what is known of the cluster there."""

    calls: Calls
    region: str
    cluster: str = ""
    """The name of the Cluster, which its things have in their tags."""
    kubernetes: str = ""
    """What the cluster calls itself, where that is another name: its name in EKS."""
    identity: IdentityReference | None = None
    eks: bool = False
    """Whether EKS runs the control plane: its images are looked for first."""
    vpc: str = ""
    subnets: tuple[Subnet, ...] = ()
    security_groups: tuple[str, ...] = ()
    """The ids of those that every node is in."""
    image_format: str = ""
    image_owner: str = ""
    image_os: str = ""
    additional_tags: Mapping[str, str] = field(default_factory=dict)
    bucket: S3Bucket | None = None
    """Where large boot data goes."""

    @property
    def key(self) -> tuple[str, str]:
        """Tells places apart: what was seen in one says nothing of another."""
        return (self.calls.account, self.region)

    async def call(self, service: str, operation: str, **parameters: Any) -> Raw:
        """Make one call here. Raises ProviderError."""
        return await self.calls.call(self.region, service, operation, **parameters)

    async def pages(self, service: str, operation: str, **parameters: Any) -> AsyncIterator[Raw]:
        """The answers to a call that AWS gives page by page. Raises ProviderError."""
        more: Raw = {}
        while True:
            answer = await self.call(service, operation, **parameters, **more)
            yield answer
            if not (token := answer.get("NextToken")):
                return
            more = {"NextToken": token}

    def annotations(self) -> dict[str, str | None]:
        """What an object must remember, to find its things when the cluster's objects are gone."""
        identity = f"{self.identity.kind}/{self.identity.name}" if self.identity is not None else None
        return {REGION_ANNOTATION: self.region, IDENTITY_ANNOTATION: identity}


class Places:
    """Finds the place of a cluster, or of an object whose cluster may be gone."""

    def __init__(self, manager: Manager, calls: Calls, *, default_region: str = "") -> None:
        self._clusters = manager.caches.of(AWSCluster)
        self._owners = manager.caches.of(Cluster)
        self._control_planes = manager.caches.of(AWSManagedControlPlane)
        self._identities = Identities(manager.client, manager.caches, calls)
        self._default_region = default_region

    def of(self, cluster: Cluster) -> Place:
        """The place of a cluster. Raises InvalidConfiguration where it is not one in AWS, PermissionDenied."""
        reference = cluster.spec.control_plane_ref
        if reference is not None and reference.kind == AWSManagedControlPlane.RESOURCE.kind:
            plane = self._control_planes.get(ObjectKey(cluster.metadata.namespace, reference.name))
            if plane is None:
                said = f"there is no AWSManagedControlPlane {reference.name}"
                raise InvalidConfiguration("spec.controlPlaneRef of the Cluster", detail=said)
            return self._place(cluster, plane, eks=True)
        infrastructure = cluster.spec.infrastructure_ref
        name = infrastructure.name if infrastructure is not None else ""
        found = self._clusters.get(ObjectKey(cluster.metadata.namespace, name))
        if found is None:
            raise InvalidConfiguration("spec.infrastructureRef of the Cluster", detail=f"there is no AWSCluster {name}")
        return self._place(cluster, found, eks=False)

    def of_object(self, obj: Object, provider_id: str = "") -> Place | None:
        """The place of an object's things, by what it remembers, by an ARN, or by its cluster. None: nobody knows.

        Raises InvalidConfiguration, PermissionDenied: the identity is gone, or not to be used any more.
        """
        marks, name = obj.metadata.annotations, obj.metadata.labels.get(Label.CLUSTER_NAME, "")
        arn = provider_id.split(":")
        region = marks.get(REGION_ANNOTATION) or (arn[3] if len(arn) > 3 and arn[0] == "arn" else "")
        cluster = self._owners.get(ObjectKey(obj.metadata.namespace, name)) if name else None
        try:
            known = self.of(cluster) if cluster is not None else None
        except InvalidConfiguration:
            known = None
        if known is not None and region in ("", known.region):
            return known
        if not region:
            return None
        kind, _, identity = marks.get(IDENTITY_ANNOTATION, "").partition("/")
        reference = IdentityReference(kind=kind, name=identity) if identity else None
        calls = self._identities.calls(obj.metadata.namespace, reference)
        return Place(calls=calls, region=region, cluster=name, identity=reference)

    def _place(self, cluster: Cluster, obj: AWSCluster | AWSManagedControlPlane, *, eks: bool) -> Place:
        spec = obj.spec
        region = spec.region or self._default_region
        if not region:
            raise InvalidConfiguration("spec.region", detail=f"of the {obj.RESOURCE.kind} must be given")
        found = obj.status.network_status.security_groups
        roles = _EKS_ROLES if eks else _CORE_ROLES
        return Place(
            calls=self._identities.calls(obj.metadata.namespace, spec.identity_ref),
            region=region,
            cluster=cluster.metadata.name,
            kubernetes="" if isinstance(spec, AWSClusterSpec) else spec.eks_cluster_name,
            identity=spec.identity_ref,
            eks=eks,
            vpc=spec.network.vpc.id,
            subnets=spec.network.subnets,
            security_groups=tuple(sorted({found[role].id for role in roles if role in found})),
            image_format=spec.image_lookup_format,
            image_owner=spec.image_lookup_org,
            image_os=spec.image_lookup_base_os,
            additional_tags=spec.additional_tags,
            bucket=spec.s3_bucket if isinstance(spec, AWSClusterSpec) else None,
        )
