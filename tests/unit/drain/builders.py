"""Pods and drain rules for tests of drains."""

import datetime as dt
from typing import Any

from capipool.api.builtin import Pod
from capipool.api.core import MachineDrainRule
from capipool.machinery import clock, objects

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)


def pod(
    name: str = "web-0",
    namespace: str = "default",
    *,
    controller: str | None = "ReplicaSet",
    phase: str = "Running",
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    deleted_seconds_ago: float | None = None,
    empty_dir: bool = False,
) -> Pod:
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "labels": labels or {},
        "annotations": annotations or {},
    }
    if controller:
        owner = {"apiVersion": "apps/v1", "kind": controller, "name": "owner", "uid": "u", "controller": True}
        metadata["ownerReferences"] = [owner]
    if deleted_seconds_ago is not None:
        metadata["deletionTimestamp"] = clock.format_time(NOW - dt.timedelta(seconds=deleted_seconds_ago))
    volumes = [{"name": "scratch", "emptyDir": {}}] if empty_dir else []
    spec = {"nodeName": "n1", "volumes": volumes}
    raw = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": phase}}
    return objects.from_raw(Pod, raw)


def rule(name: str, behavior: str = "Drain", order: int | None = None, **selection: Any) -> MachineDrainRule:
    drain: dict[str, Any] = {"behavior": behavior}
    if order is not None:
        drain["order"] = order
    raw = {"metadata": {"name": name, "namespace": "default"}, "spec": {"drain": drain, **selection}}
    return objects.from_raw(MachineDrainRule, raw)
