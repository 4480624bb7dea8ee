"""What admission says to the identities of clusters: upstream's rules, and selectors that can be read. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from capipool.machinery import errors, selectors
from capipool.machinery.admission import ALLOWED, Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.providers.aws.identities.api import (
    AWSClusterControllerIdentity,
    AWSClusterRoleIdentity,
    AWSClusterStaticIdentity,
)

CONTROLLER_IDENTITY = "default"
"""The one name of an AWSClusterControllerIdentity."""
MOVE_LABEL = "clusterctl.cluster.x-k8s.io/move-hierarchy"
"""Has `clusterctl move` take the identity along."""
_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+")
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


def rules() -> list[Rules]:
    """The rules of every kind."""
    return [
        Rules(resource=AWSClusterControllerIdentity.RESOURCE, default=_default, validate=_controller),
        Rules(resource=AWSClusterRoleIdentity.RESOURCE, default=_default, validate=_role),
        Rules(resource=AWSClusterStaticIdentity.RESOURCE, default=_default, validate=_static),
    ]


def _default(admit: Admit) -> Raw:
    made = dict(admit.object or {})
    meta = made.get("metadata") or {}
    labels = meta.get("labels") or {}
    return made | {"metadata": {**meta, "labels": {MOVE_LABEL: "", **labels}}}


def _controller(admit: Admit) -> Verdict:
    if admit.object is None:
        return ALLOWED
    found = list(_selector(admit.object))
    name = (admit.object.get("metadata") or {}).get("name")
    if name != CONTROLLER_IDENTITY:
        said = f"must be {CONTROLLER_IDENTITY}: the process has one identity"
        found.append(errors.invalid("metadata.name", name, said))
    return Verdict(errors=tuple(found))


def _static(admit: Admit) -> Verdict:
    if admit.object is None:
        return ALLOWED
    found = list(_selector(admit.object))
    name = (admit.object.get("spec") or {}).get("secretRef")
    before = ((admit.old or {}).get("spec") or {}).get("secretRef")
    if not name:
        found.append(errors.required("spec.secretRef", "the Secret with the keys"))
    if admit.old is not None and name != before:
        found.append(errors.invalid("spec.secretRef", name, "cannot be changed: make a new identity"))
    return Verdict(errors=tuple(found))


def _role(admit: Admit) -> Verdict:
    if admit.object is None:
        return ALLOWED
    spec = admit.object.get("spec") or {}
    found = list(_selector(admit.object))
    if not spec.get("sourceIdentityRef"):
        found.append(errors.required("spec.sourceIdentityRef", "the identity that assumes the role"))
    arn = spec.get("roleARN")
    if arn is not None and not _ARN.fullmatch(arn):
        found.append(errors.invalid("spec.roleARN", arn, "must be like arn:aws:iam::123456789012:role/name"))
    for name, pattern in (("sessionName", _SESSION_NAME), ("externalID", _EXTERNAL_ID)):
        if (value := spec.get(name)) and not pattern.fullmatch(value):
            found.append(errors.invalid(f"spec.{name}", value, "STS would refuse it: letters, digits and +=,.@- only"))
    return Verdict(errors=tuple(found))


def _selector(raw: Raw) -> Iterator[FieldError]:
    allowed = (raw.get("spec") or {}).get("allowedNamespaces") or {}
    try:
        selectors.from_object(allowed.get("selector"))
    except errors.BadRequest as error:
        yield errors.invalid("spec.allowedNamespaces.selector", allowed["selector"], error.message)
