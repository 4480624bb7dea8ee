"""Logs name what they are about, and hold nothing secret."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from capipool.machinery.resource import ObjectKey
from capipool.runtime import logs
from capipool.runtime.logs import redact


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    out = io.StringIO()
    logs.configure(level="info", json=True, stream=out)
    yield out
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_what_a_reconcile_logs_names_controller_object_and_reconcile(stream: io.StringIO) -> None:
    log = logs.Logger("capipool.test")
    token = logs.subject.set(logs.Subject("pools", ObjectKey("ns", "a"), "0001"))
    log.info("scaled", replicas=3)
    logs.subject.reset(token)
    log.info("outside")
    inside, outside = lines(stream)
    wanted = {"controller": "pools", "namespace": "ns", "name": "a", "reconcile_id": "0001", "replicas": 3}
    assert wanted.items() <= inside.items()
    assert (inside["event"], inside["level"], inside["logger"]) == ("scaled", "info", "capipool.test")
    assert "controller" not in outside


def test_lines_below_the_level_are_not_written(stream: io.StringIO) -> None:
    logs.Logger("capipool.test").debug("quiet")
    assert stream.getvalue() == ""


def test_a_traceback_shows_no_local_variables_and_no_line_a_secret(stream: io.StringIO) -> None:
    try:
        _fail("hunter2")
    except RuntimeError as error:
        logs.Logger("capipool.test").error("failed", why="token abcdef.0123456789abcdef", exc_info=error)
    (line,) = lines(stream)
    assert line["exception"][0]["exc_type"] == "RuntimeError"
    assert "hunter2" not in stream.getvalue()
    assert line["why"] == "token [redacted]"


def test_logging_may_be_set_up_anew(stream: io.StringIO) -> None:
    log = logs.Logger("capipool.test")
    log.info("first")
    other = io.StringIO()
    logs.configure(level="info", json=True, stream=other)
    log.info("second")
    assert [line["event"] for line in lines(stream) + lines(other)] == ["first", "second"]


def _fail(password: str) -> None:
    raise RuntimeError(f"wrong one of {len(password)} letters")


@pytest.mark.parametrize(
    "secret",
    [
        "abcdef.0123456789abcdef",
        "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl",
    ],
)
def test_what_looks_like_a_secret_is_cut_out(secret: str) -> None:
    assert redact(f"joined with {secret} today") == "joined with [redacted] today"


def test_ordinary_messages_stay_as_they_are() -> None:
    message = "ip-10-0-1-2.eu-central-1.compute.internal is Ready in quay.io/cluster.x-k8s.io"
    assert redact(message) == message
