"""Names of machines from a template: what Go's `{{ .machineSet.name }}-{{ .random }}` makes of a set and a cluster.

Admission tries a template before it lets it in, the MachineSet reconciler names machines by it. Only plain fields are
known; Go's functions and conditions are not, and are refused.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

from capipool.machinery import names

DEFAULT_MACHINE_TEMPLATE = "{{ .machineSet.name }}-{{ .random }}"
MAX_NAME = 63
"""A machine's name becomes a host name."""

_FIELD = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_SUFFIX = "bcdfg"
"""What `.random` is while a template is tried."""


def check(template: str) -> str:
    """Why a template cannot name machines; empty where it can."""
    try:
        fields = {".cluster.name": "cluster", ".machineSet.name": "machineset", ".random": _SUFFIX}
        name = render(template, fields)
    except ValueError as error:
        return str(error)
    if ".random" not in used_fields(template):
        return "must contain {{ .random }}, or all machines would have the same name"
    if not names.is_dns_subdomain(name):
        return f"makes names such as {name!r}, which no object may have"
    return ""


def machine_name(template: str, *, cluster: str, machine_set: str, rng: random.Random) -> str:
    """A new machine's name, at most 63 characters: what is too long loses its beginning's end, never its random part.

    Raises ValueError where the template has a field that is not known.
    """
    suffix = names.generate("", rng)
    fields = {".cluster.name": cluster, ".machineSet.name": machine_set, ".random": suffix}
    name = render(template or DEFAULT_MACHINE_TEMPLATE, fields)
    if len(name) <= MAX_NAME:
        return name
    return name[: MAX_NAME - names.SUFFIX_LENGTH] + suffix


def used_fields(template: str) -> frozenset[str]:
    """The fields that a template names."""
    return frozenset(_FIELD.findall(template))


def render(template: str, fields: Mapping[str, str]) -> str:
    """Put values in place of fields. Raises ValueError for a field that is not among them, or stray braces."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in fields:
            raise ValueError(f"{found[0]} is not known here: use one of {', '.join(sorted(fields))}")
        return fields[found[1]]

    rendered = _FIELD.sub(value, template)
    if "{{" in rendered or "}}" in rendered:
        raise ValueError("has braces without a counterpart")
    return rendered
