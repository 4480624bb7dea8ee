"""Which MachineSet is the new one, and how revisions are counted. Pure.

The rollout decision compares templates without the fields that are changed in place; the hash in the label
`machine-template-hash` only tells sets apart.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Mapping, Sequence

from capipool.api.constants import CONVERSION_DATA_ANNOTATION, Annotation
from capipool.api.core import MachineDeployment, MachineSet
from capipool.core import templates
from capipool.machinery import names, objects

_BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)
_NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        CONVERSION_DATA_ANNOTATION,
        Annotation.REVISION,
        Annotation.REVISION_HISTORY,
        Annotation.DESIRED_REPLICAS,
        Annotation.MAX_REPLICAS,
    }
)
"""A deployment's annotations that say something about itself, not about its sets."""


def split_new_and_old(
    deployment: MachineDeployment, sets: Iterable[MachineSet], now: dt.datetime
) -> tuple[MachineSet | None, tuple[MachineSet, ...]]:
    """The set that is what the deployment wants, if there is one, and all others, oldest first.

    Of several, the one with most replicas wins, so that fewest machines are replaced. After `rollout.after` only sets
    made since then will do.
    """
    after = deployment.spec.rollout.after
    ordered = sorted(sets, key=_age)
    fitting = [
        s
        for s in ordered
        if templates.is_up_to_date(s.spec.template, deployment.spec.template)
        and not templates.is_outdated_by_time(_created(s), after, now)
    ]
    new = max(fitting, key=lambda s: s.spec.replicas or 0, default=None)
    return new, tuple(s for s in ordered if s is not new)


def why_new_set(deployment: MachineDeployment, sets: Sequence[MachineSet], now: dt.datetime) -> str:
    """Why a set must be made, in a clause for the event that tells of it."""
    if not sets:
        return "there is none yet"
    newest = max(sets, key=_age)
    changes = templates.changes(newest.spec.template, deployment.spec.template)
    if changes:
        return "; ".join(changes)
    if templates.is_outdated_by_time(_created(newest), deployment.spec.rollout.after, now):
        return "machines from before spec.rollout.after are to be replaced"
    return "no set fits the template"


def revision_annotations(new: Mapping[str, str] | None, old_revisions: Iterable[str]) -> dict[str, str]:
    """The revision annotations of the new set: its revision is higher than any old one's, what it was is history.

    `new` are the set's annotations, None for one that is to be made.
    """
    highest = max((_number(text) for text in old_revisions), default=0) + 1
    own = (new or {}).get(Annotation.REVISION, "")
    history = (new or {}).get(Annotation.REVISION_HISTORY, "")
    if own and _number(own) >= highest:
        return _revision(own, history)
    return _revision(str(highest), ",".join(filter(None, (history, own))))


def kept_revision_annotations(annotations: Mapping[str, str]) -> dict[str, str]:
    """The revision annotations of an old set, which stay."""
    return {k: annotations[k] for k in (Annotation.REVISION, Annotation.REVISION_HISTORY) if k in annotations}


def set_annotations(deployment: MachineDeployment, surge: int) -> dict[str, str]:
    """The annotations that a deployment gives to its sets: its own, and the sizes that belong to it."""
    own = {k: v for k, v in deployment.metadata.annotations.items() if k not in _NOT_COPIED}
    replicas = deployment.spec.replicas or 0
    return {**own, Annotation.DESIRED_REPLICAS: str(replicas), Annotation.MAX_REPLICAS: str(replicas + surge)}


def is_saturated(deployment: MachineDeployment, new: MachineSet) -> bool:
    """Whether the new set has all of the deployment's machines, and both of them know."""
    replicas = deployment.spec.replicas
    desired = new.metadata.annotations.get(Annotation.DESIRED_REPLICAS, "")
    return desired == str(replicas) and new.spec.replicas == replicas == new.status.available_replicas


def set_name(deployment: str, rng: random.Random) -> tuple[str, str]:
    """A name for a new set, and its random part."""
    name = names.generate(f"{deployment}-", rng)
    return name, name[-names.SUFFIX_LENGTH :]


def _revision(revision: str, history: str) -> dict[str, str]:
    return {Annotation.REVISION: revision} | ({Annotation.REVISION_HISTORY: history} if history else {})


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _created(obj: objects.Object) -> dt.datetime:
    return obj.metadata.creation_timestamp or _BEGINNING


def _age(obj: objects.Object) -> tuple[dt.datetime, str]:
    return _created(obj), obj.metadata.name
