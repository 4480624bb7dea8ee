"""`python -m tests.cases DIR`: run every case of a folder, print what fails and why, then `N passed, N failed`."""

import asyncio
import sys
import traceback
from pathlib import Path

from tests.cases import registry


def main(arguments: list[str]) -> int:
    """Exit code 0 when no case failed, 1 when one did, 2 when the folder holds none."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m tests.cases DIR   (a folder of .yaml files)", file=sys.stderr)
        return 2
    passed = failed = 0
    differences = registry.differences()
    for case in registry.read(Path(arguments[0])):
        problem = judge(case)
        if (reason := differences.get(str(case))) is not None:
            if problem:
                print(f"differs on purpose: {case}: {reason}")
                continue
            problem = "no longer differs: take it out of differences.yaml"
        if problem:
            failed += 1
            print(f"FAILED {case}: {problem}")
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def judge(case: registry.Case) -> str:
    """What is wrong, in a line; empty when nothing is."""
    try:
        asyncio.run(registry.run(case))
    except AssertionError as difference:
        return str(difference) or _where(difference)
    except Exception as error:  # a case must not keep the others from running
        return f"{type(error).__name__}: {error} ({_where(error)})"
    return ""


def _where(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}: {frame.line}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
