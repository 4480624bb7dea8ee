"""What goes wrong is one line and an exit code: 2 for usage, 1 for failure, 130 for Ctrl-C."""

from __future__ import annotations

import errno
from collections.abc import Sequence

import click
import pytest
from click.testing import CliRunner

from capipool.cli import console
from capipool.cli.main import Commands, app


def test_ctrl_c_ends_a_command_that_is_still_being_loaded_as_any_other() -> None:
    @click.group(cls=Commands)
    def commands() -> None:
        pass

    @commands.command()
    def slow() -> None:
        raise KeyboardInterrupt

    assert CliRunner().invoke(commands, ["slow"]).exit_code == console.INTERRUPTED


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/a/b"), "/a/b: No such file or directory"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (FileNotFoundError("no API server to talk to"), "no API server to talk to"),
    ],
)
def test_what_the_system_refuses_is_said_without_its_number(
    error: OSError, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work() -> int:
        raise error

    with pytest.raises(SystemExit) as ended:
        console.run(work())
    assert (ended.value.code, capsys.readouterr().err) == (console.FAILURE, f"error: {said}\n")


@pytest.mark.parametrize(
    "words",
    [
        ["scale", "machinedeployment", "--replicas", "3"],
        ["scale", "machinedeployment/w", "--replicas", "-1"],
        ["get", "machinepools", "w", "-A"],
        ["describe", "pods"],
        ["describe", "a", "b", "c"],
        ["nope"],
    ],
)
def test_a_command_line_that_makes_no_sense_ends_with_2_before_any_server_is_asked(words: Sequence[str]) -> None:
    done = CliRunner().invoke(app, words, env={"KUBECONFIG": "/no/such/file"})
    assert done.exit_code == console.USAGE
