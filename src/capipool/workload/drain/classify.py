"""What a drain does with one pod. Pure, and in the order of upstream's filters (internal/controllers/machine/drain).

First what pods are: those that will not go away by themselves (daemon sets, static pods) are left alone. Then what
people want: the label `cluster.x-k8s.io/drain` counts before MachineDrainRules.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

from capipool.api.builtin import Pod
from capipool.api.constants import DrainBehavior, Label
from capipool.machinery.objects import OwnerReference
from capipool.machinery.resource import ObjectKey
from capipool.workload.drain import rules as drain_rules
from capipool.workload.drain.types import Rule, Verdict, Warning_

MIRROR_POD_ANNOTATION = "kubernetes.io/config.mirror"
"""The API server's picture of a static pod, which the kubelet runs from a file and nobody can evict."""

_SKIP = Verdict("Skip")


def classify(
    pod: Pod,
    *,
    now: dt.datetime,
    rules: Sequence[Rule] = (),
    namespaces: Mapping[str, Mapping[str, str]] | None = None,
    daemon_set_exists: Callable[[ObjectKey], bool] = lambda _: True,
    skip_deleted_after_seconds: int = 0,
) -> Verdict:
    """Decide about one pod of the node.

    `namespaces` has the labels of all namespaces; None where no rule asks for them. A pod that was to be gone for more
    than `skip_deleted_after_seconds` (0 is never) is skipped: on a node out of reach nobody takes it away.
    """
    if _deleted_for(pod, now) > skip_deleted_after_seconds > 0:
        return _SKIP
    warnings: list[Warning_] = []
    if (daemon_set := running_daemon_set_of(pod)) is not None:
        if daemon_set_exists(daemon_set):
            return Verdict("Skip", warnings=("daemonset",))
        warnings.append("orphaned-daemonset")
    if MIRROR_POD_ANNOTATION in pod.metadata.annotations:
        return _SKIP
    if not is_finished(pod):
        warnings += _warnings(pod)
    labelled = _by_label(pod)
    if labelled is not None:
        return labelled
    return _by_rule(pod, rules, namespaces, tuple(warnings))


def is_finished(pod: Pod) -> bool:
    """Whether its containers have ended for good."""
    return pod.status.phase in ("Succeeded", "Failed")


def controller_of(pod: Pod) -> OwnerReference | None:
    """The owner that would make a new pod in its place."""
    return next((o for o in pod.metadata.owner_references if o.controller), None)


def running_daemon_set_of(pod: Pod) -> ObjectKey | None:
    """The DaemonSet of a pod that has not finished; it may be gone itself."""
    controller = controller_of(pod)
    if controller is None or controller.kind != "DaemonSet" or is_finished(pod):
        return None
    return ObjectKey(pod.metadata.namespace, controller.name)


def _deleted_for(pod: Pod, now: dt.datetime) -> int:
    """Whole seconds since the pod should have been gone; negative while its grace period runs."""
    since = pod.metadata.deletion_timestamp
    return int((now - since).total_seconds()) if since is not None else -1


def _warnings(pod: Pod) -> list[Warning_]:
    found: list[Warning_] = []
    if any(volume.empty_dir is not None for volume in pod.spec.volumes):
        found.append("local-storage")
    if controller_of(pod) is None:
        found.append("no-controller")
    return found


def _by_label(pod: Pod) -> Verdict | None:
    value = pod.metadata.labels.get(Label.POD_DRAIN, "").lower()
    if value == "skip":
        return _SKIP
    if value.replace("-", "", 1) == "waitcompleted":
        return Verdict("WaitCompleted")
    return None


def _by_rule(
    pod: Pod,
    rules: Sequence[Rule],
    namespaces: Mapping[str, Mapping[str, str]] | None,
    warnings: tuple[Warning_, ...],
) -> Verdict:
    labels = None if namespaces is None else namespaces.get(pod.metadata.namespace)
    if namespaces is not None and labels is None:
        return Verdict("Drain", error="its namespace does not exist")
    rule = drain_rules.first_match(rules, pod.metadata.labels, labels or {})
    if rule is None:
        return Verdict("Drain", warnings=warnings)
    match rule.behavior:
        case DrainBehavior.DRAIN:
            return Verdict("Drain", order=rule.order, warnings=warnings)
        case DrainBehavior.SKIP:
            return _SKIP
        case DrainBehavior.WAIT_COMPLETED:
            return Verdict("WaitCompleted", order=rule.order)
        case unknown:
            return Verdict("Drain", error=f"MachineDrainRule {rule.name} has a behavior that is not known: {unknown!r}")
