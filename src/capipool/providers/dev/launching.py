"""What an instance of the development cloud is launched from: out of a pool's spec and its bootstrap data. Pure."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from capipool.api import labels as label_values
from capipool.api.builtin import Taint
from capipool.machinery import clock, codec, durations, names, objects
from capipool.machinery.errors import BadRequest
from capipool.machinery.objects import ObjectMeta, Raw
from capipool.providers.dev.api.cloud import (
    GROUP_LABEL,
    DevInstance,
    DevInstanceSpec,
    DevScalingGroup,
    Fault,
    InstanceTemplate,
)
from capipool.providers.dev.api.machinepool import DevMachinePool, InMemoryPool, Zone
from capipool.providers.dev.api.shared import Startup
from capipool.sdk.errors import InvalidConfiguration
from capipool.sdk.provider import BootstrapData, Launch, Pool

_DEFAULT_ZONES = (Zone(name="default"),)

DEFAULT_LEASE_SECONDS = 600
"""Long leases, renewed rarely: what thousands of idle nodes cost is renewals."""
RENEWALS_PER_LEASE = 4


def backend(pool: DevMachinePool) -> InMemoryPool:
    """The pool's backend. Raises InvalidConfiguration where it has another one."""
    found = pool.spec.backend.in_memory
    if found is None:
        raise InvalidConfiguration("spec.backend.inMemory", detail="the development cloud has no other backend")
    return found


def template(
    pool: DevMachinePool, version: str, launch: Launch, labels: Raw, taints: tuple[Taint, ...]
) -> InstanceTemplate:
    """What a pool's group launches. Raises InvalidConfiguration."""
    spec = backend(pool)
    vm_seconds, vm_jitter = _startup(spec.vm, "vm")
    node_seconds, node_jitter = _startup(spec.node, "node")
    lease = spec.node_lease.duration_seconds or DEFAULT_LEASE_SECONDS
    return InstanceTemplate(
        revision=launch.revision,
        bootstrap=launch.bootstrap_version,
        version=version,
        vm_seconds=vm_seconds,
        vm_jitter=vm_jitter,
        node_seconds=node_seconds,
        node_jitter=node_jitter,
        fails=pool.metadata.annotations.get(Fault.BOOT) == "fail",
        labels=dict(labels),
        taints=taints,
        lease_seconds=lease,
        renew_seconds=spec.node_lease.renew_interval_seconds or max(lease // RENEWALS_PER_LEASE, 1),
    )


def zones(pool: Pool[DevMachinePool]) -> tuple[Zone, ...]:
    """Where instances may be. Raises InvalidConfiguration where a failure domain is no zone of the pool."""
    declared = backend(pool.object).zones or tuple(Zone(name=domain) for domain in pool.failure_domains)
    if not pool.failure_domains:
        return declared or _DEFAULT_ZONES
    known = {zone.name: zone for zone in declared}
    for domain in pool.failure_domains:
        if domain not in known:
            said = f"MachinePool {pool.machine_pool.metadata.name} wants failure domain {domain}, which is no zone here"
            raise InvalidConfiguration("spec.backend.inMemory.zones", detail=said)
    return tuple(known[domain] for domain in pool.failure_domains)


def registration(data: BootstrapData) -> tuple[dict[str, str], tuple[Taint, ...]]:
    """Labels and taints that the bootstrap data has the kubelet register with, as far as they can be read.

    Only kubeadm's join configuration is understood; data of other sorts gives none.
    """
    if b"nodeRegistration" not in data.data:
        return {}, ()
    found = _join_configuration(data.data)
    node = found.get("nodeRegistration") or {}
    return _labels(node.get("kubeletExtraArgs")), tuple(_taints(node.get("taints")))


def instance(group: DevScalingGroup, zone: str, *, now: dt.datetime, rng: random.Random) -> DevInstance:
    """A new instance of a group."""
    of, meta = group.spec.template, group.metadata
    name = names.generate(f"{meta.name}-", rng)
    runs = now + dt.timedelta(seconds=of.vm_seconds * (1 + of.vm_jitter * rng.random()))
    joins = runs + dt.timedelta(seconds=of.node_seconds * (1 + of.node_jitter * rng.random()))
    owner = objects.owner_reference(group, controller=True)
    return objects.new(
        DevInstance,
        metadata=ObjectMeta(
            name=name,
            namespace=meta.namespace,
            labels={GROUP_LABEL: label_values.format_value(meta.name)},
            owner_references=(owner,),
        ),
        spec=DevInstanceSpec(
            group=meta.name,
            cluster_name=group.spec.cluster_name,
            provider_id=f"dev:////{meta.namespace}/{name}",
            zone=zone,
            revision=of.revision,
            version=of.version,
            address=f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}",
            runs_at=clock.format_micro_time(runs),
            joins_at=clock.format_micro_time(joins),
            fails=of.fails,
            labels=of.labels,
            taints=of.taints,
            lease_seconds=of.lease_seconds,
            renew_seconds=of.renew_seconds,
        ),
    )


def _startup(startup: Startup | None, what: str) -> tuple[float, float]:
    if startup is None or startup.provisioning is None:
        return 0.0, 0.0
    provisioning = startup.provisioning
    field = f"spec.backend.inMemory.{what}.provisioning"
    try:
        took = float(durations.parse(provisioning.startup_duration))
        return took, max(float(provisioning.startup_jitter or 0), 0.0)
    except ValueError as error:
        raise InvalidConfiguration(field, detail=str(error)) from error


def _join_configuration(data: bytes) -> Raw:
    """Kubeadm's JoinConfiguration out of a cloud-config; empty where there is none that can be read."""
    try:
        for file in next(codec.decode_yaml(data), {}).get("write_files") or ():
            content = str(file.get("content") or "")
            if "kind: JoinConfiguration" in content:
                return next((d for d in codec.decode_yaml(content) if d.get("kind") == "JoinConfiguration"), {})
    except (BadRequest, AttributeError):
        return {}
    return {}


def _labels(arguments: Any) -> dict[str, str]:
    """`--node-labels`, from the map that kubeadm v1beta3 has or the list of v1beta4."""
    if isinstance(arguments, list):
        arguments = {a.get("name"): a.get("value") for a in arguments if isinstance(a, dict)}
    text = str(arguments.get("node-labels") or "") if isinstance(arguments, dict) else ""
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _taints(taints: Any) -> list[Taint]:
    if not isinstance(taints, list):
        return []
    found = (t for t in taints if isinstance(t, dict) and t.get("key") and t.get("effect"))
    return [Taint(key=str(t["key"]), effect=str(t["effect"]), value=str(t.get("value") or "")) for t in found]
