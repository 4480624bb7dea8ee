"""At rest AWS is left alone: nothing is written with every option set, and many pools cost a few describes a minute."""

from __future__ import annotations

import asyncio
import datetime as dt
import random

from capipool.api.builtin import Secret
from capipool.api.core import MachinePool
from capipool.machinery import objects
from capipool.machinery.objects import ObjectMeta, Raw
from capipool.providers.aws import kinds, setup
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.calls import Calls
from capipool.runtime import Manager
from capipool.testing import virtual
from capipool.workload.connections import Connections
from tests.server.aws import cloud
from tests.server.aws.library import Library
from tests.server.aws.test_failures import CLUSTER
from tests.server.aws.world import POOL, Region, region, said
from tests.server.clouds import world as clouds
from tests.server.clouds.world import NS

POOLS = 200
SUBNET = {"filters": [{"name": "tag:kubernetes.io/cluster/demo", "values": ["owned"]}]}
EVERYTHING: Raw = {
    "additionalTags": {"team": "a", "Name": "mine"},
    "subnets": [SUBNET, SUBNET],
    "capacityRebalance": True,
    "defaultCoolDown": "2m",
    "defaultInstanceWarmup": "90s",
    "mixedInstancesPolicy": {
        "instancesDistribution": {"onDemandBaseCapacity": 1},
        "overrides": [{"instanceType": "t3.large"}, {"instanceType": "m5.large"}],
    },
    "refreshPreferences": {"minHealthyPercentage": 90, "maxHealthyPercentage": 110, "instanceWarmup": 1},
    "suspendProcesses": {"all": True, "processes": {"launch": False, "terminate": False}},
    "lifecycleHooks": [
        {
            "name": "told",
            "lifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
            "heartbeatTimeout": "10m",
            "defaultResult": "CONTINUE",
            "notificationMetadata": "m",
            "notificationTargetARN": "arn:aws:sqs:us-east-1:123456789012:q",
            "roleARN": "arn:aws:iam::123456789012:role/r",
        }
    ],
    "awsLaunchTemplate": {
        "additionalSecurityGroups": [{"filters": [{"name": "group-name", "values": ["demo-node"]}]}],
        "enclaveOptions": {"enabled": False},
        "instanceMetadataOptions": {"httpTokens": "required", "httpProtocolIpv6": "enabled"},
        "privateDnsName": {"hostnameType": "resource-name", "enableResourceNameDnsARecord": True},
        "rootVolume": {"size": 40, "type": "gp3", "throughput": 250, "encrypted": True},
        "nonRootVolumes": [{"deviceName": "/dev/sdb", "size": 20, "type": "io2", "iops": 1000}],
        "capacityReservationPreference": "Open",
        "marketType": "OnDemand",
    },
}


async def reconciled(aws: Region, times: int) -> None:
    """Have the pool reconciled so many times, and wait for each."""
    controller = next(c for c in aws.world.manager._controllers if c.name == "awsmachinepool")
    for number in range(times):
        await aws.annotate("test/again", str(number))
        await asyncio.sleep(0)
        await aws.world.until(lambda mark=str(number): _seen(aws, mark))
        await aws.world.until(lambda: _idle(controller))


async def _seen(aws: Region, mark: str) -> bool:
    cached = aws.world.manager.caches.of(AWSMachinePool).get((await aws.aws_pool()).key)
    return cached is not None and cached.metadata.annotations.get("test/again") == mark


async def _idle(controller: object) -> bool:
    return bool(controller.idle)  # type: ignore[attr-defined]


async def test_with_every_option_set_ten_more_reconciles_write_nothing() -> None:
    with cloud.running() as running:
        async with region(running) as aws:
            await aws.begin(replicas=2)
            await aws.annotate("capipool.io/drain-terminations", "true")
            await aws.patch(EVERYTHING)
            await aws.until(lambda p: said(p.status.conditions, "UpToDate")[0] == "False")
            await aws.until(lambda p: said(p.status.conditions, "UpToDate")[0] == "True")
            await aws.eventually(lambda: set(aws.hooks()) == {"told", "capipool-drain"})
            await aws.world.running_pool(POOL, 2)
            await reconciled(aws, 3)
            aws.wire.reset()
            await reconciled(aws, 10)
            assert aws.wire.writes() == []
            data = aws.cloud.versions(POOL)[-1]["LaunchTemplateData"]
            assert data["MetadataOptions"]["HttpProtocolIpv6"] == "enabled"
            assert [d["DeviceName"] for d in data["BlockDeviceMappings"]] == ["/dev/sda1", "/dev/sdb"]
            group = aws.cloud.group(POOL)
            assert group["CapacityRebalance"]
            assert (group["DefaultCooldown"], group["DefaultInstanceWarmup"]) == (120, 90)
            assert "Launch" not in {p["ProcessName"] for p in group["SuspendedProcesses"]}
            spec = (await aws.aws_pool()).spec.aws_launch_template
            assert spec.root_volume is not None
            assert spec.root_volume.device_name == "", "what was looked up is not written into the user's spec"


def test_two_hundred_pools_at_rest_cost_a_few_describes_a_minute() -> None:
    library = Library()

    def add(manager: Manager, connections: Connections) -> None:
        calls = Calls(rng=random.Random(4), make_client=library.make_client, rate=1000)
        setup.setup(manager, connections, rng=random.Random(4), calls=calls)

    async def main() -> None:
        async with clouds.world(add, crds=kinds.crds(), rules=kinds.rules(), clock=virtual.clock()) as world:
            world.joiner(library.running).interval = 1
            meta = ObjectMeta(name="boot", namespace=NS)
            await world.client.create(objects.new(Secret, metadata=meta, data={"value": b"#cloud-config\n"}))
            await world.load(CLUSTER)
            for number in range(POOLS):
                await _make(world, f"pool-{number}")

            async def all_run() -> bool:
                pools = await world.client.list(MachinePool, NS)
                return len(library.groups) == POOLS and all(p.status.phase == "Running" for p in pools)

            for _ in range(100):
                if await all_run():
                    break
                await asyncio.sleep(5)
            assert await all_run()
            await asyncio.sleep(120)
            library.calls.clear()
            minutes = 10
            await asyncio.sleep(60 * minutes)
            assert set(library.calls) <= {
                "describe_auto_scaling_groups",
                "describe_launch_templates",
                "describe_security_groups",
                "describe_subnets",
            }
            assert library.calls.total() / minutes < 10, library.calls

    virtual.run(main(), limit=dt.timedelta(days=1))


async def _make(world: clouds.World, name: str) -> None:
    reference = {"apiGroup": AWSMachinePool.RESOURCE.group, "kind": "AWSMachinePool", "name": name}
    template = {"clusterName": "demo", "bootstrap": {"dataSecretName": "boot"}, "infrastructureRef": reference}
    pool: Raw = {"clusterName": "demo", "replicas": 1, "template": {"spec": template}}
    aws_pool: Raw = {
        "minSize": 0,
        "maxSize": 3,
        "awsLaunchTemplate": {"instanceType": "t3.large", "ami": {"id": "ami-1"}},
    }
    for version, kind, spec in (
        ("cluster.x-k8s.io/v1beta2", "MachinePool", pool),
        (AWSMachinePool.RESOURCE.api_version, "AWSMachinePool", aws_pool),
    ):
        meta = {"name": name, "namespace": NS}
        await world.client.apply({"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec})
