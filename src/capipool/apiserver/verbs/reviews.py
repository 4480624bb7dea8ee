"""Reviews: questions about who one is and what one may do. They are answered and never stored.

Every user who is let in may do everything in the address spaces that are open to them; the objects of
`rbac.authorization.k8s.io` are kept for manifests' sake and grant nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from capipool.apiserver import options
from capipool.apiserver.builtin.definition import Definition
from capipool.apiserver.verbs import metadata
from capipool.machinery import codec
from capipool.machinery.calls import Call, Reply, User
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource
from capipool.machinery.schema import metadata as metadata_schema

FindToken = Callable[[str], User | None]

_AUTHORIZATION = "authorization.k8s.io"
_AUTHENTICATION = "authentication.k8s.io"
_FREE: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_EVERYTHING = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


def _definition(group: str, kind: str, plural: str, *, namespaced: bool = False) -> Definition:
    schema = {"type": "object", "properties": {"metadata": metadata_schema.OBJECT_META, "spec": _FREE, "status": _FREE}}
    return Definition(
        resource=Resource(group, "v1", kind, plural, namespaced),
        singular=kind.lower(),
        list_kind=f"{kind}List",
        verbs=("create",),
        make_schema=lambda: schema,
        builtin=True,
    )


DEFINITIONS = (
    _definition(_AUTHENTICATION, "TokenReview", "tokenreviews"),
    _definition(_AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews"),
    _definition(_AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
    _definition(_AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews"),
    _definition(_AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews"),
    _definition(_AUTHORIZATION, "LocalSubjectAccessReview", "localsubjectaccessreviews", namespaced=True),
)
PLURALS = frozenset((d.resource.group, d.resource.plural) for d in DEFINITIONS)


def answer(definition: Definition, user: User, call: Call, find_token: FindToken) -> Reply:
    """Fill in the status of a review."""
    raw = metadata.typed(options.decode_body(call.body, call.content_type), definition.resource)
    return Reply(codec.encode_json({**raw, "status": _status(definition.resource.kind, user, raw, find_token)}), 201)


def _status(kind: str, user: User, raw: Raw, find_token: FindToken) -> Raw:
    match kind:
        case "TokenReview":
            spec = raw.get("spec")
            token = spec.get("token") if isinstance(spec, dict) else None
            found = find_token(token) if isinstance(token, str) else None
            return {"authenticated": False} if found is None else {"authenticated": True, "user": _info(found)}
        case "SelfSubjectReview":
            return {"userInfo": _info(user)}
        case "SelfSubjectRulesReview":
            return _EVERYTHING
        case _:
            return {"allowed": True, "reason": "whoever is let in may do everything here"}


def _info(user: User) -> Raw:
    return {"username": user.name, "groups": [*user.groups, "system:authenticated"]}
