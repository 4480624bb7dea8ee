"""Tags on scale sets, and whose a scale set is by its tags. Pure. Names are upstream's but for our own four."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from capipool.providers.azure.pools.history import HISTORY, REVISION

POOL = "capipool.io_pool"
"""Which pool made it: `<namespace>/<name>`. What upstream made does not have it."""
BOOTSTRAP = "capipool.io_bootstrap"
"""Of which version of the bootstrap data the model holds a copy."""
DATA_HASH = "capz-custom-data-hash"
"""The digest of that copy, as upstream has it: Azure never shows custom data again."""
SYSTEM = (REVISION, HISTORY, POOL, BOOTSTRAP, DATA_HASH)
"""Written together with the model, never by themselves."""
_CLUSTER = "sigs.k8s.io_cluster-api-provider-azure_cluster_"
_ROLE = "sigs.k8s.io_cluster-api-provider-azure_role"
_KUBERNETES = "kubernetes.io_cluster_"


def wanted(*, cluster: str, scale_set: str, key: str, more: tuple[Mapping[str, str], ...]) -> dict[str, str]:
    """The tags that are no part of the model. `more`: the user's, the later ones win; only `Name` can be another's."""
    made = {"Name": scale_set}
    for tags in more:
        made.update(tags)
    return made | {_CLUSTER + cluster: "owned", _ROLE: "node", _KUBERNETES + cluster: "owned", POOL: key}


def differing(there: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The wanted tags that are missing or other. Azure's tag names have no letter case."""
    known = {name.lower(): value for name, value in there.items()}
    return {name: value for name, value in wanted.items() if known.get(name.lower()) != value}


def owner(tags: Mapping[str, str]) -> str:
    """Whose a scale set is, for a person; empty where no tag says so."""
    if POOL in tags:
        return tags[POOL]
    return next((f"cluster {name.removeprefix(_CLUSTER)}" for name in tags if name.startswith(_CLUSTER)), "")


def is_ours(tags: Mapping[str, str], *, cluster: str, key: str) -> bool:
    """Whether a scale set is this pool's: our tag says so, or upstream made it for this cluster, unclaimed since."""
    if POOL in tags:
        return tags[POOL] == key
    return bool(cluster) and tags.get(_CLUSTER + cluster) == "owned"


def bootstrap(version: str) -> str:
    """What the tag says of a version of the bootstrap data."""
    return hashlib.sha256(version.encode()).hexdigest()[:16]


def data_hash(custom_data: str) -> str:
    """The digest of custom data as it is sent, in base64."""
    return hashlib.sha256(custom_data.encode()).hexdigest()
