"""What the operations of every admission file have in common: make a request of a case, judge the answer."""

from collections.abc import Mapping
from typing import Any

from capipool.machinery.admission import Admit, Rules
from capipool.machinery.errors import FieldError
from tests.cases import expect

KINDS = {"Required": "FieldValueRequired", "Forbidden": "FieldValueForbidden", "Invalid": "FieldValueInvalid"}


def admit(rules: Rules, operation: str, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> Admit:
    """A request as the server makes one."""
    return Admit(
        operation="UPDATE" if operation == "UPDATE" else "CREATE",
        resource=rules.resource,
        object=complete(rules, new),
        old=complete(rules, old) if old is not None else None,
    )


def complete(rules: Rules, given: Mapping[str, Any]) -> dict[str, Any]:
    """An object of a case, with its type and with its paths turned into objects."""
    head = {"apiVersion": rules.resource.api_version, "kind": rules.resource.kind}
    return {**head, **expect.expand(given)}


def defaulted(rules: Rules, request: Admit) -> dict[str, Any]:
    """The object with its defaults; the rules must not have changed the one they were given."""
    assert rules.default is not None
    before = repr(request.object)
    result = rules.default(request)
    assert repr(request.object) == before, "defaulting changed its input"
    return result


def judged(rules: Rules, request: Admit, wanted: Mapping[str, Any]) -> None:
    """Hold a verdict against what a case expects."""
    assert rules.validate is not None
    verdict = rules.validate(request)
    allowed = not verdict.errors and not verdict.refusal
    said = verdict.refusal or "; ".join(map(str, verdict.errors))
    assert allowed is wanted["allowed"], f"allowed is {allowed}: {said}"
    if "warnings" in wanted:
        expect.same(wanted["warnings"], list(verdict.warnings), "warnings")
    if "http_status" in wanted:
        expect.same(wanted["http_status"], 403 if verdict.refusal else 422, "http_status")
    if verdict.refusal:
        for error in wanted.get("errors", ()):
            assert verdict.refusal.startswith(f"{error['field']}: {error['kind']}"), verdict.refusal
        return
    if "errors" in wanted:
        _check_errors(wanted["errors"], verdict.errors)
    fields = {error.path for error in verdict.errors}
    missing = [field for field in wanted.get("errors_include_fields", ()) if field not in fields]
    assert not missing, f"no error names {missing}, only {sorted(fields)}"


def _check_errors(wanted: Any, found: tuple[FieldError, ...]) -> None:
    if not isinstance(wanted, list):
        assert found, "expected an error, got none"
        return
    expected = sorted((KINDS[error["kind"]], error["field"]) for error in wanted)
    actual = sorted((error.type, error.path) for error in found)
    assert expected == actual, f"errors are {actual}, not {expected}"
