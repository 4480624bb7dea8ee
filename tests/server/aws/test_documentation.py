"""What the documentation of AWS shows works: the example runs, the policy is what is called, every field is named."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import msgspec

from capipool.providers.aws.api.machinepool import AWSMachinePoolSpec, LaunchTemplate
from capipool.providers.aws.calls import Clients
from tests.server.aws import cloud
from tests.server.aws.wire import DOCS, policy
from tests.server.aws.world import region, said
from tests.shared import REPOSITORY

POOLS = (
    "autoscaling",
    "cluster",
    "hooks",
    "ignition",
    "inventory",
    "lookups",
    "network",
    "observing",
    "templates",
    "upkeep",
    "provider",
)
IMPLIED = {"ec2:RunInstances", "ec2:CreateTags", "iam:PassRole"}
"""What AWS checks when a group launches from a template: no call of ours."""
RENAMED = {"s3:ListObjectsV2": "s3:ListBucket"}


def called(path: Path) -> set[tuple[str, str]]:
    """(service, operation) of every call to AWS in a module: the words next to each other in the arguments."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            words = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("call", "pages") and len(words) == 2:
                found.add((words[0], words[1]))
            if isinstance(node.func, ast.Attribute) and node.func.attr == "write" and len(words) == 1:
                found.add(("autoscaling", words[0]))
    return found


def test_the_policy_is_what_is_called_and_no_more() -> None:
    room = REPOSITORY / "src" / "capipool" / "providers" / "aws"
    calls = set().union(*(called(room / f"{name}.py") for name in POOLS))
    services = {service for service, _ in calls}
    clients = Clients("")
    names = {s: clients.make(s, "us-east-1", None).meta.method_to_api_mapping for s in services}
    actions = {f"{service}:{names[service][operation]}" for service, operation in calls}
    assert {RENAMED.get(action, action) for action in actions} | IMPLIED == policy()


def test_every_field_of_a_pool_is_in_the_table() -> None:
    text = DOCS.read_text()
    table = text[text.index("## Fields of an AWSMachinePool") : text.index("## Conditions of an AWSMachinePool")]
    named = set(re.findall(r"[`.]([A-Za-z0-9]+)(?=[`.])", table))
    fields = [*msgspec.structs.fields(AWSMachinePoolSpec), *msgspec.structs.fields(LaunchTemplate)]
    missing = {f.encode_name for f in fields} - named
    assert missing == set()


async def test_the_example_runs() -> None:
    example = (REPOSITORY / "examples" / "aws-machinepool.yaml").read_text()
    with cloud.running() as running:
        async with region(running) as aws:
            await aws.world.load(example)
            await aws.world.running_pool("workers", 3)
            assert len(aws.cloud.versions("workers")) == 1, "tags make no second version of what is new"
            group = aws.cloud.group("workers")
            assert group["CapacityRebalance"]
            assert len(group["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]) == 2
            await aws.until(lambda p: said(p.status.conditions, "Ready")[0] == "True", name="workers")
