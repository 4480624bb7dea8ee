"""The launch template of a node group, where the spec has one: what its nodes are made from, beside what EKS adds.

The template is the pool's, as an AWSMachinePool's is; the image is EKS's unless the spec names one by its id.
"""

from __future__ import annotations

from capipool.api.builtin import Secret
from capipool.api.core import MachinePool
from capipool.client.client import Client
from capipool.machinery import errors
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws import launching
from capipool.providers.aws.api.machinepool import LaunchTemplate
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.eks.nodegroups.picture import NodeGroup, Template
from capipool.providers.aws.lookups import Lookups
from capipool.providers.aws.places import Place
from capipool.providers.aws.templates import Templates, Version, Wanted
from capipool.runtime.cache import Caches
from capipool.sdk import BootstrapData, Launch, OperationInProgress
from capipool.sdk import revision as revisions
from capipool.sdk.inputs import DATA_KEY, FORMAT_KEY, SecretMeta


class NoBootData(OperationInProgress):
    """There is nothing yet that nodes of the template could boot with. It is watched."""

    reason = "WaitingForBootstrapData"

    def __init__(self, owner: str) -> None:
        Exception.__init__(self, f"MachinePool {owner} has no bootstrap data yet")
        self.delay = None


class NodeTemplates:
    """Keeps the launch templates of node groups."""

    def __init__(self, client: Client, caches: Caches) -> None:
        self._client = client
        self._templates = Templates(Lookups())
        self.secrets = caches.of(SecretMeta)

    async def ensure(
        self,
        place: Place,
        obj: AWSManagedMachinePool,
        owner: MachinePool,
        *,
        group: NodeGroup | None,
        marks: dict[str, str],
    ) -> Template | None:
        """Write a version where there is something new; None without a template. Raises ProviderError, ApiError."""
        spec = obj.spec.aws_launch_template
        if spec is None:
            return None
        launch = await self._launch(place, spec, owner)
        wanted = Wanted(
            name=obj.metadata.name, key=str(obj.key), spec=spec, launch=launch, looks_for_image=False, marks=marks
        )
        source, used = group.template if group is not None else ("", 0)
        noted = obj.status.launch_template_version
        known = Version(obj.status.launch_template_id, int(noted)) if noted.isdecimal() else None
        made = await self._templates.ensure(place, wanted, current=known, used={used})
        if made.template != source:
            return Template(id=made.template, number=made.number)  # somebody deleted the one that nodes came from
        runs = (await self._templates.revisions(place, {Version(made.template, used)})).get(
            Version(made.template, used), ""
        )
        return Template(id=made.template, number=made.number, rolls=runs != launch.revision)

    async def delete(self, place: Place, obj: AWSManagedMachinePool) -> None:
        """Delete the pool's template; one that is gone is done. Raises NotOwned, ProviderError."""
        await self._templates.delete(place, name=obj.metadata.name, key=str(obj.key))

    async def _launch(self, place: Place, spec: LaunchTemplate, owner: MachinePool) -> Launch:
        """The version of Kubernetes is none of it: EKS brings that, as an update of its own."""
        name = owner.spec.template.spec.bootstrap.data_secret_name or ""
        key = ObjectKey(owner.metadata.namespace, name)
        secret = self.secrets.get(key) if name else None
        if secret is None:
            raise NoBootData(owner.metadata.name)
        digest = secret.metadata.annotations.get(revisions.DIGEST_ANNOTATION)
        if digest is None:
            data = await self._read(key)
            digest = revisions.bootstrap_digest(data.data, data.format)
        return Launch(
            revision=revisions.revision(content(spec, place), version="", bootstrap_digest=digest),
            bootstrap_version=f"{secret.metadata.uid}/{secret.metadata.resource_version}",
            read_bootstrap=lambda: self._read(key),
        )

    async def _read(self, key: ObjectKey) -> BootstrapData:
        secret = await self._client.get(Secret, key.name, key.namespace)
        if DATA_KEY not in secret.data:
            raise errors.NotFound(f"the bootstrap data secret {key.name} has no key {DATA_KEY!r}")
        return BootstrapData(secret.data[DATA_KEY], secret.data.get(FORMAT_KEY, b"cloud-config").decode())


def content(spec: LaunchTemplate, place: Place) -> Raw:
    """What of the specs makes a new node differ. How an image would be looked up is none of it. Pure."""
    return launching.content(spec, place) | {"image": {"id": spec.ami.id}}
