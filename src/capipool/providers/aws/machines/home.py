"""The cluster that a machine lives in: its place in AWS, and what of it machines alone must know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from capipool.api.constants import Label
from capipool.api.core import Cluster
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import LaunchTemplate
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.machines import marks
from capipool.providers.aws.machines.api import AWSMachine, AWSMachineSpec
from capipool.providers.aws.places import Place, Places
from capipool.runtime.manager import Manager
from capipool.sdk.errors import InvalidConfiguration

NODE_ROLES = ("node", "lb")
EKS_NODE_ROLES = ("node", "node-eks-additional")
CONTROL_PLANE_ROLES = ("node", "controlplane", "lb")
"""The security groups that a machine is in, by what it is."""
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")
"""What a zone's name begins with: `eu-central-1a`, `us-west-2-lax-1a`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What a machine is made from, beside its own spec."""

    place: Place
    groups: Mapping[str, str] = field(default_factory=dict)
    """Security groups of the cluster: role -> id."""
    key_name: str = ""

    def template(self, spec: AWSMachineSpec) -> LaunchTemplate:
        """A machine's spec as a launch template, which has the same fields. Pure."""
        return LaunchTemplate(
            ami=spec.ami,
            capacity_reservation_id=spec.capacity_reservation_id,
            capacity_reservation_preference=spec.capacity_reservation_preference,
            iam_instance_profile=spec.iam_instance_profile,
            image_lookup_base_os=spec.image_lookup_base_os,
            image_lookup_format=spec.image_lookup_format,
            image_lookup_org=spec.image_lookup_org,
            instance_metadata_options=spec.instance_metadata_options,
            instance_type=spec.instance_type,
            market_type=spec.market_type,
            non_root_volumes=spec.non_root_volumes,
            private_dns_name=spec.private_dns_name,
            root_volume=spec.root_volume,
            spot_market_options=spec.spot_market_options,
            ssh_key_name=spec.ssh_key_name if spec.ssh_key_name is not None else self.key_name,
        )

    def core_groups(self, obj: AWSMachine) -> set[str]:
        """The security groups of the cluster that a machine is in; it may name another for each role. Pure.

        Raises InvalidConfiguration where the one for nodes is not known.
        """
        known = {**self.groups, **obj.spec.security_group_overrides}
        if "node" not in known:
            said = f"cluster {self.place.cluster} has no security group for nodes: none has its tags, no spec names one"
            raise InvalidConfiguration("spec.securityGroupOverrides", detail=said)
        roles = EKS_NODE_ROLES if self.place.eks else NODE_ROLES
        wanted = CONTROL_PLANE_ROLES if marks.is_control_plane(obj) else roles
        return {known[role] for role in wanted if role in known}


class Homes:
    """Finds the home of a machine."""

    def __init__(self, manager: Manager, calls: Calls, *, default_region: str = "") -> None:
        self._calls = calls
        self._places = Places(manager, calls, default_region=default_region)
        self._clusters = manager.caches.of(AWSCluster)
        self._control_planes = manager.caches.of(AWSManagedControlPlane)

    def of(self, cluster: Cluster) -> Home:
        """The home in a cluster. Raises InvalidConfiguration where that is not in AWS, PermissionDenied."""
        place = self._places.of(cluster)
        infra = self._infra(cluster, eks=place.eks)
        if infra is None:
            return Home(place=place)
        groups = {role: group.id for role, group in infra.status.network_status.security_groups.items()}
        return Home(place=place, groups=groups, key_name=infra.spec.ssh_key_name)

    def of_object(self, obj: AWSMachine) -> Place | None:
        """Where a machine's instance is, by what the object remembers or its cluster; None where nobody knows.

        What upstream made remembers nothing: then its zone says the region. Raises InvalidConfiguration,
        PermissionDenied.
        """
        found = self._places.of_object(obj)
        zone = _REGION.match(obj.spec.provider_id.removeprefix("aws:///"))
        if found is not None or zone is None:
            return found
        cluster = obj.metadata.labels.get(Label.CLUSTER_NAME, "")
        return Place(calls=self._calls, region=zone.group(), cluster=cluster)

    def _infra(self, cluster: Cluster, *, eks: bool) -> AWSCluster | AWSManagedControlPlane | None:
        reference = cluster.spec.control_plane_ref if eks else cluster.spec.infrastructure_ref
        if reference is None:
            return None
        key = ObjectKey(cluster.metadata.namespace, reference.name)
        return self._control_planes.get(key) if eks else self._clusters.get(key)
