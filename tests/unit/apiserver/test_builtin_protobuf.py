"""What Go clients send as protobuf is read as the JSON it stands for."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capipool.apiserver.builtin import protobuf
from capipool.apiserver.builtin.table import RESOURCES
from capipool.machinery import errors


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, raw) + field(3, "") + field(4, "")


META = field(
    1,
    field(1, "x")
    + field(2, "")
    + field(3, "ns")
    + field(7, 0)
    + field(8, b"")
    + field(11, field(1, "a") + field(2, "b")),
)


def test_a_namespace_as_kubectl_sends_it() -> None:
    raw = field(1, field(1, "team") + field(2, "") + field(8, b"")) + field(2, b"") + field(3, field(1, ""))
    assert protobuf.decode(body("v1", "Namespace", raw)) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "team"},
    }


def test_a_secret_carries_bytes() -> None:
    raw = META + field(2, field(1, "k") + field(2, b"\x00\xff")) + field(3, "Opaque") + field(5, 0)
    assert protobuf.decode(body("v1", "Secret", raw)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "x", "namespace": "ns", "labels": {"a": "b"}},
        "data": {"k": "AP8="},
        "type": "Opaque",
        "immutable": False,
    }


def test_a_lease_carries_times_to_the_microsecond() -> None:
    renewed = field(1, 1_767_225_600) + field(2, 123_456_000)
    raw = META + field(2, field(1, "n") + field(2, 40) + field(4, renewed) + field(5, 0))
    assert protobuf.decode(body("coordination.k8s.io/v1", "Lease", raw))["spec"] == {
        "holderIdentity": "n",
        "leaseDurationSeconds": 40,
        "renewTime": "2026-01-01T00:00:00.123456Z",
        "leaseTransitions": 0,
    }


def test_an_eviction_carries_its_delete_options() -> None:
    options = field(1, 0) + field(2, field(1, "uid")) + field(5, "All")
    evicted = protobuf.decode(body("policy/v1", "Eviction", META + field(2, options)))
    assert evicted["deleteOptions"] == {
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "uid"},
        "dryRun": ["All"],
    }


def test_quantities_and_ports_that_are_names_are_plain_values() -> None:
    status = field(1, field(1, "cpu") + field(2, field(1, "500m"))) + field(4, field(1, "Ready") + field(2, "True"))
    node = protobuf.decode(
        body("v1", "Node", META + field(2, field(5, field(1, "k") + field(3, "NoExecute"))) + field(3, status))
    )
    assert node["spec"] == {"taints": [{"key": "k", "effect": "NoExecute"}]}
    assert node["status"] == {"capacity": {"cpu": "500m"}, "conditions": [{"type": "Ready", "status": "True"}]}
    number = protobuf.decode(body("policy/v1", "PodDisruptionBudget", field(2, field(1, field(1, 0) + field(2, 0)))))
    assert number["spec"] == {"minAvailable": 0}
    percent = protobuf.decode(
        body("policy/v1", "PodDisruptionBudget", field(2, field(3, field(1, 1) + field(3, "50%"))))
    )
    assert percent["spec"] == {"maxUnavailable": "50%"}


def test_negative_numbers_are_read_as_such() -> None:
    assert protobuf.decode(body("scheduling.k8s.io/v1", "PriorityClass", field(2, -5)))["value"] == -5


def test_a_field_of_a_newer_version_is_left_out() -> None:
    assert "spec" not in protobuf.decode(body("v1", "ConfigMap", META + field(99, "new") + field(98, 7)))


def test_a_kind_that_is_not_in_the_table_is_refused_by_name() -> None:
    with pytest.raises(errors.UnsupportedMediaType, match=r"apps/v1 Deployment .* send application/json"):
        protobuf.decode(body("apps/v1", "Deployment", META))


@given(st.binary(max_size=40))
def test_whatever_is_malformed_is_a_bad_request(noise: bytes) -> None:
    for data in (noise, b"k8s\x00" + noise, body("v1", "Secret", noise), body("v1", "Node", META + field(3, noise))):
        with contextlib.suppress(errors.BadRequest, errors.UnsupportedMediaType):
            assert protobuf.decode(data)["kind"] in {"Secret", "Node", *protobuf._messages()}


def schema_type(schema: Any) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        return "intstr qty"
    return {"date-time": "time microtime", "byte": "bytes"}.get(schema.get("format", ""), "") or {
        "string": "str",
        "integer": "int",
        "boolean": "bool",
    }.get(schema.get("type", ""), "")


@pytest.mark.parametrize("definition", RESOURCES, ids=lambda d: f"{d.resource.kind}.{d.resource.group}")
def test_the_table_agrees_with_the_schemas(definition: Any) -> None:
    message = "EventsV1Event" if definition.resource.group == "events.k8s.io" else definition.resource.kind
    if message in protobuf._messages():
        agree(message, definition.structural.schema)


def agree(message: str, schema: Any) -> None:
    for entry in protobuf._messages()[message].values():
        found = schema["properties"][entry.name]
        assert (entry.shape == "[]") == (found.get("type") == "array"), entry
        inner = (
            found["items"] if entry.shape == "[]" else found["additionalProperties"] if entry.shape == "{}" else found
        )
        if entry.type in protobuf._messages():
            agree(entry.type, inner)
        elif entry.type != "json":
            assert entry.type in schema_type(inner).split(), f"{message}.{entry}"
