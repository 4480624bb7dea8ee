"""What admission says to AWSMachines and their templates. Pure.

The rules hold on create and on update alike, and refuse what only EC2 would refuse, minutes later, in a log. A field
that is accepted and not acted on is answered with a warning that names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from capipool.machinery import errors
from capipool.machinery.admission import ALLOWED, Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.providers.aws.admission import check_market, check_references, check_tags, check_volume, ignored_fields
from capipool.providers.aws.machines.api import AWSMachine, AWSMachineTemplate

TOPOLOGY_DRY_RUN = "topology.cluster.x-k8s.io/dry-run"
"""A dry run with this annotation may show a changed template: it asks what would become of one."""
OBJECT_STORE = "ClusterObjectStore"
_KEY_NAME = re.compile(r"[!-~]([ -~]*[!-~])?")
_MUTABLE: tuple[tuple[str, ...], ...] = (
    ("providerID",),
    ("instanceID",),
    ("additionalTags",),
    ("additionalSecurityGroups",),
    ("cloudInit", "secretPrefix"),
    ("cloudInit", "secretCount"),
    ("cloudInit", "secureSecretsBackend"),
    ("privateDnsName", "enableResourceNameDnsAAAARecord"),
    ("privateDnsName", "enableResourceNameDnsARecord"),
)
"""What of a machine may change, below its spec. The rest makes another machine."""
_IGNORED: Mapping[tuple[str, ...], str] = {
    ("cloudInit", "secretCount"): "boot data is kept in no secret of AWS",
    ("cloudInit", "secretPrefix"): "boot data is kept in no secret of AWS",
    ("dynamicHostAllocation",): "no dedicated host is made: give hostID",
    ("elasticIpPool",): "no elastic address is made: publicIP takes one of Amazon's",
    ("ignition", "proxy"): "proxies are not written into the boot data",
    ("ignition", "tls"): "authorities are not written into the boot data",
}


def rules() -> list[Rules]:
    """The rules of both kinds."""
    return [
        Rules(resource=AWSMachine.RESOURCE, default=_default_machine, validate=_machine),
        Rules(resource=AWSMachineTemplate.RESOURCE, validate=_template),
    ]


def _default_machine(admit: Admit) -> Raw:
    """Upstream's defaults of Ignition. Its default backend for secrets is not written: none is used."""
    made = dict(admit.object or {})
    ignition = (made.get("spec") or {}).get("ignition")
    if ignition is None:
        return made
    said = {"storageType": OBJECT_STORE} | {key: value for key, value in ignition.items() if value}
    if said["storageType"] == OBJECT_STORE:
        said.setdefault("version", "2.3")
    return made | {"spec": {**made["spec"], "ignition": said}}


def _machine(admit: Admit) -> Verdict:
    if admit.object is None:
        return ALLOWED
    spec = admit.object.get("spec") or {}
    found = list(_spec(spec, "spec"))
    if admit.operation == "UPDATE" and admit.old is not None:
        found += _changed(spec, admit.old.get("spec") or {})
    return Verdict(errors=tuple(found), warnings=tuple(_warnings(spec, "spec")))


def _changed(spec: Raw, old: Raw) -> Iterator[FieldError]:
    """Refuse changes of what is fixed once the machine is made."""
    new, before = _fixed(spec), _fixed(old)
    for name in sorted(new.keys() | before.keys()):
        if new.get(name) != before.get(name):
            yield errors.forbidden(f"spec.{name}", "cannot be modified: a machine is not changed, but replaced")


def _fixed(spec: Raw) -> Raw:
    """A spec without what may change, and without what says nothing."""
    made: dict[str, Any] = {key: dict(value) if isinstance(value, dict) else value for key, value in spec.items()}
    for *parents, name in _MUTABLE:
        inside: Any = made
        for step in parents:
            inside = inside.get(step) or {}
        inside.pop(name, None)
    if made.get("hostAffinity") == "default":
        made.pop("hostAffinity")
    return {key: value for key, value in made.items() if value not in (None, "", {}, [])}


def _template(admit: Admit) -> Verdict:
    if admit.object is None:
        return ALLOWED
    path = "spec.template.spec"
    spec = _of_template(admit.object)
    found = [*_only_on_machines(spec, path), *_spec(spec, path)]
    if admit.operation == "UPDATE" and admit.old is not None and not _is_topology_dry_run(admit):
        before = admit.old.get("spec") or {}
        if _fixed_template(before) != _fixed_template(admit.object.get("spec") or {}):
            found.append(errors.forbidden("spec", "is immutable: make a new template, and refer to that"))
    return Verdict(errors=tuple(found), warnings=(*_warnings(spec, path), *_unprotected(spec, path)))


def _unprotected(spec: Raw, path: str) -> Iterator[str]:
    """Upstream's default is a secret of AWS. Who relies on it is told; machines of the template are not, each anew."""
    cloud_init = spec.get("cloudInit") or {}
    said = cloud_init.get("insecureSkipSecretsManager") or cloud_init.get("secureSecretsBackend")
    if not said and spec.get("ignition") is None:
        yield f"{path}.cloudInit: boot data goes into the user data, as with insecureSkipSecretsManager"


def _only_on_machines(spec: Raw, path: str) -> Iterator[FieldError]:
    cloud_init = spec.get("cloudInit") or {}
    for name in ("secretPrefix", "secretCount"):
        if cloud_init.get(name):
            yield errors.forbidden(f"{path}.cloudInit.{name}", "cannot be set in templates")
    for name in ("providerID", "instanceID"):
        if spec.get(name):
            yield errors.forbidden(f"{path}.{name}", "cannot be set in templates")
    if (spec.get("rootVolume") or {}).get("deviceName"):
        yield errors.forbidden(f"{path}.rootVolume.deviceName", "the image says where its root volume is")


def _of_template(raw: Raw) -> Raw:
    template = (raw.get("spec") or {}).get("template") or {}
    spec: Raw = template.get("spec") or {}
    return spec


def _fixed_template(spec: Raw) -> Raw:
    """For comparison: what the server fills in by itself is no change."""
    template = dict(spec.get("template") or {})
    inner = dict(template.pop("spec", None) or {})
    if inner.get("hostAffinity") == "default":
        inner.pop("hostAffinity")
    return {"template": template, "spec": inner}


def _is_topology_dry_run(admit: Admit) -> bool:
    annotations = ((admit.object or {}).get("metadata") or {}).get("annotations") or {}
    return admit.dry_run and TOPOLOGY_DRY_RUN in annotations


# --- what both have in common


def _spec(spec: Raw, path: str) -> Iterator[FieldError]:
    yield from check_tags(spec.get("additionalTags") or {}, f"{path}.additionalTags")
    yield from check_references(spec.get("additionalSecurityGroups") or (), f"{path}.additionalSecurityGroups")
    if (subnet := spec.get("subnet")) and subnet.get("id") and subnet.get("filters"):
        yield errors.forbidden(f"{path}.subnet.filters", "give an id or filters, not both")
    yield from check_market(spec, path)
    if _is_spot(spec) and spec.get("capacityReservationPreference") == "CapacityReservationsOnly":
        yield errors.forbidden(f"{path}.capacityReservationPreference", "spot instances use no reservation")
    yield from _volumes(spec, path)
    yield from _key_name(spec.get("sshKeyName"), f"{path}.sshKeyName")
    yield from _cloud_init(spec, path)
    yield from _ignition(spec.get("ignition") or {}, f"{path}.ignition")
    yield from _placement(spec, path)
    yield from _network(spec, path)


def _is_spot(spec: Raw) -> bool:
    return spec.get("spotMarketOptions") is not None or spec.get("marketType") == "Spot"


def _volumes(spec: Raw, path: str) -> Iterator[FieldError]:
    if root := spec.get("rootVolume"):
        yield from check_volume(root, f"{path}.rootVolume")
    devices: set[str] = set()
    for index, volume in enumerate(spec.get("nonRootVolumes") or ()):
        where, device = f"{path}.nonRootVolumes[{index}]", volume.get("deviceName", "")
        if not device:
            yield errors.required(f"{where}.deviceName", "the device that the volume becomes")
        elif device in devices:
            yield errors.invalid(f"{where}.deviceName", device, "another volume has this device")
        devices.add(device)
        yield from check_volume(volume, where)


def _key_name(name: str | None, path: str) -> Iterator[FieldError]:
    if name and (len(name) > 255 or not _KEY_NAME.fullmatch(name)):
        yield errors.invalid(path, name, "must be at most 255 ASCII characters, with no space at either end")


def _cloud_init(spec: Raw, path: str) -> Iterator[FieldError]:
    given = spec.get("cloudInit") or {}
    secrets = [name for name in ("secretPrefix", "secretCount", "secureSecretsBackend") if given.get(name)]
    if given.get("insecureSkipSecretsManager"):
        for name in secrets:
            yield errors.forbidden(f"{path}.cloudInit.{name}", "not with insecureSkipSecretsManager")
    if bool(given.get("secretPrefix")) != bool(given.get("secretCount")):
        yield errors.forbidden(f"{path}.cloudInit.secretCount", "must be set together with secretPrefix")
    if spec.get("ignition") is not None and (secrets or given.get("insecureSkipSecretsManager")):
        yield errors.forbidden(f"{path}.cloudInit", "cannot be set beside ignition")


def _ignition(ignition: Raw, path: str) -> Iterator[FieldError]:
    if ignition.get("version") in ("2.3", "3.0"):
        for name in ("proxy", "tls"):
            if ignition.get(name) is not None:
                yield errors.forbidden(f"{path}.{name}", "cannot be set with version 2.3 or 3.0")


def _placement(spec: Raw, path: str) -> Iterator[FieldError]:
    if spec.get("placementGroupPartition") and not spec.get("placementGroupName"):
        yield errors.required(f"{path}.placementGroupName", "a partition is one of a placement group")
    host, tenancy = spec.get("hostID"), spec.get("tenancy")
    if host and spec.get("dynamicHostAllocation") is not None:
        yield errors.forbidden(f"{path}.dynamicHostAllocation", "not beside hostID")
    if host and tenancy not in (None, "", "host"):
        yield errors.invalid(f"{path}.tenancy", tenancy, "must be host where hostID is given")
    if spec.get("hostAffinity") == "host" and not host:
        yield errors.required(f"{path}.hostID", "hostAffinity host binds the machine to one")


def _network(spec: Raw, path: str) -> Iterator[FieldError]:
    interfaces = spec.get("networkInterfaces") or ()
    if len(set(interfaces)) != len(interfaces):
        yield errors.invalid(f"{path}.networkInterfaces", list(interfaces), "an interface can be attached once")
    for name in ("publicIP", "assignPrimaryIPv6", "networkInterfaceType"):
        if interfaces and spec.get(name) not in (None, "", False, "disabled", "interface"):
            yield errors.forbidden(f"{path}.{name}", "not beside networkInterfaces, which are made already")
    pool = spec.get("elasticIpPool")
    if pool is None:
        return
    where, name, order = f"{path}.elasticIpPool", pool.get("publicIpv4Pool"), pool.get("publicIpv4PoolFallbackOrder")
    if not spec.get("publicIP"):
        yield errors.required(f"{path}.publicIP", "an address from a pool is a public one")
    if bool(name) != bool(order):
        missing = "publicIpv4PoolFallbackOrder" if name else "publicIpv4Pool"
        yield errors.required(f"{where}.{missing}", "the pool and its fallback order go together")
    if name and not name.startswith("ipv4pool-ec2-"):
        yield errors.invalid(f"{where}.publicIpv4Pool", name, "must start with ipv4pool-ec2-")


def _warnings(spec: Raw, path: str) -> Iterator[str]:
    yield from ignored_fields(spec, _IGNORED, path)
    ignition, cloud_init = spec.get("ignition"), spec.get("cloudInit") or {}
    if ignition is not None and ignition.get("storageType", OBJECT_STORE) == OBJECT_STORE:
        yield f"{path}.ignition.storageType: {OBJECT_STORE} is accepted, but boot data goes into the user data"
    if backend := cloud_init.get("secureSecretsBackend"):
        yield (
            f"{path}.cloudInit.secureSecretsBackend: {backend} is accepted, but boot data goes into the user data, "
            "as with insecureSkipSecretsManager"
        )
