"""A group as it should be, and what differs from how it is; who rolls; which hooks it has."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.machinery import objects
from capipool.providers.aws import groups, hooks, launching, lookups, provider
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.api.network import Subnet
from capipool.providers.aws.places import Place
from capipool.sdk import BootstrapData, InstanceState, InvalidConfiguration, RolloutMode

CALLS: Any = None


def pool(annotations: dict[str, str] | None = None, **spec: Any) -> AWSMachinePool:
    meta = {"name": "p", "namespace": "default", "annotations": annotations or {}}
    return objects.from_raw(AWSMachinePool, {"metadata": meta, "spec": {"minSize": 1, "maxSize": 5, **spec}})


def settings(obj: AWSMachinePool, version: int = 1) -> dict[str, Any]:
    return groups.settings(obj, template_id="lt-1", version=version, subnets=["s-2", "s-1"], sizes=(1, 5))


def test_what_is_as_it_should_be_does_not_differ() -> None:
    there = settings(pool()) | {"VPCZoneIdentifier": "s-2, s-1", "DesiredCapacity": 3}
    there["LaunchTemplate"] = there["LaunchTemplate"] | {"LaunchTemplateName": "p"}
    assert groups.changed(settings(pool()), there) == {}


def test_only_what_differs_is_sent() -> None:
    there = settings(pool())
    assert groups.changed(settings(pool(capacityRebalance=True), version=2), there) == {
        "CapacityRebalance": True,
        "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "2"},
    }


def test_a_policy_that_is_added_or_removed_differs() -> None:
    mixed = pool(mixedInstancesPolicy={"overrides": [{"instanceType": "a"}]})
    assert list(groups.changed(settings(mixed), settings(pool()))) == ["MixedInstancesPolicy"]
    assert list(groups.changed(settings(pool()), settings(mixed))) == ["LaunchTemplate"]


def test_overrides_that_left_the_spec_are_taken_away() -> None:
    bare, mixed = pool(mixedInstancesPolicy={}), pool(mixedInstancesPolicy={"overrides": [{"instanceType": "a"}]})
    changed = groups.changed(settings(bare), settings(mixed))
    assert changed["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"] == []
    assert groups.changed(settings(bare), settings(bare)) == {}


def test_a_distribution_that_aws_filled_in_does_not_differ() -> None:
    wanted = settings(pool(mixedInstancesPolicy={"overrides": [{"instanceType": "a"}]}))
    filled = {"OnDemandBaseCapacity": 0, "SpotAllocationStrategy": "lowest-price"}
    there = {**wanted, "MixedInstancesPolicy": {**wanted["MixedInstancesPolicy"], "InstancesDistribution": filled}}
    assert groups.changed(wanted, there) == {}


@pytest.mark.parametrize(
    ("desired", "external", "sizes"),
    [(3, False, (1, 5)), (7, False, (1, 7)), (0, False, (0, 5)), (7, True, (1, 5)), (0, True, (1, 5))],
)
def test_bounds_never_make_aws_choose_unless_somebody_else_scales(
    desired: int, external: bool, sizes: tuple[int, int]
) -> None:
    assert groups.sizes(pool(), desired=desired, external=external) == sizes


@pytest.mark.parametrize(
    ("life", "state"),
    [
        ("Pending:Wait", InstanceState.PENDING),
        ("InService", InstanceState.RUNNING),
        ("Standby", InstanceState.RUNNING),
        ("Terminating:Wait", InstanceState.TERMINATING),
        ("Terminated", InstanceState.TERMINATING),
        ("Detaching", InstanceState.TERMINATING),
    ],
)
def test_a_life_cycle_is_told_in_the_engines_words(life: str, state: InstanceState) -> None:
    assert groups.state({"LifecycleState": life}) is state


def test_instances_of_a_warm_pool_do_not_count() -> None:
    serving = {"InstanceId": "i-1", "LifecycleState": "InService"}
    group = {"Instances": [serving, {"InstanceId": "i-2", "LifecycleState": "Warmed:Stopped"}]}
    assert groups.instances(group) == [serving]


def test_protection_that_came_from_here_is_nobody_elses() -> None:
    raw = {"InstanceId": "i", "AvailabilityZone": "a", "LifecycleState": "InService", "ProtectedFromScaleIn": True}
    assert groups.instance(raw, "r").protected
    assert not groups.instance(raw, "r", ours=True).protected


def test_suspending_all_spares_what_is_said_to_be_spared() -> None:
    assert groups.suspended(pool()) is None
    spared = groups.suspended(pool(suspendProcesses={"all": True, "processes": {"launch": False}}))
    assert spared == set(groups.PROCESSES.values()) - {"Launch"}
    assert groups.suspended(pool(suspendProcesses={"processes": {"azRebalance": True}})) == {"AZRebalance"}


@pytest.mark.parametrize(
    ("said", "preferences", "mode"),
    [
        ("", None, RolloutMode.MANAGED),
        ("", {}, RolloutMode.NATIVE),
        ("", {"disable": True}, RolloutMode.ON_DELETE),
        ("Managed", {}, RolloutMode.MANAGED),
        ("Native", None, RolloutMode.NATIVE),
        ("Sometimes", None, RolloutMode.MANAGED),
    ],
)
def test_who_rolls_is_said_by_preferences_and_annotation(said: str, preferences: Any, mode: RolloutMode) -> None:
    spec = {} if preferences is None else {"refreshPreferences": preferences}
    assert provider.mode(pool({"capipool.io/rollout": said} if said else None, **spec)) is mode


def test_the_engine_keeps_to_the_healthy_percentages() -> None:
    preferences = {"minHealthyPercentage": 80, "maxHealthyPercentage": 120}
    made = provider.strategy(pool({"capipool.io/rollout": "Managed"}, refreshPreferences=preferences))
    assert (made.max_unavailable, made.max_surge) == ("20%", "20%")


def test_the_hook_that_drains_is_put_when_it_is_asked_for() -> None:
    assert hooks.wanted(pool()) == []
    (own,) = hooks.wanted(pool({hooks.DRAIN_ANNOTATION: "true"}))
    assert (own["LifecycleHookName"], own["DefaultResult"]) == ("capipool-drain", "CONTINUE")
    given = {"name": "capipool-drain", "lifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"}
    by_spec = pool({hooks.DRAIN_ANNOTATION: "true"}, lifecycleHooks=[{**given, "heartbeatTimeout": "2h"}])
    assert [h["HeartbeatTimeout"] for h in hooks.wanted(by_spec)] == [7200]
    assert hooks.drains(by_spec)


def test_boot_data_that_is_too_long_is_packed_or_refused_with_its_size() -> None:
    long = BootstrapData(b"#cloud-config\n" + b"a" * 20000)
    assert len(launching.encode(long)) < 1000
    with pytest.raises(InvalidConfiguration, match="is 20000 bytes, and EC2 takes 16384"):
        launching.encode(BootstrapData(b"a" * 20000, "ignition"))


def place(*subnets: Subnet, **fields: Any) -> Place:
    return Place(calls=CALLS, region="r", cluster="c", subnets=subnets, **fields)


@pytest.mark.parametrize(
    ("zones", "kind", "found"),
    [
        ((), "", ["private"]),
        (("a",), "", ["edge", "private", "public"]),
        (("a",), "public", ["public"]),
        (("a",), "private", ["private"]),
        ((), "all", ["edge", "private", "public"]),
    ],
)
async def test_subnets_are_chosen_by_zone_and_kind(zones: tuple[str, ...], kind: str, found: list[str]) -> None:
    where = place(
        Subnet(id="private", availability_zone="a", is_public=False),
        Subnet(id="public", availability_zone="a", is_public=True),
        Subnet(id="edge", availability_zone="a", is_public=False, zone_type="local-zone"),
        Subnet(
            id="pods", availability_zone="a", tags={"sigs.k8s.io/cluster-api-provider-aws/association": "secondary"}
        ),
    )
    assert await lookups.Lookups().subnets(where, (), zones=zones, kind=kind) == found


async def test_a_zone_without_a_subnet_is_named() -> None:
    with pytest.raises(InvalidConfiguration, match="no subnet in b"):
        await lookups.Lookups().subnets(place(Subnet(id="s", availability_zone="a")), (), zones=("a", "b"), kind="")


def test_an_eks_cluster_looks_for_what_eks_publishes_unless_told_otherwise() -> None:
    plain = pool().spec.aws_launch_template
    assert launching.image(plain, place(eks=True)) == {"eks": "AmazonLinux2023"}
    named = pool(awsLaunchTemplate={"imageLookupOrg": "1"}).spec.aws_launch_template
    assert launching.image(named, place(eks=True))["owner"] == "1"
    assert launching.image(plain, place())["owner"] == launching.DEFAULT_OWNER
