"""`additionalConfig` of the Ignition format: what a user lays over the rendered configuration.

It is a Container Linux or Butane configuration (YAML, snake_case, `inline` contents) as upstream documents it, or an
Ignition 3 configuration as it is. Known keys are translated; a key that is not known is refused where the user asked
for strictness, and otherwise left out and reported.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from capipool.machinery import codec, errors
from capipool.machinery.objects import Raw
from capipool.providers.kubeadm.rendering.boot import CannotRender

JSON = Any
_Translate = Callable[[JSON, str, "list[str]"], JSON]

_FIELD = "spec.ignition.containerLinuxConfig.additionalConfig"
_IDENTITIES = ("name", "path", "device")
"""By which field two items of a list are the same item, as Ignition merges configurations."""


def translate(text: str, *, strict: bool) -> tuple[Raw, tuple[str, ...]]:
    """The additional configuration as Ignition 3, and the keys that were left out. Raises CannotRender."""
    source = _read(text)
    version = source.get("ignition", {}).get("version") if isinstance(source.get("ignition"), Mapping) else None
    if version is not None:
        if not str(version).startswith("3."):
            raise CannotRender(f"{_FIELD}: Ignition {version} is not supported, only 3.x is")
        return {key: value for key, value in source.items() if key != "ignition"}, ()
    unknown: list[str] = []
    source = {key: value for key, value in source.items() if key not in ("variant", "version")}
    config: Raw = _object(_ROOT)(source, "", unknown)
    if unknown and strict:
        raise CannotRender(f"{_FIELD}: unknown keys: {', '.join(unknown)}")
    return config, tuple(unknown)


def merge(base: Raw, over: Mapping[str, JSON]) -> Raw:
    """Lay one Ignition configuration over another.

    Objects merge by field and lists of named items by their name, path or device; other lists are joined, and any
    other value is replaced. Source: Ignition's operator notes on merging.
    """
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            result[key] = merge(dict(before), value)
        elif isinstance(before, list) and isinstance(value, list):
            result[key] = _merge_lists(before, value)
        else:
            result[key] = value
    return result


def _merge_lists(base: list[JSON], over: list[JSON]) -> list[JSON]:
    result = list(base)
    for item in over:
        identity = _identity(item)
        at = next((i for i, b in enumerate(result) if identity is not None and _identity(b) == identity), None)
        if at is None:
            result.append(item)
        else:
            result[at] = merge(result[at], item)
    return result


def _identity(item: JSON) -> tuple[str, JSON] | None:
    if not isinstance(item, Mapping):
        return None
    return next(((name, item[name]) for name in _IDENTITIES if name in item), None)


def _read(text: str) -> Raw:
    try:
        documents = list(codec.decode_yaml(text, _FIELD))
    except errors.BadRequest as error:
        raise CannotRender(error.message) from error
    if len(documents) != 1:
        raise CannotRender(f"{_FIELD}: expected one document, found {len(documents)}")
    return documents[0]


def _same(value: JSON, path: str, unknown: list[str]) -> JSON:
    return value


def _list(item: _Translate) -> _Translate:
    def translate_list(value: JSON, path: str, unknown: list[str]) -> JSON:
        if not isinstance(value, list):
            raise CannotRender(f"{_FIELD}: {path} is not a list")
        return [item(entry, f"{path}[{i}]", unknown) for i, entry in enumerate(value)]

    return translate_list


def _object(fields: Mapping[str, tuple[str, _Translate]]) -> _Translate:
    def translate_object(value: JSON, path: str, unknown: list[str]) -> JSON:
        if not isinstance(value, Mapping):
            raise CannotRender(f"{_FIELD}: {path or 'the document'} is not a mapping")
        result = {}
        for key, item in value.items():
            here = f"{path}.{key}" if path else str(key)
            if key not in fields:
                unknown.append(here)
                continue
            name, translate_value = fields[key]
            result[name] = translate_value(item, here, unknown)
        return result

    return translate_object


def _contents(value: JSON, path: str, unknown: list[str]) -> JSON:
    """`inline` text becomes a data URL; `source`, `remote.url`, `compression` stay what they are."""
    if not isinstance(value, Mapping):
        raise CannotRender(f"{_FIELD}: {path} is not a mapping")
    rest = {key: item for key, item in value.items() if key not in ("inline", "remote")}
    result: Raw = _object(_CONTENTS)(rest, path, unknown)
    if "inline" in value:
        inline = value["inline"]
        content = inline if isinstance(inline, bytes) else str(inline).encode()
        result["source"] = f"data:;base64,{base64.b64encode(content).decode()}"
    if isinstance(remote := value.get("remote"), Mapping):
        result["source"] = remote.get("url")
    return result


def _keep(*names: str) -> dict[str, tuple[str, _Translate]]:
    """Scalars and lists of them, whose name changes from snake_case to camelCase."""
    return {name: (_camel(name), _same) for name in names}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


_OWNER = _object(_keep("name", "id"))
_CONTENTS = _keep("source", "compression") | {"verification": ("verification", _object(_keep("hash")))}
_NODE = _keep("path", "overwrite") | {"user": ("user", _OWNER), "group": ("group", _OWNER)}
_FILE = _NODE | _keep("mode") | {"contents": ("contents", _contents), "append": ("append", _list(_contents))}
_UNIT = _keep("name", "enabled", "mask", "contents") | {
    "dropins": ("dropins", _list(_object(_keep("name", "contents")))),
}
_PARTITION = _keep(
    "label", "number", "size_mib", "start_mib", "type_guid", "guid", "wipe_partition_entry", "should_exist"
) | {"size_mib": ("sizeMiB", _same), "start_mib": ("startMiB", _same)}
_STORAGE = {
    "files": ("files", _list(_object(_FILE))),
    "directories": ("directories", _list(_object(_NODE | _keep("mode")))),
    "links": ("links", _list(_object(_NODE | _keep("target", "hard")))),
    "disks": (
        "disks",
        _list(_object(_keep("device", "wipe_table") | {"partitions": ("partitions", _list(_object(_PARTITION)))})),
    ),
    "filesystems": (
        "filesystems",
        _list(_object(_keep("device", "format", "label", "uuid", "options", "path", "wipe_filesystem"))),
    ),
}
_USER = _keep(
    "name",
    "password_hash",
    "ssh_authorized_keys",
    "uid",
    "gecos",
    "home_dir",
    "no_create_home",
    "primary_group",
    "groups",
    "no_user_group",
    "no_log_init",
    "shell",
    "system",
)
_ROOT: dict[str, tuple[str, _Translate]] = {
    "storage": ("storage", _object(_STORAGE)),
    "systemd": ("systemd", _object({"units": ("units", _list(_object(_UNIT)))})),
    "passwd": (
        "passwd",
        _object(
            {
                "users": ("users", _list(_object(_USER))),
                "groups": ("groups", _list(_object(_keep("name", "gid", "password_hash", "system")))),
            }
        ),
    ),
}
