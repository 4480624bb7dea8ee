"""Tags of any resource, as the tags API changes them: without a write of the resource itself."""

from __future__ import annotations

from collections.abc import Mapping

from capipool.testing.azure.model.failures import ArmError
from capipool.testing.azure.model.subscription import Subscription

MOST = 50
_LONGEST_NAME, _LONGEST_VALUE = 512, 256
_FORBIDDEN = frozenset("<>%&\\?/")


def of(subscription: Subscription, scope: str) -> dict[str, str]:
    """The tags of the resource, to be changed in place. Raises ArmError where there is no such resource."""
    parts = scope.strip("/").split("/")
    if len(parts) == 4 and parts[2].lower() == "resourcegroups":
        return subscription.group(parts[3]).tags
    if len(parts) > 4:
        subscription.group(parts[3])
    for table in subscription.tables():
        if (found := table.get(f"/{'/'.join(parts)}".lower())) is not None:
            tags: dict[str, str] = found.setdefault("tags", {}) if isinstance(found, dict) else found.tags
            return tags
    member = subscription.flexible(f"/{'/'.join(parts)}")
    if member is not None:
        return member[1].tags
    raise ArmError("ResourceNotFound", f"The resource '/{'/'.join(parts)}' was not found.", status=404)


def change(tags: dict[str, str], operation: str, given: Mapping[str, str]) -> None:
    """Merge, Replace or Delete. Raises ArmError for what Azure refuses, and has then changed nothing."""
    if operation not in ("Merge", "Replace", "Delete"):
        raise ArmError("InvalidTagsOperation", f"The operation '{operation}' is not Merge, Replace or Delete.")
    if operation == "Delete":
        for name, value in given.items():
            present = _spelt(tags, name)
            if present is not None and value in ("", None, tags[present]):
                del tags[present]
        return
    check(given)
    made = {} if operation == "Replace" else dict(tags)
    for name, value in given.items():
        made[_spelt(made, name) or name] = value
    if len(made) > MOST:
        raise ArmError("TooManyTags", f"A resource can have {MOST} tags, and would have {len(made)}.")
    tags.clear()
    tags.update(made)


def touch(subscription: Subscription, scope: str) -> None:
    """A scale set's etag changes with its tags, too."""
    if (scale_set := subscription.scale_sets.get(f"/{scope.strip('/')}".lower())) is not None:
        scale_set.generation += 1


def check(given: Mapping[str, str]) -> None:
    """Raises ArmError for names and values that no resource can have."""
    for name, value in given.items():
        if not name or len(name) > _LONGEST_NAME or _FORBIDDEN & set(name):
            raise ArmError(
                "InvalidTagNameCharacters", f"The tag name '{name}' is empty, too long or has one of <>%&\\?/."
            )
        if len(value) > _LONGEST_VALUE:
            raise ArmError("InvalidTagValueLength", f"The value of tag '{name}' is longer than {_LONGEST_VALUE}.")


def _spelt(tags: Mapping[str, str], name: str) -> str | None:
    """The name as the resource has it: names are compared without their case."""
    return next((present for present in tags if present.lower() == name.lower()), None)
