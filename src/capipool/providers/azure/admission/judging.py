"""How the rules of this room are put together, and the comparisons that they share. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from capipool.api.admission import checks
from capipool.api.admission.checks import part
from capipool.machinery import errors
from capipool.machinery.admission import ALLOWED, Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource

EMPTY: tuple[Any, ...] = (None, "", {}, [], ())
"""What says no more than an absent field."""
_RESOURCE_ID = re.compile(
    r"/subscriptions/[^/]+(/resourceGroups/[^/]+)?/providers/[^/]+(/[^/]+/[^/]+)+/?", re.IGNORECASE
)


def rules(
    resource: Resource,
    *,
    check: Callable[[Admit], Iterator[FieldError]],
    warn: Callable[[Raw], Iterator[str]] | None = None,
    default: Callable[[Raw, Admit], Raw] | None = None,
) -> Rules:
    """Rules of a kind. `default` makes a spec of the spec; an object that goes is let go."""

    def validate(admit: Admit) -> Verdict:
        if admit.operation == "DELETE" or admit.object is None or checks.is_going(admit):
            return ALLOWED
        said = tuple(warn(admit.object)) if warn is not None else ()
        return Verdict(errors=tuple(check(admit)), warnings=said)

    def with_defaults(admit: Admit) -> Raw:
        made = dict(admit.object or {})
        assert default is not None
        return made | {"spec": default(dict(part(made, "spec")), admit)}

    return Rules(resource=resource, validate=validate, default=with_defaults if default is not None else None)


def specs(admit: Admit) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The spec, and what it was before; the latter is empty for a new object."""
    return part(admit.object, "spec"), part(admit.old, "spec")


def plain(value: Any) -> Any:
    """A value without the fields that say nothing, for comparison."""
    if isinstance(value, Mapping):
        return {k: kept for k, v in value.items() if (kept := plain(v)) not in EMPTY}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value


def fixed(spec: Mapping[str, Any], old: Mapping[str, Any], path: str, names: Mapping[str, str]) -> Iterator[FieldError]:
    """Fields that may not change once the object is there. `names`: why, and what to do instead."""
    for name, why in names.items():
        if plain(spec.get(name)) != plain(old.get(name)):
            yield errors.forbidden(f"{path}.{name}", f"is immutable: {why}")


def set_once(
    spec: Mapping[str, Any], old: Mapping[str, Any], path: str, names: Mapping[str, str]
) -> Iterator[FieldError]:
    """Fields that may be given later, and not change from then on."""
    given = {name: why for name, why in names.items() if old.get(name) not in EMPTY}
    yield from fixed(spec, old, path, given)


def is_resource_id(text: str) -> bool:
    """Whether a text is the ID of something in Azure, as itself or as a provider ID."""
    return _RESOURCE_ID.fullmatch(text.removeprefix("azure://")) is not None


def resource_id(value: Any, path: str) -> Iterator[FieldError]:
    """A field that holds the ID of something in Azure."""
    if value not in EMPTY and not is_resource_id(str(value)):
        said = "must be a resource ID like /subscriptions/<id>/resourceGroups/<group>/providers/<type>/<name>"
        yield errors.invalid(path, value, said)
