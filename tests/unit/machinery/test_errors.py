"""API errors survive the wire and say what Kubernetes says."""

import pytest

from capipool.machinery import errors
from capipool.machinery.resource import GroupKind, GroupResource

POOLS = GroupResource("cluster.x-k8s.io", "machinepools")


def test_one_field_error_is_said_plainly() -> None:
    error = errors.Invalid.of(
        GroupKind("cluster.x-k8s.io", "MachinePool"), "p", [errors.invalid("spec.replicas", -1, "must not be negative")]
    )
    assert error.message == (
        'MachinePool.cluster.x-k8s.io "p" is invalid: spec.replicas: Invalid value: -1: must not be negative'
    )
    assert error.status["details"]["causes"][0]["field"] == "spec.replicas"


def test_several_field_errors_are_listed() -> None:
    found = [errors.required("spec.a"), errors.not_supported("spec.b", "x", ["y", "z"])]
    error = errors.Invalid.of(GroupKind("", "Node"), "n", found)
    assert error.message == (
        'Node "n" is invalid: [spec.a: Required value, spec.b: Unsupported value: "x": supported values: "y", "z"]'
    )


@pytest.mark.parametrize(
    "error",
    [
        errors.NotFound.of(POOLS, "p"),
        errors.AlreadyExists.of(POOLS, "p"),
        errors.Conflict.of(POOLS, "p", "it changed"),
        errors.Forbidden.of(POOLS, "p", "the gate is off"),
        errors.Expired("too old"),
        errors.TooManyRequests("later", details={"retryAfterSeconds": 10}),
    ],
)
def test_a_status_becomes_the_same_error_again(error: errors.ApiError) -> None:
    again = errors.from_status(error.status, error.http_code)
    assert type(again) is type(error)
    assert again.status == error.status


@pytest.mark.parametrize(
    ("code", "kind"), [(404, errors.NotFound), (409, errors.Conflict), (410, errors.Expired), (418, errors.ApiError)]
)
def test_an_answer_without_a_status_goes_by_its_code(code: int, kind: type[errors.ApiError]) -> None:
    assert type(errors.from_status({}, code)) is kind


def test_a_long_value_does_not_fill_the_screen() -> None:
    assert len(str(errors.invalid("spec.x", "v" * 10_000, "too much"))) < 400
