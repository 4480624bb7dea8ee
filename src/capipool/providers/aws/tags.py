"""Tags on what is made for a pool, and whose a thing is by its tags. Pure. Names are upstream's but for our own two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from capipool.machinery.objects import Raw

POOL = "capipool.io/pool"
"""Which pool made it: `<namespace>/<name>`. What upstream made does not have it."""
REVISION = "capipool.io/revision"
ROLE = "sigs.k8s.io/cluster-api-provider-aws/role"
ASSOCIATION = "sigs.k8s.io/cluster-api-provider-aws/association"
"""On a subnet, `secondary`: its addresses are for pods, and no node is launched into it."""
_CLUSTER = "sigs.k8s.io/cluster-api-provider-aws/cluster/"
_KUBERNETES = "kubernetes.io/cluster/"


def kubernetes_tag(cluster: str) -> str:
    """The key by which cloud providers of Kubernetes know a cluster's things; its value is `owned` or `shared`."""
    return _KUBERNETES + cluster


def cluster_tag(cluster: str) -> str:
    """The key that says to which cluster a thing belongs; its value is `owned` or `shared`."""
    return _CLUSTER + cluster


def wanted(
    *, cluster: str, pool: str, key: str, more: Iterable[Mapping[str, str]], kubernetes: str = ""
) -> dict[str, str]:
    """All tags of a pool's things. `more`: the user's, the later ones win; only `Name` of ours can be another's.

    `kubernetes` is what the cluster calls itself, where that is another name: nodes of EKS need it.
    """
    made = {"Name": pool}
    for tags in more:
        made.update(tags)
    return made | {
        POOL: key,
        cluster_tag(cluster): "owned",
        kubernetes_tag(kubernetes or cluster): "owned",
        ROLE: "node",
    }


def from_aws(tags: Iterable[Raw]) -> dict[str, str]:
    """AWS's list of tags as a mapping."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags}


def to_aws(tags: Mapping[str, str]) -> list[Raw]:
    """A mapping as AWS's list of tags, in order."""
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def owner(tags: Mapping[str, str]) -> str:
    """Whose a thing is, for a person; empty where no tag says so."""
    if POOL in tags:
        return tags[POOL]
    return next((f"cluster {key.removeprefix(_CLUSTER)}" for key in tags if key.startswith(_CLUSTER)), "")


def is_ours(tags: Mapping[str, str], *, cluster: str, key: str) -> bool:
    """Whether a thing is this pool's: our tag says so, or upstream made it for this cluster and nobody claimed it."""
    if POOL in tags:
        return tags[POOL] == key
    return bool(cluster) and tags.get(cluster_tag(cluster)) == "owned"
