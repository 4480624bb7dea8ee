"""What a drain says it waits for."""

import datetime as dt

from capipool.machinery.resource import ObjectKey
from capipool.workload.drain import Blocker, DrainOptions, condition_message, is_expired
from capipool.workload.drain.step import retry_after
from tests.unit.drain.builders import NOW


def key(name: str) -> ObjectKey:
    return ObjectKey("default", name)


def test_nothing_is_said_when_nothing_is_waited_for() -> None:
    assert condition_message((), NOW) == ""


def test_the_pod_and_the_budget_in_its_way_are_named() -> None:
    blocker = Blocker(key("web-0"), "Budget", "web", "needs 2 healthy Pods and has 2")
    assert condition_message((blocker,), NOW).splitlines() == [
        "Drain not completed yet (started at 2026-03-01T12:00:00Z):",
        "* Pod default/web-0: PodDisruptionBudget web does not allow its eviction now (needs 2 healthy Pods and has 2)",
    ]


def test_long_lists_are_cut_and_counted() -> None:
    deleting = [Blocker(key(f"gone-{i}"), "Deleting") for i in range(7)]
    failed = [Blocker(key(f"bad-{i}"), "Failed", detail=f"error {i}") for i in range(6)]
    later = [Blocker(key(f"late-{i}"), "Order") for i in range(5)]
    lines = condition_message((*deleting, *failed, *later), NOW).splitlines()
    assert lines[1].startswith("* Pods default/gone-0, default/gone-1, default/gone-2, ... (4 more): ")
    assert [line.rpartition(" ")[2] for line in lines[2:7]] == ["0", "1", "2", "3", "4"]
    assert lines[7] == "* 1 Pod with other issues"
    assert lines[8].endswith("default/late-2, ... (2 more)")


def test_a_timeout_of_zero_or_none_never_expires() -> None:
    long_ago = NOW - dt.timedelta(days=1)
    assert not is_expired(long_ago, 0, NOW)
    assert not is_expired(long_ago, None, NOW)
    assert not is_expired(None, 10, NOW)
    assert is_expired(NOW - dt.timedelta(seconds=10), 10, NOW)


def test_it_is_tried_again_soon_at_first_and_never_beyond_the_timeout() -> None:
    def after(seconds: int, timeout: int | None = None) -> float:
        options = DrainOptions(started_at=NOW - dt.timedelta(seconds=seconds), timeout_seconds=timeout)
        return retry_after(options, NOW).total_seconds()

    assert (after(0), after(50), after(5000)) == (1, 5, 20)
    assert after(118, timeout=120) == 2
