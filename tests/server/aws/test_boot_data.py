"""Boot data on its way to instances: images that stay, tags that roll nothing, Ignition in a bucket, and too much."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator

import pytest

from capipool.api.builtin import Secret
from capipool.api.core import MachinePool
from capipool.machinery import objects
from capipool.machinery.objects import ObjectMeta, Raw
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import AWSMachinePool
from tests.server.aws import cloud
from tests.server.aws.test_failures import CLUSTER
from tests.server.aws.world import POOL, Region, region, said
from tests.server.clouds.world import NS

BUCKET = "boot-data"
STORED: Raw = {"ignition": {"version": "3.4", "storageType": "ClusterObjectStore"}}


@pytest.fixture
async def aws() -> AsyncIterator[Region]:
    with cloud.running() as running:
        async with region(running) as made:
            yield made


async def test_an_image_that_is_published_later_rolls_nothing_and_tags_neither(aws: Region) -> None:
    await aws.begin(replicas=1)
    before = aws.ids()
    aws.cloud.image("v1.31.0")
    await aws.patch({"additionalTags": {"team": "b"}})
    await aws.eventually(lambda: aws.cloud.group(POOL)["LaunchTemplate"]["Version"] == "2")
    versions = [v["LaunchTemplateData"] for v in aws.cloud.versions(POOL)]
    assert {v["ImageId"] for v in versions} == {aws.facts["image"]}
    assert {"Key": "team", "Value": "b"} in versions[1]["TagSpecifications"][0]["Tags"]
    await aws.until(lambda p: p.status.launch_template_version == "2")
    pool = await aws.until(lambda p: said(p.status.conditions, "UpToDate")[0] == "True")
    assert said(pool.status.conditions, "Ready")[0] == "True"
    assert aws.ids() == before


async def begin(aws: Region, data: dict[str, bytes], spec: Raw, cluster: Raw | None = None) -> None:
    meta = ObjectMeta(name="boot", namespace=NS)
    await aws.world.client.create(objects.new(Secret, metadata=meta, data=data))
    await aws.world.load(CLUSTER)
    if cluster is not None:
        await aws.world.patch(AWSCluster, "demo", {"spec": cluster})
    reference = {"apiGroup": AWSMachinePool.RESOURCE.group, "kind": "AWSMachinePool", "name": POOL}
    template = {"clusterName": "demo", "bootstrap": {"dataSecretName": "boot"}, "infrastructureRef": reference}
    pool: Raw = {"clusterName": "demo", "replicas": 1, "template": {"spec": template}}
    launch = {"instanceType": "t3.large", "ami": {"id": aws.facts["image"]}}
    aws_pool: Raw = {"minSize": 0, "maxSize": 3, "availabilityZones": ["us-east-1a"], "awsLaunchTemplate": launch}
    for version, kind, wanted in (
        ("cluster.x-k8s.io/v1beta2", "MachinePool", pool),
        (AWSMachinePool.RESOURCE.api_version, "AWSMachinePool", {**aws_pool, **spec}),
    ):
        raw = {"apiVersion": version, "kind": kind, "metadata": {"name": POOL, "namespace": NS}, "spec": wanted}
        await aws.world.client.apply(raw)


async def test_ignition_goes_into_the_clusters_bucket_and_is_deleted_with_the_pool(aws: Region) -> None:
    store = aws.cloud.client("s3")
    store.create_bucket(Bucket=BUCKET)
    data = json.dumps({"ignition": {"version": "3.4.0"}, "storage": {"files": ["token"]}}).encode()
    await begin(aws, {"value": data, "format": b"ignition"}, STORED, {"s3Bucket": {"name": BUCKET}})
    await aws.world.running_pool(POOL, 1)
    user_data = aws.cloud.versions(POOL)[0]["LaunchTemplateData"]["UserData"]
    (merged,) = json.loads(base64.b64decode(user_data))["ignition"]["config"]["merge"]
    bucket, _, key = merged["source"].removeprefix("s3://").partition("/")
    assert (bucket, key.rpartition("/")[0]) == (BUCKET, f"machine-pool/{NS}/{POOL}")
    assert store.get_object(Bucket=BUCKET, Key=key)["Body"].read() == data
    await aws.world.client.delete(MachinePool, POOL, NS)
    await aws.world.until(aws.is_deleted)
    assert store.list_objects_v2(Bucket=BUCKET).get("Contents") is None


async def test_without_a_bucket_the_way_out_is_told(aws: Region) -> None:
    await begin(aws, {"value": b"{}", "format": b"ignition"}, STORED)
    pool = await aws.until(lambda p: said(p.status.conditions, "Ready")[1] == "InvalidConfiguration")
    assert "spec.s3Bucket of the AWSCluster" in said(pool.status.conditions, "Ready")[2]
    assert "UnencryptedUserData" in said(pool.status.conditions, "Ready")[2]


async def test_boot_data_that_ec2_would_not_take_is_told_with_its_size_and_nothing_is_made(aws: Region) -> None:
    await begin(aws, {"value": b"x" * 20000, "format": b"ignition"}, {})
    pool = await aws.until(lambda p: said(p.status.conditions, "LaunchTemplateReady")[0] == "False")
    assert "is 20000 bytes, and EC2 takes 16384" in said(pool.status.conditions, "LaunchTemplateReady")[2]
    assert aws.templates() == []
