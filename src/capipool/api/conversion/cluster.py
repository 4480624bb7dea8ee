"""Cluster between v1beta1 and v1beta2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from capipool.api.conversion import fields, references, statuses, topology
from capipool.api.conversion.lossless import Context
from capipool.machinery.objects import Raw

_INITIALIZATION = {
    "controlPlaneReady": "controlPlaneInitialized",
    "infrastructureReady": "infrastructureProvisioned",
}
_COUNTERS = ("controlPlane", "workers")
_REFERENCES = ("controlPlaneRef", "infrastructureRef")


def up(body: Mapping[str, Any]) -> Raw:
    """To v1beta2."""
    return fields.parts(body, spec=_spec_up, status=_status_up)


def down(body: Mapping[str, Any], context: Context) -> Raw:
    """To v1beta1."""
    return fields.parts(body, spec=lambda spec: _spec_down(spec, context), status=_status_down)


def _spec_up(spec: Mapping[str, Any]) -> Raw:
    new = dict(spec)
    fields.drop_empty(new, _REFERENCES)
    for name in _REFERENCES:
        fields.change(new, name, references.up)
    endpoint = fields.part(new, "controlPlaneEndpoint")
    fields.drop_empty(endpoint, ("host",))
    fields.drop_zero(endpoint, ("port",))
    fields.place(new, "controlPlaneEndpoint", endpoint)
    network = fields.part(new, "clusterNetwork")
    fields.drop_empty(network, ("serviceDomain",))
    fields.drop_zero(network, ("apiServerPort",))
    fields.place(new, "clusterNetwork", network)
    fields.change(new, "topology", topology.up)
    fields.drop_empty(new, ("availabilityGates",))
    return new


def _spec_down(spec: Mapping[str, Any], context: Context) -> Raw:
    old = dict(spec)
    for name in _REFERENCES:
        fields.change(old, name, lambda ref: references.down(ref, context))
    fields.change(old, "controlPlaneEndpoint", lambda endpoint: {"host": "", "port": 0, **endpoint})
    fields.change(old, "topology", lambda wanted: topology.down(wanted, context))
    return old


def _status_up(status: Raw) -> Raw:
    statuses.up(status, legacy=statuses.FAILURE, counters=_COUNTERS, initialization=_INITIALIZATION)
    fields.change(status, "failureDomains", _domains_up)
    fields.drop_empty(status, ("failureDomains",))
    return status


def _status_down(status: Raw) -> Raw:
    statuses.down(status, legacy=statuses.FAILURE, counters=_COUNTERS, initialization=_INITIALIZATION)
    fields.change(status, "failureDomains", _domains_down)
    return status


def _domains_up(domains: Mapping[str, Mapping[str, Any]]) -> list[Raw]:
    """A map by name becomes a list, in the order of the names."""
    return [{"name": name, **domain} for name, domain in sorted(domains.items())]


def _domains_down(domains: Iterable[Mapping[str, Any]]) -> Raw:
    return {d["name"]: {key: value for key, value in d.items() if key != "name"} for d in domains}
