"""Labels, annotations and taints are kept in step, and only what an owner put there is ever taken away."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from capipool.api.builtin import Node
from capipool.api.shared import MachineTaint
from capipool.machinery import objects
from capipool.machinery.patch import merge
from capipool.workload import nodesync
from capipool.workload.nodesync import Wanted

IDENTITY = {"cluster.x-k8s.io/owner-kind": "MachinePool", "cluster.x-k8s.io/owner-name": "p"}


def node(raw: dict[str, Any] | None = None) -> Node:
    base = {"metadata": {"name": "n", "resourceVersion": "7"}, "spec": {}}
    return objects.from_raw(Node, merge.apply(base, raw or {}))


def after(before: Node, wanted: Wanted) -> Node:
    patch = nodesync.patch(before, wanted)
    return before if patch is None else objects.from_raw(Node, merge.apply(objects.to_raw(before), patch.patch))


def test_a_node_in_step_needs_no_patch() -> None:
    wanted = Wanted(identity=IDENTITY, labels={"node.cluster.x-k8s.io/a": "1"})
    synced = after(node(), wanted)
    assert nodesync.patch(synced, wanted) is None


def test_a_label_that_is_not_wanted_any_more_goes_unless_it_is_somebody_elses() -> None:
    foreign = node({"metadata": {"labels": {"mine": "x"}}})
    synced = after(foreign, Wanted(identity=IDENTITY, labels={"node.cluster.x-k8s.io/a": "1"}))
    dropped = after(synced, Wanted(identity=IDENTITY))
    assert dropped.metadata.labels == {"mine": "x"}


def test_the_first_taint_is_removed_and_the_patch_then_holds_for_the_version_read() -> None:
    joined = node({"spec": {"taints": [{"key": "node.cluster.x-k8s.io/uninitialized", "effect": "NoSchedule"}]}})
    patch = nodesync.patch(joined, Wanted(identity=IDENTITY))
    assert patch is not None
    assert (patch.patch["spec"], patch.resource_version) == ({"taints": None}, "7")
    only_metadata = nodesync.patch(node(), Wanted(identity=IDENTITY))
    assert only_metadata is not None
    assert only_metadata.resource_version == ""


def test_a_taint_for_initialization_is_set_once_and_not_on_nodes_that_were_initialised_before() -> None:
    once = MachineTaint(key="boot", effect="NoSchedule", propagation="OnInitialization")
    wanted = Wanted(identity=IDENTITY, taints=(once,))
    joined = node({"spec": {"taints": [{"key": "node.cluster.x-k8s.io/uninitialized", "effect": "NoSchedule"}]}})
    first = after(joined, wanted)
    assert [t.key for t in first.spec.taints] == ["boot"]
    removed = objects.replace(first, spec=objects.replace_part(first.spec, taints=()))
    assert after(removed, wanted).spec.taints == ()
    initialised_without = after(node(), Wanted(identity=IDENTITY))
    assert after(initialised_without, wanted).spec.taints == ()


_KEYS = st.sampled_from(["a", "b", "c"])
_TAINTS = st.lists(
    st.builds(
        MachineTaint,
        key=_KEYS,
        effect=st.just("NoSchedule"),
        propagation=st.sampled_from(["Always", "OnInitialization"]),
        value=st.sampled_from(["", "x", "y"]),
    ),
    max_size=3,
    unique_by=lambda t: t.key,
).map(tuple)
_LABELS = st.dictionaries(st.sampled_from(["node.cluster.x-k8s.io/a", "node.cluster.x-k8s.io/b"]), _KEYS)
_WANTED = st.builds(
    Wanted, identity=st.just(IDENTITY), labels=_LABELS, annotations=_LABELS, taints=_TAINTS, always_track=st.booleans()
)
_FOREIGN = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries({"labels": st.dictionaries(_KEYS, _KEYS)}),
        "spec": st.fixed_dictionaries(
            {"taints": st.lists(_KEYS, unique=True).map(lambda ks: [{"key": k, "effect": "NoExecute"} for k in ks])}
        ),
    }
)


@given(_FOREIGN, st.lists(_WANTED, min_size=1, max_size=4))
def test_after_any_history_a_node_is_in_step_and_keeps_what_is_others(
    raw: dict[str, Any], history: list[Wanted]
) -> None:
    before = node(raw)
    synced = before
    for wanted in history:
        synced = after(synced, wanted)
        assert nodesync.patch(synced, wanted) is None
    last = history[-1]
    managed = {k: v for k, v in synced.metadata.labels.items() if k.startswith("node.cluster.x-k8s.io/")}
    assert managed == last.labels
    assert before.metadata.labels.items() <= synced.metadata.labels.items()
    assert set(before.spec.taints) <= set(synced.spec.taints) if before.spec.taints else True
    always = {(t.key, t.value) for t in last.taints if t.propagation == "Always"}
    assert always <= {(t.key, t.value) for t in synced.spec.taints}
