"""Operations of labels_format.yaml: label values, managed labels and annotations, names, index keys."""

import random
import re
from collections.abc import Mapping
from typing import Any

from capipool.api import indexes, labels
from capipool.api.constants import Annotation
from capipool.api.core import Machine
from capipool.machinery import names, objects
from capipool.workload import nodesync
from tests.cases import expect
from tests.cases.registry import Case, operation


@operation("format_label_value")
def format_label_value(case: Case) -> None:
    expect.same(case.expect["result"], labels.format_value(case.given["value"]))


@operation("label_value_matches_name")
def label_value_matches_name(case: Case) -> None:
    expect.same(case.expect["result"], labels.value_matches(case.given["name"], case.given["labelValue"]))


@operation("managed_labels")
def managed_labels(case: Case) -> None:
    also = [re.compile(pattern) for pattern in case.given.get("extraRegex") or ()]
    assert nodesync.managed_labels(case.given["labels"], also) == case.expect["result"]


@operation("managed_annotations")
def managed_annotations(case: Case) -> None:
    also = [re.compile(pattern) for pattern in case.given.get("extraRegex") or ()]
    found = nodesync.managed_annotations(case.given.get("annotations") or {}, also)
    assert {**found, **_identity(case.given["machine"])} == case.expect["result"]


def _identity(machine: Mapping[str, Any]) -> dict[str, str]:
    owner = machine.get("controller")
    identity = {
        Annotation.CLUSTER_NAME: machine["clusterName"],
        Annotation.CLUSTER_NAMESPACE: machine["namespace"],
        Annotation.MACHINE: machine["name"],
    }
    return identity | ({Annotation.OWNER_KIND: owner["kind"], Annotation.OWNER_NAME: owner["name"]} if owner else {})


@operation("replicas_managed_externally")
def replicas_managed_externally(case: Case) -> None:
    expect.same(case.expect["result"], labels.replicas_managed_externally(case.given.get("annotations") or {}))


@operation("add_annotations")
def add_annotations(case: Case) -> None:
    result, changed = labels.add_annotations(case.given["current"], case.given["desired"])
    assert result == case.expect["result"]
    expect.same(case.expect["changed"], changed, "changed")


@operation("is_machine_pool_owned")
def is_machine_pool_owned(case: Case) -> None:
    owners = [
        {"apiVersion": "cluster.x-k8s.io/v1beta2", "uid": "u", **owner}
        for owner in case.given.get("ownerReferences") or ()
    ]
    metadata = {"labels": case.given.get("labels") or {}, "ownerReferences": owners}
    found = objects.from_raw(objects.Unstructured, {"metadata": metadata})
    expect.same(case.expect["result"], labels.is_machine_pool_owned(found.metadata))


@operation("has_watch_label")
def has_watch_label(case: Case) -> None:
    expect.same(case.expect["result"], labels.has_watch_label(case.given.get("labels") or {}, case.given["value"]))


@operation("generate_machineset_name")
def generate_machineset_name(case: Case) -> None:
    base = "".join(random.Random(1).choices("abcdef", k=case.given["base_length"]))
    made = names.generate(base, random.Random(2))
    prefix = case.expect["prefix_length"]
    assert made[:prefix] == base[:prefix]
    assert len(made) == prefix + case.expect["random_suffix_length"] <= case.expect["max_total_length"]


def _machine(given: Mapping[str, Any]) -> Machine:
    reference = {"apiGroup": "g", "kind": "K", "name": "n"}
    spec = {"clusterName": "c", "bootstrap": {}, "infrastructureRef": reference, **given.get("spec", {})}
    return objects.from_raw(Machine, {**given, "spec": spec})


@operation("index_by_provider_id")
def index_by_provider_id(case: Case) -> None:
    expect.same(case.expect["keys"], list(indexes.machine_provider_id(_machine(case.given["machine"]))), "keys")
    expect.same(case.expect["indexField"], indexes.PROVIDER_ID, "indexField")


@operation("index_by_node_name")
def index_by_node_name(case: Case) -> None:
    expect.same(case.expect["keys"], list(indexes.machine_node_name(_machine(case.given["machine"]))), "keys")
    expect.same(case.expect["indexField"], indexes.NODE_NAME, "indexField")
