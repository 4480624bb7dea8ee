"""What is remembered of updates that were asked for."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.nodegroups import updates
from capipool.providers.aws.eks.nodegroups.deciding import CONFIG, VERSION, Update
from capipool.providers.aws.eks.nodegroups.updates import RETRY, Record
from tests.unit.aws.eks.nodegroups.test_node_group_deciding import pool

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
RECORD = Record(kind=VERSION, about="version 1.31", at=NOW, id="u-1")


def test_records_come_back_as_they_were_written() -> None:
    both = {VERSION: RECORD, CONFIG: Record(kind=CONFIG, about="labels", at=NOW, error="E: no")}
    said = {name: text for name, text in updates.to_annotations(both).items() if text is not None}
    assert updates.read(pool({}, said)) == both
    assert updates.to_annotations({}) == dict.fromkeys(updates.ANNOTATIONS.values())


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"at":"yesterday","about":"a"}', '{"at":3}'])
def test_what_is_no_record_is_none(text: str) -> None:
    assert updates.read(pool({}, {updates.ANNOTATIONS[CONFIG]: text})) == {}


@pytest.mark.parametrize(
    ("record", "about", "later", "held"),
    [
        (None, "a", 0, False),
        (replace(RECORD, error=""), "version 1.31", 0, False),
        (replace(RECORD, error="E"), "version 1.31", 0, True),
        (replace(RECORD, error="E"), "version 1.32", 0, False),
        (replace(RECORD, error="E"), "version 1.31", RETRY.total_seconds(), False),
    ],
)
def test_the_same_wish_is_held_for_a_while_after_it_failed(
    record: Record | None, about: str, later: float, held: bool
) -> None:
    records = {VERSION: record} if record is not None else {}
    now = NOW + dt.timedelta(seconds=later)
    assert updates.is_held(records, Update(VERSION, {}, about), now) is held


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ([], None),
        ([("u-0", CONFIG, 5)], None),
        ([("u-0", VERSION, -600)], None),
        ([("u-0", VERSION, -2), ("u-2", VERSION, 4), ("u-3", CONFIG, 9)], "u-2"),
    ],
)
def test_an_update_whose_answer_was_lost_is_found_by_kind_and_time(
    listed: list[tuple[str, str, int]], found: str | None
) -> None:
    those: list[Raw] = [{"id": id, "type": kind, "createdAt": NOW + dt.timedelta(seconds=s)} for id, kind, s in listed]
    update = updates.find(replace(RECORD, id=""), those)
    assert (update["id"] if update is not None else None) == found


@pytest.mark.parametrize(
    ("update", "left"),
    [
        ({"id": "u-2", "status": "Successful"}, None),
        ({"id": "u-2", "status": "InProgress"}, replace(RECORD, id="u-2")),
        (
            {"id": "u-2", "status": "Cancelled"},
            replace(RECORD, id="u-2", error="it is Cancelled, and EKS does not say why"),
        ),
        (
            {
                "id": "u-2",
                "status": "Failed",
                "errors": [{"errorCode": "PodEvictionFailure", "errorMessage": "budget", "resourceIds": ["n-1"]}],
            },
            replace(RECORD, id="u-2", error="PodEvictionFailure: budget (n-1)"),
        ),
    ],
)
def test_only_what_goes_on_or_failed_is_remembered(update: Raw, left: Record | None) -> None:
    assert updates.settled(RECORD, update) == left
