"""The typed objects: what they keep, what they cost, and how cheaply they come."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capipool.api import builtin, core, crds
from capipool.machinery import objects
from tests import strategies

TYPES = {
    kind.RESOURCE.kind: kind
    for kind in (
        core.Cluster,
        core.Machine,
        core.MachineDeployment,
        core.MachineDrainRule,
        core.MachineHealthCheck,
        core.MachinePool,
        core.MachineSet,
    )
}
OBJECTS = {
    crd["spec"]["names"]["kind"]: strategies.objects(crd["spec"]["versions"][1]["schema"]["openAPIV3Schema"])
    for crd in crds.crds()
}


@pytest.mark.parametrize("kind", sorted(TYPES))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_reading_an_object_and_writing_it_again_changes_nothing(kind: str, data: st.DataObject) -> None:
    raw = data.draw(OBJECTS[kind]) | {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": kind, "metadata": {"name": "n"}}
    again = objects.to_raw(objects.from_raw(TYPES[kind], raw))
    assert without_empties(again) == without_empties(raw)


def without_empties(value: Any) -> Any:
    """A value without empty lists, maps and optional texts, which the API takes for absent."""
    if isinstance(value, dict):
        kept = {key: without_empties(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ("", {}, [])}
    return [without_empties(item) for item in value] if isinstance(value, list) else value


def test_an_empty_secret_name_is_another_thing_than_none() -> None:
    bootstrap = {"dataSecretName": ""}
    reference = {"apiGroup": "g", "kind": "K", "name": "n"}
    spec = {"clusterName": "c", "bootstrap": bootstrap, "infrastructureRef": reference}
    machine = objects.from_raw(core.Machine, {"spec": spec})
    assert machine.spec.bootstrap.data_secret_name == ""
    assert objects.to_raw(machine)["spec"]["bootstrap"] == bootstrap


def test_types_of_the_core_are_imported_without_the_rest() -> None:
    code = "import sys, capipool.api.core; print(*sorted(m for m in sys.modules if m.startswith('capipool.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not [m for m in loaded if "conversion" in m or "engine" in m or m.endswith(("crds", "crd", "builtin"))]


NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n", "labels": {"a": "b"}},
    "spec": {"providerID": "dev://n", "taints": [{"key": "k", "effect": "NoSchedule"}], "podCIDR": "10.0.0.0/24"},
    "status": {
        "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
        "nodeInfo": {"kubeletVersion": "v1.34.0", "machineID": "m"},
        "images": [{"names": ["a"]}],
    },
}


def test_a_heartbeat_makes_no_other_node() -> None:
    later = {**NODE, "status": {**NODE["status"], "conditions": [{**NODE["status"]["conditions"][0]}]}}
    later["status"]["conditions"][0]["lastHeartbeatTime"] = "2026-01-01T00:00:10Z"
    assert objects.from_raw(builtin.Node, NODE) == objects.from_raw(builtin.Node, later)


def test_a_node_keeps_what_its_type_leaves_out() -> None:
    node = objects.from_raw(builtin.Node, NODE)
    assert node.spec.provider_id == "dev://n"
    assert node.status.node_info.kubelet_version == "v1.34.0"
    changed = objects.to_raw(objects.replace(node, spec=objects.replace_part(node.spec, unschedulable=True)))
    assert changed["spec"] == {**NODE["spec"], "unschedulable": True}
    assert changed["status"]["images"] == [{"names": ["a"]}]


def test_a_secret_holds_bytes() -> None:
    raw = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"value": "aGVsbG8="}}
    secret = objects.from_raw(builtin.Secret, raw)
    assert secret.data == {"value": b"hello"}
    assert objects.to_raw(secret)["data"] == raw["data"]


def test_a_definition_names_its_resource_in_a_version() -> None:
    definition = objects.from_raw(builtin.CustomResourceDefinition, crds.crds()[0])
    assert definition.resource("v1beta1") == core.Cluster.RESOURCE.at("v1beta1")


def test_every_builtin_kind_is_listed_once() -> None:
    declared = {
        value
        for value in vars(builtin).values()
        if isinstance(value, type) and issubclass(value, objects.Object) and value is not objects.Object
    }
    assert set(builtin.KINDS) == declared
