"""Launch templates: versions are written when there is something new to say, and read once, for they never change.

Used by pools of every kind: nothing here knows an Auto Scaling group. At rest a template costs no call of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.aws import launching, tags
from capipool.providers.aws.api.machinepool import LaunchTemplate
from capipool.providers.aws.inventory import Inventory
from capipool.providers.aws.lookups import Lookups
from capipool.providers.aws.places import Place
from capipool.sdk import BootstrapData, Launch, NotOwned
from capipool.sdk.errors import Missing

KEPT = 10
"""Versions that nobody uses and that are kept all the same, the newest."""
REMEMBERED = 100
"""Versions of a template whose description is remembered, the newest."""
EKS_ROOT = "/dev/xvda"
"""The root volume of every image for Linux that EKS publishes."""
LOOK_SECONDS = 300.0
"""How old what is known of a template that is used may be: somebody may have deleted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A template as a pool wants it."""

    name: str
    """Of the template: that of the pool."""
    key: str
    """The pool, `<namespace>/<name>`: whose it is."""
    spec: LaunchTemplate
    launch: Launch
    read_boot: Callable[[], Awaitable[BootstrapData]] | None = None
    """Reads what to boot with, on demand; None takes the launch's own data."""
    version: str = ""
    """Of Kubernetes: for looking images up."""
    looks_for_image: bool = True
    """Whether an image is looked for where the spec names none: EKS brings its own to node groups."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """The tags of the template, of instances and of volumes."""

    @property
    def needs_image(self) -> bool:
        """Whether a version names an image."""
        return self.looks_for_image or bool(self.spec.ami.id)

    @property
    def description(self) -> str:
        """What the version that is wanted says of itself."""
        return launching.description(self.launch, self.marks)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a template."""

    template: str
    number: int
    """0 where it is named by no number, as `$Latest`."""

    @classmethod
    def of(cls, reference: Raw) -> Version:
        """As groups, instances and refreshes refer to it."""
        said = str(reference.get("Version", ""))
        return cls(str(reference.get("LaunchTemplateId", "")), int(said) if said.isdecimal() else 0)


class Templates:
    """The launch templates of all places."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._descriptions: dict[tuple[tuple[str, str], str], dict[int, str]] = {}
        """By place and template, by number: what a version says of itself."""
        self._there = Inventory(_describe)

    async def ensure(
        self,
        place: Place,
        wanted: Wanted,
        *,
        current: Version | None = None,
        used: Iterable[int] = (),
        doubted: bool = False,
    ) -> Version:
        """See to it that the template's newest version is the one wanted, and return it.

        `current` is the version in use: where that is the one, and its template is there, nothing is called. Of the
        same revision only boot data and tags are written anew: names are resolved once a revision. `used`: versions
        that must not be deleted. `doubted`: the template may be gone, so it is looked for now.

        Raises NotOwned, InvalidConfiguration and what calls raise.
        """
        if current is not None and await self._is(place, current, wanted, 0.0 if doubted else LOOK_SECONDS):
            return current
        template = await self.find(place, wanted)
        latest = await self._latest(place, template) if template else None
        if latest is not None and latest.get("VersionDescription") == wanted.description:
            return Version(str(latest["LaunchTemplateId"]), int(latest["VersionNumber"]))
        same = latest is not None and launching.revision_of(latest) == wanted.launch.revision
        data = await self._data(place, wanted, latest if same else None)
        if template is None or latest is None:
            return await self._create(place, wanted, data)
        made = Version(template, await self._add(place, template, data, wanted.description))
        await self._prune(place, made, {*used, current.number if current is not None else 0})
        return made

    async def find(self, place: Place, wanted: Wanted) -> str | None:
        """The id of the pool's template; None where there is none. Raises NotOwned, ProviderError."""
        return await self._find(place, wanted.name, wanted.key, max_age=0.0)

    async def revisions(self, place: Place, versions: Iterable[Version]) -> dict[Version, str]:
        """Which revision each version is of; empty for a version that is gone: nobody knows then."""
        found: dict[Version, str] = {}
        for version in sorted({v for v in versions if v.number}, key=lambda v: (v.template, v.number)):
            said = await self._description(place, version)
            known = {"VersionDescription": said, "VersionNumber": version.number}
            found[version] = "" if said is None else launching.revision_of(known)
        return found

    async def delete(self, place: Place, *, name: str, key: str) -> None:
        """Delete a pool's template; one that is gone already is done. Raises NotOwned, ProviderError."""
        template = await self._find(place, name, key, max_age=0.0)
        if template is None:
            self._there.drop(place.key, name)
            return
        try:
            await place.call("ec2", "delete_launch_template", LaunchTemplateId=template)
        except Missing:
            return
        finally:
            self._there.drop(place.key, name)
            self._descriptions.pop((place.key, template), None)

    def forget(self, place: Place, name: str) -> None:
        """The template may be gone: the next look goes to AWS."""
        self._there.forget(place, name)

    # --- looking

    async def _is(self, place: Place, current: Version, wanted: Wanted, max_age: float) -> bool:
        """Whether a version says what is wanted, and its template was there not long ago."""
        if not current.number or await self._description(place, current) != wanted.description:
            return False  # upstream's groups launch `$Latest`, which has no number
        found = await self._there.get(place, wanted.name, max_age=max_age)
        return found is not None and found["LaunchTemplateId"] == current.template

    async def _find(self, place: Place, name: str, key: str, *, max_age: float) -> str | None:
        found = await self._there.get(place, name, max_age=max_age)
        if found is None:
            return None
        marks = tags.from_aws(found.get("Tags") or ())
        if not tags.is_ours(marks, cluster=place.cluster, key=key):
            raise NotOwned(f"launch template {name}", owner=tags.owner(marks))
        return str(found["LaunchTemplateId"])

    async def _latest(self, place: Place, template: str) -> Raw | None:
        """The newest version; None where the template is gone."""
        try:
            found = await _versions(place, template, "$Latest")
        except Missing:
            return None
        return found[0] if found else None

    async def _description(self, place: Place, version: Version) -> str | None:
        """What a version says of itself; None where it is gone."""
        known = self._descriptions.setdefault((place.key, version.template), {})
        if version.number not in known:
            try:
                found = await _versions(place, version.template, str(version.number))
            except Missing:
                return None
            if not found:
                return None
            known[version.number] = str(found[0].get("VersionDescription") or "")
            for old in sorted(known)[:-REMEMBERED]:
                del known[old]
        return known.get(version.number)

    # --- writing

    async def _data(self, place: Place, wanted: Wanted, before: Raw | None) -> Raw:
        """What a version says. An image published since the revision began rolls no pool unasked."""
        boot = await (wanted.read_boot or wanted.launch.read_bootstrap)()
        user_data, marks = launching.encode(boot), {**wanted.marks, tags.REVISION: wanted.launch.revision}
        if before is not None:
            kept = launching.resent(before["LaunchTemplateData"])
            return {**kept, "UserData": user_data, "TagSpecifications": launching.tag_specifications(marks)}
        spec = wanted.spec
        image = await self._lookups.image(place, spec, wanted.version) if wanted.needs_image else ""
        more = await self._lookups.security_groups(place, spec.additional_security_groups)
        root = ""
        if spec.root_volume is not None:
            root = await self._lookups.root_device(place, image, spec.root_volume) if image else EKS_ROOT
        return launching.data(
            spec,
            image_id=image,
            groups=sorted({*place.security_groups, *more}),
            root_device=root,
            user_data=user_data,
            marks=marks,
        )

    async def _create(self, place: Place, wanted: Wanted, data: Raw) -> Version:
        """Make a template with its first version. One that came meanwhile is an error: it is looked at again."""
        marks = [{"ResourceType": "launch-template", "Tags": tags.to_aws(wanted.marks)}]
        try:
            answer = await place.call(
                "ec2",
                "create_launch_template",
                LaunchTemplateName=wanted.name,
                LaunchTemplateData=data,
                VersionDescription=wanted.description,
                TagSpecifications=marks,
            )
        finally:
            self._there.forget(place, wanted.name)
        return Version(str(answer["LaunchTemplate"]["LaunchTemplateId"]), 1)

    async def _add(self, place: Place, template: str, data: Raw, description: str) -> int:
        answer = await place.call(
            "ec2",
            "create_launch_template_version",
            LaunchTemplateId=template,
            LaunchTemplateData=data,
            VersionDescription=description,
        )
        return int(answer["LaunchTemplateVersion"]["VersionNumber"])

    async def _prune(self, place: Place, newest: Version, used: set[int]) -> None:
        """Delete versions that nobody uses, but for the newest ones and the default. AWS says which are not there."""
        last = newest.number - KEPT
        old = [str(n) for n in range(max(last - 20, 2), last) if n not in used]
        if old:
            await place.call("ec2", "delete_launch_template_versions", LaunchTemplateId=newest.template, Versions=old)


async def _versions(place: Place, template: str, version: str) -> list[Any]:
    answer = await place.call("ec2", "describe_launch_template_versions", LaunchTemplateId=template, Versions=[version])
    return list(answer["LaunchTemplateVersions"])


async def _describe(place: Place, names: list[str]) -> dict[str, Raw]:
    """By a filter: naming one that is not there would be an error. All pages: AWS filters each page by itself."""
    found: dict[str, Raw] = {}
    filters = [{"Name": "launch-template-name", "Values": names}]
    async for page in place.pages("ec2", "describe_launch_templates", Filters=filters):
        found |= {each["LaunchTemplateName"]: each for each in page["LaunchTemplates"]}
    return found
