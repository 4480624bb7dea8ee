"""Launch templates: versions are written when there is something new to say, and read once, for they never change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.aws import failures, launching, tags
from capipool.providers.aws.calls import Calls
from capipool.sdk import NotOwned

KEPT = 10
"""Versions that nobody uses and that are kept all the same, the newest."""


class Templates:
    """The launch templates of one account."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._revisions: dict[tuple[str, str, int], str] = {}

    async def find(self, region: str, name: str, *, cluster: str, key: str) -> str | None:
        """The id of a pool's template; None where there is none. Raises NotOwned, ProviderError."""
        try:
            answer = await self._calls.call(region, "ec2", "describe_launch_templates", LaunchTemplateNames=[name])
        except failures.Missing:
            return None
        found = answer["LaunchTemplates"][0]
        marks = tags.from_aws(found.get("Tags") or ())
        if not tags.is_ours(marks, cluster=cluster, key=key):
            raise NotOwned(f"launch template {name}", owner=tags.owner(marks))
        return str(found["LaunchTemplateId"])

    async def latest(self, region: str, template: str) -> Raw | None:
        """The newest version; None where the template is gone."""
        try:
            found = await self._versions(region, template, "$Latest")
        except failures.Missing:
            return None
        return found[0] if found else None

    async def create(self, region: str, name: str, data: Raw, description: str, marks: Mapping[str, str]) -> str:
        """Make a template with its first version; return its id. One that came meanwhile is looked at again."""
        answer = await self._calls.call(
            region,
            "ec2",
            "create_launch_template",
            LaunchTemplateName=name,
            LaunchTemplateData=data,
            VersionDescription=description,
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags.to_aws(marks)}],
        )
        return str(answer["LaunchTemplate"]["LaunchTemplateId"])

    async def add(self, region: str, template: str, data: Raw, description: str) -> int:
        """Write a version; return its number."""
        answer = await self._calls.call(
            region,
            "ec2",
            "create_launch_template_version",
            LaunchTemplateId=template,
            LaunchTemplateData=data,
            VersionDescription=description,
        )
        return int(answer["LaunchTemplateVersion"]["VersionNumber"])

    async def prune(self, region: str, template: str, *, newest: int, used: set[int]) -> None:
        """Delete versions that nobody uses, but for the newest ones and the default."""
        old = [n for n in range(max(newest - KEPT - 20, 2), newest - KEPT) if n not in used]
        if not old:
            return
        await self._calls.call(
            region,
            "ec2",
            "delete_launch_template_versions",
            LaunchTemplateId=template,
            Versions=[str(n) for n in old],
        )

    async def revisions(self, region: str, template: str, numbers: set[int]) -> dict[int, str]:
        """Which revision each version is of; empty for a version that is gone: nobody knows then."""
        unknown = sorted(n for n in numbers if (region, template, n) not in self._revisions)
        for number in unknown:
            try:
                found = await self._versions(region, template, str(number))
            except failures.Missing:
                found = []
            if found:
                self._revisions[region, template, number] = launching.revision_of(found[0])
        return {n: self._revisions.get((region, template, n), "") for n in numbers}

    async def delete(self, region: str, name: str) -> None:
        """Delete a template; one that is gone already is done."""
        try:
            await self._calls.call(region, "ec2", "delete_launch_template", LaunchTemplateName=name)
        except failures.Missing:
            return

    async def _versions(self, region: str, template: str, version: str) -> list[Any]:
        answer = await self._calls.call(
            region, "ec2", "describe_launch_template_versions", LaunchTemplateId=template, Versions=[version]
        )
        return list(answer["LaunchTemplateVersions"])
