"""One step of a drain: cordon the node, look at its pods, evict those whose turn it is, say what is left.

The only part of the package that talks to a cluster. It keeps nothing between steps: everything it needs to know next
time, it reads again. Costs two calls for a node that is cordoned and empty, and one more for each pod to evict.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from capipool.api.builtin import DaemonSet, Namespace, Node, Pod, PodDisruptionBudget
from capipool.client.client import Client
from capipool.machinery import errors, selectors
from capipool.machinery.resource import ObjectKey
from capipool.runtime.cache import Caches
from capipool.workload import nodes
from capipool.workload.drain import message
from capipool.workload.drain.classify import classify, running_daemon_set_of
from capipool.workload.drain.plan import plan
from capipool.workload.drain.types import BlockedBy, Blocker, DrainOptions, DrainPlan, DrainResult, is_expired

UNREACHABLE_SKIP_DELETED_SECONDS = 1
"""On a node out of reach, a pod that should be gone for longer than this is: its kubelet cannot say so. As upstream."""
UNREACHABLE_GRACE_SECONDS = 1
"""The grace period there: nobody is left to use it, and the pod counts as there until it is over."""

_EVICTIONS_AT_ONCE = 8
_EVICTING = dt.timedelta(seconds=10)
"""How long a step spends on evictions; what is not done by then is left to the next."""
_RETRY_AT_LEAST = dt.timedelta(seconds=1)
_RETRY_AT_MOST = dt.timedelta(seconds=20)


async def drain(
    client: Client, caches: Caches, node_name: str, *, options: DrainOptions | None = None, now: dt.datetime
) -> DrainResult:
    """Take one step to drain a node of the workload cluster that `client` and `caches` belong to.

    Done when no pod is left that has to go, when the node does not exist, or when the time is over. Safe to repeat.
    Raises DrainError where pods cannot be judged, ApiError where the cluster cannot be asked; neither evicts anything.
    """
    options = options or DrainOptions()
    node = caches.of(Node).get(ObjectKey("", node_name))
    if node is None:
        return DrainResult(done=True)
    if is_expired(options.started_at, options.timeout_seconds, now):
        return DrainResult(done=True, timed_out=True)
    if not await cordon(client, node):
        return DrainResult(done=True)
    unreachable = is_unreachable(node)
    planned = await _plan(client, caches, node_name, options, unreachable, now)
    failed = await evict(client, planned.evict, _grace_period(options, unreachable))
    return await conclude(client, planned, failed, options, now)


async def ignored_pods(
    client: Client, caches: Caches, node_name: str, *, options: DrainOptions, now: dt.datetime
) -> tuple[Pod, ...]:
    """The pods that a drain of this node leaves where they are. Raises as `drain` does."""
    return (await _plan(client, caches, node_name, options, False, now)).ignored


async def cordon(client: Client, node: Node) -> bool:
    """Let no new pods onto a node. No call where that is so already. False where the node is gone."""
    if node.spec.unschedulable:
        return True
    try:
        await client.patch(Node, node.metadata.name, patch={"spec": {"unschedulable": True}})
    except errors.NotFound:
        return False
    return True


def is_unreachable(node: Node) -> bool:
    """Whether the control plane has lost the node's kubelet: nothing on it will ever be reported gone."""
    ready = nodes.ready_condition(node)
    return ready is not None and ready.status == "Unknown"


def retry_after(options: DrainOptions, now: dt.datetime) -> dt.timedelta:
    """Quick at first, then a tenth of the time it has taken: between 1 s and 20 s, and never beyond the timeout."""
    took = now - (options.started_at or now)
    delay = min(max(took / 10, _RETRY_AT_LEAST), _RETRY_AT_MOST)
    if options.timeout_seconds and options.timeout_seconds > 0:
        delay = min(delay, dt.timedelta(seconds=options.timeout_seconds) - took)
    return delay


def _grace_period(options: DrainOptions, unreachable: bool) -> int | None:
    if options.grace_period_seconds is not None or not unreachable:
        return options.grace_period_seconds
    return UNREACHABLE_GRACE_SECONDS


async def _plan(
    client: Client, caches: Caches, node_name: str, options: DrainOptions, unreachable: bool, now: dt.datetime
) -> DrainPlan:
    pods = await client.list(Pod, fields=f"spec.nodeName={node_name}")
    alive = await _daemon_sets(client, {key for pod in pods if (key := running_daemon_set_of(pod)) is not None})
    namespaces = await _namespaces(caches) if any(rule.needs_namespaces for rule in options.rules) else None
    return plan(
        (
            pod,
            classify(
                pod,
                now=now,
                rules=options.rules,
                namespaces=namespaces,
                daemon_set_exists=alive.__contains__,
                skip_deleted_after_seconds=UNREACHABLE_SKIP_DELETED_SECONDS if unreachable else 0,
            ),
        )
        for pod in pods
    )


async def _daemon_sets(client: Client, wanted: Iterable[ObjectKey]) -> frozenset[ObjectKey]:
    """Those of the daemon sets that exist."""

    async def exists(key: ObjectKey) -> bool:
        try:
            await client.get(DaemonSet, key.name, key.namespace)
        except errors.NotFound:
            return False
        return True

    keys = sorted(wanted)
    found = await asyncio.gather(*map(exists, keys))
    return frozenset(key for key, there in zip(keys, found, strict=True) if there)


async def _namespaces(caches: Caches) -> Mapping[str, Mapping[str, str]]:
    cache = caches.of(Namespace)
    await cache.synced()
    return {namespace.metadata.name: namespace.metadata.labels for namespace in cache.list()}


async def evict(client: Client, pods: Sequence[Pod], grace: int | None) -> dict[ObjectKey, errors.ApiError | None]:
    """What came of the eviction of each pod: None where it was accepted. Pods that are gone are left out."""
    outcomes: dict[ObjectKey, errors.ApiError | None] = {}
    slots = asyncio.Semaphore(_EVICTIONS_AT_ONCE)
    deadline = asyncio.get_running_loop().time() + _EVICTING.total_seconds()

    async def one(pod: Pod) -> None:
        try:
            async with asyncio.timeout_at(deadline), slots:
                await client.evict(pod.metadata.name, pod.metadata.namespace, grace_period_seconds=grace)
        except errors.NotFound:
            return
        except errors.ApiError as error:
            outcomes[pod.key] = error
        except TimeoutError:
            outcomes[pod.key] = errors.Timeout("evictions took too long, it is tried again")
        else:
            outcomes[pod.key] = None

    async with asyncio.TaskGroup() as group:
        for pod in pods:
            group.create_task(one(pod))
    return dict(sorted(outcomes.items()))


async def conclude(
    client: Client,
    planned: DrainPlan,
    outcomes: Mapping[ObjectKey, errors.ApiError | None],
    options: DrainOptions,
    now: dt.datetime,
) -> DrainResult:
    """What the step comes to: who was evicted, and who holds the drain up and why. Asks only to name budgets."""
    evicted = tuple(key for key, error in outcomes.items() if error is None)
    refused = {key: error for key, error in outcomes.items() if error is not None}
    deleting = sorted({*evicted, *(pod.key for pod in planned.deleting)})
    waiting = (
        *(Blocker(key, "Deleting") for key in deleting),
        *await _blockers(client, refused, {pod.key: pod for pod in planned.evict}),
        *_each(planned.complete, "Completion"),
        *_each(planned.evict_later, "Order"),
        *_each(planned.complete_later, "OrderCompletion"),
    )
    if not waiting:
        return DrainResult(done=True)
    return DrainResult(
        done=False,
        evicted=evicted,
        waiting=waiting,
        message=message.condition_message(waiting, options.started_at or now),
        retry_after=retry_after(options, now),
    )


def _each(pods: Iterable[Pod], by: BlockedBy) -> Iterable[Blocker]:
    return (Blocker(pod.key, by) for pod in pods)


async def _blockers(
    client: Client, refused: Mapping[ObjectKey, errors.ApiError], pods: Mapping[ObjectKey, Pod]
) -> list[Blocker]:
    """Why each eviction was refused; budgets are looked up so that they can be named."""
    held = {key.namespace for key, error in refused.items() if isinstance(error, errors.TooManyRequests)}
    budgets = {namespace: await _budgets(client, namespace) for namespace in sorted(held)}
    found = []
    for key, error in refused.items():
        if isinstance(error, errors.TooManyRequests):
            found.append(_held_by_budget(pods[key], budgets[key.namespace], error))
        else:
            found.append(Blocker(key, "Failed", detail=_failure(error)))
    return found


async def _budgets(client: Client, namespace: str) -> list[PodDisruptionBudget]:
    """The budgets of a namespace; none where they may not be read: naming them is a courtesy."""
    try:
        return await client.list(PodDisruptionBudget, namespace)
    except errors.ApiError:
        return []


def _held_by_budget(pod: Pod, budgets: Iterable[PodDisruptionBudget], error: errors.ApiError) -> Blocker:
    matching = [b for b in budgets if _selects(b, pod)]
    exhausted = [b for b in matching if b.status.disruptions_allowed <= 0] or matching
    if not exhausted:
        return Blocker(pod.key, "Budget", detail=_said(error))
    names = ", ".join(sorted(b.metadata.name for b in exhausted))
    status = exhausted[0].status
    detail = f"needs {status.desired_healthy} healthy Pods and has {status.current_healthy}"
    return Blocker(pod.key, "Budget", names, detail if len(exhausted) == 1 else "")


def _selects(budget: PodDisruptionBudget, pod: Pod) -> bool:
    selector = selectors.from_object(msgspec.to_builtins(budget.spec.selector))
    return selector is not None and selector.matches(pod.metadata.labels)


def _said(error: errors.ApiError) -> str:
    """What the server said, with the causes, in which Kubernetes names the budget."""
    causes = [str(c.get("message", "")) for c in error.details.get("causes") or () if isinstance(c, Mapping)]
    return " ".join((error.message, *filter(None, causes)))


def _failure(error: errors.ApiError) -> str:
    causes = error.details.get("causes") or ()
    if any(isinstance(c, Mapping) and c.get("reason") == "NamespaceTerminating" for c in causes):
        return "its namespace is terminating, which deletes it"
    return error.message
