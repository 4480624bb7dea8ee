"""What is done with an agent pool, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.machinery.objects import Raw
from capipool.providers.azure.aks.pools import decide, model
from capipool.providers.azure.aks.pools.decide import Picture, Put, UpgradeImage
from capipool.sdk import InvalidConfiguration
from tests.unit.azure.aks.pictures import KEY, picture, there, wanted

SCALING = {"minSize": 1, "maxSize": 5}
IMAGE = decide.IMAGE_ANNOTATION


def changes(made: Picture) -> Raw:
    """What the order changes of the pool that is there."""
    step = decide.decide(made)
    assert isinstance(step.action, Put), step
    assert step.action.etag == "7"
    assert made.pool is not None
    before = {k: v for k, v in made.pool.properties.items() if k not in model.READ_ONLY}
    after = step.action.properties
    return {k: after.get(k) for k in before.keys() | after.keys() if before.get(k) != after.get(k)}


@pytest.mark.parametrize(
    ("made", "changed"),
    [
        (picture(replicas=3), {"count": 3}),
        (picture(replicas=0), {"count": 0}),
        (picture(wanted(mode="System")), {"mode": "System"}),
        (picture(wanted(scaleDownMode="Deallocate")), {"scaleDownMode": "Deallocate"}),
        (picture(wanted(nodeLabels={"a": "b"})), {"nodeLabels": {"a": "b"}}),
        (picture(wanted(additionalTags={"a": "b"})), {"tags": {"a": "b", "capipool.io_pool": KEY}}),
        (picture(pool=there(tags={"a": "b"})), {"tags": {"a": "b", "capipool.io_pool": KEY}}),
        (
            picture(pool=there(tags={"a": "b", "capipool.io_pool": KEY}), gone=("a",)),
            {"tags": {"capipool.io_pool": KEY}},
        ),
        (picture(wanted(scaling=SCALING)), {"enableAutoScaling": True, "minCount": 1, "maxCount": 5}),
        (
            picture(wanted(scaling=SCALING), there(count=9), replicas=9),
            {"enableAutoScaling": True, "minCount": 1, "maxCount": 5, "count": 5},
        ),
        (
            picture(pool=there(enableAutoScaling=True, minCount=1, maxCount=5)),
            {"enableAutoScaling": False, "minCount": None, "maxCount": None},
        ),
        (
            picture(wanted(scaling={"minSize": 0, "maxSize": 5})),
            {"enableAutoScaling": True, "minCount": 0, "maxCount": 5},
        ),
        (picture(version="1.31.2"), {"orchestratorVersion": "1.31.2"}),
        (picture(version="1.31"), {"orchestratorVersion": "1.31"}),
        (picture(auto_version="1.31.2"), {"orchestratorVersion": "1.31.2"}),
        (picture(pool=there(provisioningState="Failed")), {}),
        (picture(pool=there(provisioningState="Canceled"), replicas=4), {"count": 4}),
    ],
)
def test_what_differs_is_changed_and_nothing_else(made: Picture, changed: Raw) -> None:
    assert changes(made) == changed


@pytest.mark.parametrize(
    "made",
    [
        picture(),
        picture(replicas=None, pool=there(count=7)),
        picture(wanted(scaling=SCALING), there(count=4, enableAutoScaling=True, minCount=1, maxCount=5), replicas=2),
        picture(pool=there(provisioningState="Scaling"), replicas=5, version="1.31.2"),
        picture(pool=there(powerState={"code": "Stopped"}), replicas=5),
        picture(version="1.30"),
        picture(pool=there(orchestratorVersion="1.30"), version="1.30.6"),
        picture(version=""),
        picture(
            pool=there(
                nodeLabels={"kubernetes.azure.com/mode": "user"}, nodeTaints=["kubernetes.azure.com/a=b:NoSchedule"]
            )
        ),
        picture(wanted({IMAGE: "latest"}), newest_image="old"),
        picture(wanted({IMAGE: "old"}), newest_image="new"),
        picture(wanted({IMAGE: "latest"})),
        picture(
            wanted(
                taints=[
                    {"key": "a", "value": "", "effect": "NoSchedule"},
                    {"key": "b", "value": "c", "effect": "NoExecute"},
                ]
            ),
            there(nodeTaints=["b=c:NoExecute", "a:NoSchedule"]),
        ),
    ],
)
def test_nothing_is_done_where_all_is_so_or_aks_is_busy(made: Picture) -> None:
    assert decide.decide(made).action is None


@pytest.mark.parametrize(
    ("made", "reason", "way_out"),
    [
        (picture(version="1.32.0"), "WaitingForControlPlaneVersion", "upgrade the cluster first"),
        (picture(version="1.29.9"), "DowngradeRefused", "v1.30.6"),
        (picture(pool=there(powerState={"code": "Stopped"})), "Stopped", "start it"),
        (picture(pool=there(mode="System"), last_system=True), "LastSystemPool", "make another"),
        (picture(wanted({IMAGE: "other"}), newest_image="new"), "NodeImageNotOffered", "latest"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_way_out(made: Picture, reason: str, way_out: str) -> None:
    step = decide.decide(made)
    assert step.action is None
    assert [note.reason for note in step.notes] == [reason]
    assert way_out in step.notes[0].message


def test_what_can_be_done_is_done_beside_what_cannot() -> None:
    made = picture(version="1.32.0", replicas=5)
    assert changes(made) == {"count": 5}
    assert len(decide.decide(made).notes) == 1


def test_an_upgrade_waits_until_all_else_is_done() -> None:
    assert changes(picture(version="1.31.2", replicas=5)) == {"count": 5}
    assert changes(picture(version="1.31.2", replicas=5, pool=there(count=5, provisioningState="Failed"))) == {
        "orchestratorVersion": "1.31.2"
    }


@pytest.mark.parametrize("wish", ["latest", "new"])
def test_a_newer_image_is_ordered_where_it_is_wanted_and_nothing_else_is(wish: str) -> None:
    assert decide.decide(picture(wanted({IMAGE: wish}), newest_image="new")).action == UpgradeImage("image new")
    assert isinstance(decide.decide(picture(wanted({IMAGE: wish}), newest_image="new", replicas=3)).action, Put)


def test_an_order_that_failed_is_known_again_whatever_aks_shows_meanwhile() -> None:
    about = {_about(picture(pool=pool, version="1.31.2", replicas=3)) for pool in _after_a_failure()}
    assert len(about) == 1
    assert _about(picture(version="1.31.2", replicas=4)) not in about


def _after_a_failure() -> list[Any]:
    failed = {"provisioningState": "Failed", "count": 3}
    return [there(), there(**failed), there(**failed, orchestratorVersion="1.31.2")]


def _about(made: Picture) -> str:
    action = decide.decide(made).action
    assert isinstance(action, Put)
    return action.about


def test_a_new_pool_says_every_field() -> None:
    obj = wanted(
        osType="Linux",
        osDiskType="Ephemeral",
        osDiskSizeGB=64,
        availabilityZones=["1"],
        maxPods=50,
        enableUltraSSD=True,
        enableNodePublicIP=True,
        nodePublicIPPrefixID="/p",
        enableFIPS=True,
        enableEncryptionAtHost=True,
        kubeletDiskType="Temporary",
        kubeletConfig={"cpuManagerPolicy": "static"},
        linuxOSConfig={"sysctls": {"netIpv4TCPFinTimeout": 10, "netIpv4IPLocalPortRange": "32768 60999"}},
        scaleSetPriority="Spot",
        spotMaxPrice="1500m",
        subnetName="mine",
        scaling={"minSize": 3, "maxSize": 5},
        taints=[{"key": "a", "value": "b", "effect": "NoExecute"}],
        nodeLabels={"a": "b"},
        additionalTags={"team": "x"},
    )
    made = Picture(obj=obj, pool=None, replicas=1, version="1.30.6", plane_version="1.31.2", subnet="/vnet/subnets/x")
    action = decide.decide(made).action
    assert isinstance(action, Put)
    assert action.etag == ""
    assert action.properties == {
        "type": "VirtualMachineScaleSets",
        "vmSize": "Standard_D4s_v3",
        "mode": "User",
        "osType": "Linux",
        "osDiskType": "Ephemeral",
        "osDiskSizeGB": 64,
        "availabilityZones": ["1"],
        "maxPods": 50,
        "enableUltraSSD": True,
        "enableNodePublicIP": True,
        "nodePublicIPPrefixID": "/p",
        "enableFIPS": True,
        "enableEncryptionAtHost": True,
        "kubeletDiskType": "Temporary",
        "kubeletConfig": {"cpuManagerPolicy": "static"},
        "linuxOSConfig": {"sysctls": {"netIpv4TcpFinTimeout": 10, "netIpv4IpLocalPortRange": "32768 60999"}},
        "scaleSetPriority": "Spot",
        "spotMaxPrice": 1.5,
        "vnetSubnetID": "/vnet/subnets/mine",
        "enableAutoScaling": True,
        "minCount": 3,
        "maxCount": 5,
        "count": 3,
        "orchestratorVersion": "1.30.6",
        "scaleDownMode": "Delete",
        "nodeTaints": ["a=b:NoExecute"],
        "nodeLabels": {"a": "b"},
        "tags": {"team": "x", "capipool.io_pool": KEY},
    }


def test_a_subnet_in_a_network_that_aks_made_is_refused() -> None:
    made = Picture(obj=wanted(subnetName="mine"), pool=None, replicas=1)
    with pytest.raises(InvalidConfiguration, match=r"spec\.subnetName"):
        decide.decide(made)


@pytest.mark.parametrize(
    ("others", "last"),
    [
        ([], True),
        ([("other", "User", "Succeeded")], True),
        ([("other", "System", "Deleting")], True),
        ([("other", "System", "Creating")], False),
    ],
)
def test_the_last_pool_of_mode_system_is_the_one_beside_which_no_other_stays(
    others: list[tuple[str, str, str]], last: bool
) -> None:
    rows = [("work", "System", "Succeeded"), *others]
    pools = [{"name": n, "properties": {"mode": m, "provisioningState": s}} for n, m, s in rows]
    assert decide.is_last_system(pools, "work") is last
