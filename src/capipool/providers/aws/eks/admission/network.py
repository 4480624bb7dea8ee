"""Upstream's rules on the network of an EKS cluster. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from capipool.machinery import errors
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw

_SECONDARY = (ipaddress.IPv4Network("100.64.0.0/10"), ipaddress.IPv4Network("198.19.0.0/16"))
_SIZES = (16, 28)
"""Bits of the prefix of a secondary block: from the largest to the smallest."""


def check(spec: Raw, path: str) -> Iterator[FieldError]:
    """What is wrong with region, address blocks, IPv6 and host names."""
    vpc = (spec.get("network") or {}).get("vpc") or {}
    if (region := spec.get("region")) and not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]+", region):
        yield errors.invalid(f"{path}.region", region, "must be the name of a region, like eu-central-1")
    yield from _secondary(spec.get("secondaryCidrBlock"), vpc, path)
    yield from _ipv6(spec, vpc, path)


def changes(old: Raw, new: Raw, path: str) -> Iterator[FieldError]:
    """What may not be changed: the family of addresses."""
    before, after = (((spec.get("network") or {}).get("vpc") or {}).get("ipv6") is not None for spec in (old, new))
    if before != after:
        yield errors.invalid(f"{path}.network.vpc.ipv6", after, "the family of addresses cannot be changed")


def _secondary(block: str | None, vpc: Raw, path: str) -> Iterator[FieldError]:
    listed = [other.get("ipv4CidrBlock") for other in vpc.get("secondaryCidrBlocks") or ()]
    where = f"{path}.network.vpc.secondaryCidrBlocks"
    if vpc.get("cidrBlock") and vpc["cidrBlock"] in (*listed, block):
        yield errors.invalid(where, vpc["cidrBlock"], "must not contain the block of the network itself")
    if not block:
        return
    if listed and block not in listed:
        yield errors.invalid(where, listed, f"must contain {path}.secondaryCidrBlock ({block}), too")
    yield from _block(block, f"{path}.secondaryCidrBlock")


def _block(block: str, path: str) -> Iterator[FieldError]:
    try:
        network = ipaddress.IPv4Network(block, strict=False)
    except ValueError:
        yield errors.invalid(path, block, "must be a block of IPv4 addresses")
        return
    if not _SIZES[0] <= network.prefixlen <= _SIZES[1]:
        yield errors.invalid(path, block, "must be a /16 to /28")
    if not any(network.subnet_of(allowed) for allowed in _SECONDARY):
        yield errors.invalid(path, block, "must be within 100.64.0.0/10 or 198.19.0.0/16")


def _ipv6(spec: Raw, vpc: Raw, path: str) -> Iterator[FieldError]:
    ipv6 = vpc.get("ipv6")
    if ipv6 is None:
        return
    where, pool = f"{path}.network.vpc.ipv6", ipv6.get("ipamPool")
    if (kind := vpc.get("privateDnsHostnameTypeOnLaunch")) not in (None, "resource-name"):
        name = f"{path}.network.vpc.privateDnsHostnameTypeOnLaunch"
        yield errors.invalid(name, kind, "must be resource-name with IPv6")
    if ipv6.get("cidrBlock") and not ipv6.get("poolId"):
        yield errors.required(f"{where}.poolId", "the pool that cidrBlock is of")
    for name in ("poolId", "cidrBlock"):
        if ipv6.get(name) and pool:
            yield errors.forbidden(f"{where}.{name}", "not beside ipamPool")
    if pool is not None and not pool.get("id") and not pool.get("name"):
        yield errors.required(f"{where}.ipamPool.id", "or name")
    if spec.get("version") and not spec.get("addons"):
        yield errors.required(f"{path}.addons", "clusters with IPv6 list their add-ons")
