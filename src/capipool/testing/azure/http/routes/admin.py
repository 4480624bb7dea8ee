"""The hands of a test in another process: faults, durations, machines and the request log, under `/_capipool`.

No token and no API version; what happens here is not in the log.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from capipool.machinery.objects import Raw
from capipool.testing.azure.http.answers import Answer, Call, Route
from capipool.testing.azure.model import virtualmachines
from capipool.testing.azure.model.aks import pools
from capipool.testing.azure.model.aks.cluster import ManagedCluster
from capipool.testing.azure.model.failures import ArmError
from capipool.testing.azure.model.faults import Faults
from capipool.testing.azure.model.machines import Machine
from capipool.testing.azure.model.requests import RequestLog
from capipool.testing.azure.model.scalesets import acting
from capipool.testing.azure.model.scalesets.scaleset import ScaleSet
from capipool.testing.azure.model.timing import Timing

_MEMBER = re.compile(r"(.+/virtualMachineScaleSets/[^/]+)/virtualMachines/([^/]+)", re.IGNORECASE)
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "action": str,
    "code": str,
    "message": str,
    "times": int,
    "status": int,
    "leavesFailed": bool,
    "retryAfter": (int, float),
}
_FAULTS: dict[str, tuple[str, ...]] = {
    "fail": ("action", "code", "message", "times", "leavesFailed"),
    "cancel": ("action", "times"),
    "failBoot": ("code", "message", "times"),
    "refuse": ("action", "code", "message", "status", "times"),
    "throttle": ("action", "times", "retryAfter"),
    "loseAnswer": ("action", "times"),
    "loseRequest": ("action", "times"),
}
"""What each fault takes; the names are those of `Faults`' methods, as JSON writes them."""
_CASES: dict[str | None, Callable[[str], str] | None] = {None: None, "upper": str.upper, "lower": str.lower}


def routes(log: RequestLog) -> tuple[Route, ...]:
    """The paths, for one server's log."""

    def show(_: Call) -> Answer:
        return Answer(200, {"value": [asdict(request) for request in log.all]})

    def forget(_: Call) -> Answer:
        log.clear()
        return Answer(204)

    return (
        _route("GET", "requests", show),
        _route("DELETE", "requests", forget),
        _route("POST", "faults", order),
        _route("DELETE", "faults", clear),
        _route("POST", "hold", hold),
        _route("POST", "release", release),
        _route("GET", "settings", settings),
        _route("PATCH", "settings", change_settings),
        _route("POST", "machines", strike),
        _route("POST", "images", publish),
        _route("POST", "clusters", change_cluster),
    )


def _route(method: str, path: str, handler: Callable[[Call], Answer]) -> Route:
    return Route(method, f"/_capipool/{path}", f"_capipool/{path}", handler, public=True)


def _bad(message: str) -> ArmError:
    return ArmError("BadRequest", message)


def order(call: Call) -> Answer:
    """Order one fault: `{"kind": "fail", "action": ..., "code": ...}`."""
    body = dict(call.document())
    kind = body.pop("kind", None)
    if kind not in _FAULTS:
        raise _bad(f"kind must be one of {', '.join(_FAULTS)}, and is {kind!r}.")
    given = {}
    for name, value in body.items():
        if name not in _FAULTS[kind]:
            raise _bad(f"A fault of kind '{kind}' takes {', '.join(_FAULTS[kind])}, and not '{name}'.")
        if not isinstance(value, _FIELDS[name]):
            raise _bad(f"'{name}' cannot be {value!r}.")
        given[_snake(name)] = value
    if kind in ("fail", "refuse") and not {"action", "code"} <= set(given):
        raise _bad(f"A fault of kind '{kind}' needs action and code.")
    if kind == "cancel" and "action" not in given:
        raise _bad("A fault of kind 'cancel' needs action.")
    getattr(call.subscription.world.faults, _snake(kind))(**given)
    return Answer(204)


def clear(call: Call) -> Answer:
    """Take all orders back."""
    call.subscription.world.faults.clear()
    return Answer(204)


def hold(call: Call) -> Answer:
    """Keep operations in progress that begin from now on: `{"action": "virtualMachineScaleSets/*"}`."""
    call.subscription.world.faults.hold(str(call.document().get("action") or "*"))
    return Answer(204)


def release(call: Call) -> Answer:
    """Let held operations go on."""
    call.subscription.world.operations.release(str(call.document().get("action") or "*"))
    return Answer(204)


def _shown(timing: Timing, faults: Faults) -> Raw:
    cases = {case: name for name, case in _CASES.items()}
    times = {_camel(f.name): _number(getattr(timing, f.name)) for f in fields(timing)}
    return {"timing": times, "pageSize": faults.page_size, "groupCase": cases.get(faults.group_case)}


def _number(value: Any) -> float:
    return value.total_seconds() if isinstance(value, dt.timedelta) else float(value)


def settings(call: Call) -> Answer:
    """Durations in seconds, the page size, the letter case of resource groups."""
    world = call.subscription.world
    return Answer(200, _shown(world.timing, world.faults))


def change_settings(call: Call) -> Answer:
    """Change those that are named."""
    world, body = call.subscription.world, call.document()
    if unknown := set(body) - {"timing", "pageSize", "groupCase"}:
        raise _bad(f"There is no setting {', '.join(sorted(unknown))}.")
    if "groupCase" in body and body["groupCase"] not in _CASES:
        raise _bad(f"groupCase must be upper, lower or null, and is {body['groupCase']!r}.")
    if not isinstance(body.get("pageSize", 0), int):
        raise _bad(f"pageSize must be a number, and is {body['pageSize']!r}.")
    times = body.get("timing") or {}
    names = {_camel(f.name): f.name for f in fields(world.timing)}
    for name, value in times.items():
        if name not in names or not isinstance(value, (int, float)) or value < 0:
            raise _bad(f"timing takes {', '.join(names)} in seconds, and not {name} = {value!r}.")
    for name, value in times.items():
        before = getattr(world.timing, names[name])
        new = dt.timedelta(seconds=value) if isinstance(before, dt.timedelta) else type(before)(value)
        setattr(world.timing, names[name], new)
    world.faults.page_size = body.get("pageSize", world.faults.page_size)
    if "groupCase" in body:
        world.faults.group_case = _CASES[body["groupCase"]]
    return settings(call)


def strike(call: Call) -> Answer:
    """Do something to a machine: `{"id": ..., "do": "evict" | "fail" | "sicken" | "heal", "code": ...}`."""
    body = call.document()
    scale_set, machine = _machine(call, str(body.get("id", "")))
    deed = body.get("do")
    if deed == "evict":
        if scale_set is not None:
            acting.evict(call.subscription, scale_set, machine)
        elif (found := virtualmachines.find(call.subscription, str(body["id"]))) is not None:
            virtualmachines.evict(call.subscription, found)
    elif deed == "fail":
        machine.fail(str(body.get("code") or "VMExtensionProvisioningError"), str(body.get("message") or ""))
    elif deed in ("sicken", "heal"):
        machine.health = "Unhealthy" if deed == "sicken" else "Healthy"
    else:
        raise _bad(f"do must be evict, fail, sicken or heal, and is {deed!r}.")
    return Answer(204)


def _machine(call: Call, machine_id: str) -> tuple[ScaleSet | None, Machine]:
    if match := _MEMBER.fullmatch(machine_id):
        scale_set = call.subscription.scale_sets.get(match[1].lower())
        if scale_set is not None and match[2] in scale_set.machines:
            return scale_set, scale_set.machines[match[2]]
    elif (found := virtualmachines.find(call.subscription, machine_id)) is not None:
        return found.scale_set, found.machine
    raise ArmError("ResourceNotFound", f"There is no machine '{machine_id}'.", status=404)


def publish(call: Call) -> Answer:
    """Publish a version: of a marketplace image, a community image, or AKS' node image."""
    body, subscription = call.document(), call.subscription
    match body:
        case {"publisher": str(publisher), "offer": str(offer), "sku": str(sku), "version": str(version)}:
            subscription.images.marketplace.setdefault((publisher, offer, sku), []).append(version)
        case {"gallery": str(gallery), "image": str(image), "version": str(version)}:
            subscription.images.community.setdefault((gallery, image), []).append(version)
        case {"nodeImage": str(version)}:
            subscription.aks.node_image = version
        case _:
            raise _bad("Needed are publisher, offer, sku and version; or gallery, image and version; or nodeImage.")
    return Answer(204)


def change_cluster(call: Call) -> Answer:
    """Give an AKS cluster another kubeconfig, or let a pool's autoscaler want another count."""
    body = call.document()
    cluster = _cluster(call, str(body.get("id", "")))
    if isinstance(body.get("kubeconfig"), str):
        cluster.kubeconfig = body["kubeconfig"].encode()
    elif isinstance(body.get("count"), int) and (pool := cluster.pools.get(str(body.get("pool")))) is not None:
        if not pool.properties.get("enableAutoScaling") or pool.scale_set is None:
            raise _bad(f"Agent pool '{pool.name}' has no autoscaler, or is not made yet.")
        pools.autoscale(call.subscription, pool, body["count"])
    else:
        raise _bad("Needed is kubeconfig; or pool and count.")
    return Answer(204)


def _cluster(call: Call, cluster_id: str) -> ManagedCluster:
    found = call.subscription.clusters.get(cluster_id.lower())
    if found is None:
        raise ArmError("ResourceNotFound", f"There is no cluster '{cluster_id}'.", status=404)
    return found


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda m: f"_{m[1].lower()}", name)


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda m: m[1].upper(), name)
