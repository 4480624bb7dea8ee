"""Rules of drain rules and health checks beyond the shared cases."""

from typing import Any

import pytest

from capipool.api.admission import machinedrainrule, machinehealthcheck, machineset
from capipool.machinery.admission import Admit, Rules


def errors(rules: Rules, raw: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    assert rules.validate is not None
    operation: Any = "UPDATE" if old is not None else "CREATE"
    verdict = rules.validate(Admit(operation=operation, resource=rules.resource, object=raw, old=old))
    return [error.path for error in verdict.errors]


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ({"drain": {"behavior": "Drain", "order": -1}}, []),
        ({"drain": {"behavior": "Skip"}}, []),
        ({"drain": {"behavior": "Skip", "order": 1}}, ["spec.drain.order"]),
        ({"drain": {"behavior": "WaitCompleted", "order": 0}}, ["spec.drain.order"]),
        (
            {"drain": {"behavior": "Drain"}, "pods": [{"selector": {"matchLabels": {"-": "x"}}}]},
            ["spec.pods[0].selector"],
        ),
        (
            {"drain": {"behavior": "Drain"}, "machines": [{}, {"clusterSelector": {"matchLabels": {"a b": ""}}}]},
            ["spec.machines[1].clusterSelector"],
        ),
    ],
)
def test_a_drain_rule_has_selectors_that_can_be_read_and_an_order_only_where_it_drains(
    spec: dict[str, Any], wrong: list[str]
) -> None:
    assert errors(machinedrainrule.rules(), {"metadata": {"name": "r"}, "spec": spec}) == wrong


@pytest.mark.parametrize(("within", "wrong"), [("[1-3]", False), ("[3-3]", False), ("[3-1]", True)])
def test_a_range_begins_with_the_smaller_number(within: str, wrong: bool) -> None:
    spec = {"clusterName": "c", "selector": {"matchLabels": {"a": "b"}}}
    spec |= {"remediation": {"triggerIf": {"unhealthyInRange": within}}}
    found = errors(machinehealthcheck.rules(), {"metadata": {"name": "m"}, "spec": spec})
    assert found == (["spec.remediation.triggerIf.unhealthyInRange"] if wrong else [])


def test_a_set_of_another_cluster_than_its_template_and_one_that_moves_are_refused() -> None:
    def raw(cluster: str) -> dict[str, Any]:
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"clusterName": "c"}}
        return {"spec": {"clusterName": cluster, "selector": {"matchLabels": {"a": "b"}}, "template": template}}

    assert errors(machineset.rules({}), raw("c")) == []
    assert errors(machineset.rules({}), raw("d")) == ["spec.clusterName"]
    assert errors(machineset.rules({}), raw("d"), raw("c")) == ["spec.clusterName", "spec.clusterName"]


def test_what_is_being_deleted_may_let_go_of_its_finalizers_whatever_its_spec_says() -> None:
    raw = {"metadata": {"name": "s", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"selector": {}}}
    assert errors(machineset.rules({}), raw, raw) == []
