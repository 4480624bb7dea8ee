"""What a real Kubernetes needs before `capipool manager` runs against it: kinds, and the rights to work with them."""

from __future__ import annotations

from collections.abc import Iterable

from capipool.machinery.objects import Raw

NAMESPACE = "capipool-system"
NAME = "capipool-manager"

_ALL = ("create", "delete", "get", "list", "patch", "update", "watch")
_RULES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    # Everything of Cluster API and its providers: contracts are read on kinds that nobody knows in advance.
    ("cluster.x-k8s.io", ("*",), _ALL),
    ("bootstrap.cluster.x-k8s.io", ("*",), _ALL),
    ("controlplane.cluster.x-k8s.io", ("*",), _ALL),
    ("infrastructure.cluster.x-k8s.io", ("*",), _ALL),
    ("dev.capipool.io", ("*",), _ALL),
    # Kubeconfigs and bootstrap data.
    ("", ("secrets",), _ALL),
    ("", ("configmaps", "namespaces"), ("get", "list", "watch")),
    ("", ("events",), ("create", "patch")),
    ("coordination.k8s.io", ("leases",), _ALL),
    # Which version of a provider's kind serves which contract.
    ("apiextensions.k8s.io", ("customresourcedefinitions",), ("get", "list", "watch")),
)


def manifests(crds: Iterable[Raw]) -> list[Raw]:
    """Every object to apply, in an order in which each finds what it refers to."""
    return [*crds, *_identity(), _role(), _binding()]


def _identity() -> list[Raw]:
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE}},
    ]


def _role() -> Raw:
    rules = [{"apiGroups": [g], "resources": list(r), "verbs": list(v)} for g, r, v in _RULES]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": NAME},
        "rules": rules,
    }


def _binding() -> Raw:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": NAME},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }
