"""Operations of machinepool_conversion.yaml: MachinePool between v1beta1 (old) and v1beta2 (new)."""

import json
from collections.abc import Mapping
from typing import Any

from capipool.api import converters
from capipool.api.constants import CONVERSION_DATA_ANNOTATION
from capipool.api.conversion import durations
from capipool.machinery.admission import Converter
from capipool.machinery.resource import GroupKind
from tests.cases import expect
from tests.cases.registry import Case, operation

OLD, NEW = "cluster.x-k8s.io/v1beta1", "cluster.x-k8s.io/v1beta2"
_ZERO_WHEN_ABSENT = ("readyReplicas", "availableReplicas", "unavailableReplicas", "replicas")
"""Numbers of a v1beta1 status that its Go type has without a pointer."""


def converter(known: Mapping[str, str] | None = None) -> Converter:
    """The pool's converter, in a cluster that has every kind in v1beta1, or just the kinds given."""

    def versions(kind: GroupKind) -> str | None:
        return "v1beta1" if known is None else known.get(f"{kind.kind}.{kind.group}", known.get(kind.kind))

    return next(c for c in converters.all_converters(versions) if c.kind == "MachinePool")


def pool(api_version: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """An object of a case, with what the case keeps in the annotation."""
    rest = {key: value for key, value in given.items() if key != "versions_known"}
    saved = {key.partition(".")[2]: rest.pop(key) for key in list(rest) if key.startswith("annotation_hub.")}
    made = {"apiVersion": api_version, "kind": "MachinePool", **expect.expand(rest)}
    if saved:
        annotate(made, expect.expand(saved))
    return made


def annotate(raw: dict[str, Any], saved: Mapping[str, Any]) -> None:
    metadata = raw.setdefault("metadata", {})
    metadata.setdefault("annotations", {})[CONVERSION_DATA_ANNOTATION] = json.dumps(saved)


def meaning(raw: Mapping[str, Any]) -> Any:
    """A v1beta1 object as its Go type has it: numbers without a pointer are 0 where JSON has none."""
    status = {**dict.fromkeys(_ZERO_WHEN_ABSENT, 0), **raw.get("status", {})}
    return {**raw, "status": status}


@operation("up")
def up(case: Case) -> None:
    expect.fields(case.expect, converter().convert(pool(OLD, case.given), "v1beta2"))


@operation("down")
def down(case: Case) -> None:
    wanted = dict(case.expect)
    convert = converter(case.given.get("versions_known")).convert
    if wanted.get("error"):
        try:
            convert(pool(NEW, case.given), "v1beta1")
        except Exception:
            return
        raise AssertionError("expected an error, got none")
    converted = convert(pool(NEW, case.given), "v1beta1")
    annotation = wanted.pop("annotations_has", None)
    content = wanted.pop("annotation_json", None)
    if annotation is not None or content is not None:
        text = converted["metadata"]["annotations"].get(annotation or CONVERSION_DATA_ANNOTATION)
        assert text is not None, f"there is no annotation {annotation}"
        _check_text(content or {}, text)
    expect.fields(wanted, meaning(converted))


def _check_text(wanted: Mapping[str, Any], text: str) -> None:
    saved = json.loads(text)
    for key in wanted.get("has_keys", ()):
        assert key in saved, f"the annotation lacks {key}"
    for key in wanted.get("lacks_keys", ()):
        assert key not in saved, f"the annotation has {key}"
    for word in wanted.get("contains", ()):
        assert word in text, f"the annotation does not contain {word}"
    for word in wanted.get("lacks", ()):
        assert word not in text, f"the annotation contains {word}"


def _any_pool(given: Mapping[str, Any], prefix: str, template: Mapping[str, Any]) -> dict[str, Any]:
    """The object of a case that names some fields of `any` pool: each is put where its version has it."""
    key = next((k for k in given if k.startswith(prefix)), None)
    if key is None:
        return expect.expand({k: v for k, v in given.items() if v != "absent"})
    made: dict[str, Any] = {"spec": {"clusterName": "c", "template": {"spec": dict(template)}}, "status": {}}
    for name, value in given[key].items():
        if name == "deprecated":
            made["status"]["deprecated"] = {"v1beta1": {"readyReplicas": 1}} if value == "present" else value
        elif name in ("replicas", "minReadySeconds", "providerIDList", "failureDomains", "clusterName"):
            made["spec"][name] = value
        else:
            made["status"][name] = value
    return made


@operation("hub_round")
def hub_round(case: Case) -> None:
    reference = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "P", "name": "n"}
    template = {"clusterName": "c", "bootstrap": {"dataSecretName": "s"}, "infrastructureRef": reference}
    before = {"apiVersion": NEW, "kind": "MachinePool", **_any_pool(case.given, "any_v1beta2", template)}
    convert = converter().convert
    _check_round(case.expect, before, convert(convert(before, "v1beta1"), "v1beta2"))


@operation("spoke_round")
def spoke_round(case: Case) -> None:
    reference = {"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "P", "name": "n"}
    template = {"clusterName": "c", "bootstrap": {"dataSecretName": "s"}, "infrastructureRef": reference}
    before = {"apiVersion": OLD, "kind": "MachinePool", **_any_pool(case.given, "any_v1beta1", template)}
    convert = converter().convert
    _check_round(case.expect, before, convert(convert(before, "v1beta2"), "v1beta1"))


def _check_round(wanted: Mapping[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    if not wanted.get("equal_to_input"):
        expect.fields(wanted, after)
        return
    annotations = dict(after.get("metadata", {}).get("annotations", {}))
    for path in wanted.get("ignoring", ()):
        annotations.pop(path.removeprefix("metadata.annotations."), None)
    assert not annotations, f"annotations are left: {sorted(annotations)}"
    stripped = {key: value for key, value in after.items() if key != "metadata"}
    assert stripped == before, f"{stripped} is not {before}"


@operation("bool_to_optional")
def bool_to_optional(case: Case) -> None:
    saved = {"status": {"initialization": {"infrastructureProvisioned": case.given.get("savedValue")}}}
    old = pool(OLD, {"status.infrastructureReady": case.given["value"]})
    if case.given["hasSavedHubObject"]:
        annotate(old, saved)
    converted = converter().convert(old, "v1beta2")
    expect.same(case.expect["result"], expect.lookup(converted, "status.initialization.infrastructureProvisioned"))


@operation("int_to_optional")
def int_to_optional(case: Case) -> None:
    old = pool(OLD, {"status.replicas": case.given["value"]})
    if case.given["hasSavedHubObject"]:
        annotate(old, {"status": {"replicas": case.given.get("savedValue")}})
    expect.same(case.expect["result"], expect.lookup(converter().convert(old, "v1beta2"), "status.replicas"))


@operation("seconds_to_duration_and_back")
def seconds_to_duration_and_back(case: Case) -> None:
    timeout = "spec.template.spec.deletion.nodeDrainTimeoutSeconds"
    convert = converter().convert
    old = convert(pool(NEW, {timeout: case.given["seconds"]}), "v1beta1")
    expect.same(case.expect["duration"], expect.lookup(old, "spec.template.spec.nodeDrainTimeout"), "duration")
    expect.same(case.expect["seconds"], expect.lookup(convert(old, "v1beta2"), timeout), "seconds")


@operation("duration_to_seconds")
def duration_to_seconds(case: Case) -> None:
    given = case.given
    duration = given["duration"] if "duration" in given else f"{given['duration_seconds']}s"
    expect.same(case.expect["seconds"], None if duration is None else durations.to_seconds(duration), "seconds")
