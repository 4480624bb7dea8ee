"""What is asked of EKS for a node group: tables over wishes and what is there."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.eks.nodegroups import deciding, picture
from capipool.providers.aws.eks.nodegroups.deciding import CONFIG, VERSION
from capipool.providers.aws.eks.nodegroups.picture import NodeGroup, Template, Wish

TEMPLATE: Raw = {"awsLaunchTemplate": {}}
OWN_IMAGE: Raw = {"awsLaunchTemplate": {"ami": {"id": "ami-1"}}}


def pool(spec: Raw, annotations: dict[str, str] | None = None) -> AWSManagedMachinePool:
    meta = {"name": "p", "namespace": "n", "annotations": annotations or {}}
    made: AWSManagedMachinePool = objects.from_raw(
        AWSManagedMachinePool,
        {
            "apiVersion": AWSManagedMachinePool.RESOURCE.api_version,
            "kind": AWSManagedMachinePool.RESOURCE.kind,
            "metadata": meta,
            "spec": spec,
        },
    )
    return made


def wish(spec: Raw | None = None, **more: Any) -> Wish:
    return Wish(obj=pool(spec or {}), **{"role": "arn", "subnets": ("s-1",), **more})


def group(**more: Any) -> NodeGroup:
    sizes = {"minSize": 1, "maxSize": 1, "desiredSize": 1}
    return NodeGroup({"nodegroupName": "g", "status": "ACTIVE", "version": "1.30", "scalingConfig": sizes, **more})


def sized(least: int, most: int, desired: int | None = None) -> Raw:
    return {"minSize": least, "maxSize": most} | ({} if desired is None else {"desiredSize": desired})


@pytest.mark.parametrize(
    ("scaling", "replicas", "sizes"),
    [
        (None, 3, sized(3, 3, 3)),
        (None, 0, sized(0, 1, 0)),
        ({"minSize": 1, "maxSize": 5}, 3, sized(1, 5, 3)),
        ({"minSize": 4, "maxSize": 5}, 3, sized(4, 5, 4)),
        ({"minSize": 0, "maxSize": 2}, 3, sized(0, 2, 2)),
        ({"minSize": 1}, 3, sized(1, 3, 3)),
        ({"minSize": 5}, 3, sized(5, 5, 5)),
        ({"maxSize": 5}, 3, sized(3, 5, 3)),
        ({"maxSize": 2}, 3, sized(2, 2, 2)),
        ({}, 2, sized(2, 2, 2)),
    ],
)
def test_a_bound_that_is_not_given_follows_the_number(scaling: Raw | None, replicas: int, sizes: Raw) -> None:
    spec = {"scaling": scaling} if scaling is not None else {}
    assert deciding.creation(wish(spec, replicas=replicas))["scalingConfig"] == sizes


@pytest.mark.parametrize(
    ("scaling", "there", "told"),
    [
        (None, sized(1, 9, 4), None),
        ({"minSize": 1, "maxSize": 9}, sized(1, 9, 4), None),
        ({"minSize": 2, "maxSize": 9}, sized(1, 9, 4), sized(2, 9)),
        ({"minSize": 6, "maxSize": 9}, sized(1, 9, 4), sized(6, 9, 6)),
        ({"minSize": 1, "maxSize": 3}, sized(1, 9, 4), sized(1, 3, 3)),
        ({"minSize": 12}, sized(1, 9, 4), sized(12, 12, 12)),
        ({"maxSize": 2}, sized(3, 9, 4), sized(2, 2, 2)),
    ],
)
def test_somebody_elses_number_is_told_only_where_it_would_be_out_of_bounds(
    scaling: Raw | None, there: Raw, told: Raw | None
) -> None:
    spec = {"scaling": scaling} if scaling is not None else {}
    step = deciding.decide(wish(spec, replicas=1, external=True), group(scalingConfig=there))
    assert [u.parameters for u in step.updates] == ([] if told is None else [{"scalingConfig": told}])


@pytest.mark.parametrize(
    ("spec", "there", "told"),
    [
        ({"labels": {"a": "1"}}, {"labels": {"a": "1"}}, None),
        ({"labels": {"a": "2", "b": "1"}}, {"labels": {"a": "1"}}, {"addOrUpdateLabels": {"a": "2", "b": "1"}}),
        ({}, {"labels": {"b": "1", "a": "1"}}, {"removeLabels": ["a", "b"]}),
    ],
)
def test_labels_are_added_changed_and_removed(spec: Raw, there: Raw, told: Raw | None) -> None:
    step = deciding.decide(wish(spec), group(**there))
    assert [u.parameters.get("labels") for u in step.updates] == ([] if told is None else [told])


def taint(effect: str, value: str = "v") -> Raw:
    return {"key": "k", "value": value, "effect": effect}


@pytest.mark.parametrize(
    ("wanted", "there", "told"),
    [
        ([taint("no-schedule")], [taint("NO_SCHEDULE")], None),
        ([taint("no-schedule")], [], {"addOrUpdateTaints": [taint("NO_SCHEDULE")]}),
        ([taint("no-schedule", "w")], [taint("NO_SCHEDULE")], {"addOrUpdateTaints": [taint("NO_SCHEDULE", "w")]}),
        ([], [taint("NO_EXECUTE")], {"removeTaints": [taint("NO_EXECUTE")]}),
        (
            [taint("prefer-no-schedule")],
            [taint("NO_EXECUTE")],
            {"addOrUpdateTaints": [taint("PREFER_NO_SCHEDULE")], "removeTaints": [taint("NO_EXECUTE")]},
        ),
        ([taint("no-schedule", "")], [{"key": "k", "effect": "NO_SCHEDULE"}], None),
    ],
)
def test_taints_are_known_by_key_and_effect(wanted: list[Raw], there: list[Raw], told: Raw | None) -> None:
    step = deciding.decide(wish({"taints": wanted}), group(taints=there))
    assert [u.parameters.get("taints") for u in step.updates] == ([] if told is None else [told])


@pytest.mark.parametrize(
    ("spec", "there", "told"),
    [
        ({}, {"updateConfig": {"maxUnavailable": 3}}, None),
        ({"updateConfig": {"maxUnavailable": 1}}, {"updateConfig": {"maxUnavailable": 1, "updateStrategy": "D"}}, None),
        (
            {"updateConfig": {"maxUnavailablePercentage": 20}},
            {"updateConfig": {"maxUnavailable": 1}},
            {"updateConfig": {"maxUnavailablePercentage": 20}},
        ),
        ({"nodeRepairConfig": {"enabled": True}}, {}, {"nodeRepairConfig": {"enabled": True}}),
        ({"nodeRepairConfig": {"enabled": False}}, {}, None),
        ({}, {"nodeRepairConfig": {"enabled": True}}, {"nodeRepairConfig": {"enabled": False}}),
    ],
)
def test_how_nodes_are_replaced_and_repaired_is_told_where_it_differs(spec: Raw, there: Raw, told: Raw | None) -> None:
    step = deciding.decide(wish(spec), group(**there))
    assert [u.parameters for u in step.updates] == ([] if told is None else [told])


@pytest.mark.parametrize(
    ("spec", "more", "there", "told", "reason"),
    [
        ({}, {}, {}, None, ""),
        ({}, {"version": "v1.30.9"}, {}, None, ""),
        ({}, {"version": "v1.31.0"}, {}, {"version": "1.31"}, ""),
        ({}, {"version": "v1.33.0", "plane_version": "v1.33.0"}, {}, {"version": "1.31"}, ""),
        (
            {},
            {"version": "v1.33.0", "plane_version": "v1.31.0"},
            {},
            {"version": "1.31"},
            "WaitingForControlPlaneVersion",
        ),
        ({}, {"version": "v1.31.0", "plane_version": "v1.30.0"}, {}, None, "WaitingForControlPlaneVersion"),
        ({}, {"version": "v1.29.0"}, {}, None, "DowngradeRefused"),
        ({"amiVersion": "1.30.1-1"}, {}, {"releaseVersion": "1.30.0-1"}, {"releaseVersion": "1.30.1-1"}, ""),
        ({"amiVersion": "1.30.1-1"}, {}, {"releaseVersion": "1.30.1-1"}, None, ""),
        ({"amiVersion": "1.31.1-1"}, {"version": "v1.31.0"}, {"releaseVersion": "1.30.1-1"}, {"version": "1.31"}, ""),
        (
            {**TEMPLATE, "amiVersion": "1.30.1-1"},
            {"version": "v1.31.0", "template": Template(id="lt-1", number=3)},
            {"launchTemplate": {"id": "lt-1", "version": "2"}},
            {"launchTemplate": {"id": "lt-1", "version": "3"}},
            "",
        ),
        (
            TEMPLATE,
            {"version": "v1.31.0", "template": Template(id="lt-1", number=3, rolls=False)},
            {"launchTemplate": {"id": "lt-1", "version": "2"}},
            {"version": "1.31"},
            "",
        ),
        (
            TEMPLATE,
            {"template": Template(id="lt-2", number=1)},
            {"launchTemplate": {"id": "lt-1", "version": "1"}},
            {"launchTemplate": {"id": "lt-2", "version": "1"}},
            "",
        ),
        (
            OWN_IMAGE,
            {"version": "v1.31.0", "template": Template(id="lt-1", number=3)},
            {"launchTemplate": {"id": "lt-1", "version": "3"}},
            None,
            "",
        ),
    ],
)
def test_nodes_are_replaced_for_one_thing_at_a_time(
    spec: Raw, more: dict[str, Any], there: Raw, told: Raw | None, reason: str
) -> None:
    step = deciding.decide(wish(spec, **more), group(**there))
    assert [(u.kind, u.parameters) for u in step.updates] == ([] if told is None else [(VERSION, told)])
    assert [note.reason for note in step.notes] == ([reason] if reason else [])


def test_what_takes_seconds_goes_before_what_replaces_nodes() -> None:
    step = deciding.decide(wish({"labels": {"a": "b"}}, version="v1.31.0"), group())
    assert [u.kind for u in step.updates] == [CONFIG, VERSION]


def test_a_new_group_is_told_all_that_the_spec_says() -> None:
    spec = {
        "amiType": "AL2023_x86_64_STANDARD",
        "amiVersion": "1.30.1-1",
        "capacityType": "spot",
        "diskSize": 40,
        "instanceType": "m6i.large",
        "labels": {"a": "b"},
        "taints": [taint("no-execute")],
        "updateConfig": {"maxUnavailable": 2},
        "nodeRepairConfig": {"enabled": True},
        "remoteAccess": {"sourceSecurityGroups": ["sg-2"]},
    }
    marks = {"capipool.io/pool": "n/p"}
    made = wish(spec, version="v1.30.4", plane_version="v1.31.0", marks=marks, ssh_key="k", cluster_group="sg-1")
    assert deciding.creation(made) == {
        "scalingConfig": sized(1, 1, 1),
        "subnets": ["s-1"],
        "nodeRole": "arn",
        "labels": {"a": "b"},
        "taints": [taint("NO_EXECUTE")],
        "tags": marks,
        "capacityType": "SPOT",
        "updateConfig": {"maxUnavailable": 2},
        "nodeRepairConfig": {"enabled": True},
        "remoteAccess": {"ec2SshKey": "k", "sourceSecurityGroups": ["sg-2", "sg-1"]},
        "diskSize": 40,
        "instanceTypes": ["m6i.large"],
        "amiType": "AL2023_x86_64_STANDARD",
        "version": "1.30",
        "releaseVersion": "1.30.1-1",
    }


def test_a_new_group_never_begins_ahead_of_its_control_plane() -> None:
    assert deciding.creation(wish(version="v1.33.0", plane_version="v1.31.2"))["version"] == "1.31"


def test_whose_image_it_is_says_its_version() -> None:
    spec = {**OWN_IMAGE, "amiType": "AL2_x86_64"}
    made = deciding.creation(wish(spec, version="v1.31.0", template=Template(id="lt-1", number=1)))
    assert made["launchTemplate"] == {"id": "lt-1", "version": "1"}
    assert not {"amiType", "version", "releaseVersion"} & made.keys()


def test_public_access_names_no_group() -> None:
    made = deciding.creation(wish({"remoteAccess": {"public": True, "sshKeyName": "mine"}}, cluster_group="sg-1"))
    assert made["remoteAccess"] == {"ec2SshKey": "mine"}


@pytest.mark.parametrize(
    ("spec", "more", "same"),
    [
        ({}, {"replicas": 9}, True),
        ({"additionalTags": {"a": "b"}}, {"marks": {"a": "b"}}, True),
        ({"labels": {"a": "b"}}, {}, False),
        (TEMPLATE, {"template": Template(id="lt-1", number=2)}, False),
    ],
)
def test_another_size_is_no_other_wish_for_a_group_that_could_not_be_made(spec: Raw, more: Raw, same: bool) -> None:
    before = deciding.creation_digest(deciding.creation(wish()))
    assert (deciding.creation_digest(deciding.creation(wish(spec, **more))) == before) is same


@pytest.mark.parametrize(
    ("marks", "annotations", "ours"),
    [
        ({"capipool.io/pool": "n/p"}, {}, True),
        ({"capipool.io/pool": "n/q"}, {}, False),
        ({"capipool.io/pool": "n/q"}, {picture.ADOPT: "true"}, False),
        ({"kubernetes.io/cluster/demo": "owned"}, {}, True),
        ({"kubernetes.io/cluster/other": "owned"}, {}, False),
        ({"sigs.k8s.io/cluster-api-provider-aws/cluster/demo": "owned"}, {}, True),
        ({}, {}, False),
        ({}, {picture.ADOPT: "true"}, True),
    ],
)
def test_whose_a_group_is_is_said_by_tags(marks: dict[str, str], annotations: dict[str, str], ours: bool) -> None:
    assert picture.is_ours(pool({}, annotations), group(tags=marks), "demo") is ours


def test_a_complaint_of_eks_names_a_few_of_what_it_is_about() -> None:
    said = picture.issue({"code": "Ec2LaunchTemplateNotFound", "message": "gone", "resourceIds": ["a", "b", "c", "d"]})
    assert said == "Ec2LaunchTemplateNotFound: gone (a, b, c, …)"
