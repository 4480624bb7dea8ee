"""Rules of drain rules and health checks beyond the shared cases."""

from typing import Any

import pytest

from capipool.api.admission import machinedeployment, machinedrainrule, machinehealthcheck, machineset
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


def worker(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"clusterName": "c"}}
    spec = {"clusterName": "c", "selector": {"matchLabels": {"a": "b"}}, "template": template} | spec
    return {"metadata": {"name": "w"}, "spec": spec}


@pytest.mark.parametrize("rules", [machinedeployment.rules({}), machineset.rules({})])
def test_fewer_than_no_replicas_are_refused(rules: Rules) -> None:
    assert errors(rules, worker(replicas=0)) == []
    assert errors(rules, worker(replicas=-1)) == ["spec.replicas"]


@pytest.mark.parametrize("rules", [machinedeployment.rules({}), machineset.rules({})])
def test_labels_that_a_selector_does_not_find_are_answered_with_what_it_asks_for(rules: Rules) -> None:
    assert rules.validate is not None
    raw = worker(selector={"matchLabels": {"team": "x"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]})
    verdict = rules.validate(Admit(operation="CREATE", resource=rules.resource, object=raw, old=None))
    assert [(e.path, e.detail) for e in verdict.errors] == [
        ("spec.template.metadata.labels", "must be what spec.selector asks for (team=x,a)")
    ]
