"""Names of machines from a template."""

import random

import pytest

from capipool.api import naming
from capipool.machinery import names


def test_the_default_is_the_set_and_chance() -> None:
    name = naming.machine_name("", cluster="c", machine_set="workers", rng=random.Random(1))
    assert name.startswith("workers-")
    assert len(name) == len("workers-") + names.SUFFIX_LENGTH


def test_a_name_that_is_too_long_keeps_its_random_part() -> None:
    rng = random.Random(1)
    made = {naming.machine_name("", cluster="c", machine_set="w" * 80, rng=rng) for _ in range(20)}
    assert len(made) == 20
    assert {len(name) for name in made} == {63}


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("{{ .cluster.name }}-{{ .random }}", ""),
        ("{{.machineSet.name}}-{{- .random -}}", ""),
        ("{{ .machineSet.name }}", "random"),
        ("{{ .random }}-", "no object may have"),
        ("{{ .machine.name }}-{{ .random }}", "not known"),
        ("{{ .random }} {{", "braces"),
    ],
)
def test_a_template_is_tried_before_it_is_let_in(template: str, wrong: str) -> None:
    assert wrong in naming.check(template)
    assert bool(naming.check(template)) is bool(wrong)
