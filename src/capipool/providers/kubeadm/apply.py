"""Carries a plan out: tokens in the workload cluster first, then the data secret, then the status, once."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import random
from collections.abc import Iterable

import msgspec

from capipool.api.builtin import ConfigMap, Secret
from capipool.api.constants import Label
from capipool.api.core import Cluster, Machine
from capipool.client.client import Client
from capipool.machinery import clock, errors, names, objects
from capipool.machinery.objects import ObjectMeta, Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import ObjectKey
from capipool.providers.kubeadm import certificates, conditions, decide, inputs, locking, tokens, world
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig, KubeadmConfigStatus
from capipool.providers.kubeadm.decide import Adopt, Ignore, Keep, Lock, MakeCertificates, Pause, Plan, Wait
from capipool.providers.kubeadm.rendering import data as rendering
from capipool.providers.kubeadm.rendering.data import Data
from capipool.providers.kubeadm.sweep import Sweeper
from capipool.providers.kubeadm.tokens import Carry, Mint, Prolong, Rest, Schedule, Token
from capipool.providers.kubeadm.world import Settings, World
from capipool.runtime.events import EventRecorder
from capipool.runtime.reconcile import DONE, RequeueAfter, Result
from capipool.workload.connections import Connections, Unavailable

_MINT_ATTEMPTS = 5
"""Two billion IDs: a taken one is chance, several in a row are not."""
_SOON = dt.timedelta(seconds=1)


class Applier:
    """Writes. Every step is safe to repeat, so that a crash between two of them is mended by the next reconcile."""

    def __init__(
        self,
        *,
        client: Client,
        connections: Connections,
        events: EventRecorder,
        settings: Settings,
        rng: random.Random,
    ) -> None:
        self._client = client
        self._connections = connections
        self._events = events
        self._settings = settings
        self._rng = rng
        self._sweeper = Sweeper()

    async def apply(self, seen: World, plan: Plan) -> Result:
        """Carry the plan out, and say when to come again."""
        status = seen.config.status
        match plan:
            case Ignore():
                return DONE
            case Pause():
                why = "Cluster spec.paused is set, or the object has the paused annotation"
                await self._write_status(seen, conditions.paused(status, True, why=why, now=seen.now))
                return DONE
            case Wait():
                await self._wait(seen, plan)
                return RequeueAfter(plan.again) if plan.again is not None else DONE
            case Adopt(name):
                await self._write_status(seen, conditions.available(_resumed(seen), name, now=seen.now))
                return RequeueAfter(_SOON) if name == seen.config.metadata.name else DONE
            case Lock():
                return await self._lock(seen)
            case MakeCertificates():
                await self._make_certificates(seen)
                return RequeueAfter(_SOON)
            case Keep():
                return await self._keep(seen, plan)

    async def _wait(self, seen: World, wait: Wait) -> None:
        status = conditions.waiting(_resumed(seen), wait, has_data=seen.data is not None, now=seen.now)
        written = await self._write_status(seen, status)
        if wait.refused and written:
            self._events.event(seen.config, "Warning", "DataNotAvailable", wait.message)

    # --- data

    async def _keep(self, seen: World, plan: Keep) -> Result:
        """The token's step, the data, the status; and only then are tokens dropped that nothing carries any more."""
        token = await self._step(seen, plan.schedule) if plan.schedule is not None else None
        made = await self._write_data(seen, plan, token) if plan.write else None
        status = conditions.available(_resumed(seen), seen.config.metadata.name, note=_note(made), now=seen.now)
        if made is not None:
            status = conditions.sized(status, len(made.value), made.excess, seen.now)
        await self._write_status(seen, status)
        if plan.schedule is not None:
            await self._drop(seen, plan.schedule)
        return RequeueAfter(plan.again) if plan.again is not None else DONE

    async def _write_data(self, seen: World, plan: Keep, token: Token | None) -> Data:
        assert seen.owner is not None
        assert seen.cluster is not None
        format_ = decide.format_of(seen.config)
        boot = inputs.boot(seen, plan.mode, token.text if token is not None else "")
        made = rendering.render(boot, format_, limit=self._limit(seen))
        annotations = {world.DIGEST_ANNOTATION: plan.digest}
        if token is not None:
            dropped = plan.schedule.drop if plan.schedule is not None else ()
            annotations[world.TOKENS_ANNOTATION] = _record(token.id, seen.recorded, dropped)
        secret = _data_secret(seen.config, seen.cluster, {"value": made.value, "format": format_.encode()}, annotations)
        await self._store(seen, secret)
        return made

    def _limit(self, seen: World) -> int | None:
        assert seen.owner is not None
        kind = seen.owner.spec.infrastructure_ref.kind
        return next((n for start, n in self._settings.data_limits.items() if kind.startswith(start)), None)

    async def _store(self, seen: World, secret: Secret) -> None:
        """Create the data secret, or bring it up to date, whole in one call. Raises Conflict where it changed."""
        if seen.data is None:
            await self._client.create(secret)
            return
        others = [o for o in seen.data.metadata.owner_references if not o.controller and o.kind != "KubeadmConfig"]
        owners = [msgspec.to_builtins(o) for o in (*secret.metadata.owner_references, *others)]
        patch: Raw = {
            "metadata": {
                "labels": secret.metadata.labels,
                "annotations": {world.TOKENS_ANNOTATION: None} | secret.metadata.annotations,
                "ownerReferences": owners,
            },
            "data": {key: base64.b64encode(value).decode() for key, value in secret.data.items()},
        }
        name, namespace = secret.metadata.name, secret.metadata.namespace
        version = seen.data.metadata.resource_version
        await self._client.patch(Secret, name, namespace, patch=patch, resource_version=version)

    # --- tokens

    async def _step(self, seen: World, schedule: Schedule) -> Token | None:
        """Have the token that the data is to carry live. Raises ApiError, Unavailable."""
        match schedule.step:
            case Rest():
                return None
            case Carry(token):
                return token
            case Prolong(token, until):
                await self._prolong(seen, token, until)
                return token
            case Mint():
                return await self._mint(seen)

    async def _mint(self, seen: World) -> Token:
        for _ in range(_MINT_ATTEMPTS):
            token = tokens.mint(self._rng, now=seen.now, ttl=self._settings.token_ttl)
            try:
                await self._workload(seen).create(tokens.to_secret(token, owner=owner_key(seen.config.key)))
            except errors.AlreadyExists:
                continue
            return token
        raise errors.Conflict("no free ID for a bootstrap token was found")

    async def _prolong(self, seen: World, token: Token, until: dt.datetime) -> None:
        expiration = base64.b64encode(clock.format_time(until).encode()).decode()
        name = tokens.secret_name(token.id)
        await self._workload(seen).patch(Secret, name, tokens.NAMESPACE, patch={"data": {"expiration": expiration}})

    async def _drop(self, seen: World, schedule: Schedule) -> None:
        for token_id in schedule.drop:
            try:
                await self._workload(seen).delete(Secret, tokens.secret_name(token_id), tokens.NAMESPACE)
            except errors.NotFound:
                continue  # the workload cluster's own token cleaner was faster
        if isinstance(schedule.step, Mint) and seen.cluster is not None:
            await self._sweeper.sweep(seen.cluster.key, self._workload(seen), seen.now)

    def _workload(self, seen: World) -> Client:
        """Raises Unavailable where the connection was lost since it was observed."""
        assert seen.cluster is not None
        reached = self._connections.get(seen.cluster.key)
        if reached is None:
            raise Unavailable(self._connections.unavailable_reason(seen.cluster.key))
        return reached.client

    # --- control planes

    async def _lock(self, seen: World) -> Result:
        """Take the init lock, or free it where its holder is gone."""
        assert seen.owner is not None
        assert seen.cluster is not None
        try:
            await self._client.create(locking.held_by(seen.cluster, seen.owner.name))
            return RequeueAfter(_SOON)
        except errors.AlreadyExists:
            holder = await self._holder(seen.cluster)
        wait = Wait(
            message=f"Waiting for Machine {holder} to initialize the control plane",
            legacy_reason="WaitingForControlPlaneAvailable",
        )
        await self._write_status(
            seen, conditions.waiting(_resumed(seen), wait, has_data=seen.data is not None, now=seen.now)
        )
        return RequeueAfter(decide.POLL)

    async def _holder(self, cluster: Cluster) -> str:
        namespace = cluster.metadata.namespace
        lock = await self._client.get(ConfigMap, locking.name(cluster), namespace)
        holder = locking.holder(lock)
        try:
            await self._client.get(Machine, holder, namespace)
        except errors.NotFound:
            version = lock.metadata.resource_version
            await self._client.delete(ConfigMap, lock.metadata.name, namespace, resource_version=version)
        return holder

    async def _make_certificates(self, seen: World) -> None:
        """Make what is missing. An existing secret that lacks its key is left alone: the user must mend it."""
        assert seen.cluster is not None
        configuration = seen.spec.get("clusterConfiguration") or {}
        algorithm = configuration.get("encryptionAlgorithm") or ""
        for certificate in certificates.of_control_plane(configuration):
            name = certificate.secret_name(seen.cluster.metadata.name)
            if name in seen.secrets or certificate.external:
                continue
            made = await asyncio.to_thread(certificates.generate, certificate, now=seen.now, algorithm=algorithm)
            secret = _secret(seen.config, seen.cluster, name, made)
            try:
                await self._client.create(secret)
            except errors.AlreadyExists:
                continue  # another machine of the control plane made it

    # --- status

    async def _write_status(self, seen: World, status: KubeadmConfigStatus) -> bool:
        """Write what changed of the status, if anything did. Returns whether."""
        status = msgspec.structs.replace(status, observed_generation=seen.config.metadata.generation or None)
        if status == seen.config.status:
            return False
        before = objects.to_raw(seen.config)
        after = objects.to_raw(objects.replace(seen.config, status=status))
        patch = merge.diff(before.get("status") or {}, after.get("status") or {})
        if patch is None:
            return False
        name, namespace = seen.config.metadata.name, seen.config.metadata.namespace
        await self._client.patch(
            KubeadmConfig,
            name,
            namespace,
            patch={"status": patch},
            subresource="status",
            resource_version=seen.config.metadata.resource_version,
        )
        return True


def owner_key(key: ObjectKey) -> str:
    """What the label of a token's Secret says of whose it is: short, and not to be read."""
    return names.short_hash(str(key), 12)


def _resumed(seen: World) -> KubeadmConfigStatus:
    """The status of an object that is not paused."""
    return conditions.paused(seen.config.status, False, why="", now=seen.now)


def _note(made: Data | None) -> str:
    if made is None or not made.left_out:
        return ""
    return f"Left out of spec.ignition.containerLinuxConfig.additionalConfig: {', '.join(made.left_out)}"


def _record(current: str, before: Iterable[str], dropped: Iterable[str]) -> str:
    """The IDs to remember, the one in use first."""
    gone = {current, *dropped}
    return ",".join([current, *(token_id for token_id in before if token_id not in gone)][: tokens.MOST_LIVE])


def _data_secret(
    config: KubeadmConfig, cluster: Cluster, data: dict[str, bytes], annotations: dict[str, str]
) -> Secret:
    secret = _secret(config, cluster, config.metadata.name, data)
    return objects.replace(secret, metadata=objects.replace_part(secret.metadata, annotations=annotations))


def _secret(config: KubeadmConfig, cluster: Cluster, name: str, data: dict[str, bytes]) -> Secret:
    owner = objects.owner_reference(config, controller=True)
    return objects.new(
        Secret,
        metadata=ObjectMeta(
            name=name,
            namespace=config.metadata.namespace,
            labels={Label.CLUSTER_NAME: cluster.metadata.name},
            owner_references=(owner,),
        ),
        type=world.SECRET_TYPE,
        data=data,
    )
