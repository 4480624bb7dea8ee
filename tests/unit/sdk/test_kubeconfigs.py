"""The kubeconfig secret of a cluster, as the contract has it."""

import pytest

from capipool.api.core import Cluster
from capipool.api.v1beta2.cluster import ClusterSpec
from capipool.machinery import objects
from capipool.machinery.objects import ObjectMeta
from capipool.providers.dev.api.cluster import ClusterBackend, DevCluster, DevClusterSpec
from capipool.sdk import kubeconfigs

CLUSTER = objects.new(Cluster, metadata=ObjectMeta(name="c", namespace="ns"), spec=ClusterSpec())


def infrastructure(name: str) -> DevCluster:
    meta = ObjectMeta(name=name, namespace="ns", uid=f"uid-{name}")
    return objects.new(DevCluster, metadata=meta, spec=DevClusterSpec(backend=ClusterBackend()))


@pytest.mark.parametrize(("people", "name"), [(False, "c-kubeconfig"), (True, "c-user-kubeconfig")])
def test_a_secret_has_the_name_and_the_marks_that_others_look_for(people: bool, name: str) -> None:
    made = kubeconfigs.secret(infrastructure("i"), CLUSTER, {"value": b"x"}, people=people)
    assert (made.metadata.name, made.metadata.namespace, made.type) == (name, "ns", "cluster.x-k8s.io/secret")
    assert made.metadata.labels == {"cluster.x-k8s.io/cluster-name": "c"}
    (owner,) = made.metadata.owner_references
    assert (owner.kind, owner.name, owner.uid, owner.controller) == ("DevCluster", "i", "uid-i", True)


def test_a_secret_is_kept_by_its_owner_alone() -> None:
    made = kubeconfigs.secret(infrastructure("i"), CLUSTER, {})
    by_hand = objects.replace(made, metadata=ObjectMeta(name="c-kubeconfig", namespace="ns"))
    assert kubeconfigs.is_kept_by(made, infrastructure("i"))
    assert not kubeconfigs.is_kept_by(made, infrastructure("j"))
    assert not kubeconfigs.is_kept_by(by_hand, infrastructure("i"))
