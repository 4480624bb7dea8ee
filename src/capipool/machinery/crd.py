"""CustomResourceDefinitions from typed objects: what `capipool manifests` prints and the embedded server is given.

Called by the rooms that own kinds (`api.crds`, each provider). Knows nothing of Cluster API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from capipool.machinery.objects import Object, Raw
from capipool.machinery.schema import types

ColumnType = Literal["string", "integer", "number", "boolean", "date"]


class Column(msgspec.Struct, frozen=True):
    """A column that `kubectl get` prints. Priority above 0 shows only with `-o wide`."""

    name: str
    path: str
    """A JSONPath below the object: `.spec.replicas`."""
    type: ColumnType = "string"
    priority: int = 0
    description: str = ""


AGE = Column("Age", ".metadata.creationTimestamp", "date")


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """Where the scale subresource finds its numbers."""

    spec_replicas_path: str = ".spec.replicas"
    status_replicas_path: str = ".status.replicas"
    label_selector_path: str = ""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a kind."""

    type: type[Object]
    """Its `RESOURCE` names the version; its schema is made from its fields."""
    served: bool = True
    storage: bool = False
    deprecated: bool = False
    deprecation_warning: str = ""
    columns: Sequence[Column] = ()
    status: bool = True
    """Whether there is a status subresource."""
    scale: Scale | None = None


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """The service that converts between versions on a real cluster. `ca_bundle` is base64 of PEM, or comes later."""

    namespace: str
    name: str
    path: str = "/convert"
    port: int = 443
    ca_bundle: str = ""


def crd(
    *versions: Version,
    short_names: Sequence[str] = (),
    categories: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    webhook: Webhook | None = None,
) -> Raw:
    """A CustomResourceDefinition of one kind. Exactly one version must be for storage.

    Without a webhook the conversion strategy is `None`: right for one version, and for a server that converts itself.
    """
    resource = versions[0].type.RESOURCE
    singular = resource.kind.lower()
    names: Raw = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": singular,
    }
    if categories:
        names["categories"] = list(categories)
    if short_names:
        names["shortNames"] = list(short_names)
    metadata: Raw = {"name": f"{resource.plural}.{resource.group}"}
    if labels:
        metadata["labels"] = dict(labels)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [_version(version) for version in versions],
            "conversion": _conversion(webhook),
        },
    }


def _version(version: Version) -> Raw:
    made: Raw = {"name": version.type.RESOURCE.version, "served": version.served, "storage": version.storage}
    if version.deprecated:
        made["deprecated"] = True
    if version.deprecation_warning:
        made["deprecationWarning"] = version.deprecation_warning
    if version.columns:
        made["additionalPrinterColumns"] = [_column(column) for column in version.columns]
    made["schema"] = {"openAPIV3Schema": types.from_type(version.type)}
    if subresources := _subresources(version):
        made["subresources"] = subresources
    return made


def _column(column: Column) -> Raw:
    made: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.priority:
        made["priority"] = column.priority
    if column.description:
        made["description"] = column.description
    return made


def _subresources(version: Version) -> Raw:
    made: Raw = {"status": {}} if version.status else {}
    if version.scale is not None:
        scale = {
            "specReplicasPath": version.scale.spec_replicas_path,
            "statusReplicasPath": version.scale.status_replicas_path,
            "labelSelectorPath": version.scale.label_selector_path,
        }
        made["scale"] = {key: value for key, value in scale.items() if value}
    return made


def _conversion(webhook: Webhook | None) -> Raw:
    if webhook is None:
        return {"strategy": "None"}
    service = {"namespace": webhook.namespace, "name": webhook.name, "path": webhook.path, "port": webhook.port}
    client: Raw = {"service": service}
    if webhook.ca_bundle:
        client["caBundle"] = webhook.ca_bundle
    return {"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]}}
