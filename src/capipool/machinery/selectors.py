"""Label and field selectors, parsed once and matched often."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from capipool.machinery.errors import BadRequest
from capipool.machinery.names import is_label_value, is_qualified_name

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist"]


class Requirement(msgspec.Struct, frozen=True):
    """One condition on one label. `NotIn` also matches where the label is absent, as in Kubernetes."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a set of labels meets it."""
        match self.operator:
            case "In":
                return self.key in labels and labels[self.key] in self.values
            case "NotIn":
                return self.key not in labels or labels[self.key] not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels

    def __str__(self) -> str:
        values = sorted(self.values)
        match self.operator:
            case "In":
                return f"{self.key}={values[0]}" if len(values) == 1 else f"{self.key} in ({','.join(values)})"
            case "NotIn":
                return f"{self.key}!={values[0]}" if len(values) == 1 else f"{self.key} notin ({','.join(values)})"
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"


class LabelSelector(msgspec.Struct, frozen=True):
    """A conjunction of requirements; without any it matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a set of labels meets every requirement."""
        return all(r.matches(labels) for r in self.requirements)

    def __str__(self) -> str:
        return ",".join(str(r) for r in self.requirements)


EVERYTHING = LabelSelector()

_SETWISE = re.compile(r"^(\S+)\s+(in|notin)\s*\(([^)]*)\)$")


def parse_labels(text: str) -> LabelSelector:
    """Read `a=b,c!=d,e in (x,y),f notin (z),g,!h`. Raises BadRequest naming the part that is malformed."""
    return LabelSelector(tuple(_requirement(part) for part in _split(text)))


def _split(text: str) -> list[str]:
    """Split at commas outside parentheses."""
    parts = re.split(r",(?![^(]*\))", text)
    return [p.strip() for p in parts if p.strip()]


def _requirement(part: str) -> Requirement:
    if found := _SETWISE.match(part):
        key, word, inner = found.groups()
        values = frozenset(v.strip() for v in inner.split(","))
        return _checked(part, key, "In" if word == "in" else "NotIn", values)
    for sign, operator in (("!=", "NotIn"), ("==", "In"), ("=", "In")):
        if sign in part:
            key, value = part.split(sign, 1)
            checked: Operator = "In" if operator == "In" else "NotIn"
            return _checked(part, key.strip(), checked, frozenset({value.strip()}))
    if part.startswith("!"):
        return _checked(part, part[1:].strip(), "DoesNotExist", frozenset())
    return _checked(part, part, "Exists", frozenset())


def _checked(part: str, key: str, operator: Operator, values: frozenset[str]) -> Requirement:
    if not is_qualified_name(key):
        raise BadRequest(f"unable to parse label selector requirement {part!r}: {key!r} is not a label key")
    for value in values:
        if not is_label_value(value):
            raise BadRequest(f"unable to parse label selector requirement {part!r}: {value!r} is not a label value")
    return Requirement(key, operator, values)


def from_object(selector: Mapping[str, Any] | None) -> LabelSelector | None:
    """Read a `metav1.LabelSelector` object (`matchLabels`, `matchExpressions`). None stays None: it matches nothing.

    Raises BadRequest on an unknown operator or a malformed key.
    """
    if selector is None:
        return None
    found = [_checked(f"{k}={v}", k, "In", frozenset({v})) for k, v in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        operator = expression.get("operator")
        if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            raise BadRequest(f"{operator!r} is not a valid label selector operator")
        values = frozenset(expression.get("values") or ())
        found.append(_checked(str(expression), expression.get("key", ""), operator, values))
    return LabelSelector(tuple(found))


class FieldSelector(msgspec.Struct, frozen=True):
    """Exact matches (or mismatches) on fields that a resource lets itself be selected by."""

    terms: tuple[tuple[str, bool, str], ...] = ()
    """Field path, whether it must be equal, value."""

    def matches(self, value_of: Callable[[str], str]) -> bool:
        """Whether an object meets every term; `value_of` gives a field as text, empty where it is absent."""
        return all((value_of(path) == value) is equal for path, equal, value in self.terms)

    def exact(self, path: str) -> str | None:
        """The value a field is pinned to, if it is."""
        return next((value for p, equal, value in self.terms if p == path and equal), None)

    def __str__(self) -> str:
        return ",".join(f"{path}{'=' if equal else '!='}{value}" for path, equal, value in self.terms)


def parse_fields(text: str) -> FieldSelector:
    """Read `metadata.name=a,spec.nodeName!=b`. Raises BadRequest naming the part that is malformed."""
    terms = []
    for part in _split(text):
        sign = next((s for s in ("!=", "==", "=") if s in part), None)
        if sign is None:
            raise BadRequest(f"invalid field selector {part!r}: it must be <field>=<value> or <field>!=<value>")
        path, value = part.split(sign, 1)
        terms.append((path.strip(), sign != "!=", value.strip()))
    return FieldSelector(tuple(terms))
