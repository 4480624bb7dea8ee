"""What admission says to an AWSManagedControlPlane: upstream's rules, on create and on update alike. Pure.

Most of the spec describes how upstream makes an EKS cluster. It is accepted within upstream's limits, and a warning
names each field that nothing is done about.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from capipool.machinery import errors
from capipool.machinery.admission import ALLOWED, Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.providers.aws.admission import check_tags, ignored_fields
from capipool.providers.aws.eks import naming
from capipool.providers.aws.eks.admission import access, network
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane

_OLDEST_ADDONS = (1, 18)
_CNI, _PROXY = "vpc-cni", "kube-proxy"
_NOT_MADE = "capipool makes and changes no control plane"
_OF_NEW_NETWORKS = (
    *("carrierGatewayId", "cidrBlock", "elasticIpPool", "emptyRoutesDefaultVPCSecurityGroup", "internetGatewayId"),
    *("ipamPool", "ipv6", "privateDnsHostnameTypeOnLaunch", "secondaryCidrBlocks", "tags"),
)
_DEFAULTED = {"availabilityZoneSelection": "Ordered", "availabilityZoneUsageLimit": 3, "subnetSchema": "PreferPrivate"}
"""Fields of a network that the schema fills in: only another value was anybody's wish."""
_IGNORED: Mapping[tuple[str, ...], str] = {
    ("accessConfig",): "capipool changes nobody's access",
    ("accessEntries",): "capipool changes nobody's access",
    ("addons",): "capipool installs no add-on",
    ("associateOIDCProvider",): "capipool makes no identity provider; one that exists is shown in the status",
    ("bastion", "enabled"): "no bastion host is made",
    ("encryptionConfig",): _NOT_MADE,
    ("endpointAccess",): _NOT_MADE,
    ("iamAuthenticatorConfig",): "capipool writes no ConfigMap aws-auth",
    ("kubeProxy", "disable"): "capipool removes nothing from the cluster",
    ("logging",): _NOT_MADE,
    ("network", "additionalControlPlaneIngressRules"): "no security group is changed",
    ("network", "additionalNodeIngressRules"): "no security group is changed",
    ("network", "cni"): "no security group is changed",
    ("network", "nodePortIngressRuleCidrBlocks"): "no security group is changed",
    **{("network", "vpc", name): "no network is made: its id is enough" for name in _OF_NEW_NETWORKS},
    ("oidcIdentityProviderConfig",): _NOT_MADE,
    ("partition",): "the region says it",
    ("restrictPrivateSubnets",): _NOT_MADE,
    ("roleAdditionalPolicies",): "capipool makes and changes no role",
    ("roleName",): "capipool makes and changes no role",
    ("rolePath",): "capipool makes and changes no role",
    ("rolePermissionsBoundary",): "capipool makes and changes no role",
    ("secondaryCidrBlock",): "no network is made",
    ("sshKeyName",): "it is the key of the bastion host, and none is made",
    ("upgradePolicy",): _NOT_MADE,
    ("vpcCni", "disable"): "capipool removes nothing from the cluster",
    ("vpcCni", "env"): "capipool changes no network plugin",
}


def rules() -> list[Rules]:
    """The rules of the kind."""
    return [Rules(resource=AWSManagedControlPlane.RESOURCE, default=_default, validate=_validate)]


def _default(admit: Admit) -> Raw:
    """Upstream's defaults: the cluster's name, and the process's own identity."""
    made = dict(admit.object or {})
    spec = naming.named(made, "eksClusterName", limit=naming.CLUSTER_NAME_LIMIT)
    if spec.get("identityRef") is None and admit.old is None:
        spec["identityRef"] = {"kind": "AWSClusterControllerIdentity", "name": "default"}
    return made | {"spec": spec}


def _validate(admit: Admit) -> Verdict:
    if admit.object is None:
        return ALLOWED
    spec = admit.object.get("spec") or {}
    found = list(check(spec, "spec"))
    if admit.old is not None:
        found += _changes(admit.old.get("spec") or {}, spec, "spec")
    return Verdict(errors=tuple(found), warnings=tuple(_warnings(spec, (admit.old or {}).get("spec") or {})))


def check(spec: Raw, path: str) -> Iterator[FieldError]:
    """What is wrong with a spec, whatever it was before."""
    yield from _name(spec.get("eksClusterName") or "", f"{path}.eksClusterName")
    yield from check_tags(spec.get("additionalTags") or {}, f"{path}.additionalTags")
    yield from _bastion(spec.get("bastion") or {}, f"{path}.bastion")
    yield from _addons(spec, path)
    yield from access.check(spec, path)
    yield from network.check(spec, path)


def _name(name: str, path: str) -> Iterator[FieldError]:
    if name and not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}", name):
        yield errors.invalid(path, name, "must be the name of an EKS cluster: 1 to 100 letters, digits, _ and -")


def _bastion(bastion: Raw, path: str) -> Iterator[FieldError]:
    blocks = bastion.get("allowedCIDRBlocks") or ()
    if bastion.get("disableIngressRules") and blocks:
        yield errors.forbidden(f"{path}.allowedCIDRBlocks", "not where disableIngressRules is true")
    for index, block in enumerate(blocks):
        if not is_network(block):
            yield errors.invalid(f"{path}.allowedCIDRBlocks[{index}]", block, "must be a block of addresses")


def _addons(spec: Raw, path: str) -> Iterator[FieldError]:
    names = {addon.get("name") for addon in spec.get("addons") or ()}
    known = minor(spec.get("version"))
    if names and known is not None and known < _OLDEST_ADDONS:
        yield errors.invalid(f"{path}.addons", spec["version"], "add-ons need Kubernetes 1.18 or later")
    if (spec.get("vpcCni") or {}).get("disable") and _CNI in names:
        yield errors.invalid(f"{path}.vpcCni.disable", True, f"not while the add-on {_CNI} is listed")
    if (spec.get("kubeProxy") or {}).get("disable") and _PROXY in names:
        yield errors.invalid(f"{path}.kubeProxy.disable", True, f"not while the add-on {_PROXY} is listed")


def _changes(old: Raw, new: Raw, path: str) -> Iterator[FieldError]:
    for name in ("eksClusterName", "region"):
        if old.get(name) and old[name] != new.get(name):
            yield errors.invalid(f"{path}.{name}", new.get(name), f"cannot be changed: it was {old[name]}")
    before, after = minor(old.get("version")), minor(new.get("version"))
    if before is not None and after is not None and after < before:
        yield errors.invalid(f"{path}.version", new.get("version"), f"must not be before {old['version']}")
    if old.get("identityRef") and not new.get("identityRef"):
        yield errors.invalid(f"{path}.identityRef", None, "cannot be taken away")
    yield from _encryption(old.get("encryptionConfig"), new.get("encryptionConfig"), f"{path}.encryptionConfig")
    yield from access.changes(old, new, path)
    yield from network.changes(old, new, path)


def _encryption(old: Raw | None, new: Raw | None, path: str) -> Iterator[FieldError]:
    if old is None:
        return
    if new is None:
        yield errors.invalid(path, None, "encryption cannot be switched off again")
    elif new.get("provider") and old.get("provider") and new["provider"] != old["provider"]:
        yield errors.invalid(f"{path}.provider", new["provider"], f"cannot be changed: it was {old['provider']}")


def _warnings(spec: Raw, old: Raw) -> Iterator[str]:
    yield from ignored_fields(spec, _IGNORED)
    vpc = (spec.get("network") or {}).get("vpc") or {}
    for name, default in _DEFAULTED.items():
        if vpc.get(name, default) != default:
            yield f"spec.network.vpc.{name}: accepted, but no network is made"
    if spec.get("bootstrapSelfManagedAddons") is False:
        yield f"spec.bootstrapSelfManagedAddons: accepted, but {_NOT_MADE}"
    if old.get("version") and minor(old["version"]) != minor(spec.get("version")):
        yield "spec.version: accepted, but capipool upgrades no control plane: do it by the means that made it"


def minor(version: Any) -> tuple[int, int] | None:
    """Major and minor of a version like `v1.31.0` or `1.31`; None where it is none."""
    found = re.match(r"v?([0-9]+)\.([0-9]+)", version) if isinstance(version, str) else None
    return (int(found[1]), int(found[2])) if found else None


def is_network(block: str) -> bool:
    """Whether a text is a block of addresses, such as 10.0.0.0/8."""
    try:
        ipaddress.ip_network(block, strict=False)
    except ValueError:
        return False
    return "/" in block
