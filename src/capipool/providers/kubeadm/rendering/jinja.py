"""Which of a user's texts cloud-init evaluates as Jinja, and how all others are kept from it.

Cloud-init evaluates a whole cloud-config as one Jinja template when its first line asks for that. Users need it for
instance data (`{{ ds.meta_data.local_hostname }}` as a node name); shell and Go templates use the same braces
(`${#array[@]}`, `--format '{{.Id}}'`) and would be mangled, or make cloud-init drop the whole configuration.

So a text is a template when it names instance data or uses a Jinja statement; in every other text each opening
delimiter is written as an expression that yields itself. Where nothing is a template, Jinja is not asked for at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from capipool.providers.kubeadm.rendering import yaml

JSON = Any

_INSTANCE_DATA = (
    "ds|v1|merged_cfg|merged_system_cfg|sys_info|system_info|vendordata|user_?data|instance_id|local_hostname|platform|"
    "subplatform|availability_zone|region|cloud_name|cloud_id|distro|distro_version|distro_release|kernel_release|"
    "machine|python_version|system_platform|variant|public_ssh_keys|base64_encoded_keys|sensitive_keys"
)
"""The names at the top of cloud-init's instance data. Source: its documentation, `explanation/instancedata`."""

_STATEMENTS = "raw|endraw|if|elif|else|endif|for|endfor|set|endset|do|macro|endmacro|filter|endfilter|with|endwith"

_TEMPLATE = re.compile(rf"\{{\{{[-+]?\s*(?:{_INSTANCE_DATA})\b|\{{%[-+]?\s*(?:{_STATEMENTS})\b")
_DELIMITER = re.compile(r"\{(?=[{%#]|\Z)")
"""NB: a brace at the end counts, since it meets whatever follows the text in the document."""
_SHELL_LENGTH = re.compile(r"(?<=\$)\{(?=#)")
_STATEMENT_AT_END = re.compile(r"%\}(?=\n|\Z)")
_LAST_STATEMENT = re.compile(r"%\}(?=\n*\Z)")
_NOTHING = "{{ '' }}"
"""An expression that yields nothing. Cloud-init's Jinja takes away the newline after a statement, and with it the YAML
line: behind this, it stays."""
_LITERAL = "{{ '{' }}"
"""An expression that yields one opening brace, which is enough to keep the pair apart. No character of it is escaped
inside YAML's double quotes."""


def is_template(text: str) -> bool:
    """Whether the text is meant for cloud-init's Jinja."""
    return _TEMPLATE.search(text) is not None


def any_template(value: JSON) -> bool:
    """Whether any text within a JSON value is."""
    match value:
        case str():
            return is_template(value)
        case Mapping():
            return any(any_template(key) or any_template(item) for key, item in value.items())
        case list() | tuple():
            return any(any_template(item) for item in value)
    return False


def protect(text: str) -> str:
    """The text as it must stand in a Jinja document to come out as it is, or evaluated if it is a template.

    Within a template, `${#` is shell all the same: as Jinja it would open a comment that never ends.
    """
    if is_template(text):
        # Within `raw`, all but its last statement is text.
        statement = _LAST_STATEMENT if "raw" in text else _STATEMENT_AT_END
        return yaml.Template(statement.sub("%}" + _NOTHING, _SHELL_LENGTH.sub(lambda _: _LITERAL, text)))
    return _DELIMITER.sub(lambda _: _LITERAL, text)


def protect_all(value: JSON) -> JSON:
    """`protect` for every text within a JSON value, keys too."""
    match value:
        case str():
            return protect(value)
        case Mapping():
            return {protect(key): protect_all(item) for key, item in value.items()}
        case list() | tuple():
            return [protect_all(item) for item in value]
    return value
