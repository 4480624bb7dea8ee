"""Finds who calls Azure for an object: by its `identityRef`, where its namespace may use that.

Used by every reconciler of Azure before its first call, and by `calls` for the credential behind a caller. The rules
are upstream's: an identity without `allowedNamespaces` is nobody's, an empty one everybody's.
"""

from __future__ import annotations

from typing import Any

from capipool.api.builtin import Namespace, Secret
from capipool.api.shared import ObjectReference
from capipool.client.client import Client
from capipool.machinery import errors, objects, selectors
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.clusteridentity import AllowedNamespaces, AzureClusterIdentity
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.providers.azure.calls import PUBLIC, Caller, Cloud, default_credential
from capipool.providers.azure.identities import credentials
from capipool.providers.azure.identities.credentials import TOKEN_FILE, Proof
from capipool.runtime.cache import Caches
from capipool.sdk.errors import InvalidConfiguration, PermissionDenied
from capipool.sdk.inputs import SecretMeta

_KIND = AzureClusterIdentity.RESOURCE.kind
_FIELD = "spec.identityRef"


class Identities:
    """Who calls Azure for whom."""

    def __init__(self, client: Client, caches: Caches, *, subscription: str = "", token_file: str = TOKEN_FILE) -> None:
        """`subscription` is for objects that name none; `token_file` holds this pod's token for workload identity."""
        self._client = client
        self._subscription = subscription
        self._token_file = token_file
        self._identities = caches.of(AzureClusterIdentity)
        self._namespaces = caches.of(Namespace)
        self._secrets = caches.of(SecretMeta)
        self._proved: dict[ObjectKey, str] = {}
        """What identities were when their Secrets were there last."""

    def of_cluster(self, cluster: AzureCluster) -> Caller:
        """Who calls for a cluster and all that belongs to it. Raises as `caller` does."""
        spec = cluster.spec
        return self.caller(
            cluster.metadata.namespace,
            spec.identity_ref,
            subscription=spec.subscription_id,
            environment=spec.azure_environment,
        )

    def caller(
        self, namespace: str, reference: ObjectReference | None, *, subscription: str, environment: str = ""
    ) -> Caller:
        """Who calls for an object in a namespace. Equal as long as the identity and its secret stay as they are.

        Raises InvalidConfiguration for an identity that there is not, or that has no Secret, and PermissionDenied for
        one that the namespace may not use. Makes no call: what Azure says of the identity comes with the first one.
        """
        about = subscription or self._subscription
        if not about:
            said = "must be given, or AZURE_SUBSCRIPTION_ID to the process: nothing says which subscription it is"
            raise InvalidConfiguration("spec.subscriptionID", detail=said)
        mark = self._mark(namespace, reference) if reference is not None and reference.name else ""
        return Caller(about, environment or PUBLIC, mark)

    async def credential(self, caller: Caller, cloud: Cloud) -> Any:
        """The library's asynchronous credential of a caller: what `Calls` is given.

        Raises InvalidConfiguration for what the identity lacks. No text of it holds a secret.
        """
        if not caller.identity:
            return await default_credential(caller, cloud)
        key = _key(caller.identity)
        found = self._identities.get(key)
        if found is None:
            raise InvalidConfiguration(_FIELD, detail=f"there is no {_KIND}", value=str(key))
        proof = await self._proof(found) if found.spec.type in credentials.BY_SECRET else Proof()
        return credentials.make(found, cloud, proof=proof, token_file=self._token_file)

    def _mark(self, namespace: str, reference: ObjectReference) -> str:
        """The identity's key and its version: one that changes is another caller."""
        key = ObjectKey(reference.namespace or namespace, reference.name)
        if reference.kind not in ("", _KIND):
            said = f"there is no kind of identities {reference.kind}: only {_KIND}"
            raise InvalidConfiguration(f"{_FIELD}.kind", detail=said, value=reference.kind)
        found = self._identities.get(key)
        if found is None:
            self._proved.pop(key, None)
            raise InvalidConfiguration(_FIELD, detail=f"there is no {_KIND}", value=str(key))
        room = self._namespaces.get(ObjectKey("", namespace))
        if not allows(found.spec.allowed_namespaces, namespace, room.metadata.labels if room is not None else {}):
            said = f"its allowedNamespaces do not name {namespace}"
            raise PermissionDenied(f"use {_KIND} {key} in namespace {namespace}", detail=said)
        where = secret_key(found)
        secret = self._secrets.get(where) if where is not None else None
        if secret is None and where is not None and found.deleting and key in self._proved:
            return self._proved[key]  # who deletes both means the identity last; this process has its password still
        if secret is None and where is not None and found.spec.type in credentials.BY_SECRET:
            raise _no_secret(found, where)
        version = secret.metadata.resource_version if secret is not None else ""
        mark = f"{key}@{found.metadata.uid}.{found.metadata.generation}.{version}"
        if secret is not None:
            self._proved[key] = mark
        return mark

    async def _proof(self, identity: AzureClusterIdentity) -> Proof:
        """What the identity's secret holds."""
        key = secret_key(identity)
        if key is None:
            if identity.spec.cert_path:
                return Proof()
            said = f"must name a Secret for the type {identity.spec.type}"
            raise InvalidConfiguration(f"clientSecret of {_KIND} {identity.key}", detail=said)
        try:
            secret = await self._client.get(Secret, key.name, key.namespace)
        except errors.NotFound:
            raise _no_secret(identity, key) from None
        return Proof(secret.data)


def allows(allowed: AllowedNamespaces | None, namespace: str, labels: dict[str, str]) -> bool:
    """Whether a namespace with these labels may use an identity. Pure.

    None allows nobody, an empty one everybody. Otherwise whom the list or the selector names; an empty selector beside
    a list names nobody.
    """
    if allowed is None:
        return False
    if not allowed.list and allowed.selector is None:
        return True
    if namespace in allowed.list:
        return True
    selector = selectors.from_object(objects.part_to_raw(allowed.selector)) if allowed.selector is not None else None
    return selector is not None and bool(selector.requirements) and selector.matches(labels)


def identity_of(obj: AzureCluster | AzureManagedControlPlane) -> ObjectKey | None:
    """The identity that an object names; None where the process itself calls."""
    reference = obj.spec.identity_ref
    if reference is None or not reference.name:
        return None
    return ObjectKey(reference.namespace or obj.metadata.namespace, reference.name)


def secret_key(identity: AzureClusterIdentity) -> ObjectKey | None:
    """The Secret that proves an identity; None where it names none."""
    reference = identity.spec.client_secret
    if reference is None or not reference.name:
        return None
    return ObjectKey(reference.namespace or identity.metadata.namespace, reference.name)


def _key(mark: str) -> ObjectKey:
    namespace, _, name = mark.partition("@")[0].partition("/")
    return ObjectKey(namespace, name)


def _no_secret(identity: AzureClusterIdentity, key: ObjectKey) -> InvalidConfiguration:
    field = f"clientSecret of {_KIND} {identity.key}"
    return InvalidConfiguration(field, detail="there is no such Secret", value=str(key))
