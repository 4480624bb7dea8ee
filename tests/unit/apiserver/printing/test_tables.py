"""Tables say what kubectl users expect to read."""

import datetime as dt
from typing import Any

import pytest

from capipool.apiserver.builtin import crds
from capipool.apiserver.builtin.definition import Definition
from capipool.apiserver.builtin.table import RESOURCES
from capipool.apiserver.printing import ages, jsonpath, kinds, tables

NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
CREATED = "2026-01-01T22:30:00Z"


def named(kind: str, group: str = "") -> Definition:
    return next(d for d in RESOURCES if d.resource.kind == kind and d.resource.group == group)


def row(definition: Definition, obj: dict[str, Any], *, wide: bool = False) -> dict[str, Any]:
    obj = {"metadata": {"name": "x", "creationTimestamp": CREATED} | obj.pop("metadata", {}), **obj}
    table = tables.table(definition, [obj], now=NOW)
    columns, cells = table["columnDefinitions"], table["rows"][0]["cells"]
    assert len(columns) == len(cells)
    return {c["name"]: cell for c, cell in zip(columns, cells, strict=True) if wide or c["priority"] == 0}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (330, "5m30s"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600 + 60, "3h1m"),
        (30 * 3600, "30h"),
        (52 * 3600, "2d4h"),
        (400 * 86400, "400d"),
        (3 * 365 * 86400, "3y"),
        (10 * 365 * 86400, "10y"),
    ],
)
def test_ages_grow_coarser(seconds: int, shown: str) -> None:
    assert ages.human(seconds) == shown


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".spec.n", [3]),
        (".spec.missing", []),
        (".spec['a.b']", ["dotted"]),
        (r".spec['a\.b']", ["dotted"]),
        (r".spec.a\.b", ["dotted"]),
        (".status.conditions[0].type", ["Ready"]),
        (".status.conditions[-1].type", ["Paused"]),
        (".status.conditions[*].status", ["True", "False"]),
        ('.status.conditions[?(@.type=="Paused")].status', ["False"]),
        (".status.conditions[?(@.type=='Paused')].status", ["False"]),
        (".status.conditions[?(@.n>1)].type", ["Paused"]),
        (".status.conditions[?(@.n)].type", ["Paused"]),
        ("{.spec.n}", [3]),
        (".spec[", []),
    ],
)
def test_paths_find_what_printer_columns_need(path: str, expected: list[Any]) -> None:
    conditions = [{"type": "Ready", "status": "True"}, {"type": "Paused", "status": "False", "n": 2}]
    assert jsonpath.compile(path)({"spec": {"n": 3, "a.b": "dotted"}, "status": {"conditions": conditions}}) == expected


def test_a_value_is_set_at_a_plain_path() -> None:
    obj = {"spec": {"a": 1}}
    assert jsonpath.set_value(obj, ".spec.replicas", 3) == {"spec": {"a": 1, "replicas": 3}}
    assert obj == {"spec": {"a": 1}}
    with pytest.raises(ValueError, match="plain path"):
        jsonpath.set_value(obj, ".spec.list[0]", 3)


def test_a_node_is_shown_by_what_it_is_for_and_how_it_is() -> None:
    node = {
        "metadata": {"labels": {"node-role.kubernetes.io/control-plane": "", "node-role.kubernetes.io/worker": ""}},
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1.34.0", "osImage": "dev"},
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
        },
    }
    shown = row(named("Node"), node, wide=True)
    assert shown["Status"] == "Ready,SchedulingDisabled"
    assert shown["Roles"] == "control-plane,worker"
    assert (shown["Age"], shown["Version"]) == ("90m", "v1.34.0")
    assert (shown["Internal-IP"], shown["External-IP"], shown["Kernel-Version"]) == ("10.0.0.1", "<none>", "<unknown>")


def test_a_node_that_says_nothing_is_unknown() -> None:
    assert row(named("Node"), {}) == {"Name": "x", "Status": "Unknown", "Roles": "<none>", "Age": "90m", "Version": ""}


@pytest.mark.parametrize(
    ("pod", "state"),
    [
        ({"status": {"phase": "Pending"}}, "Pending"),
        ({"status": {"phase": "Failed", "reason": "Evicted"}}, "Evicted"),
        ({"status": {"phase": "Running"}, "metadata": {"deletionTimestamp": CREATED}}, "Terminating"),
        (
            {"status": {"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}},
            "CrashLoopBackOff",
        ),
        ({"status": {"containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]}}, "ExitCode:3"),
        (
            {
                "spec": {"initContainers": [{}, {}]},
                "status": {
                    "initContainerStatuses": [{"state": {"terminated": {"exitCode": 0}}}, {"state": {"running": {}}}]
                },
            },
            "Init:1/2",
        ),
    ],
)
def test_a_pods_status_is_its_most_telling_word(pod: dict[str, Any], state: str) -> None:
    assert row(named("Pod"), pod)["Status"] == state


def test_a_pod_counts_ready_containers_and_restarts() -> None:
    pod = {
        "spec": {"containers": [{}, {}]},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {"ready": True, "restartCount": 2, "lastState": {"terminated": {"finishedAt": "2026-01-01T23:59:00Z"}}},
                {"ready": False},
            ],
        },
    }
    shown = row(named("Pod"), pod)
    assert (shown["Ready"], shown["Restarts"]) == ("1/2", "2 (60s ago)")


@pytest.mark.parametrize(
    ("kind", "group", "obj", "expected"),
    [
        ("Namespace", "", {"status": {"phase": "Active"}}, {"Name": "x", "Status": "Active", "Age": "90m"}),
        ("Secret", "", {"type": "Opaque", "data": {"a": "", "b": ""}}, {"Type": "Opaque", "Data": 2}),
        ("ConfigMap", "", {"data": {"a": ""}, "binaryData": {"b": ""}}, {"Data": 2}),
        (
            "Event",
            "",
            {
                "lastTimestamp": CREATED,
                "type": "Normal",
                "reason": "R",
                "involvedObject": {"kind": "Pod", "name": "p"},
                "message": "m\n",
            },
            {"Last Seen": "90m", "Type": "Normal", "Reason": "R", "Object": "pod/p", "Message": "m"},
        ),
        (
            "Event",
            "events.k8s.io",
            {"regarding": {"kind": "Node", "name": "n"}, "note": "m"},
            {"Object": "node/n", "Message": "m"},
        ),
        ("Lease", "coordination.k8s.io", {"spec": {"holderIdentity": "n"}}, {"Holder": "n", "Age": "90m"}),
        (
            "Deployment",
            "apps",
            {"spec": {"replicas": 3}, "status": {"readyReplicas": 1}},
            {"Ready": "1/3", "Available": 0},
        ),
        (
            "PodDisruptionBudget",
            "policy",
            {"spec": {"minAvailable": 1}},
            {"Min Available": "1", "Max Unavailable": "N/A"},
        ),
        (
            "Service",
            "",
            {"spec": {"type": "NodePort", "clusterIP": "10.1.1.1", "ports": [{"port": 80, "nodePort": 30080}]}},
            {"Type": "NodePort", "Port(s)": "80:30080/TCP", "External-IP": "<none>"},
        ),
        (
            "ClusterRoleBinding",
            "rbac.authorization.k8s.io",
            {"roleRef": {"kind": "ClusterRole", "name": "r"}},
            {"Role": "ClusterRole/r"},
        ),
        ("CustomResourceDefinition", "apiextensions.k8s.io", {}, {"Created At": CREATED}),
    ],
)
def test_builtin_kinds_have_their_columns(kind: str, group: str, obj: dict[str, Any], expected: dict[str, Any]) -> None:
    assert row(named(kind, group), obj).items() >= expected.items()


@pytest.mark.parametrize("definition", RESOURCES, ids=lambda d: f"{d.resource.kind}.{d.resource.group}")
def test_an_object_that_says_nothing_can_be_printed(definition: Definition) -> None:
    assert row(definition, {}, wide=True)["Name"] == "x"
    assert definition.resource.group_kind in kinds.PRINTERS


def crd(columns: list[dict[str, Any]]) -> Definition:
    version = {"name": "v1", "served": True, "storage": True, "schema": {}, "additionalPrinterColumns": columns}
    names = {"plural": "pools", "kind": "Pool"}
    spec = {"group": "example.org", "scope": "Namespaced", "names": names, "versions": [version]}
    return next(crds.definitions({"spec": spec}))


def test_a_crds_columns_follow_the_name() -> None:
    definition = crd(
        [
            {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
            {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
            {"name": "Up", "type": "boolean", "jsonPath": ".status.up"},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
            {"name": "Any", "type": "string", "jsonPath": ".spec", "priority": 10},
        ]
    )
    shown = row(definition, {"spec": {"replicas": 3}, "status": {"up": False}}, wide=True)
    assert shown == {"Name": "x", "Replicas": 3, "Phase": None, "Up": False, "Age": "90m", "Any": '{"replicas":3}'}


def test_a_crd_without_columns_shows_name_and_age() -> None:
    assert row(crd([]), {}) == {"Name": "x", "Age": "90m"}


def test_rows_carry_as_much_of_the_object_as_was_asked_for() -> None:
    obj = {"metadata": {"name": "x"}, "spec": {}}
    definition = crd([])
    with_object = tables.table(definition, [obj], now=NOW, include="Object")["rows"][0]["object"]
    assert with_object == obj
    partial = tables.table(definition, [obj], now=NOW)["rows"][0]["object"]
    assert partial == {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "x"}}
    assert "object" not in tables.table(definition, [obj], now=NOW, include="None")["rows"][0]


def test_later_events_of_a_watch_carry_no_headers() -> None:
    assert tables.table(crd([]), [], now=NOW, headers=False, metadata={"resourceVersion": "7"}) == {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "7"},
        "columnDefinitions": [],
        "rows": [],
    }


def test_a_partial_list_holds_metadata_alone() -> None:
    listed = tables.partial_list([{"metadata": {"name": "x"}, "spec": {}}], {"resourceVersion": "7"})
    assert listed["kind"] == "PartialObjectMetadataList"
    assert "spec" not in listed["items"][0]
