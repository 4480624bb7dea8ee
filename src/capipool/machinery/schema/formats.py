"""The string formats that Kubernetes checks in a CRD's schema. A format that is not here is no constraint."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import ipaddress
import re
from collections.abc import Callable
from functools import cache
from urllib.parse import urlsplit

import jsonschema_rs

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_HOST = re.compile(
    r"(?=.{1,253}\Z)([A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?)(\.[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?)*\.?"
)
_MAC = re.compile(r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-?([0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}")
_HEX_COLOR = re.compile(r"#?([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DURATION = re.compile(r"[-+]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_LONG_DURATION = re.compile(
    r"\d+\s*(nanoseconds?|ns|us|µs|ms|s|sec(ond)?s?|min(ute)?s?|m|h|hr|hours?|d|days?|w|weeks?)", re.ASCII
)


def is_date_time(text: str) -> bool:
    """RFC 3339 with seconds and an offset, and a day that the calendar has."""
    if _DATE_TIME.fullmatch(text) is None:
        return False
    return _is_date(text[:10]) and int(text[11:13]) < 24 and int(text[14:16]) < 60 and int(text[17:19]) < 61


def is_duration(text: str) -> bool:
    """A Go duration (`1h30m`), or one number with a longer unit (`3 days`)."""
    return _DURATION.fullmatch(text) is not None or _LONG_DURATION.fullmatch(text) is not None


def is_base64(text: str) -> bool:
    """Standard base64 with its padding."""
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _is_cidr(text: str) -> bool:
    return "/" in text and _parses(lambda t: ipaddress.ip_network(t, strict=False))(text)


def _is_uri(text: str) -> bool:
    return bool(text) and _parses(urlsplit)(text) and (text.startswith("/") or urlsplit(text).scheme != "")


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": is_date_time,
    "date": _is_date,
    "duration": is_duration,
    "byte": is_base64,
    "email": _matches(_EMAIL),
    "hostname": _matches(_HOST),
    "mac": _matches(_MAC),
    "uuid": _matches(_UUID),
    "hexcolor": _matches(_HEX_COLOR),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "cidr": _is_cidr,
    "uri": _is_uri,
}
"""By name; each takes a string and says whether it is one of that format."""

INTEGER_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}


@cache
def pattern(text: str) -> Callable[[str], bool]:
    """A matcher (anywhere in the string) for a regular expression of a schema. Raises ValueError where it is malformed.

    Such expressions come from users and are RE2's: matched by an engine that takes linear time, never by `re`, which an
    unlucky expression and value can keep busy for ever.
    """
    options = jsonschema_rs.RegexOptions()
    try:
        found = jsonschema_rs.Draft202012Validator({"pattern": text}, pattern_options=options)
    except jsonschema_rs.ValidationError as error:
        raise ValueError(f"{text!r} is no regular expression (RE2)") from error
    matcher: Callable[[str], bool] = found.is_valid
    return matcher
