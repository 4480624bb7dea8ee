"""Conversion between the versions loses nothing, moves what moved, and respects edits made in between."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capipool.machinery.schema import engine, types
from capipool.providers.kubeadm import conversion
from capipool.providers.kubeadm.api.v1beta1.kubeadmconfig import KubeadmConfig as Old
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig as New
from tests.shared import shared
from tests.unit.kubeadm import strategies

GROUP = "bootstrap.cluster.x-k8s.io"
NEW_SCHEMA = engine.compile(types.from_type(New))
OLD_SCHEMA = engine.compile(types.from_type(Old))


def config(version: str, spec: dict[str, Any], status: dict[str, Any] | None = None) -> dict[str, Any]:
    raw = {"apiVersion": f"{GROUP}/{version}", "kind": "KubeadmConfig", "metadata": {"name": "a"}, "spec": spec}
    return raw if status is None else raw | {"status": status}


def from_schema(schema: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Any value of the shape that a structural schema describes (its patterns and CEL rules apart)."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object" if "properties" in schema:
            required = {
                k: from_schema(v, depth + 1) for k, v in schema["properties"].items() if k in schema.get("required", ())
            }
            optional = {k: from_schema(v, depth + 1) for k, v in schema["properties"].items() if k not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case "object":
            values = schema.get("additionalProperties", {"type": "string"})
            return st.dictionaries(strategies.name, from_schema(values, depth + 1), max_size=2)
        case "array":
            return st.lists(from_schema(schema["items"], depth + 1), min_size=schema.get("minItems", 0), max_size=2)
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(int(schema.get("minimum", 0)), 5000)
    if schema.get("format") == "date-time":
        return st.just("2026-01-01T00:00:00Z")
    return st.one_of(strategies.name, st.sampled_from(["5m0s", "1h", "90s", "1.5s"]))


def objects(version: type[Any]) -> st.SearchStrategy[dict[str, Any]]:
    schema = types.from_type(version)["properties"]
    spec, status = from_schema(schema["spec"]), from_schema(schema["status"])
    return st.builds(config, st.just(version.RESOURCE.version), spec, st.one_of(st.none(), status))


SETTINGS = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@SETTINGS
@given(raw=objects(Old))
def test_v1beta1_survives_the_way_there_and_back(raw: dict[str, Any]) -> None:
    assert conversion.convert(conversion.convert(raw, "v1beta2"), "v1beta1") == raw


@SETTINGS
@given(raw=objects(New))
def test_v1beta2_survives_the_way_there_and_back(raw: dict[str, Any]) -> None:
    assert conversion.convert(conversion.convert(raw, "v1beta1"), "v1beta2") == raw


@SETTINGS
@given(spec=strategies.specs)
def test_what_is_valid_in_one_version_is_valid_in_the_other(spec: dict[str, Any]) -> None:
    new = config("v1beta2", spec)
    if NEW_SCHEMA.validate(new):
        return
    old = conversion.convert(new, "v1beta1")
    assert OLD_SCHEMA.validate(old) == []
    assert NEW_SCHEMA.validate(conversion.convert(old, "v1beta2")) == []


OLD_SPEC = {
    "clusterConfiguration": {
        "apiServer": {"timeoutForControlPlane": "4m0s", "extraArgs": {"z": "1", "a": "2"}},
        "clusterName": "gone",
    },
    "initConfiguration": {"bootstrapTokens": [{"token": "a.b", "ttl": "1h"}]},
    "joinConfiguration": {
        "discovery": {"timeout": "90s"},
        "nodeRegistration": {"kubeletExtraArgs": {"v": "2"}, "taints": []},
        "controlPlane": {},
    },
    "files": [],
    "useExperimentalRetryJoin": True,
    "diskSetup": {"partitions": [{"device": "/dev/sdb", "layout": True}]},
}


def test_timeouts_move_and_arguments_become_lists() -> None:
    spec = conversion.convert(config("v1beta1", OLD_SPEC), "v1beta2")["spec"]
    assert spec == {
        "clusterConfiguration": {
            "apiServer": {"extraArgs": [{"name": "a", "value": "2"}, {"name": "z", "value": "1"}]}
        },
        "initConfiguration": {
            "bootstrapTokens": [{"token": "a.b", "ttlSeconds": 3600}],
            "timeouts": {"controlPlaneComponentHealthCheckSeconds": 240},
        },
        "joinConfiguration": {
            "nodeRegistration": {"kubeletExtraArgs": [{"name": "v", "value": "2"}], "taints": []},
            "controlPlane": {},
            "timeouts": {"controlPlaneComponentHealthCheckSeconds": 240, "tlsBootstrapSeconds": 90},
        },
        "diskSetup": {"partitions": [{"device": "/dev/sdb", "layout": True}]},
    }


def test_what_only_the_old_version_says_comes_back_beside_an_edit_in_the_new_one() -> None:
    new = conversion.convert(config("v1beta1", OLD_SPEC), "v1beta2")
    new["spec"]["joinConfiguration"]["timeouts"]["tlsBootstrapSeconds"] = 300
    old = conversion.convert(new, "v1beta1")
    assert old["spec"]["useExperimentalRetryJoin"] is True
    assert old["spec"]["clusterConfiguration"]["clusterName"] == "gone"
    assert old["spec"]["joinConfiguration"]["discovery"]["timeout"] == "5m0s", "the edit was undone"
    assert "annotations" not in old["metadata"] or json.loads(next(iter(old["metadata"]["annotations"].values())))


def test_the_status_of_each_contract_is_found_where_its_version_has_it() -> None:
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Ready",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    legacy = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = {
        "conditions": [condition],
        "dataSecretName": "a",
        "initialization": {"dataSecretCreated": True},
        "deprecated": {"v1beta1": {"conditions": [legacy]}},
        "observedGeneration": 3,
    }
    old = conversion.convert(config("v1beta2", {}, status), "v1beta1")
    assert old["status"] == {
        "ready": True,
        "dataSecretName": "a",
        "conditions": [legacy],
        "v1beta2": {"conditions": [condition]},
        "observedGeneration": 3,
    }
    assert "annotations" not in old["metadata"]


def test_templates_convert_their_spec() -> None:
    raw = config("v1beta1", {"template": {"spec": OLD_SPEC}}) | {"kind": "KubeadmConfigTemplate"}
    new = conversion.convert(raw, "v1beta2")
    assert new["spec"]["template"]["spec"] == conversion.convert(config("v1beta1", OLD_SPEC), "v1beta2")["spec"]
    assert conversion.convert(new, "v1beta1") == raw


def test_the_same_version_is_the_same_object_and_inputs_stay_as_they_are() -> None:
    raw = config("v1beta1", OLD_SPEC)
    before = json.dumps(raw)
    assert conversion.convert(raw, "v1beta1") == raw
    conversion.convert(raw, "v1beta2")
    assert json.dumps(raw) == before


def test_an_annotation_of_another_program_does_no_harm() -> None:
    for text in ("{", '{"spec": 1}', '["x", 1]', "[[[]]]", '[[["spec"], "absent"]]'):
        raw = config("v1beta1", {"verbosity": 1})
        raw["metadata"] = {"name": "a", "annotations": {"cluster.x-k8s.io/conversion-data": text}}
        assert conversion.convert(raw, "v1beta2")["spec"] == {"verbosity": 1}


@pytest.mark.parametrize("manifest", ["aws-machinepool.yaml", "azure-machinepool.yaml", "docker-machine-pool.yaml"])
def test_upstreams_examples_are_valid_in_both_versions(manifest: str) -> None:
    from capipool.machinery import codec

    documents = codec.decode_yaml(shared(f"upstream/manifests/{manifest}").read_text())
    for raw in (d for d in documents if d["kind"] == "KubeadmConfig"):
        old, new = conversion.convert(raw, "v1beta1"), conversion.convert(raw, "v1beta2")
        assert OLD_SCHEMA.validate(old) == []
        assert NEW_SCHEMA.validate(new) == []
