"""Debian's cloud-init as a judge: its own schema and its own Jinja, asked in a worker process, a line a question.

`cloud-init schema --config-file` takes half a second a file; the worker imports the same code once and takes a
millisecond, so that thousands of generated configurations can be judged.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

PYTHON = Path("/usr/bin/python3")

_WORKER = r"""
import json, sys, warnings
warnings.simplefilter("ignore")
from cloudinit import safeyaml
from cloudinit.config import schema
from cloudinit.handlers import jinja_template
rules = schema.get_schema()
print("ready", flush=True)
for line in sys.stdin:
    question = json.loads(line)
    try:
        text = question["text"]
        if text.startswith("## template: jinja"):
            text = jinja_template.render_jinja_payload(text, "test", question["instance"])
        assert text.startswith("#cloud-config\n"), "no header"
        config = safeyaml.load(text)
        schema.validate_cloudconfig_schema(config, rules, strict=True)
        answer = {"config": config}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
"""


class CloudInit:
    """A running worker."""

    def __init__(self) -> None:
        if not PYTHON.exists():
            pytest.skip("no system Python: install Debian's package cloud-init to run this")
        self._process = subprocess.Popen(
            [str(PYTHON), "-I", "-c", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            self.close()
            pytest.skip("cloud-init is not installed: install Debian's package cloud-init to run this")

    def read(self, text: str, instance: dict[str, Any] | None = None) -> dict[str, Any]:
        """What cloud-init takes a cloud-config for, given an instance's data. Fails where its schema is broken."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"text": text, "instance": instance or {}}) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        assert "error" not in answer, f"{answer['error']}\n{text}"
        config: dict[str, Any] = answer["config"]
        return config

    def close(self) -> None:
        """End the worker."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait(timeout=10)
