"""Which machine of a set goes first, beyond the cases that are shared with upstream."""

import datetime as dt

import pytest

from capipool.api.core import Machine
from capipool.core.machineset import order
from capipool.machinery import objects

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def machine(name: str, *, days: int, available: bool, node: bool = True) -> Machine:
    """A healthy machine of some age, which serves or waits for its `minReadySeconds`."""
    made = (NOW - dt.timedelta(days=days)).isoformat().replace("+00:00", "Z")
    ready = {"type": "NodeHealthy", "status": "True", "reason": "x"}
    serves = {"type": "Available", "status": str(available), "reason": "x"}
    raw = {
        "metadata": {"name": name, "creationTimestamp": made},
        "spec": {
            "clusterName": "c",
            "bootstrap": {"dataSecretName": "d"},
            "infrastructureRef": {"apiGroup": "i.example.org", "kind": "M", "name": name},
        },
        "status": {"conditions": [ready, serves], **({"nodeRef": {"name": name}} if node else {})},
    }
    return objects.from_raw(Machine, raw)


@pytest.mark.parametrize("policy", ["Random", "Newest", "Oldest"])
def test_a_machine_that_does_not_serve_yet_goes_before_one_that_does(policy: str) -> None:
    machines = [
        machine("a", days=3, available=True),
        machine("b", days=2, available=False),
        machine("c", days=1, available=True),
    ]
    assert [m.metadata.name for m in order.pick(machines, 1, policy)] == ["b"]


def test_a_machine_without_a_node_goes_before_one_that_waits() -> None:
    machines = [machine("a", days=1, available=False), machine("b", days=1, available=False, node=False)]
    assert [m.metadata.name for m in order.pick(machines, 1, "Random")] == ["b"]
