"""Brings a scale set to what is wanted: makes it, gives it another model, a fresh token, another policy, other tags.

Decides by comparing; each write is one request that is refused where somebody changed the scale set since it was read.
Used by `provider` alone.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from capipool.machinery.objects import Raw
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.calls import Answer, Calls
from capipool.providers.azure.operations import PATCH, POST, PUT, Operation
from capipool.providers.azure.pools import comparing, instances, keys, marks, model, parts, place, rollouts
from capipool.providers.azure.pools.history import HISTORY, History
from capipool.providers.azure.pools.model import Resolved, Scope
from capipool.providers.azure.pools.pending import Pending
from capipool.providers.azure.pools.place import Place
from capipool.providers.azure.pools.resolving import Resolving, resolved_before
from capipool.providers.azure.pools.scalesets import ScaleSets
from capipool.providers.azure.pools.seen import Seen
from capipool.providers.azure.pools.setbacks import Setbacks
from capipool.runtime.manager import Manager
from capipool.sdk import (
    InsufficientCapacity,
    InvalidConfiguration,
    Launch,
    OperationInProgress,
    Pool,
    QuotaExceeded,
    RolloutMode,
)

CUSTOM_DATA_LIMIT = 64 * 1024
"""Bytes of custom data that Azure takes, before base64."""
APPLIED_TAGS = "sigs.k8s.io/cluster-api-provider-azure-last-applied-tags-vmss"
"""Annotation: the tags that were set, as upstream notes them, so that those which are wanted no more can go."""


@dataclass(frozen=True, slots=True)
class Context:
    """A pool, and all that its scale set depends on."""

    pool: Pool[AzureMachinePool]
    launch: Launch
    place: Place
    scope: Scope

    @property
    def object(self) -> AzureMachinePool:
        """The pool's object."""
        return self.pool.object


class Writer:
    """Writes scale sets."""

    def __init__(self, manager: Manager, calls: Calls, sets: ScaleSets, pending: Pending, setbacks: Setbacks) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._sets = sets
        self._pending = pending
        self._setbacks = setbacks
        self._resolving = Resolving(calls)
        self._asked: dict[str, tuple[str, tuple[str, ...]]] = {}
        """By uid: for which differences a model was written last. What Azure does not take over is asked for once."""
        self._wrote: set[str] = set()

    def wrote(self, obj: AzureMachinePool) -> bool:
        """Whether anything was written since this was asked last."""
        found = obj.metadata.uid in self._wrote
        self._wrote.discard(obj.metadata.uid)
        return found

    def forget(self, obj: AzureMachinePool) -> None:
        """The pool is gone."""
        self._asked.pop(obj.metadata.uid, None)
        self._wrote.discard(obj.metadata.uid)

    async def begin(
        self,
        obj: AzureMachinePool,
        about: Operation,
        send: Callable[[], Awaitable[Answer]],
        *,
        instead: Operation | None = None,
    ) -> None:
        """Begin an operation, and note where to ask for it before anything else is done. Raises ProviderError."""
        self._wrote.add(obj.metadata.uid)
        try:
            answer = await send()
        except (InsufficientCapacity, QuotaExceeded, InvalidConfiguration) as error:
            if about.type == POST:
                raise  # of single instances, which may have gone meanwhile
            self._setbacks.note(obj.key, error, about=about.revision or about.type, now=self._clock.now())
            raise
        begun = about.begun(answer)
        if begun is not None:
            await self._pending.add(obj, begun, instead=instead)
        elif instead is not None and not instead.wanted:
            self._pending.drop(obj, instead)

    # --- a scale set that there is not

    async def create(self, context: Context, replicas: int) -> None:
        """Make it, with so many instances. Raises Changed where there is one."""
        obj, launch = context.object, context.launch
        self._hold(context)
        resolved = await self._resolve(context, "")
        data = await custom_data(launch)
        password = _password() if place.is_windows(obj) else ""
        body = model.merged(self._body(context, resolved), model.secret_parts(obj, data, password))
        body["sku"]["capacity"] = replicas
        body["tags"] = self._tags(context) | self._system_tags(context, History(launch.revision), data)
        if (policy := rollouts.policy(obj, rolling=False, replicas=replicas)) is not None:
            body["properties"]["upgradePolicy"] = policy
        await self._note_tags(context, self._user_tags(context))
        await self.begin(obj, self._operation(context, PUT, replicas), lambda: self._sets.create(context.place, body))

    # --- one that there is

    async def update(self, context: Context, seen: Seen) -> None:
        """Write what differs, one thing at a time. Raises Changed where it is not as it was seen."""
        if self._is_taking_on(context):
            return
        history, launch = seen.history, context.launch
        wanted = self._body(context, resolved_before(seen.raw))
        differing = comparing.differences(wanted, seen.raw)
        if history.current == launch.revision and not self._is_new(context, differing):
            differing = []
        if not history.current and not differing:
            await self._refresh(context, seen, History(launch.revision))  # upstream made it, and just so
        elif history.current != launch.revision or differing:
            await self._remodel(context, seen, differing)
        elif seen.tags.get(marks.BOOTSTRAP) != marks.bootstrap(launch.bootstrap_version) and not self._rolls(seen):
            await self._refresh(context, seen, history)
        elif not await self._ensure_policy(context, seen):
            await self._ensure_tags(context, seen)

    async def _remodel(self, context: Context, seen: Seen, differing: list[str]) -> None:
        """Another model: the whole of it, its revision, and the history of the instances there are, in one PUT."""
        self._hold(context)
        obj, launch = context.object, context.launch
        same = seen.history.current == launch.revision
        before = resolved_before(seen.raw)
        resolved = before if same else await self._resolve(context, before.ssh_key)
        data = await custom_data(launch)
        body = model.merged(self._body(context, resolved), model.secret_parts(obj, data))
        if not any("networkProfile" in path for path in comparing.differences(body, seen.raw)):
            del body["properties"]["virtualMachineProfile"]["networkProfile"]
        if zones := sorted({*context.scope.zones, *(seen.raw.get("zones") or ())}):
            body["zones"] = zones  # Azure takes none away
        body["sku"]["capacity"] = seen.capacity
        history = seen.history.followed_by(launch.revision, [instances.created(raw) for raw in seen.listed])
        gone = {HISTORY, *self._gone_tags(context, seen)}
        kept = {name: value for name, value in seen.tags.items() if name not in gone}
        body["tags"] = kept | self._tags(context) | self._system_tags(context, history, data)
        rolling = seen.native and bool(seen.listed)
        if (policy := _policy(context, seen, rolling=rolling)) is not None:
            body["properties"]["upgradePolicy"] = policy
        self._asked[obj.metadata.uid] = (launch.revision, tuple(differing))
        await self._note_tags(context, _applied(obj) | self._user_tags(context))
        await self._put(context, seen, body)
        await self._note_tags(context, self._user_tags(context))

    async def _put(self, context: Context, seen: Seen, body: Raw) -> None:
        about = self._operation(context, PUT, seen.capacity)
        try:
            await self.begin(context.object, about, lambda: self._sets.put(context.place, body, etag=seen.etag))
        except OperationInProgress:
            if seen.native and rollouts.is_running(await self._sets.rolling(context.place)):
                await self._sets.cancel_rolling(context.place)  # it goes to a model that nobody wants any more
            raise

    async def _refresh(self, context: Context, seen: Seen, history: History) -> None:
        """The same model with fresh bootstrap data: no instance is replaced for it."""
        data = await custom_data(context.launch)
        settled = history.settled() if seen.native and not self._rolls(seen) else history
        kept = {name: value for name, value in seen.tags.items() if name != HISTORY}
        body: Raw = {"tags": kept | self._tags(context) | self._system_tags(context, settled, data)}
        if seen.tags.get(marks.DATA_HASH) != marks.data_hash(data):
            body["properties"] = {"virtualMachineProfile": {"osProfile": {"customData": data}}}
        policy = _policy(context, seen, rolling=False)
        if policy is not None and "properties" in body:
            body["properties"]["upgradePolicy"] = policy
        await self._patch(context, seen, body)

    async def _ensure_policy(self, context: Context, seen: Seen) -> bool:
        """Azure rolls only while something is outdated. Returns whether something was written."""
        rolling = self._rolls(seen)
        wanted = _policy(context, seen, rolling=rolling)
        if wanted is None or _upgrade_mode(seen) == wanted["mode"]:
            return False
        history = seen.history if rolling else seen.history.settled() if seen.native else seen.history
        kept = {name: value for name, value in seen.tags.items() if name != HISTORY}
        await self._patch(context, seen, {"properties": {"upgradePolicy": wanted}, "tags": kept | history.tags()})
        return True

    async def _patch(self, context: Context, seen: Seen, body: Raw) -> None:
        about = self._operation(context, PATCH, seen.capacity)
        await self.begin(context.object, about, lambda: self._sets.patch(context.place, body, etag=seen.etag))

    async def _ensure_tags(self, context: Context, seen: Seen) -> None:
        """The user's tags, without touching the model. Others' are left alone."""
        wanted = self._tags(context)
        differing = marks.differing(seen.tags, wanted)
        gone = self._gone_tags(context, seen)
        if differing or gone:
            self._wrote.add(context.object.metadata.uid)
            await self._note_tags(context, _applied(context.object) | self._user_tags(context))
            await self._sets.merge_tags(context.place, differing, gone=gone)
        await self._note_tags(context, self._user_tags(context))

    async def _note_tags(self, context: Context, tags: dict[str, str]) -> None:
        obj = context.object
        if _applied(obj) == tags:
            return
        patch = {"metadata": {"annotations": {APPLIED_TAGS: json.dumps(tags, sort_keys=True)}}}
        await self._client.patch(AzureMachinePool, obj.metadata.name, obj.metadata.namespace, patch=patch)

    # --- what is wanted

    def _body(self, context: Context, resolved: Resolved) -> Raw:
        key = context.object.spec.template.ssh_public_key
        if key and not place.is_windows(context.object):
            resolved = replace(resolved, ssh_key=parts.ssh_key(key))
        return model.body(context.scope, resolved)

    async def _resolve(self, context: Context, ssh_key: str) -> Resolved:
        obj = context.object
        key = "" if place.is_windows(obj) else ssh_key or keys.throw_away()
        return await self._resolving.resolve(obj, context.place.caller, context.pool.version, key)

    def _tags(self, context: Context) -> dict[str, str]:
        return marks.wanted(
            cluster=context.scope.cluster_name,
            scale_set=context.scope.name,
            key=str(context.pool.key),
            more=(self._user_tags(context),),
        )

    def _user_tags(self, context: Context) -> dict[str, str]:
        return {**context.scope.cluster.spec.additional_tags, **context.object.spec.additional_tags}

    def _gone_tags(self, context: Context, seen: Seen) -> dict[str, str]:
        """Tags that were wanted once, are not now, and are there still."""
        wanted = self._tags(context)
        return {name: seen.tags[name] for name in _applied(context.object) if name not in wanted and name in seen.tags}

    def _system_tags(self, context: Context, history: History, data: str) -> dict[str, str]:
        bootstrap = marks.bootstrap(context.launch.bootstrap_version)
        return history.tags() | {marks.BOOTSTRAP: bootstrap, marks.DATA_HASH: marks.data_hash(data)}

    def _operation(self, context: Context, type: str, wanted: int) -> Operation:
        where, revision = context.place.id, context.launch.revision
        return Operation(
            type=type, service="scalesets", group=where.group, name=where.name, wanted=wanted, revision=revision
        )

    def _hold(self, context: Context) -> None:
        self._setbacks.hold(context.object.key, about=context.launch.revision, now=self._clock.now())

    def _is_taking_on(self, context: Context) -> bool:
        """Whether an update is under way already; a rolling upgrade alone does not count."""
        if rollouts.mode(context.object) is RolloutMode.NATIVE:
            return any(o.about_all and o.revision == context.launch.revision for o in self._pending.of(context.object))
        return any(o.about_all for o in self._pending.of(context.object))

    def _is_new(self, context: Context, differing: list[str]) -> bool:
        """Whether it was not for these very differences that the model was written last."""
        asked = self._asked.get(context.object.metadata.uid)
        return bool(differing) and asked != (context.launch.revision, tuple(differing))

    def _rolls(self, seen: Seen) -> bool:
        """Whether Azure has instances to replace by itself."""
        flexible = seen.properties.get("orchestrationMode") == "Flexible"
        those = seen.instances(flexible=flexible)
        return seen.native and any(i.revision != seen.history.current for i in those)


def _policy(context: Context, seen: Seen, *, rolling: bool) -> Raw | None:
    """The upgrade policy; None where there is none, and none is to be undone."""
    wanted = rollouts.policy(context.object, rolling=rolling, replicas=len(seen.listed))
    return {"mode": model.MANUAL} if wanted is None and _upgrade_mode(seen) != model.MANUAL else wanted


def _upgrade_mode(seen: Seen) -> str:
    return str((seen.properties.get("upgradePolicy") or {}).get("mode") or model.MANUAL)


async def custom_data(launch: Launch) -> str:
    """The bootstrap data as Azure takes it. Raises InvalidConfiguration, ApiError."""
    boot = await launch.read_bootstrap()
    if len(boot.data) > CUSTOM_DATA_LIMIT:
        detail = f"is {len(boot.data)} bytes, and Azure takes {CUSTOM_DATA_LIMIT}"
        raise InvalidConfiguration("the bootstrap data", detail=detail)
    return base64.b64encode(boot.data).decode()


def _applied(obj: AzureMachinePool) -> dict[str, str]:
    try:
        found = json.loads(obj.metadata.annotations.get(APPLIED_TAGS, "{}"))
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _password() -> str:
    """A password that nobody knows: nodes are not logged in to. Azure wants several sorts of characters."""
    return f"{secrets.token_urlsafe(24)}aA1!"
