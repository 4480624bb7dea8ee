"""What a schema says about a value beyond its type: `Annotated[str, Limits(max_length=63)]`.

API types carry these; `types.from_type` turns them into a structural schema. They are no `msgspec.Meta`, so that
decoding stays lenient: a client reads what a newer server with looser limits let in, and only the server judges.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

ListType = Literal["atomic", "set", "map"]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A CEL rule (`x-kubernetes-validations`). `self` is the value, `oldSelf` what it was before an update."""

    rule: str
    message: str = ""
    message_expression: str = ""
    reason: str = ""
    field_path: str = ""

    def to_schema(self) -> dict[str, Any]:
        """The rule as a CRD writes it."""
        said = {
            "message": self.message,
            "messageExpression": self.message_expression,
            "reason": self.reason,
            "fieldPath": self.field_path,
        }
        return {"rule": self.rule} | {key: value for key, value in said.items() if value}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on one value. What is None, False or empty is not said.

    A class says what holds wherever it is used with a class variable `LIMITS`; a field adds to it, or overrides it.
    """

    min_length: int | None = None
    """In characters, as for `max_length`."""
    max_length: int | None = None
    pattern: str = ""
    """A regular expression that must match somewhere: anchor it."""
    format: str = ""
    """`int32`, `int64`, `date-time`, `byte`, `ipv4`, ...; `date-time` comes with the type `datetime`."""
    enum: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: float | None = None
    min_items: int | None = None
    max_items: int | None = None
    list_type: ListType | None = None
    """How server-side apply merges the list. None is atomic in effect, and says nothing."""
    list_map_keys: tuple[str, ...] = ()
    """The fields by which items of a list are told apart; makes the list type `map`."""
    min_properties: int | None = None
    max_properties: int | None = None
    atomic: bool = False
    """An object that server-side apply replaces as a whole (`x-kubernetes-map-type: atomic`)."""
    preserve_unknown: bool = False
    """Keep fields that the schema does not name."""
    nullable: bool = False
    default: Any = msgspec.UNSET
    """What the API server fills in where the field is absent."""
    rules: tuple[Rule, ...] = ()
    required: bool = False
    """The API demands the field although the Python type has a default for it."""
    description: str = ""

    def to_schema(self) -> dict[str, Any]:
        """The keywords of a structural schema that say the same. `required` is for the object around to say."""
        schema = {wire: value for name, wire in _KEYWORDS.items() if (value := getattr(self, name)) is not None}
        schema |= {wire: value for name, wire in _FLAGS.items() if (value := getattr(self, name))}
        if self.enum:
            schema["enum"] = list(self.enum)
        if self.list_map_keys:
            schema |= {"x-kubernetes-list-map-keys": list(self.list_map_keys), "x-kubernetes-list-type": "map"}
        if self.atomic:
            schema["x-kubernetes-map-type"] = "atomic"
        if self.default is not msgspec.UNSET:
            schema["default"] = self.default
        if self.rules:
            schema["x-kubernetes-validations"] = [rule.to_schema() for rule in self.rules]
        return schema


_KEYWORDS = {
    "min_length": "minLength",
    "max_length": "maxLength",
    "minimum": "minimum",
    "maximum": "maximum",
    "multiple_of": "multipleOf",
    "min_items": "minItems",
    "max_items": "maxItems",
    "list_type": "x-kubernetes-list-type",
    "min_properties": "minProperties",
    "max_properties": "maxProperties",
}
_FLAGS = {
    "pattern": "pattern",
    "format": "format",
    "preserve_unknown": "x-kubernetes-preserve-unknown-fields",
    "nullable": "nullable",
    "description": "description",
}

Int32 = Annotated[int, Limits(format="int32")]
Int64 = Annotated[int, Limits(format="int64")]
