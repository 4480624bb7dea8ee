"""`spec.replicas`: its limit, its default, and who decides that: the user, the autoscaler's range, or nobody (1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capipool.api.admission.checks import part
from capipool.api.constants import Annotation
from capipool.machinery import errors
from capipool.machinery.admission import Admit
from capipool.machinery.errors import FieldError, Invalid

MAX_INT32 = 2**31 - 1


def errors_of(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    """Fewer than none, which upstream's schema lets in, and which no controller can have."""
    if spec.get("replicas", 0) < 0:
        yield errors.invalid("spec.replicas", spec["replicas"], "must not be negative")


def default(admit: Admit) -> int:
    """What an absent `spec.replicas` becomes. Raises Invalid where the autoscaler's annotations are no numbers.

    Without both annotations it is 1. With them a new object starts at the lower end; one that has replicas keeps them
    if they are within the range, and else goes to the nearer end, where the autoscaler takes over.
    """
    annotations = part(admit.object, "metadata", "annotations")
    if Annotation.AUTOSCALER_MIN_SIZE not in annotations or Annotation.AUTOSCALER_MAX_SIZE not in annotations:
        return 1
    smallest = _size(admit, annotations, Annotation.AUTOSCALER_MIN_SIZE)
    largest = _size(admit, annotations, Annotation.AUTOSCALER_MAX_SIZE)
    before = part(admit.old, "spec").get("replicas") if admit.operation == "UPDATE" else None
    if not isinstance(before, int):
        return smallest
    # In this order, as upstream: with a range that is upside down, the lower end wins.
    return smallest if before < smallest else min(before, largest)


def _size(admit: Admit, annotations: Mapping[str, Any], key: str) -> int:
    text = annotations[key]
    try:
        value = int(text)
    except (TypeError, ValueError):
        value = None
    if value is None or abs(value) > MAX_INT32:
        name = str(part(admit.object, "metadata").get("name", ""))
        problem = errors.invalid(f"metadata.annotations[{key}]", text, "must be a whole number")
        raise Invalid.of(admit.resource.group_kind, name, [problem])
    return value
