"""What is refused of a KubeadmConfig and a KubeadmConfigTemplate beyond their schema, and what is warned of. Pure.

Source of the rules: Cluster API's webhooks of these kinds; the Ignition format is not behind a feature gate here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capipool.machinery import errors
from capipool.machinery.admission import ALLOWED, Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource
from capipool.providers.kubeadm import tokens
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig, KubeadmConfigTemplate

JSON = Any
_NOT_WITH_IGNITION = 'not supported when spec.format is set to: "ignition"'


def rules() -> list[Rules]:
    """The rules of both kinds, in the version they are judged in."""
    return [
        _rules(KubeadmConfig.RESOURCE, ("spec",)),
        _rules(KubeadmConfigTemplate.RESOURCE, ("spec", "template", "spec")),
    ]


def _rules(resource: Resource, path: tuple[str, ...]) -> Rules:
    def validate(admit: Admit) -> Verdict:
        if admit.operation == "DELETE" or admit.object is None:
            return ALLOWED
        spec = _get(admit.object, *path) or {}
        return Verdict(errors=tuple(_errors(spec, ".".join(path))), warnings=tuple(_warnings(spec, ".".join(path))))

    return Rules(resource=resource, validate=validate)


def _errors(spec: Mapping[str, Any], at: str) -> Iterator[FieldError]:
    yield from _files(_list(spec, "files"), f"{at}.files")
    yield from _users(_list(spec, "users"), f"{at}.users")
    yield from _ignition(spec, at)
    yield from _disks(_list(spec, "diskSetup", "partitions"), f"{at}.diskSetup.partitions")
    yield from _discovery(_get(spec, "joinConfiguration", "discovery") or {}, f"{at}.joinConfiguration.discovery")


def _files(files: list[Raw], at: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for i, file in enumerate(files):
        if file.get("content") and file.get("contentFrom"):
            message = "only one of content or contentFrom may be specified for a single file"
            yield errors.invalid(f"{at}[{i}]", file.get("path"), message)
        path = str(file.get("path", ""))
        if path in seen:
            yield errors.invalid(f"{at}[{i}].path", path, "path property must be unique among all files")
        seen.add(path)


def _users(users: list[Raw], at: str) -> Iterator[FieldError]:
    for i, user in enumerate(users):
        if user.get("passwd") and user.get("passwdFrom"):
            # NB: the value shown is the name alone; the rest holds a password.
            message = "only one of passwd or passwdFrom may be specified for a single user"
            yield errors.invalid(f"{at}[{i}]", user.get("name"), message)


def _ignition(spec: Mapping[str, Any], at: str) -> Iterator[FieldError]:
    if spec.get("format") != "ignition":
        if spec.get("ignition"):
            message = 'must be set to "ignition" if spec.ignition is set'
            yield errors.invalid(f"{at}.format", spec.get("format", ""), message)
        return
    if spec.get("bootCommands"):
        yield errors.forbidden(f"{at}.bootCommands", _NOT_WITH_IGNITION)
    for i, user in enumerate(_list(spec, "users")):
        if user.get("inactive"):
            yield errors.forbidden(f"{at}.users[{i}].inactive", _NOT_WITH_IGNITION)
    for i, file in enumerate(_list(spec, "files")):
        if str(file.get("encoding", "")).startswith("gzip"):
            yield errors.forbidden(f"{at}.files[{i}].encoding", _NOT_WITH_IGNITION)
    for i, partition in enumerate(_list(spec, "diskSetup", "partitions")):
        if partition.get("tableType", "gpt") != "gpt":
            message = 'only partition type "gpt" is supported when spec.format is set to "ignition"'
            yield errors.invalid(f"{at}.diskSetup.partitions[{i}].tableType", partition["tableType"], message)
    for i, filesystem in enumerate(_list(spec, "diskSetup", "filesystems")):
        for name in ("replaceFS", "partition"):
            if filesystem.get(name):
                yield errors.forbidden(f"{at}.diskSetup.filesystems[{i}].{name}", _NOT_WITH_IGNITION)


def _disks(partitions: list[Raw], at: str) -> Iterator[FieldError]:
    for i, partition in enumerate(partitions):
        total = sum(int(part.get("percentage", 0)) for part in _list(partition, "diskLayout"))
        if total > 100:
            message = "the sum of all partition percentages must not be greater than 100"
            yield errors.invalid(f"{at}[{i}].diskLayout", total, message)


def _discovery(discovery: Mapping[str, Any], at: str) -> Iterator[FieldError]:
    user = _get(discovery, "file", "kubeConfig", "user") or {}
    if user.get("authProvider") and user.get("exec"):
        message = "only one of authProvider or exec must be defined"
        yield errors.invalid(f"{at}.file.kubeconfig.user", sorted(user), message)


def _warnings(spec: Mapping[str, Any], at: str) -> Iterator[str]:
    if spec.get("format") == "ignition":
        for i, partition in enumerate(_list(spec, "diskSetup", "partitions")):
            if partition.get("diskLayout"):
                yield f"{at}.diskSetup.partitions[{i}].diskLayout cannot be rendered as Ignition: no data will be made"
    token = _get(spec, "joinConfiguration", "discovery", "bootstrapToken", "token")
    if token and tokens.split(str(token)) is None:
        yield f"{at}.joinConfiguration.discovery.bootstrapToken.token is not of the form [a-z0-9]{{6}}.[a-z0-9]{{16}}"


def _get(value: JSON, *path: str) -> JSON:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _list(value: Mapping[str, Any], *path: str) -> list[Raw]:
    """A list of objects; what is malformed is the schema's to refuse, which runs after these rules."""
    found = _get(value, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
