"""Admission of MachinePool and Cluster, beyond what the behaviour cases say."""

import json
from typing import Any

import pytest

from capipool.api import converters, crds, rules
from capipool.api.admission import checks, cluster, machinepool
from capipool.api.conversion.lossless import OLD_DATA_ANNOTATION
from capipool.machinery.admission import Admit, Rules, Verdict
from capipool.machinery.errors import Invalid
from capipool.machinery.schema import engine

REFERENCE = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "P", "name": "n"}
POOLS, CLUSTERS = machinepool.rules({}), cluster.rules()


def pool(metadata: dict[str, Any] | None = None, machine: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    template = {"clusterName": "c", "bootstrap": {"dataSecretName": "s"}, "infrastructureRef": REFERENCE}
    return {
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "MachinePool",
        "metadata": {"name": "p", "namespace": "ns", **(metadata or {})},
        "spec": {"clusterName": "c", "replicas": 1, "template": {"spec": {**template, **(machine or {})}}, **spec},
    }


def a_cluster(name: str = "c", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "Cluster",
        "metadata": {"name": name, "namespace": "ns"},
        "spec": spec,
    }


def judge(of: Rules, new: dict[str, Any] | None, old: dict[str, Any] | None = None, operation: Any = None) -> Verdict:
    assert of.validate is not None
    chosen = operation or ("UPDATE" if old is not None else "CREATE")
    return of.validate(Admit(operation=chosen, resource=of.resource, object=new, old=old))


def paths(verdict: Verdict) -> list[str]:
    return [error.path for error in verdict.errors]


def test_a_defaulted_pool_passes_its_schema() -> None:
    assert POOLS.default is not None
    raw = pool()
    del raw["spec"]["replicas"]
    made = POOLS.default(Admit(operation="CREATE", resource=POOLS.resource, object=raw))
    schema = next(c for c in crds.crds() if c["spec"]["names"]["kind"] == "MachinePool")["spec"]["versions"][1]
    assert engine.compile(schema["schema"]["openAPIV3Schema"]).validate(made) == []


@pytest.mark.parametrize(
    "broken", [{}, {"spec": None}, {"spec": 1}, {"spec": []}, {"metadata": 1, "spec": {"template": 2}}]
)
def test_defaults_do_not_stumble_over_what_the_schema_will_refuse(broken: dict[str, Any]) -> None:
    for of in (POOLS, CLUSTERS):
        assert of.default is not None
        of.default(Admit(operation="CREATE", resource=of.resource, object=broken))


def test_an_autoscaler_range_that_is_no_number_is_named_by_its_annotation() -> None:
    keys = [f"cluster.x-k8s.io/cluster-api-autoscaler-node-group-{end}-size" for end in ("min", "max")]
    raw = pool(metadata={"annotations": dict.fromkeys(keys, "many")})
    del raw["spec"]["replicas"]
    assert POOLS.default is not None
    with pytest.raises(Invalid) as refused:
        POOLS.default(Admit(operation="CREATE", resource=POOLS.resource, object=raw))
    assert refused.value.errors[0].path == f"metadata.annotations[{keys[0]}]"


def test_while_the_gate_is_off_old_pools_can_be_changed_and_deleted_but_none_made() -> None:
    off = machinepool.rules({"MachinePool": False})
    assert judge(off, pool()).refusal
    assert judge(off, pool(replicas=2), pool()) == Verdict()
    assert judge(off, None, pool(), "DELETE") == Verdict()


def test_a_pool_that_is_going_can_lose_its_finalizers_whatever_the_rules_say_now() -> None:
    broken = pool(clusterName="other", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a"]})
    freed = pool(clusterName="other", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert judge(POOLS, freed, broken) == Verdict()
    assert paths(judge(POOLS, broken)) == ["spec.clusterName"]


def test_fewer_than_no_replicas_are_refused() -> None:
    assert paths(judge(POOLS, pool(replicas=-1))) == ["spec.replicas"]


def test_a_field_that_nothing_acts_on_is_named_in_a_warning() -> None:
    verdict = judge(POOLS, pool(machine={"failureDomain": "a"}))
    assert verdict.errors == ()
    assert [w.split(":")[0] for w in verdict.warnings] == ["spec.template.spec.failureDomain"]
    (warning,) = judge(POOLS, pool(machine={"deletion": {"nodeVolumeDetachTimeoutSeconds": 5}})).warnings
    assert warning.startswith("spec.template.spec.deletion.nodeVolumeDetachTimeoutSeconds: capipool does not act on")
    assert [w.split(":")[0] for w in judge(CLUSTERS, a_cluster(topology={"version": "v1.2.3"})).warnings] == [
        "spec.topology"
    ]


def test_a_reference_of_the_old_version_into_another_namespace_is_refused() -> None:
    convert = next(c for c in converters.all_converters(lambda kind: "v1beta1") if c.kind == "MachinePool").convert
    old = convert(pool(), "v1beta1")
    old["spec"]["template"]["spec"]["infrastructureRef"]["namespace"] = "other"
    verdict = judge(POOLS, convert(old, "v1beta2"))
    assert paths(verdict) == ["spec.template.spec.infrastructureRef.namespace"]
    assert "must be ns" in str(verdict.errors[0])


def test_what_a_conversion_kept_is_of_no_weight_when_it_is_broken() -> None:
    for text in ("{", json.dumps({"spec": 1})):
        assert judge(POOLS, pool(metadata={"annotations": {OLD_DATA_ANNOTATION: text}})).errors == ()


@pytest.mark.parametrize("version", ["v1.2.3", "v1.2.3-alpha.1", "v1.2.3+build.5", "v0.0.0", "v1.31.0-rc.0+meta", ""])
def test_versions_that_are_taken(version: str) -> None:
    assert list(checks.version("p", version)) == []


@pytest.mark.parametrize("version", ["v1", "v1.2", "v1.02.3", "v1.2.3-01", "v1.2.3-", "v1.2.3+", "vv1.2.3", "v1.2.3 "])
def test_versions_that_are_not(version: str) -> None:
    assert [error.path for error in checks.version("p", version)] == ["p"]


def test_a_cluster_cannot_lose_what_it_was_made_from() -> None:
    before = a_cluster(infrastructureRef=REFERENCE, controlPlaneRef=REFERENCE)
    assert paths(judge(CLUSTERS, a_cluster(infrastructureRef=REFERENCE), before)) == ["spec.controlPlaneRef"]
    assert paths(judge(CLUSTERS, a_cluster(paused=True), before)) == ["spec.controlPlaneRef", "spec.infrastructureRef"]


def test_a_cluster_that_somebody_brings_needs_no_references() -> None:
    assert judge(CLUSTERS, a_cluster(controlPlaneEndpoint={"host": "h", "port": 1})) == Verdict()


def test_a_cluster_whose_name_can_be_no_label_is_refused() -> None:
    assert paths(judge(CLUSTERS, a_cluster("c" * 64, paused=True))) == ["metadata.name"]


@pytest.mark.parametrize("block", ["10.0.0.0", "10.0.0.0/33", "x", "fd00::/129"])
def test_what_is_no_address_range_is_refused_by_its_place(block: str) -> None:
    network = {"pods": {"cidrBlocks": ["10.0.0.0/16", block]}, "services": {"cidrBlocks": ["fd00::/64"]}}
    assert paths(judge(CLUSTERS, a_cluster(clusterNetwork=network))) == ["spec.clusterNetwork.pods.cidrBlocks[1]"]


def test_every_kind_has_at_most_one_set_of_rules_and_one_converter() -> None:
    kinds = [of.resource.kind for of in rules.all_rules({})]
    assert len(kinds) == len(set(kinds))
    names = [c.kind for c in converters.all_converters(lambda kind: None)]
    assert len(names) == len(set(names))
    assert {"Cluster", "MachinePool"} <= set(kinds) & set(names)
