"""What admission says to the kinds of the development provider."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.machinery.admission import Admit, Verdict
from capipool.machinery.resource import Resource
from capipool.providers.dev import admission
from capipool.providers.dev.api.cluster import DevCluster
from capipool.providers.dev.api.machine import DevMachineTemplate
from capipool.providers.dev.api.machinepool import DevMachinePool

RULES = {rules.resource.kind: rules for rules in admission.rules()}


def judge(resource: Resource, spec: dict[str, Any]) -> Verdict:
    validate = RULES[resource.kind].validate
    assert validate is not None
    return validate(Admit(operation="CREATE", resource=resource, object={"spec": spec}))


def pool(**in_memory: Any) -> list[str]:
    return [str(e) for e in judge(DevMachinePool.RESOURCE, {"backend": {"inMemory": in_memory}}).errors]


def test_a_backend_is_required() -> None:
    for spec in ({}, {"backend": {}}):
        assert [e.path for e in judge(DevMachinePool.RESOURCE, spec).errors] == ["spec.backend"]


def test_exactly_one_backend_is_taken() -> None:
    verdict = judge(DevCluster.RESOURCE, {"backend": {"docker": {}, "inMemory": {}}})
    assert "exactly one of docker, inMemory must be given" in str(verdict.errors[0])


def test_docker_is_let_in_with_a_warning() -> None:
    verdict = judge(DevCluster.RESOURCE, {"backend": {"docker": {}}})
    assert not verdict.errors
    assert "spec.backend.docker: accepted, but capipool does not run containers" in verdict.warnings[0]


def test_a_template_is_judged_where_its_machines_are_described() -> None:
    verdict = judge(DevMachineTemplate.RESOURCE, {"template": {"spec": {}}})
    assert verdict.errors[0].path == "spec.template.spec.backend"


@pytest.mark.parametrize(
    ("field", "value"), [("startupDuration", "soon"), ("startupDuration", "5"), ("startupJitter", "-1")]
)
def test_malformed_startup_times_are_refused_with_their_field(field: str, value: str) -> None:
    provisioning = {"startupDuration": "1s", field: value}
    assert pool(vm={"provisioning": provisioning})[0].startswith(f"spec.backend.inMemory.vm.provisioning.{field}:")


@pytest.mark.parametrize("value", [-1, "ten", "5.5%"])
def test_amounts_are_numbers_or_percentages(value: object) -> None:
    assert pool(rollout={"maxSurge": value})[0].startswith("spec.backend.inMemory.rollout.maxSurge: Invalid value")


def test_a_rollout_that_could_not_go_on_is_refused() -> None:
    assert "could not go on" in pool(rollout={"maxSurge": 0, "maxUnavailable": "0%"})[0]
    assert pool(rollout={"maxSurge": 0, "maxUnavailable": "1%"}) == []
    assert pool(rollout={"maxSurge": "10%"}, vm={"provisioning": {"startupDuration": "1m30s"}}) == []


def test_a_deletion_is_not_judged() -> None:
    validate = RULES["DevMachinePool"].validate
    assert validate is not None
    assert validate(Admit(operation="DELETE", resource=DevMachinePool.RESOURCE)) == Verdict()
