"""The table of built-in kinds.

The API server's registry starts from `RESOURCES`. Schemas are made when they are first used, so the table costs a
server's start next to nothing. A kind that is served for clients' sake but has no behaviour here (services, volumes)
is stored, validated and printed like any other.
"""

from __future__ import annotations

from functools import partial

from capipool.apiserver.builtin import crds, rules, types
from capipool.apiserver.builtin.definition import Alias, Definition, Prepare, Scale, Validate
from capipool.machinery.resource import Resource
from capipool.machinery.schema import metadata

_ALL = ("all",)


def _kind(
    api: str,
    kind: str,
    plural: str,
    *,
    namespaced: bool = True,
    short: str = "",
    type_: str = "",
    status: bool = False,
    more: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    scale: Scale | None = None,
    fields: dict[str, str] | None = None,
    name_rule: metadata.NameRule = metadata.subdomain_name,
    prepare: Prepare | None = None,
    validate: Validate | None = None,
    alias: Alias | None = None,
) -> Definition:
    group, _, version = api.rpartition("/")
    subresources = {*more, *(("status",) if status else ()), *(("scale",) if scale else ())}
    return Definition(
        resource=Resource(group, version, kind, plural, namespaced),
        singular=kind.lower(),
        list_kind=f"{kind}List",
        short_names=tuple(short.split()),
        categories=categories,
        subresources=frozenset(subresources),
        scale=scale,
        selectable_fields=fields,
        make_schema=partial(types.schema, type_ or kind),
        builtin=True,
        name_rule=name_rule,
        prepare=prepare,
        validate=validate,
        alias=alias,
    )


_cluster = partial(_kind, namespaced=False)
_SCALE = Scale(selector=".status.selector")
_EVENT_FIELDS = {
    f"involvedObject.{f}": ""
    for f in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
} | {"reason": "", "type": "", "source": "", "reportingComponent": ""}
_POD_FIELDS = {
    "spec.nodeName": "",
    "spec.restartPolicy": "Always",
    "spec.schedulerName": "default-scheduler",
    "spec.serviceAccountName": "",
    "status.phase": "",
    "status.podIP": "",
    "status.nominatedNodeName": "",
}
_CORE_EVENTS = Resource("", "v1", "Event", "events")

_CORE = (
    _cluster(
        "v1", "Namespace", "namespaces", short="ns", status=True, more=("finalize",), fields={"status.phase": ""},
        name_rule=metadata.label_name, prepare=rules.prepare_namespace,
    ),
    _kind(
        "v1", "Secret", "secrets", fields={"type": ""}, prepare=rules.prepare_secret, validate=rules.validate_secret,
    ),
    _kind("v1", "ConfigMap", "configmaps", short="cm", validate=rules.validate_configmap),
    _kind("v1", "Event", "events", short="ev", fields=_EVENT_FIELDS, validate=rules.validate_event),
    _cluster(
        "v1", "Node", "nodes", short="no", status=True, fields={"spec.unschedulable": "false"},
        validate=rules.validate_node,
    ),
    _kind(
        "v1", "Pod", "pods", short="po", status=True, more=("eviction", "binding"), categories=_ALL, fields=_POD_FIELDS,
        prepare=rules.prepare_pod, validate=rules.validate_pod,
    ),
    _kind("v1", "ServiceAccount", "serviceaccounts", short="sa"),
    _kind(
        "v1", "Service", "services", short="svc", status=True, categories=_ALL, name_rule=metadata.label_name,
    ),
    _kind("v1", "Endpoints", "endpoints", short="ep"),
    _cluster("v1", "PersistentVolume", "persistentvolumes", short="pv", status=True),
    _kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", short="pvc", status=True),
)  # fmt: skip

_APPS = (
    _kind(
        "apps/v1", "DaemonSet", "daemonsets", short="ds", status=True, categories=_ALL,
        validate=rules.validate_workload,
    ),
    _kind(
        "apps/v1", "Deployment", "deployments", short="deploy", status=True, categories=_ALL, scale=_SCALE,
        validate=rules.validate_workload,
    ),
    _kind(
        "apps/v1", "ReplicaSet", "replicasets", short="rs", status=True, categories=_ALL, scale=_SCALE,
        fields={"status.replicas": "0"}, validate=rules.validate_workload,
    ),
    _kind(
        "apps/v1", "StatefulSet", "statefulsets", short="sts", status=True, categories=_ALL, scale=_SCALE,
        validate=rules.validate_workload,
    ),
)  # fmt: skip

_RBAC = "rbac.authorization.k8s.io/v1"
_ADMISSION = "admissionregistration.k8s.io/v1"

_OTHERS = (
    _kind("coordination.k8s.io/v1", "Lease", "leases", validate=rules.validate_lease),
    _kind(
        "events.k8s.io/v1", "Event", "events", short="ev", type_="EventsV1Event",
        alias=Alias(storage=_CORE_EVENTS, to_storage=rules.event_to_core, from_storage=rules.event_from_core),
    ),
    _kind(
        "policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", short="pdb", status=True,
        validate=rules.validate_budget,
    ),
    _cluster("storage.k8s.io/v1", "VolumeAttachment", "volumeattachments", status=True),
    _cluster("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", short="pc"),
    _cluster(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", short="crd crds",
        status=True, categories=("api-extensions",), prepare=crds.prepare, validate=crds.validate,
    ),
    _cluster(
        _ADMISSION, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", categories=("api-extensions",),
    ),
    _cluster(
        _ADMISSION, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", categories=("api-extensions",),
    ),
    _kind(_RBAC, "Role", "roles", name_rule=metadata.segment_name),
    _kind(_RBAC, "RoleBinding", "rolebindings", name_rule=metadata.segment_name, validate=rules.validate_binding),
    _cluster(_RBAC, "ClusterRole", "clusterroles", name_rule=metadata.segment_name),
    _cluster(
        _RBAC, "ClusterRoleBinding", "clusterrolebindings", name_rule=metadata.segment_name,
        validate=rules.validate_binding,
    ),
)  # fmt: skip

RESOURCES: tuple[Definition, ...] = (*_CORE, *_APPS, *_OTHERS)
"""Every built-in kind, in the order in which discovery lists them."""
