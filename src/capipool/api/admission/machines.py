"""What admission does for machines wherever they are specified: alone, and as templates of sets and deployments.

Each check yields the field errors it finds; paths are those of v1beta2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from capipool.api import naming
from capipool.api.admission import checks
from capipool.api.admission.checks import part
from capipool.api.constants import Label, TaintKey
from capipool.machinery import errors, percentages, selectors
from capipool.machinery.errors import BadRequest, FieldError
from capipool.machinery.objects import Raw

TAINTS_GATE = "MachineTaintPropagation"

_OWN_TAINTS = (TaintKey.UNINITIALIZED, TaintKey.OUTDATED_REVISION)
_NODE_TAINTS, _CLOUD_TAINTS = "node.kubernetes.io/", "node.cloudprovider.kubernetes.io/"
_OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
"""The one taint of its domain that people set, to say that a node is gone for good."""
_MASTER = "node-role.kubernetes.io/master"


def labelled(raw: Mapping[str, Any], labels: Mapping[str, Any]) -> Raw:
    """Metadata with these labels beside its own."""
    metadata = part(raw, "metadata")
    return {**metadata, "labels": {**part(metadata, "labels"), **labels}}


def with_cluster(raw: Mapping[str, Any], spec: Mapping[str, Any]) -> Raw:
    """Metadata with the label that names the object's cluster."""
    return labelled(raw, {Label.CLUSTER_NAME: spec.get("clusterName", "")})


def with_v(spec: Mapping[str, Any]) -> Raw:
    """A machine's spec with the `v` of its version."""
    return {**spec, "version": checks.with_v(spec["version"])} if "version" in spec else dict(spec)


def selected(spec: Mapping[str, Any], labels: Mapping[str, Any]) -> Raw:
    """A set's or deployment's spec whose selector asks for these labels, and whose machines will have them."""
    if not labels:
        return dict(spec)
    selector, template = part(spec, "selector"), part(spec, "template")
    return {
        **spec,
        "selector": {**selector, "matchLabels": {**part(selector, "matchLabels"), **labels}},
        "template": {**template, "metadata": labelled(template, labels)},
    }


def has_selector(spec: Mapping[str, Any]) -> bool:
    """Whether the selector asks for anything."""
    selector = part(spec, "selector")
    return bool(selector.get("matchLabels") or selector.get("matchExpressions"))


def with_template_version(spec: Mapping[str, Any]) -> Raw:
    """A set's or deployment's spec with the `v` of its machines' version."""
    template = part(spec, "template")
    return {**spec, "template": {**template, "spec": with_v(part(template, "spec"))}}


def template(spec: Mapping[str, Any], gates: Mapping[str, bool]) -> Iterator[FieldError]:
    """The template of a set or deployment, and whether it is for the same cluster."""
    wanted = part(spec, "template")
    machine = part(wanted, "spec")
    if spec.get("clusterName") != machine.get("clusterName"):
        message = "must be the same as spec.template.spec.clusterName"
        yield errors.invalid("spec.clusterName", spec.get("clusterName"), message)
    yield from checks.version("spec.template.spec.version", machine.get("version"))
    yield from checks.template_metadata("spec.template.metadata", part(wanted, "metadata"))
    yield from taints("spec.template.spec.taints", machine.get("taints") or (), gates)


def selector(spec: Mapping[str, Any]) -> tuple[FieldError | None, bool]:
    """What is wrong with the selector itself, and whether it selects machines made from the template."""
    wanted = part(spec, "selector")
    try:
        parsed = selectors.from_object(wanted)
    except BadRequest as error:
        return errors.invalid("spec.selector", wanted, error.message), True
    labels = part(spec, "template", "metadata", "labels")
    return None, parsed is not None and parsed.matches(labels)


def must_match(spec: Mapping[str, Any]) -> str:
    """What the labels of the template have to be, for a selector that can be read."""
    return f"must be what spec.selector asks for ({selectors.from_object(part(spec, 'selector')) or 'nothing'})"


def taints(path: str, wanted: Iterable[Any], gates: Mapping[str, bool]) -> Iterator[FieldError]:
    """Taints for nodes: only behind their gate, and none that controllers set and remove themselves."""
    found = list(wanted)
    if found and not gates.get(TAINTS_GATE, True):
        yield errors.forbidden(path, f"the feature gate {TAINTS_GATE} is off")
    for index, taint in enumerate(found):
        key = str(part({"taint": taint}, "taint").get("key", ""))
        if why := _reserved(key):
            yield errors.invalid(f"{path}[{index}].key", key, why)


def _reserved(key: str) -> str:
    if key in _OWN_TAINTS:
        return "is set and removed by Cluster API"
    if key.startswith(_NODE_TAINTS) and key != _OUT_OF_SERVICE:
        return f"taints under {_NODE_TAINTS} belong to the node lifecycle controller"
    if key.startswith(_CLOUD_TAINTS):
        return f"taints under {_CLOUD_TAINTS} belong to cloud controllers"
    return "is of the past: use node-role.kubernetes.io/control-plane" if key == _MASTER else ""


def int_or_percent(path: str, value: Any) -> Iterator[FieldError]:
    """A number, or a percentage as text. A number in quotes is neither."""
    if isinstance(value, str) and not percentages.is_percentage(value):
        yield errors.invalid(path, value, "must be a number, or a percentage such as 25%")


def machine_naming(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    """How machines are named."""
    wanted = part(spec, "machineNaming").get("template")
    if isinstance(wanted, str) and wanted and (why := naming.check(wanted)):
        yield errors.invalid("spec.machineNaming.template", wanted, why)
