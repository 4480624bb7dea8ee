"""The functions that Kubernetes adds to CEL's own: strings, lists, regular expressions, URLs, addresses, quantities.

Those that take two kinds of receiver (`indexOf`) look at what they are given. A function raises ValueError where CEL
would stop with an error.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qs, urlsplit

# -- strings ----------------------------------------------------------------------------------------------------------


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise ValueError(f"index out of range: {index}")
    return text[index : index + 1]


def _index_of(where: Any, what: Any, start: int = 0) -> int:
    if isinstance(where, str):
        return where.find(what, start)
    return next((i for i, item in enumerate(where) if item == what), -1)


def _last_index_of(where: Any, what: Any) -> int:
    if isinstance(where, str):
        return where.rfind(what)
    return next((i for i in range(len(where) - 1, -1, -1) if where[i] == what), -1)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if separator == "":
        return list(text) if limit < 0 or limit >= len(text) else [*text[: limit - 1], text[limit - 1 :]]
    return text.split(separator, -1 if limit < 0 else limit - 1)


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise ValueError(f"index out of range: {start}")
    return text[start:stop]


def _lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def _upper(text: str) -> str:
    return "".join(c.upper() if c.isascii() else c for c in text)


# -- lists ------------------------------------------------------------------------------------------------------------


def _is_sorted(items: list[Any]) -> bool:
    return all(a <= b for a, b in itertools.pairwise(items))


# -- URLs and addresses -----------------------------------------------------------------------------------------------


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc) or text.startswith("/")


def _url(text: str) -> str:
    if not _is_url(text):
        raise ValueError(f"{text!r} is no URL")
    return text


def _escaped_query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query, keep_blank_values=True)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _ip(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _cidr(text: str) -> str:
    ipaddress.ip_network(text, strict=False)
    return text


def _contains_cidr(outer: str, inner: str) -> bool:
    a, b = ipaddress.ip_network(outer, strict=False), ipaddress.ip_network(inner, strict=False)
    return a.version == b.version and b.subnet_of(a)  # type: ignore[arg-type]


# -- quantities -------------------------------------------------------------------------------------------------------

_SUFFIXES = {s: Decimal(1024) ** i for i, s in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)} | {
    s: Decimal(1000) ** i for i, s in enumerate(("k", "M", "G", "T", "P", "E"), start=1)
}
_SUFFIXES |= {"": Decimal(1), "m": Decimal("1e-3"), "u": Decimal("1e-6"), "n": Decimal("1e-9")}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([A-Za-z]*)", re.ASCII)


def quantity(text: str) -> Decimal:
    """The number that a Kubernetes quantity (`1Gi`, `500m`) stands for. Raises ValueError where it is none."""
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2] not in _SUFFIXES:
        raise ValueError(f"{text!r} is no quantity")
    try:
        return Decimal(found[1]) * _SUFFIXES[found[2]]
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is no quantity") from error


def _is_quantity(text: str) -> bool:
    try:
        quantity(text)
    except ValueError:
        return False
    return True


def _compare(a: float, b: float) -> int:
    return (a > b) - (a < b)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "charAt": _char_at,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "join": lambda items, separator="": separator.join(items),
    "lowerAscii": _lower,
    "upperAscii": _upper,
    "replace": lambda text, old, new, limit=-1: text.replace(old, new, limit),
    "split": _split,
    "substring": _substring,
    "trim": lambda text: text.strip(),
    "reverse": lambda text: text[::-1],
    "isSorted": _is_sorted,
    "sum": lambda items: sum(items),
    "find": lambda text, pattern: found[0] if (found := re.search(pattern, text)) else "",
    "findAll": lambda text, pattern, limit=-1: [m[0] for m in re.finditer(pattern, text)][
        : limit if limit >= 0 else None
    ],
    "isURL": _is_url,
    "url": _url,
    "getScheme": lambda url: urlsplit(url).scheme,
    "getHost": lambda url: urlsplit(url).netloc.rpartition("@")[2],
    "getHostname": lambda url: urlsplit(url).hostname or "",
    "getPort": lambda url: str(urlsplit(url).port or ""),
    "getEscapedPath": lambda url: urlsplit(url).path,
    "getQuery": _escaped_query,
    "isIP": _is_ip,
    "ip": _ip,
    "family": lambda ip: ipaddress.ip_address(ip).version,
    "isCIDR": _is_cidr,
    "cidr": _cidr,
    "containsIP": lambda cidr, ip: ipaddress.ip_address(ip) in ipaddress.ip_network(cidr, strict=False),
    "containsCIDR": _contains_cidr,
    "prefixLength": lambda cidr: ipaddress.ip_network(cidr, strict=False).prefixlen,
    "isQuantity": _is_quantity,
    # CEL has no decimals: a double holds every quantity that a schema compares.
    "quantity": lambda text: float(quantity(text)),
    "asApproximateFloat": float,
    "asInteger": int,
    "isGreaterThan": lambda a, b: a > b,
    "isLessThan": lambda a, b: a < b,
    "compareTo": _compare,
}
