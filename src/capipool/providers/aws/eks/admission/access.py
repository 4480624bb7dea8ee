"""Upstream's rules on who may use an EKS cluster. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from capipool.machinery import errors
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw

_WITH_ENTRIES = ("api", "api_and_config_map")
_OF_NODES = ("ec2_linux", "ec2_windows")
_ROLE = re.compile(r"arn:[a-z-]+:iam::[0-9]*:role/.+")
_USER = re.compile(r"arn:[a-z-]+:iam::[0-9]*:user/.+")


def check(spec: Raw, path: str) -> Iterator[FieldError]:
    """What is wrong with access config, entries and mappings."""
    config = spec.get("accessConfig")
    mode = (config or {}).get("authenticationMode") or "config_map"
    if config is not None and mode == "config_map" and config.get("bootstrapClusterCreatorAdminPermissions") is False:
        where = f"{path}.accessConfig.bootstrapClusterCreatorAdminPermissions"
        yield errors.invalid(where, False, "must be true where authenticationMode is config_map")
    yield from _entries(spec.get("accessEntries") or (), mode, f"{path}.accessEntries")
    mappings = spec.get("iamAuthenticatorConfig") or {}
    yield from _mappings(mappings.get("mapRoles") or (), "rolearn", _ROLE, f"{path}.iamAuthenticatorConfig.mapRoles")
    yield from _mappings(mappings.get("mapUsers") or (), "userarn", _USER, f"{path}.iamAuthenticatorConfig.mapUsers")


def changes(old: Raw, new: Raw, path: str) -> Iterator[FieldError]:
    """What may not be changed: access by entries is never taken back."""
    before, after = old.get("accessConfig"), new.get("accessConfig")
    if before is None:
        return
    if after is None:
        yield errors.invalid(f"{path}.accessConfig", None, "cannot be taken away")
        return
    modes = ("config_map", "api_and_config_map", "api")
    was, now = (part.get("authenticationMode") or "config_map" for part in (before, after))
    if was in modes and now in modes and modes.index(now) < modes.index(was):
        yield errors.invalid(f"{path}.accessConfig.authenticationMode", now, f"cannot go back from {was}")


def _entries(entries: Sequence[Raw], mode: str, path: str) -> Iterator[FieldError]:
    if entries and mode not in _WITH_ENTRIES:
        said = "needs accessConfig.authenticationMode api or api_and_config_map"
        yield errors.invalid(path, len(entries), said)
    for index, entry in enumerate(entries):
        where = f"{path}[{index}]"
        kind = entry.get("type", "")
        for name in ("kubernetesGroups", "accessPolicies"):
            if kind in _OF_NODES and entry.get(name):
                yield errors.forbidden(f"{where}.{name}", f"not for entries of type {kind}")
        for place, policy in enumerate(entry.get("accessPolicies") or ()):
            scope = policy.get("accessScope") or {}
            if scope.get("type") == "namespace" and not scope.get("namespaces"):
                said = "a policy of type namespace names them"
                yield errors.required(f"{where}.accessPolicies[{place}].accessScope.namespaces", said)


def _mappings(mappings: Sequence[Raw], key: str, form: re.Pattern[str], path: str) -> Iterator[FieldError]:
    for index, mapping in enumerate(mappings):
        where, arn = f"{path}[{index}]", mapping.get(key, "")
        if not form.fullmatch(arn):
            yield errors.invalid(f"{where}.{key}", arn, f"must match {form.pattern}")
        if not mapping.get("username"):
            yield errors.required(f"{where}.username", "who it is in the cluster")
        if not mapping.get("groups"):
            yield errors.required(f"{where}.groups", "what it may do in the cluster")
