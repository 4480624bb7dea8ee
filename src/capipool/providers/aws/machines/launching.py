"""Launches the instance of a machine: one, whatever dies or fails on the way.

Before the call it is written down that one will be made, and with which token (`marks.Attempt`). Whoever comes after a
death looks for an instance with the machine's tag first; EC2 itself makes no second one for the same token, also while
it does not show the first one yet.
"""

from __future__ import annotations

import datetime as dt

from capipool.api.builtin import Secret
from capipool.api.core import Machine
from capipool.client.client import Client
from capipool.machinery import errors
from capipool.machinery.clock import Clock
from capipool.machinery.objects import Raw
from capipool.providers.aws.machines import marks, request
from capipool.providers.aws.machines.api import AWSMachine
from capipool.providers.aws.machines.decide import SETTLING
from capipool.providers.aws.machines.fleet import Fleet
from capipool.providers.aws.machines.home import Home
from capipool.providers.aws.machines.locating import Locator
from capipool.providers.aws.machines.request import Found
from capipool.sdk.errors import (
    InsufficientCapacity,
    InvalidConfiguration,
    Missing,
    PermissionDenied,
    ProviderError,
    QuotaExceeded,
    Throttled,
)
from capipool.sdk.inputs import DATA_KEY, FORMAT_KEY
from capipool.sdk.provider import BootstrapData

_NOTHING_DONE = (
    Missing,
    InsufficientCapacity,
    InvalidConfiguration,
    PermissionDenied,
    QuotaExceeded,
    Throttled,
)
"""After these there is no instance. After anything else there may be one."""
_NEXT_SUBNET = dt.timedelta(seconds=1)
"""After how long a subnet of another zone is tried where one has no capacity."""


_AGAIN = dt.timedelta(minutes=1)
"""When a launch is tried again that names what is not there."""


class BootstrapDataMissing(ProviderError):
    """There is nothing to boot from yet, although the Machine says so."""

    reason = "WaitingForBootstrapData"
    delay = dt.timedelta(seconds=5)
    quiet = True


class LaunchUnsettled(ProviderError):
    """Another request was sent earlier, and what came of it is not known yet."""

    reason = "LaunchUnsettled"
    quiet = True

    def __init__(self, again: dt.timedelta) -> None:
        super().__init__("an instance was launched earlier with other settings: it is looked for before another one is")
        self.delay = again


class Launcher:
    """Launches instances, and records them."""

    def __init__(self, client: Client, clock: Clock, fleet: Fleet, locator: Locator) -> None:
        self._client = client
        self._clock = clock
        self._fleet = fleet
        self._locator = locator
        self._turns: dict[str, int] = {}
        """By UID: how many launches had no capacity."""

    async def launch(self, obj: AWSMachine, machine: Machine, home: Home) -> Raw:
        """Have the one instance there, and its ids in the spec; return it. Raises ProviderError, ApiError."""
        attempt = marks.attempt(obj)
        if attempt is not None and (there := await self._fleet.find(home.place, marks.mark(obj))) is not None:
            await self._record(obj, home, there, None)
            return there
        turn = self._turns.get(obj.metadata.uid, 0)
        zone = machine.spec.failure_domain or ""
        found = await self._locator.find(home, obj, version=machine.spec.version or "", zone=zone, turn=turn)
        wanted = await self._parameters(obj, machine, home, found)
        attempt = await self._begin(obj, home, request.digest(wanted), attempt)
        instance = await self._run(obj, home, found, {**wanted, "ClientToken": attempt.token})
        await self._record(obj, home, instance, found)
        return instance

    def forget(self, uid: str) -> None:
        """The machine is gone."""
        self._turns.pop(uid, None)

    async def _parameters(self, obj: AWSMachine, machine: Machine, home: Home, found: Found) -> Raw:
        boot = await self._bootstrap(machine)
        return request.parameters(
            obj.spec,
            home.template(obj.spec),
            found,
            user_data=request.user_data(boot, compress=not obj.spec.uncompressed_user_data),
            marks=marks.wanted_tags(
                obj, home.place.cluster, home.place.additional_tags, kubernetes=home.place.kubernetes
            ),
        )

    async def _bootstrap(self, machine: Machine) -> BootstrapData:
        name, namespace = machine.spec.bootstrap.data_secret_name or "", machine.metadata.namespace
        try:
            secret = await self._client.get(Secret, name, namespace)
        except errors.NotFound:
            raise BootstrapDataMissing(f"the bootstrap data secret {name} does not exist yet") from None
        if DATA_KEY not in secret.data:
            raise BootstrapDataMissing(f"the bootstrap data secret {name} has no key {DATA_KEY!r}")
        return BootstrapData(secret.data[DATA_KEY], secret.data.get(FORMAT_KEY, b"cloud-config").decode())

    async def _begin(self, obj: AWSMachine, home: Home, digest: str, before: marks.Attempt | None) -> marks.Attempt:
        """Write down that a launch begins. One for the same request goes on with its token.

        One for another request waits until an instance of the former would have shown itself. Raises
        LaunchUnsettled.
        """
        now = self._clock.now()
        if before is not None and before.digest == digest:
            return before
        if before is not None and now - before.at < SETTLING:
            raise LaunchUnsettled(SETTLING - (now - before.at))
        made = marks.new_attempt(obj, digest, now)
        annotations = {marks.LAUNCH: made.to_annotation(), **home.place.annotations()}
        finalizers = [*(f for f in obj.metadata.finalizers if f != marks.FINALIZER), marks.FINALIZER]
        patch = {"metadata": {"annotations": annotations, "finalizers": finalizers}}
        meta = obj.metadata
        await self._client.patch(
            AWSMachine, meta.name, meta.namespace, patch=patch, resource_version=meta.resource_version
        )
        return made

    async def _run(self, obj: AWSMachine, home: Home, found: Found, parameters: Raw) -> Raw:
        uid = obj.metadata.uid
        try:
            answer = await home.place.call("ec2", "run_instances", **parameters)
        except _NOTHING_DONE as error:
            await self._patch(obj, {"metadata": {"annotations": {marks.LAUNCH: None}}})
            if isinstance(error, InsufficientCapacity):
                self._turns[uid] = self._turns.get(uid, 0) + 1
                raise self._elsewhere(error, found, self._turns[uid]) from error
            error.delay = error.delay or _AGAIN
            raise
        self._turns.pop(uid, None)
        instance: Raw = answer["Instances"][0]
        return instance

    def _elsewhere(self, error: InsufficientCapacity, found: Found, turns: int) -> ProviderError:
        """The same error, tried again at once as long as there is a subnet that was not tried."""
        if turns % found.choices != 0:
            error.delay = _NEXT_SUBNET
        return error

    async def _record(self, obj: AWSMachine, home: Home, instance: Raw, found: Found | None) -> None:
        """Write the instance's ids into the spec, and what it was made with beside it, where that is known.

        Nothing here may fail but the write: an instance that is not recorded is not seen to.
        """
        self._fleet.note(home.place, instance)
        patch: Raw = {"spec": {"providerID": provider_id(instance), "instanceID": instance["InstanceId"]}}
        if found is not None:
            applied = marks.applied(marks.user_tags(obj, home.place.additional_tags), set(found.groups))
            patch["metadata"] = {"annotations": applied}
        await self._patch(obj, patch)

    async def _patch(self, obj: AWSMachine, patch: Raw) -> None:
        await self._client.patch(AWSMachine, obj.metadata.name, obj.metadata.namespace, patch=patch)


def provider_id(instance: Raw) -> str:
    """As Nodes have it."""
    return f"aws:///{instance['Placement']['AvailabilityZone']}/{instance['InstanceId']}"


def instance_id(obj: AWSMachine) -> str:
    """The instance that is recorded; empty before there is one."""
    return obj.spec.instance_id or obj.spec.provider_id.rpartition("/")[2]
