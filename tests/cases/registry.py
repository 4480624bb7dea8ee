"""Cases, and the operations that carry them out."""

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Operation = Callable[["Case"], Any]


@dataclass(frozen=True)
class Case:
    """One fact: what is given, what is done, what must come of it."""

    file: str
    """The name of its file, without `.yaml`."""
    name: str
    when: str
    given: Mapping[str, Any]
    expect: Any
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The whole entry, with `source`, `basis`, `note`, `upstream_quirk`."""

    def __str__(self) -> str:
        return f"{self.file}/{self.name}"


def read(folder: Path) -> Iterator[Case]:
    """Every case of a folder's YAML files, in order. Raises ValueError where a file is no list of cases."""
    for path in sorted(folder.glob("*.yaml")):
        entries = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if not isinstance(entries, list) or not all(isinstance(e, dict) and "name" in e for e in entries):
            raise ValueError(f"{path} is no list of cases")
        for entry in entries:
            yield Case(
                file=path.stem,
                name=entry["name"],
                when=str(entry.get("when", "")),
                given=entry.get("given") or {},
                expect=entry.get("expect"),
                facts=entry,
            )


_operations: dict[str, dict[str, Operation]] = {}


def operation(*names: str) -> Callable[[Operation], Operation]:
    """Register a function for the operations of these names, in the file that its module is named after."""

    def register(function: Operation) -> Operation:
        file = function.__module__.rpartition("ops_")[2]
        for name in names:
            _operations.setdefault(file, {})[name] = function
        return function

    return register


def find(case: Case) -> Operation | None:
    """The operation of a case: that of its own file; for a file without any, the only one of that name elsewhere."""
    if own := _load(case.file):
        return own.get(case.when)
    for path in sorted(Path(__file__).parent.glob("ops_*.py")):
        _load(path.stem.removeprefix("ops_"))
    found = {f for operations in _operations.values() if (f := operations.get(case.when)) is not None}
    return found.pop() if len(found) == 1 else None


def _load(file: str) -> Mapping[str, Operation]:
    module = f"tests.cases.ops_{file}"
    if importlib.util.find_spec(module) is not None:
        importlib.import_module(module)
    return _operations.get(file, {})


async def run(case: Case) -> None:
    """Carry a case out. Raises AssertionError with the difference, or whatever the code raised."""
    function = find(case)
    assert function is not None, f"nobody has registered the operation {case.when!r} of {case.file}"
    result = function(case)
    if inspect.isawaitable(result):
        await result


def differences() -> dict[str, str]:
    """The cases where capipool differs on purpose, as `file/name`, and why."""
    path = Path(__file__).parent / "differences.yaml"
    return {f"{entry['file']}/{entry['name']}": entry["reason"] for entry in yaml.safe_load(path.read_text()) or ()}
