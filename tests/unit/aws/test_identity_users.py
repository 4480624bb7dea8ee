"""An identity is used where somebody names it, also by way of roles that stay."""

from __future__ import annotations

import pytest

from capipool.machinery import objects
from capipool.providers.aws.identities.api import AWSClusterRoleIdentity
from capipool.providers.aws.identities.keeping import is_used

STATIC, ROLE = "AWSClusterStaticIdentity/user", "AWSClusterRoleIdentity/"
GONE = "2026-01-01T00:00:00Z"


def role(name: str) -> AWSClusterRoleIdentity:
    """A role; a name that ends with ! is of one that is being deleted."""
    meta = {"name": name.removesuffix("!"), **({"deletionTimestamp": GONE} if name.endswith("!") else {})}
    return objects.from_raw(AWSClusterRoleIdentity, {"metadata": meta, "spec": {"roleARN": "arn"}})


@pytest.mark.parametrize(
    ("asked", "named", "roles", "expected"),
    [
        (STATIC, {STATIC}, {}, True),
        (STATIC, set(), {}, False),
        (STATIC, set(), {STATIC: ["hub"]}, True),
        (STATIC, set(), {STATIC: ["hub!"]}, False),
        (STATIC, {ROLE + "hub"}, {STATIC: ["hub!"]}, True),
        (STATIC, {ROLE + "spoke"}, {STATIC: ["hub!"], ROLE + "hub": ["spoke!"]}, True),
        (STATIC, set(), {STATIC: ["hub!"], ROLE + "hub": ["spoke!"]}, False),
        (STATIC, set(), {STATIC: ["hub!"], ROLE + "hub": ["spoke"]}, True),
        (ROLE + "one", set(), {ROLE + "one": ["two!"], ROLE + "two": ["one!"]}, False),
        (ROLE + "one", {ROLE + "two"}, {ROLE + "one": ["two!"], ROLE + "two": ["one!"]}, True),
        (ROLE + "one", set(), {ROLE + "one": ["one"]}, False),
        (ROLE + "hub", {STATIC}, {STATIC: ["hub"]}, False),
    ],
)
def test_who_is_used(asked: str, named: set[str], roles: dict[str, list[str]], expected: bool) -> None:
    found = {identity: [role(name) for name in names] for identity, names in roles.items()}
    assert is_used(asked, named.__contains__, lambda source: found.get(source, [])) is expected
