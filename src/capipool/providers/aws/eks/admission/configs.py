"""What admission says to boot data of EKS, and to its templates. Pure.

A value that could never be rendered is refused here: upstream finds it in a log, or the node does at its first boot.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from capipool.machinery import errors
from capipool.machinery.admission import ALLOWED, Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.api.eksconfig import EKSConfig, EKSConfigTemplate
from capipool.providers.aws.eks.api.nodeadmconfig import NodeadmConfig, NodeadmConfigTemplate

Check = Callable[[Raw, str], Iterator[FieldError]]
Warn = Callable[[Raw, str], Iterator[str]]

_FLAG = re.compile(r"--[A-Za-z0-9][A-Za-z0-9_.-]*(=[^\n\r]*)?")
_ARGUMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_GATES = ("InstanceIdNodeName", "FastImagePull", "OSManagedNoManageENIs")
"""Those that nodeadm knows today."""


def rules() -> list[Rules]:
    """The rules of every kind of boot data."""
    return [
        Rules(resource=NodeadmConfig.RESOURCE, validate=lambda a: _judge(a, _nodeadm, _warn_nodeadm)),
        Rules(resource=NodeadmConfigTemplate.RESOURCE, validate=lambda a: _judge(a, _nodeadm, _warn_nodeadm, True)),
        Rules(resource=EKSConfig.RESOURCE, validate=lambda a: _judge(a, _eks, _warn_eks)),
        Rules(resource=EKSConfigTemplate.RESOURCE, validate=lambda a: _judge(a, _eks, _warn_eks, True)),
    ]


def _judge(admit: Admit, check: Check, warn: Warn, template: bool = False) -> Verdict:
    if admit.object is None:
        return ALLOWED
    spec, path = admit.object.get("spec") or {}, "spec"
    if template:
        spec, path = (spec.get("template") or {}).get("spec") or {}, "spec.template.spec"
    return Verdict(errors=(*check(spec, path), *_common(spec, path)), warnings=tuple(warn(spec, path)))


# --- each kind


def _nodeadm(spec: Raw, path: str) -> Iterator[FieldError]:
    for index, flag in enumerate((spec.get("kubelet") or {}).get("flags") or ()):
        if not _FLAG.fullmatch(flag):
            said = "must be one flag with its value, like --node-labels=a=b"
            yield errors.invalid(f"{path}.kubelet.flags[{index}]", flag, said)


def _warn_nodeadm(spec: Raw, path: str) -> Iterator[str]:
    for gate in sorted(spec.get("featureGates") or {}):
        if gate not in _GATES:
            yield f"{path}.featureGates: {gate} may not be known to nodeadm, which then refuses the whole configuration"


def _eks(spec: Raw, path: str) -> Iterator[FieldError]:
    for name in sorted(spec.get("kubeletExtraArgs") or {}):
        if not _ARGUMENT.fullmatch(name):
            yield errors.invalid(f"{path}.kubeletExtraArgs", name, "must be the name of a flag, without its dashes")
    if docker := spec.get("dockerConfigJson"):
        try:
            json.loads(docker)
        except ValueError:
            yield errors.invalid(f"{path}.dockerConfigJson", "...", "must be JSON")
    if address := spec.get("dnsClusterIP"):
        for each in address.split(","):
            if not _is_address(each):
                yield errors.invalid(f"{path}.dnsClusterIP", address, "must be an address, or several with commas")
                break
    if (block := spec.get("serviceIPV6Cidr")) and not _is_ipv6_network(block):
        yield errors.invalid(f"{path}.serviceIPV6Cidr", block, "must be a block of IPv6 addresses")
    if (attempts := spec.get("apiRetryAttempts")) is not None and attempts < 0:
        yield errors.invalid(f"{path}.apiRetryAttempts", attempts, "must not be negative")


def _warn_eks(spec: Raw, path: str) -> Iterator[str]:
    if spec.get("containerRuntime") not in (None, "", "containerd"):
        yield f"{path}.containerRuntime: images of Kubernetes 1.24 and later take only containerd"
    if spec.get("dockerConfigJson"):
        yield f"{path}.dockerConfigJson: is passed on, but images with containerd do not read it"


# --- what both have


def _common(spec: Raw, path: str) -> Iterator[FieldError]:
    for index, file in enumerate(_items(spec.get("files"))):
        yield from _file(file, f"{path}.files[{index}]")
    for index, user in enumerate(_items(spec.get("users"))):
        if user.get("passwd") and user.get("passwdFrom"):
            said = f"user {user.get('name')}: give passwd or passwdFrom, not both"
            yield errors.forbidden(f"{path}.users[{index}].passwdFrom", said)
    disks = spec.get("diskSetup") or {}
    for index, partition in enumerate(_items(disks.get("partitions"))):
        if (kind := partition.get("tableType")) not in (None, "", "mbr", "gpt"):
            where = f"{path}.diskSetup.partitions[{index}].tableType"
            yield errors.not_supported(where, kind, ("mbr", "gpt"))
    for index, mount in enumerate(spec.get("mounts") or ()):
        if isinstance(mount, list) and not 1 <= len(mount) <= 6:
            yield errors.invalid(f"{path}.mounts[{index}]", len(mount), "a mount has 1 to 6 fields")


def _file(file: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if file.get("content") and file.get("contentFrom"):
        yield errors.forbidden(f"{path}.contentFrom", "give content or contentFrom, not both")
    if not str(file.get("path", "")).startswith("/"):
        yield errors.invalid(f"{path}.path", file.get("path"), "must be an absolute path")
    permissions = file.get("permissions")
    if permissions and not re.fullmatch(r"[0-7]{3,4}", permissions):
        yield errors.invalid(f"{path}.permissions", permissions, "must be octal digits, like 0640")
    if str(file.get("encoding", "")).endswith("base64") and file.get("content"):
        try:
            base64.b64decode("".join(file["content"].split()), validate=True)
        except (binascii.Error, ValueError):
            yield errors.invalid(f"{path}.content", "...", "is not base64, as its encoding says")


def _items(value: Any) -> list[Raw]:
    """A list of objects; what is malformed is the schema's to refuse, which runs after these rules."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_ipv6_network(text: str) -> bool:
    try:
        ipaddress.IPv6Network(text, strict=False)
    except ValueError:
        return False
    return True
