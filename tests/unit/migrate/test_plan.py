"""Plans: the order of things, and what stands in the way."""

from __future__ import annotations

from capipool.app import kinds
from capipool.machinery.objects import Raw
from capipool.machinery.resource import GroupKind
from capipool.migrate import observe, offline, planning
from capipool.migrate.naming import Renaming
from capipool.migrate.plan import Facts, Observation, Plan, Ref, decide
from capipool.migrate.source import FileSource

POOL, NEW = GroupKind("exp.cluster.x-k8s.io", "MachinePool"), GroupKind("cluster.x-k8s.io", "MachinePool")


def _facts(name: str, *owners: str, namespace: str = "n", **more: object) -> Facts:
    ref, target = Ref(POOL, namespace, name), Ref(NEW, namespace, name)
    uid = f"{namespace}-{name}"
    return Facts(ref=ref, target=target, uid=uid, owners=owners, version="v1beta2", **more)  # type: ignore[arg-type]


def test_parents_come_before_children_whatever_their_names() -> None:
    seen = (_facts("a", "n-b"), _facts("b", "n-c"), _facts("c"), _facts("d", "n-c", "n-a"))
    plan = decide(Observation(moving=seen))
    assert [(move.source.name, move.depth) for move in plan.moves] == [("c", 0), ("b", 1), ("a", 2), ("d", 3)]


def test_owners_in_a_circle_stand_in_the_way() -> None:
    plan = decide(Observation(moving=(_facts("a", "n-b"), _facts("b", "n-a"), _facts("c"))))
    assert [str(o.ref) for o in plan.obstacles] == [f"{POOL} n/a", f"{POOL} n/b"]


def test_the_same_name_in_two_namespaces_is_two_objects() -> None:
    plan = decide(Observation(moving=(_facts("a"), _facts("a", namespace="m"))))
    assert plan.obstacles == ()


def test_what_an_earlier_run_made_is_no_collision() -> None:
    seen = _facts("a")
    known = frozenset({seen.target})
    assert len(decide(Observation(moving=(seen,), known=known)).obstacles) == 1
    assert decide(Observation(moving=(seen,), known=known, made={seen.target: seen.uid})).obstacles == ()
    assert len(decide(Observation(moving=(seen,), known=known, made={seen.target: "other"})).obstacles) == 1


async def _planned(*raws: Raw) -> Plan:
    names = Renaming()
    source = FileSource(raws, kinds.crds(), renaming=names)
    return await planning.plan(await observe.scene(source, names, kinds.converters))


def _old_crd(schema: Raw) -> Raw:
    """A definition as apiextensions.k8s.io/v1beta1 had it: one schema for all versions."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1beta1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "machinepools.exp.cluster.x-k8s.io"},
        "spec": {
            "group": "exp.cluster.x-k8s.io",
            "version": "v1alpha3",
            "names": {"kind": "MachinePool", "plural": "machinepools"},
            "validation": {"openAPIV3Schema": schema},
            "subresources": {"status": {}},
        },
    }


def _pool(**spec: object) -> Raw:
    machine = {"clusterName": "c", "bootstrap": {"dataSecretName": "s"}}
    body = {"clusterName": "c", "replicas": 1, "template": {"spec": machine}, **spec}
    return {
        "apiVersion": "exp.cluster.x-k8s.io/v1alpha3",
        "kind": "MachinePool",
        "metadata": {"name": "a", "namespace": "n"},
        "spec": body,
    }


CLUSTER: Raw = {
    "apiVersion": "cluster.x-k8s.io/v1beta2",
    "kind": "Cluster",
    "metadata": {"name": "c", "namespace": "n"},
    "spec": {},
}
SECRET: Raw = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}}


async def test_files_are_planned_like_a_cluster() -> None:
    plan = await _planned(_pool(), CLUSTER, SECRET)
    assert [str(move.target) for move in plan.moves] == [f"{NEW} n/a"]
    assert plan.obstacles == ()
    assert [str(ref) for ref in plan.clusters] == ["Cluster.cluster.x-k8s.io n/c"]


async def test_everything_that_is_missing_is_told() -> None:
    reference = {"apiVersion": "exp.infrastructure.cluster.x-k8s.io/v1alpha3", "kind": "X", "name": "nobody"}
    plan = await _planned(_pool(infra=reference))
    told = [obstacle.why for obstacle in plan.obstacles]
    assert any("its Cluster c is not there" in why for why in told)
    assert any("Secret n/s, which is not there" in why for why in told)
    assert any("X.exp.infrastructure.cluster.x-k8s.io n/nobody, a kind that is not installed" in why for why in told)


async def test_a_field_that_nobody_knows_stands_in_the_way() -> None:
    plan = await _planned(_pool(replcias=3), CLUSTER, SECRET)
    assert any("spec.replcias is a field" in obstacle.why for obstacle in plan.obstacles)


async def test_a_definition_of_the_old_api_is_understood() -> None:
    known = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}}},
    }
    plan = await _planned(_old_crd(known), _pool(), CLUSTER, SECRET)
    assert any("MachinePool.exp.cluster.x-k8s.io v1alpha3 does not know" in o.why for o in plan.obstacles)


async def test_a_reference_into_another_namespace_stands_in_the_way() -> None:
    machine = {
        "clusterName": "c",
        "bootstrap": {"dataSecretName": "s"},
        "infrastructureRef": {"apiVersion": "v1", "kind": "Secret", "name": "s", "namespace": "elsewhere"},
    }
    plan = await _planned(_pool(template={"spec": machine}), CLUSTER, SECRET)
    assert any("refers to namespace elsewhere" in obstacle.why for obstacle in plan.obstacles)


async def test_offline_conversion_leaves_old_definitions_out_and_turns_what_refers() -> None:
    machine: Raw = {
        "apiVersion": "cluster.x-k8s.io/v1beta1",
        "kind": "Machine",
        "metadata": {"name": "m", "namespace": "n"},
        "spec": {
            "infrastructureRef": {"apiVersion": "exp.cluster.x-k8s.io/v1alpha3", "kind": "MachinePool", "name": "a"}
        },
    }
    names = Renaming()
    raws = [_old_crd({}), _pool(), machine]
    scene = await observe.scene(FileSource(raws, kinds.crds(), renaming=names), names, kinds.converters)
    found = [result.object for result in offline.convert(scene, raws)]
    assert [(raw["apiVersion"], raw["kind"]) for raw in found] == [
        ("cluster.x-k8s.io/v1beta2", "MachinePool"),
        ("cluster.x-k8s.io/v1beta1", "Machine"),
    ]
    assert found[1]["spec"]["infrastructureRef"]["apiVersion"] == "cluster.x-k8s.io/v1beta2"
