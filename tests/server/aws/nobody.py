"""A process that is nobody in AWS: no keys in its environment, no profile, no role of the machine that it runs on."""

from __future__ import annotations

import pytest

VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN")


def be_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take from the process what AWS's library would find; the test's own hands have keys of their own."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
