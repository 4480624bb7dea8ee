"""The built-in kinds take what Kubernetes takes and refuse what it refuses."""

import copy
from typing import Any

import pytest

from capipool.apiserver.builtin import crds, rules, types
from capipool.apiserver.builtin.definition import Definition
from capipool.apiserver.builtin.table import RESOURCES
from capipool.machinery.patch import strategic
from capipool.machinery.schema import structural


def kind(name: str, group: str | None = None) -> Definition:
    return next(d for d in RESOURCES if d.resource.kind == name and group in (None, d.resource.group))


def problems(obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    definition = kind(obj["kind"])
    if definition.prepare is not None:
        obj = definition.prepare(obj, old)
    return [str(e) for e in definition.check(definition.structural.default(obj), old)]


def an(kind_: str, name: str = "x", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind_, "metadata": {"name": name, "namespace": "ns"}, **fields}


POD = an("Pod", spec={"containers": [{"name": "c", "image": "i"}]})
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]}
DEPLOYMENT = an("Deployment", spec={"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE})
CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "pools.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "pools", "kind": "Pool", "shortNames": ["po"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"},
                },
                "additionalPrinterColumns": [{"name": "N", "type": "integer", "jsonPath": ".spec.n"}],
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object"}}}},
            }
        ],
    },
}


@pytest.mark.parametrize("definition", RESOURCES, ids=lambda d: f"{d.resource.kind}.{d.resource.group}")
def test_every_builtin_schema_is_structural_and_compiles(definition: Definition) -> None:
    assert structural.problems(definition.schema, "schema") == []
    assert definition.structural.prune({"metadata": {"name": "a"}, "nobody": 1})[1] == ["nobody"]


def test_every_type_of_the_notation_can_be_read() -> None:
    for line in types._lines():
        assert types.schema(line.rstrip("@"))["type"] == "object"


@pytest.mark.parametrize(
    "obj",
    [
        POD,
        DEPLOYMENT,
        CRD,
        an("Secret", data={"a": "Yg=="}, stringData={"c": "d"}),
        an("ConfigMap", data={"a.b_c-d": "x"}),
        an(
            "Node",
            spec={"taints": [{"key": "a/b", "effect": "NoSchedule"}]},
            status={"capacity": {"cpu": 2, "memory": "1Gi"}},
        ),
        an("Namespace"),
        an("PodDisruptionBudget", spec={"maxUnavailable": "50%", "selector": {"matchLabels": {"a": "b"}}}),
        an("Lease", spec={"renewTime": "2026-01-01T00:00:00.000000Z", "leaseDurationSeconds": 40}),
        an("Event", involvedObject={"kind": "Pod", "namespace": "ns"}, eventTime=None),
        an("ClusterRole", "system:node", rules=[{"verbs": ["get"], "resources": ["pods"], "apiGroups": [""]}]),
    ],
    ids=lambda o: o["kind"],
)
def test_well_formed_objects_are_taken(obj: dict[str, Any]) -> None:
    definition = kind(obj["kind"])
    pruned, dropped = definition.structural.prune(obj)
    assert dropped == []
    assert problems(pruned) == []


@pytest.mark.parametrize(
    ("obj", "says"),
    [
        (an("Pod"), "spec.containers: Required value"),
        (an("Pod", spec={"containers": [{"name": "C", "image": "i"}]}), "spec.containers[0].name: Invalid value"),
        (an("Pod", spec={"containers": [{"name": "c"}]}), "spec.containers[0].image: Required value"),
        (
            an("Pod", spec={"containers": [{"name": "c", "image": "i"}] * 2}),
            'spec.containers[1]: Duplicate value: {"name":"c"}',
        ),
        (an("Pod", spec={"containers": "c"}), 'spec.containers in body must be of type array: "string"'),
        (an("Secret", data={"a": "not base64!"}), "data[a]: Invalid value"),
        (an("Secret", data={"a b": "Yg=="}), "a valid config key"),
        (an("Secret", type="kubernetes.io/tls"), "data[tls.crt]: Required value"),
        (an("ConfigMap", data={"a": 1}), 'data[a] in body must be of type string: "integer"'),
        (an("Node", spec={"taints": [{"key": "a", "effect": "Never"}]}), "spec.taints[0].effect: Unsupported value"),
        (an("Node", spec={"taints": [{"key": "a b", "effect": "NoExecute"}]}), "spec.taints[0].key: Invalid value"),
        (an("Node", spec={"taints": [{"key": "a", "effect": "NoExecute"}] * 2}), "spec.taints[1]: Duplicate value"),
        (an("Namespace", "a.b"), "metadata.name: Invalid value"),
        (an("PodDisruptionBudget", spec={"maxUnavailable": 1, "minAvailable": 1}), "cannot be both set"),
        (an("PodDisruptionBudget", spec={"maxUnavailable": "half"}), "spec.maxUnavailable: Invalid value"),
        (an("Lease", spec={"leaseDurationSeconds": 0}), "must be greater than 0"),
        (an("Deployment", spec={"selector": {}, "template": TEMPLATE}), "empty selector is invalid"),
        (
            an("Deployment", spec={"selector": {"matchLabels": {"a": "c"}}, "template": TEMPLATE}),
            "`selector` does not match template `labels`",
        ),
        (an("Event", involvedObject={"namespace": "other"}), "does not match event.namespace"),
    ],
)  # fmt: skip
def test_malformed_objects_are_refused(obj: dict[str, Any], says: str) -> None:
    assert says in problems(obj)[0]


def test_string_data_of_a_secret_becomes_data() -> None:
    secret = rules.prepare_secret(an("Secret", data={"a": "eA=="}, stringData={"a": "b", "c": "d"}), None)
    assert secret["data"] == {"a": "Yg==", "c": "ZA=="}
    assert "stringData" not in secret


def test_no_error_shows_what_a_secret_holds() -> None:
    for fields in ({"data": {"a": "hunter2!"}}, {"stringData": {"a": ["hunter2"]}}, {"data": "hunter2"}):
        assert "hunter2" not in "".join(problems(an("Secret", **fields)))


def test_an_immutable_secret_stays_as_it_is() -> None:
    old = an("Secret", type="Opaque", data={"a": "Yg=="}, immutable=True)
    assert "data: Forbidden" in problems(an("Secret", data={}, immutable=True), old)[0]
    assert "immutable: Forbidden" in problems(an("Secret", data={"a": "Yg=="}), old)[0]


def test_a_pods_spec_hardly_changes() -> None:
    old = kind("Pod").structural.default(POD)
    new = copy.deepcopy(old)
    new["spec"]["containers"][0]["image"] = "other"
    new["spec"]["nodeName"] = "bound"
    assert problems(new, old) == []
    bound = new
    moved = copy.deepcopy(bound)
    moved["spec"]["nodeName"] = "elsewhere"
    assert "spec: Forbidden: pod updates may not change fields" in problems(moved, bound)[0]


def test_a_provider_id_is_set_once() -> None:
    old = an("Node", spec={"providerID": "dev:///1"})
    assert problems(old, an("Node")) == []
    assert "spec.providerID: Forbidden" in problems(an("Node", spec={"providerID": "dev:///2"}), old)[0]


def test_a_selector_never_changes() -> None:
    new = copy.deepcopy(DEPLOYMENT)
    new["spec"]["selector"] = {"matchLabels": {"a": "c"}}
    new["spec"]["template"]["metadata"]["labels"] = {"a": "c"}
    assert "spec.selector: Invalid value" in problems(new, DEPLOYMENT)[0]


def test_a_namespace_gets_its_label_and_its_finalizer() -> None:
    namespace = rules.prepare_namespace(an("Namespace", "team"), None)
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "team"}
    assert namespace["spec"] == {"finalizers": ["kubernetes"]}


def test_events_of_both_groups_are_the_same_events() -> None:
    newer = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "regarding": {"name": "a"},
        "note": "n",
        "deprecatedCount": 2,
    }
    core = rules.event_to_core(newer)
    assert core == {"apiVersion": "v1", "kind": "Event", "involvedObject": {"name": "a"}, "message": "n", "count": 2}
    assert rules.event_from_core(core) == newer


def test_node_conditions_are_merged_by_type_and_taints_replaced() -> None:
    node = an(
        "Node",
        spec={"taints": [{"key": "a"}]},
        status={"conditions": [{"type": "Ready", "status": "True"}, {"type": "Disk"}]},
    )
    patch = {"spec": {"taints": [{"key": "b"}]}, "status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    result = strategic.apply(node, patch, kind("Node").structural.schema)
    assert result["spec"]["taints"] == [{"key": "b"}]
    assert result["status"]["conditions"] == [{"type": "Ready", "status": "False"}, {"type": "Disk"}]


# -- CRDs -------------------------------------------------------------------------------------------------------------


def changed(path: str, value: Any) -> dict[str, Any]:
    crd = copy.deepcopy(CRD)
    where: Any = crd
    *parents, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    for part in parents:
        where = where[part]
    where[last] = value
    return crd


@pytest.mark.parametrize(
    ("crd", "says"),
    [
        (changed("metadata.name", "pool.example.org"), "metadata.name: Invalid value"),
        (changed("spec.group", "example"), "spec.group: Invalid value"),
        (changed("spec.scope", "Galaxy"), 'spec.scope: Unsupported value: "Galaxy"'),
        (changed("spec.versions.0.storage", False), "exactly one version marked as storage version"),
        (changed("spec.versions.0.schema", {}), "spec.versions[0].schema.openAPIV3Schema: Required value"),
        (
            changed("spec.versions.0.schema.openAPIV3Schema.properties.spec", {"type": "array"}),
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].items: Required value",
        ),
        (changed("spec.versions.0.additionalPrinterColumns.0.jsonPath", "spec"), "must be a simple json path"),
        (changed("spec.names", {"plural": "pools"}), "spec.names.kind: Required value"),
        (changed("status", {"storedVersions": ["v0"]}), "must appear in spec.versions: missing v0"),
    ],
)
def test_a_crd_that_cannot_be_served_is_refused(crd: dict[str, Any], says: str) -> None:
    assert any(says in p for p in problems(crd))


def test_a_crds_scope_never_changes() -> None:
    assert "spec.scope: Invalid value" in problems(changed("spec.scope", "Cluster"), CRD)[0]


def test_a_crd_becomes_a_definition() -> None:
    (definition,) = crds.definitions(crds.prepare(CRD, None))
    assert definition.resource.path("ns", "p") == "/apis/example.org/v1/namespaces/ns/pools/p"
    assert (definition.singular, definition.list_kind, definition.short_names) == ("pool", "PoolList", ("po",))
    assert definition.has_status
    assert definition.scale is not None
    assert definition.scale.spec_replicas == ".spec.n"
    assert definition.columns[0].json_path == ".spec.n"
    assert crds.storage_version(CRD) == "v1"
