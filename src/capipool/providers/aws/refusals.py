"""What AWS refuses of a group, said of the field of the pool that is to be changed. Pure.

Used where groups are written. AWS has one code for all of it, and checks what the launch template names as well: so its
words are read here, and only to find the field, or that what a call is about is gone.
"""

from __future__ import annotations

import re

from capipool.sdk import InvalidConfiguration, ProviderError
from capipool.sdk.errors import Missing

_GONE = re.compile(r"auto ?scaling ?group|specified launch template|managed instance|instance id", re.IGNORECASE)
"""What somebody deleted meanwhile: the group, its launch template, an instance."""
_PREFIX = re.compile(r"^You must use a valid fully-formed launch template\.\s*", re.IGNORECASE)
_TEMPLATE = "spec.awsLaunchTemplate"
_FIELDS = (
    (r"security ?group|groupId", f"{_TEMPLATE}.additionalSecurityGroups"),
    (r"key ?pair|keyName", f"{_TEMPLATE}.sshKeyName"),
    (r"instance ?profile", f"{_TEMPLATE}.iamInstanceProfile"),
    (r"instance ?type", f"{_TEMPLATE}.instanceType"),
    (r"image|\bami", f"{_TEMPLATE}.ami"),
    (r"subnet|availability ?zone|VPCZoneIdentifier", "spec.subnets"),
    (r"launch template", _TEMPLATE),
)
"""In this order: what is said of a security group may name its subnet, too."""


def is_gone(error: ProviderError) -> bool:
    """Whether the error says that the group, an instance or the launch template itself is not there."""
    return isinstance(error, Missing) and _GONE.search(_words(error)) is not None


def of_field(error: ProviderError) -> ProviderError:
    """The same error, of the field that is to be changed, where it is about the spec; others as they are."""
    if not isinstance(error, Missing | InvalidConfiguration):
        return error
    whole = _words(error)
    said = _PREFIX.sub("", whole)
    field = next((field for words, field in _FIELDS if re.search(words, said, re.IGNORECASE)), "")
    if not field and said != whole:
        field = _TEMPLATE
    return InvalidConfiguration(field, detail=said) if field else _plain(error)


def _plain(error: ProviderError) -> ProviderError:
    """Nothing that is missing gets further as that: whoever looks up would take it for the group."""
    return InvalidConfiguration(error.operation, detail=_words(error)) if isinstance(error, Missing) else error


def _words(error: ProviderError) -> str:
    """AWS's own."""
    operation = error.operation if isinstance(error, Missing) else getattr(error, "field", "")
    return str(error).removeprefix(f"{operation}: ")
