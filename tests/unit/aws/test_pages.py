"""What AWS tells page by page is read to its end: what is on the second page is not gone."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws import ignition, tags
from capipool.providers.aws.api.machinepool import AWSMachinePool, LaunchTemplate
from capipool.providers.aws.autoscaling import AutoScaling
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.eks.nodegroups.cloud import Home, NodeGroups
from capipool.providers.aws.lookups import Lookups
from capipool.providers.aws.places import Place
from capipool.providers.aws.templates import Templates, Wanted
from capipool.sdk import BootstrapData, Launch

KEY = "default/p"
MARKS = tags.to_aws({tags.POOL: KEY})


class Library:
    """Answers with an empty page first, and with the rest on the second one."""

    def __init__(self) -> None:
        self.objects = [f"machine-pool/default/p/{n}" for n in range(1001)]

    def _second(self, said: Raw, name: str, values: list[Any], token: str = "NextToken", parameter: str = "") -> Raw:
        return {name: values} if said.get(parameter or token) == "more" else {name: [], token: "more"}

    def describe_auto_scaling_groups(self, **said: Any) -> Raw:
        return self._second(said, "AutoScalingGroups", [{"AutoScalingGroupName": "p", "Tags": MARKS}])

    def describe_launch_templates(self, **said: Any) -> Raw:
        template = {"LaunchTemplateName": "p", "LaunchTemplateId": "lt-1", "Tags": MARKS}
        return self._second(said, "LaunchTemplates", [template])

    def list_updates(self, **said: Any) -> Raw:
        return self._second(said, "updateIds", ["u-1"], token="nextToken")

    def describe_update(self, **said: Any) -> Raw:
        return {"update": {"id": said["updateId"]}}

    def list_objects_v2(self, **said: Any) -> Raw:
        return {"Contents": [{"Key": key} for key in self.objects[:1000]]}

    def delete_object(self, **said: Any) -> Raw:
        self.objects.remove(said["Key"])
        return {}


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
def place(library: Library) -> Place:
    calls = Calls(rng=random.Random(1), make_client=lambda service, region: library, rate=100_000)
    return Place(calls=calls, region="r", cluster="c")


async def test_a_group_on_the_second_page_is_there(place: Place) -> None:
    assert (await AutoScaling().own(place, "p", key=KEY))["AutoScalingGroupName"] == "p"


async def test_a_template_on_the_second_page_is_there(place: Place) -> None:
    async def read() -> BootstrapData:
        return BootstrapData(b"")

    launch = Launch(revision="r1", bootstrap_version="1", read_bootstrap=read)
    wanted = Wanted(name="p", key=KEY, spec=LaunchTemplate(), launch=launch)
    assert await Templates(Lookups()).find(place, wanted) == "lt-1"


async def test_an_update_on_the_second_page_is_found(place: Place) -> None:
    assert await NodeGroups().updates(Home(place, "c", "p")) == [{"id": "u-1"}]


async def test_more_boot_data_than_one_page_lists_is_deleted(place: Place, library: Library) -> None:
    raw: Raw = {
        "apiVersion": AWSMachinePool.RESOURCE.api_version,
        "kind": "AWSMachinePool",
        "metadata": {"name": "p", "namespace": "default", "annotations": {ignition.BUCKET_ANNOTATION: "b"}},
    }
    pool = msgspec.convert(raw, AWSMachinePool, strict=False)
    assert pool.key == ObjectKey("default", "p")
    await ignition.discard(place, pool)
    assert library.objects == []
