"""Conversions of whole objects: golden files, round trips, and what is told to be dropped."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capipool.machinery import codec
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.migrate import definitions
from capipool.migrate.conversion import azure, kubeadm, machinepool, steps
from capipool.migrate.conversion.chain import CannotConvert
from capipool.migrate.conversion.steps import Step
from tests.shared import shared
from tests.unit.migrate import chains

GOLDEN = Path(__file__).parent / "golden"
NEWEST = {"machinepool": "v1beta2", "azuremachinepool": "v1beta1", "kubeadmconfig": "v1beta2"}


def _read(name: str) -> Raw:
    return next(codec.decode_yaml((GOLDEN / name).read_text(), name))


@pytest.mark.parametrize("name", sorted(NEWEST))
def test_an_old_object_becomes_the_golden_one(name: str) -> None:
    converted = chains.chain().convert(_read(f"{name}.old.yaml"), NEWEST[name], lambda uid: f"new-{uid}")
    found = {"dropped": list(converted.dropped), "object": converted.object}
    path = GOLDEN / f"{name}.new.yaml"
    if os.environ.get("CAPIPOOL_UPDATE_GOLDEN"):
        path.write_text(codec.encode_yaml(found))
    assert found == _read(path.name)


@pytest.mark.parametrize("name", sorted(NEWEST))
def test_one_step_after_the_other_is_the_same_as_all_at_once(name: str) -> None:
    chain, raw = chains.chain(), _read(f"{name}.old.yaml")
    at_once = chain.convert(raw, NEWEST[name]).object
    for version in steps.VERSIONS[1 : steps.VERSIONS.index(NEWEST[name]) + 1]:
        raw = chain.convert(raw, version).object
    assert raw == at_once


@pytest.mark.parametrize(("name", "step"), [("machinepool", machinepool.STEPS), ("azuremachinepool", azure.POOL_STEPS)])
def test_nothing_is_lost_on_the_way_up(name: str, step: tuple[Step, ...]) -> None:
    raw = _read(f"{name}.old.yaml")
    assert steps.body_of(_back(_there(raw, step), step)) == steps.body_of(raw)


def _there(raw: Raw, chain: tuple[Step, ...]) -> Raw:
    for step in chain:
        raw, _ = steps.up(step, raw)
    return raw


def _back(raw: Raw, chain: tuple[Step, ...]) -> Raw:
    for step in reversed(chain):
        raw = steps.down(step, raw)
    return raw


def test_bootstrap_data_in_a_status_is_never_kept() -> None:
    converted = chains.chain().convert(_read("kubeadmconfig.old.yaml"), "v1beta2")
    assert "c2VjcmV0" not in str(converted.object)
    assert any(path.startswith("status.bootstrapData") for path in converted.dropped)


def test_a_newer_object_does_not_become_an_older_one() -> None:
    raw = _read("machinepool.old.yaml") | {"apiVersion": "exp.cluster.x-k8s.io/v1beta2"}
    with pytest.raises(CannotConvert, match="newer than v1alpha4"):
        chains.chain().convert(raw, "v1alpha4")


def test_azure_pools_fit_upstreams_schema() -> None:
    path = shared("upstream/crds/azuremachinepools.infrastructure.cluster.x-k8s.io.json")
    definition = definitions.read(codec.decode_json_object(path.read_bytes()))
    converted = chains.chain().convert(_read("azuremachinepool.old.yaml"), "v1beta1")
    version = definition.version("v1beta1")
    assert version.unknown(converted.object) == []
    assert version.structural.validate(version.structural.default(converted.object)) == []


# --- properties

_names = st.text("abcxyz", min_size=1, max_size=4)
_labels = st.dictionaries(_names, _names, max_size=2)


def _some(**fields: Any) -> Any:
    """An object with any of some fields."""
    return st.fixed_dictionaries({}, optional=fields)


_reference = st.fixed_dictionaries(
    {"apiVersion": st.just("exp.infrastructure.cluster.x-k8s.io/v1alpha3"), "kind": st.just("X"), "name": _names}
)
_pools = st.fixed_dictionaries(
    {
        "spec": _some(
            clusterName=_names,
            replicas=st.integers(0, 9),
            minReadySeconds=st.integers(0, 9),
            strategy=_some(type=st.just("RollingUpdate"), rollingUpdate=_some(maxSurge=st.integers(0, 3))),
            providerIDList=st.lists(_names, max_size=3),
            template=_some(
                metadata=_some(name=_names, generateName=_names, labels=_labels, annotations=_labels),
                spec=_some(version=_names, infrastructureRef=_reference, nodeDrainTimeout=st.just("10s")),
            ),
        )
    },
    optional={"status": _some(bootstrapReady=st.booleans(), replicas=st.integers(0, 3), phase=_names)},
)
_azure_pools = st.fixed_dictionaries(
    {
        "spec": _some(
            maxSurge=st.integers(0, 3),
            maxUnavailable=st.integers(0, 3),
            location=_names,
            template=_some(image=_some(id=_names, defaulted=st.booleans()), vmSize=_names),
        )
    },
    optional={"status": _some(longRunningOperationState=_some(type=_names, futureData=_names), ready=st.booleans())},
)
_configs = st.fixed_dictionaries(
    {
        "spec": _some(
            clusterConfiguration=_some(useHyperKubeImage=st.booleans(), dns=_some(type=_names, imageTag=_names)),
            verbosity=st.integers(0, 9),
        )
    }
)


@pytest.mark.parametrize(
    ("bodies", "chain"),
    [(_pools, machinepool.STEPS), (_azure_pools, azure.POOL_STEPS), (_configs, kubeadm.STEPS)],
    ids=["MachinePool", "AzureMachinePool", "KubeadmConfig"],
)
def test_there_and_back_gives_the_original(bodies: Any, chain: tuple[Step, ...]) -> None:
    @given(bodies)
    def holds(body: Raw) -> None:
        raw = {"apiVersion": "g/v1alpha3", "kind": "K", "metadata": {"name": "a"}, **body}
        kept = merge.apply({}, raw)
        assert _back(_there(raw, chain), chain) == raw
        assert merge.apply({}, raw) == kept, "the input was changed"

    holds()


@given(_pools, st.integers(10, 20))
def test_an_edit_in_the_new_version_wins_over_what_was_kept(body: Raw, replicas: int) -> None:
    raw = {"apiVersion": "g/v1alpha3", "kind": "MachinePool", "metadata": {"name": "a"}, **body}
    new = _there(raw, machinepool.STEPS)
    edited = {**new, "spec": {**new["spec"], "replicas": replicas}}
    wanted = {**raw, "spec": {**raw["spec"], "replicas": replicas}}
    assert _back(edited, machinepool.STEPS) == wanted
