"""Rules of MachineDrainRule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from capipool.api.admission import checks
from capipool.api.admission.checks import part
from capipool.api.constants import DrainBehavior
from capipool.api.core import MachineDrainRule
from capipool.machinery import errors, selectors
from capipool.machinery.admission import Admit, Rules, Verdict
from capipool.machinery.errors import BadRequest, FieldError

_SELECTORS = {"machines": ("selector", "clusterSelector"), "pods": ("selector", "namespaceSelector")}


def rules() -> Rules:
    """What admission does for drain rules."""
    return Rules(resource=MachineDrainRule.RESOURCE, validate=validate)


def validate(admit: Admit) -> Verdict:
    """Judge the object. Deletion is always allowed."""
    return checks.verdict(admit, _errors(part(admit.object, "spec")))


def _errors(spec: Mapping[str, object]) -> Iterator[FieldError]:
    drain = part(spec, "drain")
    order = drain.get("order")
    if order is not None and drain.get("behavior") != DrainBehavior.DRAIN:
        message = f"has a meaning only where the behavior is {DrainBehavior.DRAIN}"
        yield errors.invalid("spec.drain.order", order, message)
    for of, names in _SELECTORS.items():
        entries = spec.get(of)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            for name in names:
                yield from _selector(f"spec.{of}[{index}].{name}", part({"entry": entry}, "entry").get(name))


def _selector(path: str, wanted: object) -> Iterator[FieldError]:
    if not isinstance(wanted, Mapping):
        return
    try:
        selectors.from_object(wanted)
    except BadRequest as error:
        yield errors.invalid(path, wanted, error.message)
