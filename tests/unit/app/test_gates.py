"""Feature gates are set by option over environment over default, and nonsense is named."""

import pytest

from capipool.app import gates


@pytest.mark.parametrize(
    ("text", "environment", "on"),
    [
        ("", {}, True),
        ("MachinePool=false", {}, False),
        ("", {"EXP_MACHINE_POOL": "false"}, False),
        ("MachinePool=true", {"EXP_MACHINE_POOL": "false"}, True),
        (" MachinePool=False , ", {"EXP_MACHINE_POOL": ""}, False),
    ],
)
def test_who_wins(text: str, environment: dict[str, str], on: bool) -> None:
    assert gates.parse(text, environment)["MachinePool"] is on


@pytest.mark.parametrize(
    ("text", "environment", "words"),
    [
        ("MachinePools=true", {}, "'MachinePools'; there are: MachinePool"),
        ("MachinePool", {}, "MachinePool=true or MachinePool=false"),
        ("MachinePool=yes", {}, "'yes'"),
        ("", {"EXP_MACHINE_POOL": "maybe"}, "EXP_MACHINE_POOL is 'maybe'"),
    ],
)
def test_nonsense_is_named(text: str, environment: dict[str, str], words: str) -> None:
    with pytest.raises(gates.UnknownGate, match=words):
        gates.parse(text, environment)
