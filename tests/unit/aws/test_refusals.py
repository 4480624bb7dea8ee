"""What AWS refuses of a group is told by the field of the pool, and what it says is gone is no field's fault."""

from __future__ import annotations

import pytest

from capipool.providers.aws import failures, refusals
from capipool.sdk import InvalidConfiguration, ProviderError
from capipool.sdk.errors import Throttled

TEMPLATE = "You must use a valid fully-formed launch template. "
VALUE = "Value (nodes) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"


def answer(words: str) -> ProviderError:
    return failures.by_code("update_auto_scaling_group", "ValidationError", words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (f"{TEMPLATE}The key pair 'me' does not exist", "spec.awsLaunchTemplate.sshKeyName: The key pair 'me' does"),
        (f"{TEMPLATE}The image id '[ami-1]' does not exist", "spec.awsLaunchTemplate.ami: The image id '[ami-1]'"),
        (f"{TEMPLATE}{VALUE}", f"spec.awsLaunchTemplate.iamInstanceProfile: {VALUE}"),
        (
            f"{TEMPLATE}Security group sg-1 and subnet subnet-1 belong to different networks.",
            "spec.awsLaunchTemplate.additionalSecurityGroups: Security group sg-1 and",
        ),
        (f"{TEMPLATE}Something else.", "spec.awsLaunchTemplate: Something else."),
        ("The subnet ID 'subnet-1' does not exist", "spec.subnets: The subnet ID 'subnet-1' does not exist"),
        ("Something was not found", "update_auto_scaling_group: Something was not found"),
        ("Max bound, 1, must be greater than min bound, 2", "update_auto_scaling_group: Max bound, 1, must be"),
    ],
)
def test_what_is_wrong_with_the_spec_is_told_by_its_field(words: str, said: str) -> None:
    error = answer(words)
    assert not refusals.is_gone(error)
    found = refusals.of_field(error)
    assert type(found) is InvalidConfiguration
    assert str(found).startswith(said)


@pytest.mark.parametrize(
    "words",
    [
        "AutoScalingGroup name not found - null",
        "AutoScalingGroup not found - AutoScaling Group demo not found",
        "Instance Id not found - No managed instance found for instance ID i-1",
        "The specified launch template, with template ID lt-1, does not exist.",
        f"{TEMPLATE}The specified launch template, with template ID lt-1, does not exist.",
    ],
)
def test_what_somebody_deleted_is_gone(words: str) -> None:
    assert refusals.is_gone(answer(words))


def test_what_is_no_refusal_stays_what_it_is() -> None:
    error = Throttled("call")
    assert refusals.of_field(error) is error
