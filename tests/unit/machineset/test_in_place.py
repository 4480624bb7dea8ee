"""What of the template a machine lacks: found without reading who manages its fields."""

from typing import Any

import pytest

from capipool.api.core import Machine, MachineSet
from capipool.core.machineset import machines
from capipool.machinery import objects

REFERENCE = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "M", "name": "m"}
SPEC: dict[str, Any] = {"clusterName": "c", "bootstrap": {"dataSecretName": "d"}, "infrastructureRef": REFERENCE}
LABELS = {"cluster.x-k8s.io/cluster-name": "c", "cluster.x-k8s.io/set-name": "s", "app": "x"}
TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule", "propagation": "Always"}


def lacks(template: dict[str, Any], machine: dict[str, Any], labels: dict[str, str] | None = None) -> bool:
    """Whether a machine with this spec lacks something of a template with that."""
    inner = {"metadata": {"labels": {"app": "x"}, "annotations": {"note": "1"}}, "spec": SPEC | template}
    spec = {"clusterName": "c", "replicas": 1, "selector": {}, "template": inner}
    meta = {"name": "m", "labels": LABELS if labels is None else labels, "annotations": {"note": "1", "other": "2"}}
    made = objects.from_raw(Machine, {"metadata": meta, "spec": SPEC | machine})
    machine_set = objects.from_raw(MachineSet, {"metadata": {"name": "s"}, "spec": spec})
    return bool(machines.lacking(machine_set, [made]))


@pytest.mark.parametrize(
    ("template", "machine"),
    [
        ({}, {}),
        ({}, {"deletion": {"nodeDeletionTimeoutSeconds": 10}}),  # what admission fills in
        ({"deletion": {"nodeDrainTimeoutSeconds": 5}}, {"deletion": {"nodeDrainTimeoutSeconds": 5}}),
        ({"minReadySeconds": 0}, {}),
        ({"taints": [TAINT]}, {"taints": [TAINT, TAINT | {"key": "other"}]}),
        ({"readinessGates": [{"conditionType": "A"}]}, {"readinessGates": [{"conditionType": "A"}]}),
    ],
)
def test_what_a_machine_has_beyond_the_template_is_not_looked_for(template: Any, machine: Any) -> None:
    assert not lacks(template, machine)


@pytest.mark.parametrize(
    ("template", "machine"),
    [
        ({"deletion": {"nodeDrainTimeoutSeconds": 5}}, {"deletion": {"nodeDeletionTimeoutSeconds": 10}}),
        ({"deletion": {"nodeDeletionTimeoutSeconds": 0}}, {"deletion": {"nodeDeletionTimeoutSeconds": 10}}),
        ({"minReadySeconds": 0}, {"minReadySeconds": 7}),
        ({"taints": [TAINT]}, {"taints": [TAINT | {"value": "no"}]}),
        ({"readinessGates": [{"conditionType": "A"}, {"conditionType": "B"}]}, {"readinessGates": []}),
    ],
)
def test_what_is_missing_or_different_is_found(template: Any, machine: Any) -> None:
    assert lacks(template, machine)


def test_a_label_that_somebody_changed_is_found() -> None:
    assert lacks({}, {}, LABELS | {"app": "y"})
