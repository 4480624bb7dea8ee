"""Status: v1beta2's conditions and counters are not v1beta1's, so each version keeps the other's beside its own.

v1beta1                          v1beta2
status.conditions                status.deprecated.v1beta1.conditions
status.readyReplicas             status.deprecated.v1beta1.readyReplicas
status.failureReason             status.deprecated.v1beta1.failureReason
status.v1beta2.conditions        status.conditions
status.v1beta2.readyReplicas     status.readyReplicas
status.infrastructureReady       status.initialization.infrastructureProvisioned
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from capipool.api.conversion import fields
from capipool.machinery.objects import Raw

FAILURE = ("failureReason", "failureMessage")


def up(
    status: Raw,
    *,
    legacy: Iterable[str] = (),
    counters: Iterable[str] = (),
    initialization: Mapping[str, str] | None = None,
    always_deprecated: bool = False,
) -> None:
    """To v1beta2, in place.

    `legacy`: fields that move under `deprecated.v1beta1`, beside the conditions. `counters`: what comes out of the
    `v1beta2` block, beside the conditions. `initialization`: v1beta1's flag -> v1beta2's.
    """
    new = fields.part(status, "v1beta2")
    status.pop("v1beta2", None)
    deprecated: Raw = {}
    for name in ("conditions", *legacy):
        fields.move(status, name, deprecated)
    for name in ("conditions", *counters):
        fields.move(new, name, status)
    started = {there: True for here, there in (initialization or {}).items() if status.pop(here, None)}
    fields.place(status, "initialization", started)
    if deprecated or always_deprecated:
        status["deprecated"] = {"v1beta1": deprecated}
    fields.drop_zero(status, ("observedGeneration",))


def down(
    status: Raw,
    *,
    legacy: Iterable[str] = (),
    counters: Iterable[str] = (),
    initialization: Mapping[str, str] | None = None,
) -> None:
    """To v1beta1, in place; the arguments are those of `up`."""
    deprecated = fields.part(fields.part(status, "deprecated"), "v1beta1")
    status.pop("deprecated", None)
    new: Raw = {}
    for name in ("conditions", *counters):
        fields.move(status, name, new)
    for name in ("conditions", *legacy):
        fields.move(deprecated, name, status)
    started = fields.part(status, "initialization")
    status.pop("initialization", None)
    for here, there in (initialization or {}).items():
        if started.get(there):
            status[here] = True
    fields.place(status, "v1beta2", new)
