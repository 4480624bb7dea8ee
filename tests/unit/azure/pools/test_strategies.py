"""Upstream's strategy as the engine's, Azure's own policy, and how long what failed is left alone."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.pools import cloudconfig, marks, resolving, rollouts
from capipool.providers.azure.pools.cloudconfig import Login
from capipool.providers.azure.pools.resolving import Size
from capipool.providers.azure.pools.setbacks import LONGEST, Setbacks
from capipool.sdk import InsufficientCapacity, InvalidConfiguration
from tests.server.azure.pools.lab import machine_pool
from tests.unit.azure.pools.test_model import azure_cluster

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
KEY = ObjectKey("default", "mp")


def pool(spec: Raw | None = None) -> AzureMachinePool:
    return objects.from_raw(AzureMachinePool, machine_pool("mp", spec))


def rolling(**said: int | str) -> AzureMachinePool:
    return pool({"strategy": {"rollingUpdate": said}})


@pytest.mark.parametrize(
    ("said", "replicas", "percent", "surge"),
    [
        ({"maxSurge": "25%", "maxUnavailable": 1}, 10, 30, True),
        ({"maxSurge": 0, "maxUnavailable": "50%"}, 4, 50, False),
        ({"maxSurge": 1, "maxUnavailable": 0}, 100, 5, True),
        ({"maxSurge": 5, "maxUnavailable": 0}, 2, 100, True),
    ],
)
def test_azures_own_rolling_goes_in_batches_as_large_as_the_strategy_allows(
    said: dict[str, int | str], replicas: int, percent: int, surge: bool
) -> None:
    policy = rollouts.policy(rolling(**said), rolling=True, replicas=replicas)
    assert policy is not None
    limits = policy["rollingUpgradePolicy"]
    assert (policy["mode"], limits["maxBatchInstancePercent"], limits["maxSurge"]) == ("Rolling", percent, surge)
    assert limits["maxUnhealthyInstancePercent"] >= percent


def test_azure_rolls_nothing_unless_it_is_to() -> None:
    assert rollouts.policy(pool(), rolling=False, replicas=3) == {"mode": "Manual"}
    assert rollouts.policy(pool({"orchestrationMode": "Flexible"}), rolling=False, replicas=3) is None


def test_a_malformed_percentage_is_named_by_its_field() -> None:
    with pytest.raises(InvalidConfiguration, match=r"rollingUpdate\.maxSurge"):
        rollouts.strategy(rolling(maxSurge="lots"))


def test_each_failure_in_a_row_doubles_the_wait_up_to_ten_minutes() -> None:
    setbacks, waits = Setbacks(), []
    for _ in range(8):
        setbacks.note(KEY, InsufficientCapacity(wanted=1), about="r", now=NOW)
        error = setbacks.current(KEY, NOW)
        assert error is not None
        assert error.delay is not None
        waits.append(error.delay)
    assert waits[:3] == [dt.timedelta(seconds=s) for s in (30, 60, 120)]
    assert waits[-1] == LONGEST


def test_another_wish_is_tried_at_once_and_the_same_one_when_its_wait_is_over() -> None:
    setbacks = Setbacks()
    setbacks.note(KEY, InsufficientCapacity(wanted=1), about="r1", now=NOW)
    setbacks.hold(KEY, about="r2", now=NOW)
    with pytest.raises(InsufficientCapacity):
        setbacks.hold(KEY, about="r1", now=NOW)
    setbacks.hold(KEY, about="r1", now=NOW + dt.timedelta(minutes=1))


def test_whatever_had_no_room_holds_further_launches_up() -> None:
    setbacks = Setbacks()
    setbacks.note(KEY, InsufficientCapacity(wanted=1), about="r1", now=NOW)
    with pytest.raises(InsufficientCapacity):
        setbacks.hold_launches(KEY, now=NOW)
    setbacks.settle(KEY, now=NOW + dt.timedelta(minutes=1))
    assert setbacks.current(KEY, NOW) is None


def test_tags_tell_whose_a_scale_set_is() -> None:
    ours = marks.wanted(cluster="c", scale_set="mp", key="default/mp", more=({"Name": "mine"},))
    assert ours["Name"] == "mine"
    assert marks.is_ours(ours, cluster="c", key="default/mp")
    assert not marks.is_ours(ours, cluster="c", key="other/mp")
    upstreams = {k: v for k, v in ours.items() if k != marks.POOL}
    assert marks.is_ours(upstreams, cluster="c", key="any/pool")
    assert not marks.is_ours(upstreams, cluster="d", key="any/pool")
    assert not marks.is_ours({}, cluster="c", key="default/mp")
    assert marks.owner(ours) == "default/mp"
    assert marks.differing({"TEAM": "a"}, {"team": "a", "more": "b"}) == {"more": "b"}


@pytest.mark.parametrize(
    ("capabilities", "template", "said"),
    [
        ({"vCPUs": "1"}, {}, "less than 2 CPUs"),
        ({"MemoryGB": "1.5"}, {}, "less than 2 GiB"),
        ({"EncryptionAtHostSupported": "False"}, {"securityProfile": {"encryptionAtHost": True}}, "encryption at host"),
        (
            {"EphemeralOSDiskSupported": "False"},
            {"osDisk": {"osType": "Linux", "diffDiskSettings": {"option": "Local"}}},
            "ephemeral disks",
        ),
        (
            {"AcceleratedNetworkingEnabled": "False"},
            {"networkInterfaces": [{"acceleratedNetworking": True}]},
            "cannot do it",
        ),
    ],
)
def test_a_size_that_cannot_do_what_is_asked_is_refused(capabilities: dict[str, str], template: Raw, said: str) -> None:
    with pytest.raises(InvalidConfiguration, match=said):
        resolving.check(pool({"template": template}), Size("small", capabilities))


def test_images_of_models_are_told_in_the_words_of_the_api() -> None:
    community = {"communityGalleryImageId": "/CommunityGalleries/G/Images/I/Versions/1.2.3"}
    found = resolving.as_image(community)
    assert found is not None
    assert found.compute_gallery is not None
    assert (found.compute_gallery.gallery, found.compute_gallery.version) == ("G", "1.2.3")
    assert resolving.as_image({}) is None
    assert resolving.as_image({"communityGalleryImageId": "/odd"}) is None


PRINCIPAL = Login("t", "c", "s3cr3t")


def files(spec: Raw | None = None, login: Login = PRINCIPAL) -> Raw:
    cluster = azure_cluster()
    made = cloudconfig.files(pool(spec), cluster, cluster_name="c", subscription="S", login=login)
    assert made[cloudconfig.WORKER] == made[cloudconfig.CONTROL_PLANE]
    found: Raw = json.loads(made[cloudconfig.WORKER])
    return found


def test_the_cloud_providers_configuration_names_the_network_of_the_nodes() -> None:
    found = files()
    assert found["resourceGroup"] == found["vnetResourceGroup"] == "rg"
    assert (found["vnetName"], found["subnetName"]) == ("net", "nodes")
    assert (found["securityGroupName"], found["routeTableName"]) == ("c-node-nsg", "c-node-routetable")
    assert (found["tenantId"], found["aadClientId"], found["aadClientSecret"]) == ("t", "c", "s3cr3t")


@pytest.mark.parametrize(
    ("spec", "login"),
    [
        ({"identity": "SystemAssigned"}, PRINCIPAL),
        (
            {"identity": "UserAssigned", "userAssignedIdentities": [{"providerID": "azure:///i"}]},
            PRINCIPAL,
        ),
        (None, Login("t", "c")),
    ],
)
def test_where_no_secret_is_needed_none_is_in_it(spec: Raw | None, login: Login) -> None:
    found = files(spec, login)
    assert "aadClientSecret" not in found
    assert found["useManagedIdentityExtension"] is (spec is not None)
    assert found.get("userAssignedIdentityID", "/i") == "/i"
