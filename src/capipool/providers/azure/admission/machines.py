"""Defaults and rules of AzureMachines and their templates. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capipool.api.admission.checks import part, template_metadata
from capipool.machinery import errors
from capipool.machinery.admission import Admit, Rules
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.providers.azure.admission import hardware, judging, roles
from capipool.providers.azure.admission.judging import fixed, plain, resource_id, set_once, specs
from capipool.providers.azure.api.machine import AzureMachine, AzureMachineTemplate

TOPOLOGY_DRY_RUN = "topology.cluster.x-k8s.io/dry-run"
"""A dry run with this annotation may show a changed template: it asks what would become of one."""
NAME = {"Windows": 15, "Linux": 64}
"""How long the name of a machine may be in Azure."""
_TEMPLATE = "spec.template.spec"
_WHY = "a machine is not changed, but replaced"
_FIXED = dict.fromkeys(
    (
        *("allocatePublicIP", "capacityReservationGroupID", "dataDisks", "disableExtensionOperations", "dnsServers"),
        *("enableIPForwarding", "identity", "image", "osDisk", "roleAssignmentName", "securityProfile"),
        *("spotVMOptions", "sshPublicKey", "systemAssignedIdentityRole", "userAssignedIdentities", "vmSize"),
        *("virtualMachineScaleSetID",),
    ),
    _WHY,
)
_SET_ONCE = dict.fromkeys(("diagnostics", "disableVMBootstrapExtension", "failureDomain", "providerID"), _WHY)


def rules() -> list[Rules]:
    """The rules of both kinds."""
    return [
        judging.rules(AzureMachine.RESOURCE, check=_machine, warn=_warn_machine, default=_default_machine),
        judging.rules(AzureMachineTemplate.RESOURCE, check=_template, warn=_warn_template, default=_default_template),
    ]


def _defaults(spec: Raw, old: Mapping[str, Any]) -> Raw:
    made = roles.defaults(hardware.defaults(spec, old, caching=True), old)
    spot = made.get("spotVMOptions")
    if isinstance(spot, dict) and not spot.get("evictionPolicy"):
        ephemeral = part(made, "osDisk").get("diffDiskSettings")
        made["spotVMOptions"] = {**spot, "evictionPolicy": "Delete" if ephemeral else "Deallocate"}
    return made


def _default_machine(spec: Raw, admit: Admit) -> Raw:
    return _defaults(spec, part(admit.old, "spec"))


def _default_template(spec: Raw, admit: Admit) -> Raw:
    """The role assignment is each machine's own: its name is not made here."""
    template = dict(part(spec, "template"))
    inner, old = dict(part(template, "spec")), part(admit.old, "spec", "template", "spec")
    made = _defaults(dict(inner), old)
    given = dict(part(inner, "systemAssignedIdentityRole"))
    made.pop("systemAssignedIdentityRole", None)
    if given:
        made["systemAssignedIdentityRole"] = given
    return {**spec, "template": {**template, "spec": made}}


def _machine(admit: Admit) -> Iterator[FieldError]:
    spec, old = specs(admit)
    yield from roles.check(spec, old, "spec")
    yield from _spec(spec, "spec")
    kind = part(spec, "osDisk").get("osType") or "Linux"
    name = part(admit.object, "metadata").get("name") or ""
    if admit.operation == "CREATE" and kind == "Linux" and len(name) > NAME[kind]:
        yield errors.invalid("metadata.name", name, f"must have at most {NAME[kind]} characters, as names in Azure")
    if admit.operation == "UPDATE":
        yield from fixed(spec, old, "spec", _FIXED)
        yield from set_once(spec, old, "spec", _SET_ONCE)
        yield from _same_interfaces(spec, old)


def _same_interfaces(spec: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[FieldError]:
    """The reconciler may fill in the subnet of the first; an older object may have the deprecated fields."""
    before = plain(hardware.defaults(dict(old), old, caching=True).get("networkInterfaces"))
    after = plain(spec.get("networkInterfaces"))
    if before and after and "subnetName" not in before[0]:
        before = [before[0] | {k: v for k, v in after[0].items() if k == "subnetName"}, *before[1:]]
    if before != after:
        yield errors.forbidden("spec.networkInterfaces", f"is immutable: {_WHY}")


def _template(admit: Admit) -> Iterator[FieldError]:
    template = part(admit.object, "spec", "template")
    spec, old = part(template, "spec"), part(admit.old, "spec", "template", "spec")
    yield from _spec(spec, _TEMPLATE)
    yield from _template_identity(spec)
    yield from template_metadata("spec.template.metadata", part(template, "metadata"))
    if spec.get("providerID"):
        yield errors.forbidden(f"{_TEMPLATE}.providerID", "cannot be set in templates")
    if admit.operation == "UPDATE" and not _is_topology_dry_run(admit):
        before = _default_template(dict(part(admit.old, "spec")), admit)
        if plain(part(before, "template", "spec")) != plain(spec) and plain(old) != plain(spec):
            yield errors.forbidden(_TEMPLATE, "is immutable: make a new template, and refer to that")


def _template_identity(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    """One assignment has one name, so it cannot be given for many machines."""
    role = part(spec, "systemAssignedIdentityRole")
    if role.get("name"):
        said = "cannot be set in templates: each machine has an assignment of its own"
        yield errors.forbidden(f"{_TEMPLATE}.systemAssignedIdentityRole.name", said)
        return
    named = {**spec, "systemAssignedIdentityRole": {**role, "name": "00000000-0000-0000-0000-000000000000"}}
    yield from roles.check(named if role or spec.get("identity") == "SystemAssigned" else spec, {}, _TEMPLATE)


def _is_topology_dry_run(admit: Admit) -> bool:
    return admit.dry_run and TOPOLOGY_DRY_RUN in part(admit.object, "metadata", "annotations")


def _spec(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from hardware.check(spec, path)
    yield from resource_id(spec.get("capacityReservationGroupID"), f"{path}.capacityReservationGroupID")
    yield from resource_id(spec.get("virtualMachineScaleSetID"), f"{path}.virtualMachineScaleSetID")
    if spec.get("disableExtensionOperations") and spec.get("vmExtensions"):
        yield errors.forbidden(f"{path}.vmExtensions", "not with disableExtensionOperations")
    if spec.get("disableExtensionOperations") and spec.get("disableVMBootstrapExtension") is False:
        said = "must not be false with disableExtensionOperations: it is an extension"
        yield errors.invalid(f"{path}.disableVMBootstrapExtension", False, said)


def _warn_machine(raw: Raw) -> Iterator[str]:
    yield from _warnings(part(raw, "spec"), "spec")


def _warn_template(raw: Raw) -> Iterator[str]:
    yield from _warnings(part(raw, "spec", "template", "spec"), _TEMPLATE)


def _warnings(spec: Mapping[str, Any], path: str) -> Iterator[str]:
    yield from hardware.warnings(spec, path)
    if spec.get("allocatePublicIP"):
        yield f"{path}.allocatePublicIP: accepted, but no public address is made"
