"""How what a case expects is held against what the code did."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

ABSENT: Final = object()

_PATH = re.compile(r"[A-Za-z_]\w*(\[\d+\])?(\.[A-Za-z_]\w*(\[\d+\])?)+")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def expand(given: Mapping[str, Any]) -> dict[str, Any]:
    """Turn keys that are field paths (`spec.template.spec.version`) into objects. Only the outermost keys are paths."""
    result: dict[str, Any] = {}
    for key, value in given.items():
        *parents, last = key.split(".") if _PATH.fullmatch(key) else [key]
        place = result
        for parent in parents:
            place = place.setdefault(parent, {})
        if isinstance(value, Mapping) and isinstance(place.get(last), dict):
            place[last] = {**place[last], **value}
        else:
            place[last] = value
    return result


def lookup(value: Any, path: str) -> Any:
    """The value at a field path, or ABSENT. A key that is itself spelt with dots wins."""
    if isinstance(value, Mapping) and path in value:
        return value[path]
    for name, index in _STEP.findall(path):
        if index:
            if not isinstance(value, Sequence) or int(index) >= len(value):
                return ABSENT
            value = value[int(index)]
        elif isinstance(value, Mapping) and name in value:
            value = value[name]
        else:
            return ABSENT
    return value


def differing(expected: Any, actual: Any, path: str = "") -> list[str]:
    """What differs. An expected object names what matters; null and `absent` ask for nothing, `present` for some."""
    if expected is None or expected == "absent":
        return [] if actual is ABSENT or actual is None else [f"{path}: expected nothing, got {actual!r}"]
    if expected == "present":
        return [] if actual is not ABSENT and actual is not None else [f"{path}: expected something, got nothing"]
    if actual is ABSENT:
        return [f"{path}: expected {expected!r}, got nothing"]
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        return [
            found
            for key, value in expected.items()
            for found in differing(value, lookup(actual, key), f"{path}.{key}" if path else key)
        ]
    if isinstance(expected, list) and isinstance(actual, list | tuple):
        if len(expected) != len(actual):
            return [f"{path}: expected {expected!r}, got {actual!r}"]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [found for i, (e, a) in pairs for found in differing(e, a, f"{path}[{i}]")]
    if type(expected) is type(actual) or isinstance(expected, int | float) is isinstance(actual, int | float):
        return [] if expected == actual else [f"{path}: expected {expected!r}, got {actual!r}"]
    return [f"{path}: expected {expected!r}, got {actual!r}"]


def same(expected: Any, actual: Any, what: str = "result") -> None:
    """Fail unless the two are the same, in the sense of `differing`."""
    found = differing(expected, actual, what)
    assert not found, "; ".join(found)


def fields(expected: Mapping[str, Any], actual: Any) -> None:
    """Fail unless the object has each expected field, given by its path."""
    found = differing(expected, actual)
    assert not found, "; ".join(found)


def mentions(words: str | Sequence[str], text: str) -> None:
    """Fail unless every word occurs in the text, whatever the case of its letters."""
    wanted = [words] if isinstance(words, str) else list(words)
    missing = [word for word in wanted if word.lower() not in text.lower()]
    assert not missing, f"{text!r} does not mention {missing}"
