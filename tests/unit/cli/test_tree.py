"""A tree reads the same in a terminal and in a pipe."""

from capipool.cli import tree
from capipool.cli.tree import Branch


def test_columns_are_aligned_over_all_depths_and_reasons_come_last() -> None:
    root = Branch(
        "Cluster/a",
        ("Provisioned",),
        children=(
            Branch("Infra", ("ready",), tone="good"),
            Branch("Pool", ("Scaling", "2/3"), why="zone a is full", children=(Branch("node-1"), Branch("node-2"))),
        ),
    )
    assert [line.text for line in tree.lay_out(root)] == [
        "Cluster/a     Provisioned",
        "├─ Infra      ready",
        "└─ Pool       Scaling      2/3  (zone a is full)",
        "   ├─ node-1",
        "   └─ node-2",
    ]


def test_a_tone_becomes_a_colour() -> None:
    assert [line.style for line in tree.lay_out(Branch("a", tone="bad", children=(Branch("b"),)))] == ["red", ""]
