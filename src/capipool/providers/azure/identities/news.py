"""Which AzureClusters a change of an identity, or of its Secret, is news for. Pure but for looks into caches.

Used by the controllers of clusters, pools and machines: who waits for an identity goes on as soon as it is right.
"""

from __future__ import annotations

from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.clusteridentity import AzureClusterIdentity
from capipool.providers.azure.identities.finding import identity_of, secret_key
from capipool.runtime.cache import Caches
from capipool.sdk.inputs import SecretMeta


class IdentityNews:
    """Finds the clusters behind a change."""

    def __init__(self, caches: Caches) -> None:
        self.identities = caches.of(AzureClusterIdentity)
        self.secrets = caches.of(SecretMeta)
        self._clusters = caches.of(AzureCluster)

    def of_identity(self, old: AzureClusterIdentity | None, new: AzureClusterIdentity | None) -> list[AzureCluster]:
        """An identity that came, or lets other namespaces use it."""
        if new is None or (old is not None and old.spec == new.spec):
            return []
        return self._users({new.key})

    def of_secret(self, old: SecretMeta | None, new: SecretMeta | None) -> list[AzureCluster]:
        """The Secret of an identity that came, or changed."""
        if new is None or (old is not None and old.metadata.resource_version == new.metadata.resource_version):
            return []
        return self._users({each.key for each in self.identities.list() if secret_key(each) == new.key})

    def _users(self, identities: set[ObjectKey]) -> list[AzureCluster]:
        return [each for each in self._clusters.list() if identity_of(each) in identities] if identities else []
