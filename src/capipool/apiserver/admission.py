"""The hooks through which others' rules judge writes: defaults before the schema is checked, verdicts after it."""

from __future__ import annotations

from collections.abc import Sequence

from capipool.apiserver.conversion import Conversion
from capipool.apiserver.registry import Served
from capipool.machinery.admission import Admit, Rules, Verdict
from capipool.machinery.errors import FieldError, Forbidden, Invalid
from capipool.machinery.objects import Raw
from capipool.machinery.resource import GroupKind


class Admission:
    """The rules of a server by kind. Rules of any version see every write, in their version."""

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion
        self._rules: dict[GroupKind, list[Rules]] = {}

    def add(self, rules: Rules) -> None:
        """Ask these rules, too, about writes of their kind."""
        self._rules.setdefault(rules.resource.group_kind, []).append(rules)

    def rules(self, served: Served) -> Sequence[Rules]:
        """The rules of a kind."""
        return self._rules.get(served.storage.resource.group_kind, ()) if self._rules else ()

    def default(self, served: Served, admit: Admit) -> Raw:
        """The object (in storage version, as in `admit`) with the defaults of its rules."""
        obj = admit.object
        assert obj is not None
        for rules in self.rules(served):
            if rules.default is not None:
                changed = rules.default(self._seen_by(rules, served, admit, obj))
                obj = self._conversion.at_storage(served, changed)
        return obj

    def validate(self, served: Served, admit: Admit, name: str) -> tuple[str, ...]:
        """Ask whether a write may be. Returns warnings; raises Forbidden or Invalid with every field error."""
        errors: list[FieldError] = []
        warnings: list[str] = []
        for rules in self.rules(served):
            if rules.validate is None:
                continue
            verdict: Verdict = rules.validate(self._seen_by(rules, served, admit, admit.object))
            if verdict.refusal:
                raise Forbidden.of(served.group_resource, name, verdict.refusal)
            errors += verdict.errors
            warnings += verdict.warnings
        if errors:
            raise Invalid.of(served.storage.resource.group_kind, name, errors)
        return tuple(warnings)

    def _seen_by(self, rules: Rules, served: Served, admit: Admit, obj: Raw | None) -> Admit:
        version = rules.resource.version
        seen = [raw if raw is None else self._conversion.at(served.storage, version, raw) for raw in (obj, admit.old)]
        return Admit(
            operation=admit.operation,
            resource=rules.resource,
            object=seen[0],
            old=seen[1],
            subresource=admit.subresource,
            user=admit.user,
            dry_run=admit.dry_run,
        )
