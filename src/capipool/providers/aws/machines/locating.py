"""Finds what a machine's spec names by patterns and filters, and remembers it for a while: many machines ask the same.

Used before a launch, and by `upkeep` for security groups. Only reads.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from capipool.machinery.objects import replace_part
from capipool.providers.aws.api.machinepool import LaunchTemplate
from capipool.providers.aws.api.shared import Filter, ResourceReference
from capipool.providers.aws.lookups import Lookups
from capipool.providers.aws.machines.api import AWSMachine, AWSMachineSpec
from capipool.providers.aws.machines.home import Home
from capipool.providers.aws.machines.request import Found
from capipool.providers.aws.places import Place
from capipool.sdk.errors import InvalidConfiguration

REMEMBERED_SECONDS = 60.0
"""How long an answer is good: a new image is taken a minute later."""
_LIMIT = 1000
_FIELDS = {
    "spec.awsLaunchTemplate.": "spec.",
    "spec.subnets": "spec.subnet",
    "spec.availabilityZones": "spec.subnet",
    "spec.template.spec.version": "spec.version of its Machine",
}
"""Fields of pools -> the same of machines."""


class Locator:
    """Looks for images, subnets and security groups."""

    def __init__(self) -> None:
        self._lookups = Lookups()
        self._answers: dict[tuple[Any, ...], tuple[float, Any]] = {}

    async def find(self, home: Home, obj: AWSMachine, *, version: str, zone: str, turn: int) -> Found:
        """All that a launch needs. `turn` chooses among subnets that do equally: the next one after a failure.

        Raises ProviderError; InvalidConfiguration for what leads nowhere.
        """
        spec, place = obj.spec, home.place
        image = await self._image(place, home.template(spec), version)
        device = await self._root_device(place, spec, image)
        groups = home.core_groups(obj) | await self.groups(place, spec.additional_security_groups)
        if spec.network_interfaces:
            return Found(image=image, root_device=device, groups=groups)
        subnets = await self.subnets(place, spec, zone)
        return Found(
            image=image,
            root_device=device,
            groups=groups,
            subnet=subnets[(_spread(obj) + turn) % len(subnets)],
            choices=len(subnets),
        )

    async def groups(self, place: Place, references: Sequence[ResourceReference]) -> set[str]:
        """The ids of additional security groups. Raises InvalidConfiguration where filters match none."""
        given = {r.id for r in references if r.id}
        filtered = [r for r in references if not r.id]
        if filtered:
            key = (place.key, "groups", repr(filtered))
            given |= set(await self._once(key, lambda: self._lookups.security_groups(place, filtered)))
        return given

    async def subnets(self, place: Place, spec: AWSMachineSpec, zone: str) -> list[str]:
        """The subnets that a machine may be in: given, or the cluster's in its zone. Raises InvalidConfiguration."""
        zones = [zone] if zone else []
        if (given := spec.subnet) is None or not (given.id or given.filters):
            kind = "public" if spec.public_ip else "private"
            question = self._lookups.subnets(place, (), zones=zones, kind=kind)
            return list(await _asked(question))
        if not given.id and zone:
            given = replace_part(given, filters=(*given.filters, Filter(name="availability-zone", values=(zone,))))
        return list(await _asked(self._lookups.subnets(place, (given,), zones=(), kind="all")))

    async def _image(self, place: Place, template: LaunchTemplate, version: str) -> str:
        named = (template.ami, template.image_lookup_format, template.image_lookup_org, template.image_lookup_base_os)
        key = (place.key, "image", repr(named), place.image_format, place.image_owner, place.image_os)
        ask = (*key, template.instance_type, version)
        found: str = await self._once(ask, lambda: self._lookups.image(place, template, version))
        return found

    async def _root_device(self, place: Place, spec: AWSMachineSpec, image: str) -> str:
        """Where the image has its root volume; nobody asks where the spec says nothing of that."""
        if (volume := spec.root_volume) is None:
            return ""
        key = (place.key, "device", image, volume.device_name, volume.size)
        found: str = await self._once(key, lambda: self._lookups.root_device(place, image, volume))
        return found

    async def _once(self, key: tuple[Any, ...], ask: Callable[[], Awaitable[Any]]) -> Any:
        """An answer of the last minute, or a new one. What failed is asked again."""
        now = asyncio.get_running_loop().time()
        known = self._answers.get(key)
        if known is not None and known[0] > now - REMEMBERED_SECONDS:
            return known[1]
        if len(self._answers) >= _LIMIT:
            self._answers.clear()
        answer = await _asked(ask())
        self._answers[key] = (now, answer)
        return answer


async def _asked(question: Awaitable[Any]) -> Any:
    """An answer; what is wrong with a field is said of the field as machines have it."""
    try:
        return await question
    except InvalidConfiguration as error:
        field = error.field
        for pools, machines in _FIELDS.items():
            field = field.replace(pools, machines)
        shown = f" ({error.value!r})" if error.value is not None else ""
        detail = str(error).removeprefix(f"{error.field}{shown}: ")
        raise InvalidConfiguration(field, detail=detail, value=error.value) from error


def _spread(obj: AWSMachine) -> int:
    """A number that differs from machine to machine, and stays with each."""
    return int.from_bytes(hashlib.sha256(obj.metadata.uid.encode()).digest()[:4], "big")
