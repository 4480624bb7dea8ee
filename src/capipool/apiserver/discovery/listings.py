"""Discovery proper: `/api`, `/apis`, and what each group and version serves, in the plain and the aggregated form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from capipool.apiserver.builtin.definition import Definition
from capipool.machinery.objects import Raw
from capipool.machinery.resource import join_api_version

_SUBRESOURCES: dict[str, tuple[tuple[str, str, str] | None, tuple[str, ...]]] = {
    "status": (None, ("get", "patch", "update")),
    "scale": (("autoscaling", "v1", "Scale"), ("get", "patch", "update")),
    "finalize": (None, ("update",)),
    "eviction": (("policy", "v1", "Eviction"), ("create",)),
    "binding": (("", "v1", "Binding"), ("create",)),
}
"""By name: group, version and kind of what it speaks (the resource's own where None), and its verbs."""

_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def version_priority(version: str) -> tuple[int, int, int, str]:
    """A sort key.

    The stablest and newest version first, as Kubernetes orders them (v2, v1, v1beta2, v1alpha1, other).
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return (stage, -int(found[1]), -int(found[3] or 0), version)


def versions(definitions: Iterable[Definition], group: str) -> list[str]:
    """The versions that a group serves, the preferred one first."""
    return sorted({d.resource.version for d in definitions if d.resource.group == group}, key=version_priority)


def groups(definitions: Iterable[Definition]) -> list[str]:
    """The named groups, in the order in which they were defined."""
    return list(dict.fromkeys(d.resource.group for d in definitions if d.resource.group))


def core_versions() -> Raw:
    """`/api`."""
    where = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": where}


def group_list(definitions: Sequence[Definition]) -> Raw:
    """`/apis`."""
    found = [_group(definitions, group) for group in groups(definitions)]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def group(definitions: Sequence[Definition], name: str) -> Raw:
    """`/apis/<group>`."""
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(definitions, name)}


def _group(definitions: Sequence[Definition], name: str) -> Raw:
    found = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions(definitions, name)]
    return {"name": name, "versions": found, "preferredVersion": found[0]}


def resource_list(definitions: Iterable[Definition], group: str, version: str) -> Raw:
    """`/api/v1` and `/apis/<group>/<version>`."""
    found = [r for d in _of(definitions, group, version) for r in _resources(d)]
    name = join_api_version(group, version)
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": found}


def _of(definitions: Iterable[Definition], group: str, version: str) -> list[Definition]:
    return [d for d in definitions if (d.resource.group, d.resource.version) == (group, version)]


def _resources(definition: Definition) -> list[Raw]:
    resource = definition.resource
    own = {
        "name": resource.plural,
        "singularName": definition.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(definition.verbs),
        **_aliases(definition),
    }
    return [own, *(_subresource(definition, name) for name in sorted(definition.subresources))]


def _aliases(definition: Definition) -> Raw:
    found: dict[str, Any] = {"shortNames": definition.short_names, "categories": definition.categories}
    return {name: list(values) for name, values in found.items() if values}


def _subresource(definition: Definition, name: str) -> Raw:
    speaks, verbs = _SUBRESOURCES[name]
    resource = definition.resource
    described: Raw = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
    if speaks is None:
        return described | {"kind": resource.kind, "verbs": list(verbs)}
    return described | {"group": speaks[0], "version": speaks[1], "kind": speaks[2], "verbs": list(verbs)}


# -- aggregated -------------------------------------------------------------------------------------------------------


def aggregated(definitions: Sequence[Definition], *, core: bool, version: str) -> Raw:
    """`/api` or `/apis` with everything beneath in one answer, in `apidiscovery.k8s.io/<version>`."""
    names = [""] if core else groups(definitions)
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None},
            "versions": [_aggregated_version(definitions, name, v) for v in versions(definitions, name)],
        }
        for name in names
    ]
    api = f"apidiscovery.k8s.io/{version}"
    return {"kind": "APIGroupDiscoveryList", "apiVersion": api, "metadata": {}, "items": items}


def _aggregated_version(definitions: Iterable[Definition], group: str, version: str) -> Raw:
    resources = [_aggregated_resource(d) for d in _of(definitions, group, version)]
    return {"version": version, "freshness": "Current", "resources": resources}


def _aggregated_resource(definition: Definition) -> Raw:
    resource = definition.resource
    described: Raw = {
        "resource": resource.plural,
        "responseKind": definition.gvk,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": definition.singular,
        "verbs": list(definition.verbs),
        **_aliases(definition),
    }
    if definition.subresources:
        described["subresources"] = [_aggregated_sub(definition, name) for name in sorted(definition.subresources)]
    return described


def _aggregated_sub(definition: Definition, name: str) -> Raw:
    speaks, verbs = _SUBRESOURCES[name]
    kind = definition.gvk if speaks is None else dict(zip(("group", "version", "kind"), speaks, strict=True))
    return {"subresource": name, "responseKind": kind, "verbs": list(verbs)}
