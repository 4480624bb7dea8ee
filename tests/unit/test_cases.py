"""Every behaviour case holds, or is named with its reason in tests/cases/differences.yaml."""

import pytest

from tests.cases import registry
from tests.shared import SHARED

FOLDER = SHARED / "facts" / "cases"
CASES = list(registry.read(FOLDER)) if FOLDER.is_dir() else []
DIFFERENCES = registry.differences()


@pytest.mark.skipif(not CASES, reason="the shared data has no facts/cases here (set CAPIPOOL_SHARED to its folder)")
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_case(case: registry.Case) -> None:
    if (reason := DIFFERENCES.get(str(case))) is None:
        await registry.run(case)
        return
    with pytest.raises(Exception):  # noqa: B017  (whatever shows that it differs)
        await registry.run(case)
    pytest.skip(f"differs on purpose: {reason}")


def test_every_difference_names_a_case_and_a_reason() -> None:
    known = {str(case) for case in CASES}
    assert all(DIFFERENCES.values())
    assert not CASES or set(DIFFERENCES) <= known
