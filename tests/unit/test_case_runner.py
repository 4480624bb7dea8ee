"""The runner of behaviour cases counts honestly."""

from pathlib import Path
from typing import Any

import pytest

from tests.cases import __main__ as runner
from tests.cases import expect, registry

CASE = """
- {name: same, given: {value: a}, when: format_label_value, expect: {result: a}}
- {name: other, given: {value: a}, when: format_label_value, expect: {result: b}}
- {name: unknown, given: {}, when: make_coffee, expect: {}}
- {name: crash, given: {}, when: format_label_value, expect: {}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "labels_format.yaml").write_text(CASE)
    return tmp_path


def test_what_fails_is_named_and_the_last_line_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main([str(folder)]) == 1
    *failures, last = capsys.readouterr().out.splitlines()
    assert last == "1 passed, 3 failed"
    assert [line.split(":")[0] for line in failures] == [
        f"FAILED labels_format/{name}" for name in ("other", "unknown", "crash")
    ]
    assert "expected 'b', got 'a'" in failures[0]
    assert "make_coffee" in failures[1]


def test_a_difference_counts_neither_way_until_there_is_none(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"labels_format/other": "on purpose", "labels_format/same": "not any more"}
    monkeypatch.setattr(registry, "differences", lambda: named)
    runner.main([str(folder)])
    out = capsys.readouterr().out
    assert "differs on purpose: labels_format/other: on purpose" in out
    assert "FAILED labels_format/same: no longer differs" in out
    assert out.splitlines()[-1] == "0 passed, 3 failed"


def test_a_folder_is_needed(tmp_path: Path) -> None:
    assert runner.main([]) == 2
    assert runner.main([str(tmp_path / "nothing")]) == 2


@pytest.mark.parametrize(
    ("given", "expanded"),
    [
        ({"spec.replicas": 1, "spec.paused": True}, {"spec": {"replicas": 1, "paused": True}}),
        ({"metadata.annotations": {"a.b/c": "d"}}, {"metadata": {"annotations": {"a.b/c": "d"}}}),
        ({"spec": {"a": 1}, "spec.b": 2}, {"spec": {"a": 1, "b": 2}}),
        ({"cluster.x-k8s.io/paused": ""}, {"cluster.x-k8s.io/paused": ""}),
    ],
)
def test_keys_that_are_paths_become_objects(given: dict[str, Any], expanded: dict[str, Any]) -> None:
    assert expect.expand(given) == expanded


@pytest.mark.parametrize(
    ("expected", "actual", "alike"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": None}, {}, True),
        ({"a": None}, {"a": 0}, False),
        ({"a": "present"}, {"a": 0}, True),
        ({"a": "present"}, {}, False),
        ({"a.b": 1}, {"a": {"b": 1}}, True),
        ([1], [1, 2], False),
        ([{"a": 1}], [{"a": 1, "b": 2}], True),
        (1, "1", False),
        ("1", 1, False),
    ],
)
def test_an_expectation_names_what_matters(expected: Any, actual: Any, alike: bool) -> None:
    assert (expect.differing(expected, actual) == []) is alike
