"""What a drain does with one pod."""

import pytest

from capipool.api.builtin import Pod
from capipool.workload.drain import Verdict, classify, rules_for
from capipool.workload.drain.classify import MIRROR_POD_ANNOTATION
from tests.unit.drain.builders import NOW, pod, rule

MIRROR = {MIRROR_POD_ANNOTATION: "hash"}


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (pod(), Verdict("Drain")),
        (pod(controller=None), Verdict("Drain", warnings=("no-controller",))),
        (pod(controller=None, phase="Succeeded"), Verdict("Drain")),
        (pod(controller=None, empty_dir=True), Verdict("Drain", warnings=("local-storage", "no-controller"))),
        (pod(controller="DaemonSet"), Verdict("Skip", warnings=("daemonset",))),
        (pod(controller="DaemonSet", phase="Failed"), Verdict("Drain")),
        (pod(annotations=MIRROR), Verdict("Skip")),
        (pod(labels={"cluster.x-k8s.io/drain": "Skip"}), Verdict("Skip")),
        (pod(labels={"cluster.x-k8s.io/drain": "wait-completed"}), Verdict("WaitCompleted")),
        (pod(labels={"cluster.x-k8s.io/drain": "something"}), Verdict("Drain")),
    ],
)
def test_a_pod_is_judged_by_what_it_is(given: Pod, verdict: Verdict) -> None:
    assert classify(given, now=NOW) == verdict


def test_a_daemon_pod_whose_daemon_set_is_gone_is_evicted() -> None:
    verdict = classify(pod(controller="DaemonSet"), now=NOW, daemon_set_exists=lambda _: False)
    assert verdict == Verdict("Drain", warnings=("orphaned-daemonset",))


@pytest.mark.parametrize(("seconds_ago", "skipped"), [(-30, False), (0, False), (1, False), (2, True), (600, True)])
def test_on_an_unreachable_node_a_pod_that_should_be_gone_is_skipped(seconds_ago: float, skipped: bool) -> None:
    late = pod(deleted_seconds_ago=seconds_ago)
    assert (classify(late, now=NOW, skip_deleted_after_seconds=1) == Verdict("Skip")) is skipped
    assert classify(late, now=NOW) == Verdict("Drain")


def test_the_first_rule_by_name_that_fits_the_pod_counts() -> None:
    web = {"selector": {"matchLabels": {"app": "web"}}}
    given = [rule("c", "Skip", pods=[web]), rule("b", order=7, pods=[web]), rule("a", "Skip", pods=[{"selector": {}}])]
    rules = rules_for(given[:2], {}, {})
    assert classify(pod(labels={"app": "web"}), now=NOW, rules=rules) == Verdict("Drain", order=7)
    assert classify(pod(labels={"app": "db"}), now=NOW, rules=rules) == Verdict("Drain")
    assert classify(pod(labels={"app": "db"}), now=NOW, rules=rules_for(given, {}, {})) == Verdict("Skip")


def test_the_label_of_a_pod_counts_before_rules() -> None:
    rules = rules_for([rule("a", order=5)], {}, {})
    assert classify(pod(labels={"cluster.x-k8s.io/drain": "skip"}), now=NOW, rules=rules) == Verdict("Skip")


def test_a_namespace_selector_and_a_pod_selector_of_one_entry_must_both_match() -> None:
    both = {"selector": {"matchLabels": {"app": "web"}}, "namespaceSelector": {"matchLabels": {"tier": "prod"}}}
    rules = rules_for([rule("a", "WaitCompleted", pods=[both])], {}, {})
    namespaces = {"default": {"tier": "prod"}, "test": {}}
    assert rules[0].needs_namespaces
    web = {"app": "web"}
    assert classify(pod(labels=web), now=NOW, rules=rules, namespaces=namespaces).behavior == "WaitCompleted"
    assert classify(pod(labels={}), now=NOW, rules=rules, namespaces=namespaces).behavior == "Drain"
    assert classify(pod(namespace="test", labels=web), now=NOW, rules=rules, namespaces=namespaces).behavior == "Drain"


def test_what_cannot_be_judged_says_why() -> None:
    unknown = classify(pod(), now=NOW, rules=rules_for([rule("odd", "Sideways")], {}, {}))
    assert unknown.reason == "Error"
    assert "odd" in unknown.error
    assert "Sideways" in unknown.error
    assert classify(pod(namespace="gone"), now=NOW, namespaces={"default": {}}).error
