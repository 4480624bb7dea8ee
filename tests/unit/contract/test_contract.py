"""What providers promise, read from objects in both contract versions."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capipool.api.builtin import CustomResourceDefinition
from capipool.contract import (
    bootstrap,
    conditions,
    control_plane,
    failure,
    infra_cluster,
    infra_machine,
    infra_pool,
    versions,
)
from capipool.machinery import objects
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import GroupKind

OLD, NEW = versions.V1BETA1, versions.V1BETA2


def thing(spec: Any = None, status: Any = None) -> Unstructured:
    return objects.from_raw(Unstructured, {"kind": "Thing", "spec": spec or {}, "status": status or {}})


def definition(labels: dict[str, str], *served: str, unserved: tuple[str, ...] = ()) -> CustomResourceDefinition:
    found = [{"name": v, "served": v not in unserved, "storage": False} for v in (*served, *unserved)]
    spec = {"group": "g", "scope": "Namespaced", "names": {"kind": "K", "plural": "ks"}, "versions": found}
    return objects.from_raw(CustomResourceDefinition, {"metadata": {"labels": labels}, "spec": spec})


@pytest.mark.parametrize(
    ("labels", "served", "expected"),
    [
        ({"cluster.x-k8s.io/v1beta2": "v1"}, ("v1",), ("v1", NEW)),
        (
            {"cluster.x-k8s.io/v1beta1": "v1beta1", "cluster.x-k8s.io/v1beta2": "v1beta2"},
            ("v1beta1", "v1beta2"),
            ("v1beta2", NEW),
        ),
        (
            {"cluster.x-k8s.io/v1beta1": "v1alpha3_v1beta1_v1beta2"},
            ("v1alpha3", "v1beta1", "v1beta2"),
            ("v1beta2", OLD),
        ),
        ({"cluster.x-k8s.io/v1beta1": "v1beta9_v1_v1beta10"}, ("v1beta9", "v1", "v1beta10"), ("v1", OLD)),
        ({"cluster.x-k8s.io/v1beta2": "v2", "cluster.x-k8s.io/v1beta1": "v1"}, ("v1",), ("v1", OLD)),
        ({"cluster.x-k8s.io/v1alpha4": "v1"}, ("v1",), None),
        ({}, ("v1",), None),
    ],
)
def test_labels_say_which_version_is_read_and_by_which_contract(
    labels: dict[str, str], served: tuple[str, ...], expected: tuple[str, str] | None
) -> None:
    assert versions.served(definition(labels, *served)) == expected


def test_a_version_that_is_not_served_is_not_read() -> None:
    labels = {"cluster.x-k8s.io/v1beta2": "v1_v2"}
    assert versions.served(definition(labels, "v1", unserved=("v2",))) == ("v1", NEW)


def test_a_kind_that_the_cluster_does_not_have_has_no_version() -> None:
    known = [definition({"cluster.x-k8s.io/v1beta2": "v1"}, "v1")]
    assert versions.version_of(GroupKind("g", "K"), known) == "v1"
    assert versions.version_of(GroupKind("g", "L"), known) is None


def test_versions_are_ordered_as_kubernetes_orders_them() -> None:
    ordered = ["odd", "v1alpha1", "v1alpha2", "v2alpha1", "v1beta1", "v11beta1", "v1", "v2", "v10"]
    shuffled = random.Random(1).sample(ordered, len(ordered))
    assert sorted(shuffled, key=versions.age) == ordered


@pytest.mark.parametrize(
    ("contract", "status"), [(OLD, {"ready": True}), (NEW, {"initialization": {"provisioned": True}})]
)
def test_each_contract_says_in_its_own_way_that_infrastructure_was_made(contract: str, status: dict[str, Any]) -> None:
    other = OLD if contract == NEW else NEW
    for read in (infra_pool.provisioned, infra_machine.provisioned, infra_cluster.provisioned):
        assert read(thing(status=status), contract)
        assert not read(thing(status=status), other)


def test_bootstrap_data_is_told_by_either_contract() -> None:
    new = thing(status={"initialization": {"dataSecretCreated": True}, "dataSecretName": "s"})
    assert bootstrap.data_secret_created(new, NEW)
    assert not bootstrap.data_secret_created(new, OLD)
    assert bootstrap.data_secret_created(thing(status={"ready": True}), OLD)
    assert bootstrap.data_secret_name(new) == "s"


def test_a_pool_object_lists_its_instances_and_counts_them() -> None:
    pool = thing({"providerIDList": ["a", "b"]}, {"replicas": 2, "infrastructureMachineKind": "M"})
    assert infra_pool.provider_id_list(pool) == ("a", "b")
    assert infra_pool.replicas(pool) == 2
    assert infra_pool.replicas(thing()) is None
    assert infra_pool.up_to_date_replicas(pool) is None
    assert infra_pool.infrastructure_machine_kind(pool) == "M"


@pytest.mark.parametrize(
    "status",
    [
        {"failureReason": "R", "failureMessage": "m"},
        {"deprecated": {"v1beta1": {"failureReason": "R", "failureMessage": "m"}}},
    ],
)
def test_a_failure_is_found_where_either_contract_has_it(status: dict[str, Any]) -> None:
    assert failure.of(thing(status=status)) == ("R", "m")
    assert not failure.of(thing())


def test_failure_domains_are_a_map_in_the_old_contract_and_a_list_in_the_new() -> None:
    old = thing(status={"failureDomains": {"b": {"controlPlane": True}, "a": {"attributes": {"k": "v"}}}})
    new = thing(
        status={"failureDomains": [{"name": "b", "controlPlane": True}, {"name": "a", "attributes": {"k": "v"}}]}
    )
    found = infra_cluster.failure_domains(old, OLD)
    assert found == infra_cluster.failure_domains(new, NEW)
    assert [(d.name, d.control_plane, d.attributes) for d in found] == [("a", None, {"k": "v"}), ("b", True, {})]


def test_an_endpoint_is_one_only_with_host_and_port() -> None:
    assert infra_cluster.control_plane_endpoint(thing({"controlPlaneEndpoint": {"host": "h", "port": 0}})) is None
    found = control_plane.endpoint(thing({"controlPlaneEndpoint": {"host": "h", "port": 6443}}))
    assert found is not None
    assert (found.host, found.port) == ("h", 6443)


def test_a_control_plane_is_initialized_by_either_contract() -> None:
    assert control_plane.initialized(thing(status={"initialized": True}), OLD)
    assert control_plane.initialized(thing(status={"initialization": {"controlPlaneInitialized": True}}), NEW)
    assert control_plane.up_to_date_replicas(thing(status={"updatedReplicas": 1}), OLD) == 1
    assert control_plane.up_to_date_replicas(thing(status={"upToDateReplicas": 2}), NEW) == 2


SINCE = "2026-01-01T00:00:00Z"
LEGACY = {"type": "Ready", "status": "False", "severity": "Error", "reason": "R", "lastTransitionTime": SINCE}
MODERN = {"type": "Ready", "status": "True", "reason": "Fine", "message": "m", "lastTransitionTime": SINCE}


def test_the_newer_form_of_a_condition_is_preferred_where_an_object_has_both() -> None:
    obj = thing(status={"conditions": [LEGACY], "v1beta2": {"conditions": [MODERN]}})
    found = conditions.find(obj, "Ready")
    assert found is not None
    assert (found.status, found.reason) == ("True", "Fine")
    legacy = conditions.find_legacy(obj, "Ready", OLD)
    assert legacy is not None
    assert (legacy.status, legacy.severity) == ("False", "Error")


def test_a_condition_of_the_older_form_is_read_too_and_given_a_reason() -> None:
    found = conditions.find(thing(status={"conditions": [{**LEGACY, "reason": ""}]}), "Ready")
    assert found is not None
    assert found.reason == conditions.NO_REASON


def test_the_new_contract_keeps_the_older_form_aside() -> None:
    obj = thing(status={"conditions": [MODERN], "deprecated": {"v1beta1": {"conditions": [LEGACY]}}})
    found = conditions.find_legacy(obj, "Ready", NEW)
    assert found is not None
    assert found.reason == "R"


def test_a_mirror_shows_a_condition_under_another_type_or_the_fallback() -> None:
    fallback = Condition(type="InfrastructureReady", status="False", reason="NotReady", message="not made yet")
    assert conditions.mirror(None, "InfrastructureReady", fallback) is fallback
    shown = conditions.mirror(
        conditions.find(thing(status={"conditions": [MODERN]}), "Ready"), "InfrastructureReady", fallback
    )
    assert (shown.type, shown.status, shown.reason, shown.message) == ("InfrastructureReady", "True", "Fine", "m")
    assert shown.last_transition_time is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "conditions",
                    "v1beta2",
                    "deprecated",
                    "v1beta1",
                    "initialization",
                    "provisioned",
                    "failureDomains",
                    "type",
                    "name",
                    "addresses",
                    "controlPlaneEndpoint",
                    "host",
                    "port",
                    "providerIDList",
                    "replicas",
                    "ready",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(spec=st.dictionaries(st.sampled_from(["providerIDList", "controlPlaneEndpoint", "version"]), JSON), status=JSON)
def test_nothing_fails_on_an_object_that_breaks_its_promise(spec: dict[str, Any], status: Any) -> None:
    obj = thing(spec, status if isinstance(status, dict) else {})
    for contract in versions.CONTRACTS:
        infra_pool.provisioned(obj, contract)
        infra_cluster.failure_domains(obj, contract)
        infra_machine.failure_domain(obj, contract)
        bootstrap.data_secret_created(obj, contract)
        control_plane.initialized(obj, contract)
        conditions.find_legacy(obj, "Ready", contract)
    conditions.find(obj, "Ready")
    failure.of(obj)
    infra_pool.provider_id_list(obj)
    infra_pool.replicas(obj)
    infra_machine.addresses(obj)
    infra_cluster.control_plane_endpoint(obj)
