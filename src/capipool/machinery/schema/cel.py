"""CEL rules of a schema (`x-kubernetes-validations`): compiled once, judged often.

The engine beneath is the library's compiled submodule, loaded by itself when the first rule is met: the package's own
front imports a command line and costs half a second.
"""

from __future__ import annotations

import datetime as dt
import importlib.machinery
import importlib.util
import pathlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Self

import msgspec

from capipool.machinery import durations
from capipool.machinery.clock import parse_time
from capipool.machinery.errors import FieldError
from capipool.machinery.schema import cel_functions

Schema = Mapping[str, Any]


@cache
def _engine() -> Any:
    spec = importlib.util.find_spec("cel")
    places = spec.submodule_search_locations if spec is not None else None
    for place in places or ():
        for suffix in importlib.machinery.EXTENSION_SUFFIXES:
            file = pathlib.Path(place) / f"cel{suffix}"
            if file.exists():
                loader = importlib.machinery.ExtensionFileLoader("cel.cel", str(file))
                module_spec = importlib.util.spec_from_loader("cel.cel", loader)
                assert module_spec is not None
                module = importlib.util.module_from_spec(module_spec)
                loader.exec_module(module)
                return module
    return importlib.import_module("cel")


@cache
def _program(expression: str) -> Any:
    return _engine().compile(expression)


_FAILURES = (ValueError, TypeError, RuntimeError, KeyError, IndexError, OverflowError, ZeroDivisionError)
"""What the engine raises for an expression that cannot be read, or cannot be computed from these values."""

_BUILTINS = frozenset(
    [
        "size",
        "has",
        "matches",
        "contains",
        "startsWith",
        "endsWith",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "bool",
        "type",
        "dyn",
        "timestamp",
        "duration",
        "map",
        "filter",
        "all",
        "exists",
        "exists_one",
        "existsOne",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMilliseconds",
        "getMinutes",
        "getMonth",
        "getSeconds",
        "optional.of",
        "optional.none",
        "optional.ofNonZeroValue",
        "orValue",
        "or",
        "value",
        "hasValue",
        "min",
        "max",
        "optMap",
        "optFlatMap",
    ]
)


def problem(expression: str) -> str:
    """Why an expression cannot be a rule; empty where it can: bad syntax, or a function that is not there."""
    try:
        functions = _program(expression).functions()
    except _FAILURES as error:
        return f"compilation failed: {_first_line(error)}"
    for name in functions:
        if name.isidentifier() and name not in _BUILTINS and name not in cel_functions.FUNCTIONS:
            return f"compilation failed: undeclared reference to '{name}'"
    return ""


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


_REASONS = {"FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate"}


class Rule(msgspec.Struct, frozen=True):
    """One rule at one place of a schema."""

    expression: str
    message: str
    message_expression: str
    reason: Any
    field_path: str
    optional_old: bool
    is_transition: bool
    """Whether it speaks of `oldSelf`: such a rule is about changes and binds no creation, unless it says it does."""
    to_cel: Callable[[Any], Any] | None

    @classmethod
    def of(cls, spec: Mapping[str, Any], schema: Schema) -> Self:
        """Read `{rule, message, ...}` that stands in a schema."""
        expression = str(spec.get("rule", ""))
        reason = spec.get("reason")
        return cls(
            expression=expression,
            message=" ".join(str(spec.get("message", "")).split()),
            message_expression=str(spec.get("messageExpression", "")),
            reason=reason if reason in _REASONS else "FieldValueInvalid",
            field_path=str(spec.get("fieldPath", "")),
            optional_old=bool(spec.get("optionalOldSelf")),
            is_transition="oldSelf" in expression,
            to_cel=converter(schema),
        )

    def judge(self, value: Any, old: Any, path: str, *, has_old: bool) -> FieldError | None:
        """What is wrong, if anything. A rule that cannot be computed from the value counts as broken."""
        if self.is_transition and not has_old and not self.optional_old:
            return None
        try:
            context = self._context(value, old, has_old)
            if _program(self.expression).execute(context) is True:
                return None
            detail = self._said(context)
        except _FAILURES as error:
            detail = f"rule evaluation error: {_first_line(error)} evaluating rule: {self.message or self.expression}"
        return FieldError(type=self.reason, path=path + self.field_path, value=_shown(value), detail=detail)

    def _context(self, value: Any, old: Any, has_old: bool) -> Any:
        convert = self.to_cel
        variables = {"self": value if convert is None else convert(value)}
        if self.is_transition:
            before = old if convert is None or not has_old else convert(old)
            if self.optional_old:
                optional = _engine().OptionalValue
                before = optional.of(before) if has_old else optional.none()
            variables["oldSelf"] = before
        return _bind(self.expression, self.message_expression, variables)

    def _said(self, context: Any) -> str:
        if self.message_expression:
            try:
                said = _program(self.message_expression).execute(context)
            except _FAILURES:
                said = ""  # as in Kubernetes, a message that fails is replaced by the plain one
            if isinstance(said, str) and said.strip() and "\n" not in said:
                return said
        return self.message or f"failed rule: {self.expression}"


def _bind(expression: str, message_expression: str, variables: dict[str, Any]) -> Any:
    """What a program is run with. Handing a function over costs something, so only those that are called are."""
    functions = _called(expression) | (_called(message_expression) if message_expression else {})
    return _engine().Context(variables=variables, functions=functions) if functions else variables


@cache
def _called(expression: str) -> dict[str, Callable[..., Any]]:
    names = _program(expression).functions()
    return {name: cel_functions.FUNCTIONS[name] for name in names if name in cel_functions.FUNCTIONS}


def _shown(value: Any) -> Any:
    """Kubernetes shows a broken rule's value where it is a scalar, and its kind where it is not."""
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else value


# -- JSON values as CEL values ----------------------------------------------------------------------------------------


def converter(schema: Schema) -> Callable[[Any], Any] | None:
    """How a JSON value becomes what CEL sees by its schema; None where it is the same.

    Times and durations become CEL's, numbers become doubles, and a property whose name CEL cannot spell is escaped.
    """
    if schema.get("x-kubernetes-int-or-string"):
        return None
    match schema.get("type"), schema.get("format"):
        case "string", "date-time":
            return lambda v: parse_time(v.upper()) if isinstance(v, str) else v
        case "string", "duration":
            return lambda v: parse_duration(v) if isinstance(v, str) else v
        case "number", _:
            return lambda v: float(v) if isinstance(v, int) and not isinstance(v, bool) else v
    if isinstance(schema.get("items"), Mapping):
        return _list_converter(converter(schema["items"]))
    if isinstance(schema.get("additionalProperties"), Mapping):
        return _map_converter(converter(schema["additionalProperties"]))
    return _object_converter(schema.get("properties") or {})


def _list_converter(inner: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    if inner is None:
        return None
    return lambda value: [inner(item) for item in value] if isinstance(value, list) else value


def _map_converter(inner: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    if inner is None:
        return None
    return lambda value: {k: inner(item) for k, item in value.items()} if isinstance(value, dict) else value


def _object_converter(properties: Mapping[str, Schema]) -> Callable[[Any], Any] | None:
    changed = {n: (escape(n), c) for n, s in properties.items() if ((c := converter(s)) is not None) | (escape(n) != n)}
    if not changed:
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        result = dict(value)
        for name in changed.keys() & value.keys():
            spelt, inner = changed[name]
            item = result.pop(name)
            result[spelt] = item if inner is None else inner(item)
        return result

    return convert


_RESERVED = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)


def escape(name: str) -> str:
    """A property's name as rules spell it: `x-y` is `x__dash__y`, `namespace` is `__namespace__`."""
    if name in _RESERVED:
        return f"__{name}__"
    spelt = name.replace("__", "__underscores__")
    for sign, word in ((".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        spelt = spelt.replace(sign, word)
    return spelt


def parse_duration(text: str) -> dt.timedelta:
    """Read a Go duration. Raises ValueError where it is none."""
    return dt.timedelta(seconds=float(durations.parse(text)))
