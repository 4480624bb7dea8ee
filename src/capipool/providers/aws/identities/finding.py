"""Finds the calls that a cluster's objects are to make: by its `identityRef`, where its namespace may use that.

Used by every reconciler of AWS before its first call. The rules are upstream's: an identity without
`allowedNamespaces` is nobody's, an empty one everybody's; a role needs its source to be allowed as well.
"""

from __future__ import annotations

import datetime as dt
from functools import partial

from capipool.api.builtin import Namespace, Secret
from capipool.client.client import Client
from capipool.machinery import errors, objects, selectors
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.api.cluster import IdentityReference
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.identities.accounts import RoleAccount, StaticAccount
from capipool.providers.aws.identities.admission import CONTROLLER_IDENTITY
from capipool.providers.aws.identities.api import (
    AllowedNamespaces,
    AWSClusterControllerIdentity,
    AWSClusterRoleIdentity,
    AWSClusterStaticIdentity,
)
from capipool.runtime.cache import Caches
from capipool.sdk.errors import InvalidConfiguration, PermissionDenied, ProviderError

SECRETS_NAMESPACE = "capa-system"
"""Where the Secrets of static identities are, unless said otherwise: where upstream has them."""
_FIELD = "spec.identityRef"
_LONGEST = 8
"""How many roles may be assumed one by another."""

_Origin = tuple[object, ...]
"""What an account is made from: once that differs, it is another."""


class NamespacesUnread(ProviderError):
    """It is not known yet which namespaces may use an identity. It is in a moment."""

    reason = "NamespacesUnread"
    delay = dt.timedelta(seconds=1)
    quiet = True


class Identities:
    """Who calls AWS for whom."""

    def __init__(self, client: Client, caches: Caches, calls: Calls, *, namespace: str = SECRETS_NAMESPACE) -> None:
        self._client = client
        self._calls = calls
        self._namespace = namespace
        self._controller = caches.of(AWSClusterControllerIdentity)
        self._static = caches.of(AWSClusterStaticIdentity)
        self._roles = caches.of(AWSClusterRoleIdentity)
        self._caches = caches

    def calls(self, namespace: str, reference: IdentityReference | None) -> Calls:
        """The calls for a cluster in a namespace with this `identityRef`. The same object as long as nothing changes.

        Raises InvalidConfiguration for an identity that there is not, PermissionDenied for one that the namespace may
        not use, NamespacesUnread at first. Makes no call: what AWS says of the identity comes with the first one.
        """
        return self._found(namespace, reference, ())[0]

    def _found(
        self, namespace: str, reference: IdentityReference | None, above: tuple[str, ...]
    ) -> tuple[Calls, _Origin]:
        if reference is None:
            return self._calls.of(None), ()
        match reference.kind:
            case AWSClusterControllerIdentity.RESOURCE.kind:
                self._check_controller(namespace, reference)
                return self._calls.of(None), ()
            case AWSClusterStaticIdentity.RESOURCE.kind:
                return self._by_keys(namespace, reference)
            case AWSClusterRoleIdentity.RESOURCE.kind:
                return self._by_role(namespace, reference, above)
        said = f"there is no kind of identities {reference.kind}"
        raise InvalidConfiguration(f"{_FIELD}.kind", detail=said, value=reference.kind)

    def _check_controller(self, namespace: str, reference: IdentityReference) -> None:
        """Upstream makes the one of this kind at its start, for everybody; here it need not be there."""
        found = self._controller.get(ObjectKey("", reference.name))
        if found is not None:
            self._check(namespace, reference, found.spec.allowed_namespaces)
        elif reference.name != CONTROLLER_IDENTITY:
            raise _missing(reference)

    def _by_keys(self, namespace: str, reference: IdentityReference) -> tuple[Calls, _Origin]:
        found = self._static.get(ObjectKey("", reference.name))
        if found is None:
            raise _missing(reference)
        self._check(namespace, reference, found.spec.allowed_namespaces)
        origin = (found.metadata.uid, found.spec.secret_ref)
        is_deleting = partial(self._is_deleting, found.key)
        return self._calls.once(
            _named(reference), origin, lambda: StaticAccount(found, self._read, is_deleting)
        ), origin

    def _is_deleting(self, identity: ObjectKey) -> bool:
        found = self._static.get(identity)
        return found is not None and found.deleting

    def _by_role(self, namespace: str, reference: IdentityReference, above: tuple[str, ...]) -> tuple[Calls, _Origin]:
        name = _named(reference)
        if name in above or len(above) >= _LONGEST:
            chain = " -> ".join((*above, name))
            raise InvalidConfiguration(_FIELD, detail=f"the sources of the roles never end: {chain}")
        found = self._roles.get(ObjectKey("", reference.name))
        if found is None:
            raise _missing(reference)
        self._check(namespace, reference, found.spec.allowed_namespaces)
        source, below = self._found(namespace, found.spec.source_identity_ref, (*above, name))
        origin = (found.metadata.uid, objects.replace_part(found.spec, allowed_namespaces=None), below)
        return self._calls.once(name, origin, lambda: RoleAccount(found, source)), origin

    def _check(self, namespace: str, reference: IdentityReference, allowed: AllowedNamespaces | None) -> None:
        if not allows(allowed, namespace, self._labels(namespace, allowed)):
            said = f"its allowedNamespaces do not name {namespace}"
            raise PermissionDenied(f"use {_named(reference)} in namespace {namespace}", detail=said)

    def _labels(self, namespace: str, allowed: AllowedNamespaces | None) -> dict[str, str]:
        """The labels of a namespace; namespaces are read from the first selector on, which few have."""
        if allowed is None or not (allowed.selector.match_labels or allowed.selector.match_expressions):
            return {}
        namespaces = self._caches.of(Namespace)
        if not namespaces.is_synced:
            raise NamespacesUnread("the namespaces are being read, of which an identity selects some")
        found = namespaces.get(ObjectKey("", namespace))
        return found.metadata.labels if found is not None else {}

    async def _read(self, name: str) -> dict[str, bytes] | None:
        try:
            secret = await self._client.get(Secret, name, self._namespace)
        except errors.NotFound:
            return None
        return secret.data


def allows(allowed: AllowedNamespaces | None, namespace: str, labels: dict[str, str]) -> bool:
    """Whether a namespace with these labels may use an identity. Pure.

    None allows nobody. Without a list and a selector everybody may; otherwise whom either names: an empty list names
    nobody, and neither does an empty selector.
    """
    if allowed is None:
        return False
    selector = selectors.from_object(objects.part_to_raw(allowed.selector))
    assert selector is not None
    if allowed.list is None and not selector.requirements:
        return True
    return namespace in (allowed.list or ()) or (bool(selector.requirements) and selector.matches(labels))


def _named(reference: IdentityReference) -> str:
    return f"{reference.kind}/{reference.name}"


def _missing(reference: IdentityReference) -> InvalidConfiguration:
    return InvalidConfiguration(_FIELD, detail=f"there is no {_named(reference)}", value=reference.name)
