"""JSON Patch (RFC 6902), answered as the Kubernetes API server answers it.

A patch that cannot be read is a `BadRequest`; one that can be read but does not fit the document (a failed `test`, a
path that is not there) is `Invalid`, so that a caller can tell a broken client from a lost race.
"""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer
import msgspec

from capipool.machinery.errors import BadRequest, Invalid, RequestTooLarge

MAX_OPERATIONS = 10_000
"""As many as kube-apiserver takes, so that one call cannot keep the server busy."""

_OPERANDS = {
    "add": ("value",),
    "replace": ("value",),
    "test": ("value",),
    "remove": (),
    "move": ("from",),
    "copy": ("from",),
}


def apply(doc: Any, ops: Any) -> Any:
    """The document after all operations, or none of them.

    Raises BadRequest where the patch is malformed, Invalid where it does not fit, RequestTooLarge past MAX_OPERATIONS.
    """
    _check(ops)
    # The library's own copy walks the document in Python; a trip through JSON costs a tenth of it.
    doc, ops = msgspec.json.decode(msgspec.json.encode((doc, ops)))
    for number, operation in enumerate(ops):
        try:
            doc = jsonpatch.JsonPatch([operation]).apply(doc, in_place=True)
        except (
            jsonpatch.JsonPatchException,
            jsonpointer.JsonPointerException,
            TypeError,
            KeyError,
            ValueError,
        ) as error:
            why = _reason(operation, error)
            raise Invalid(
                f"the server rejected our request due to an error in our request: operation {number} ({why})"
            ) from error
    return doc


def _check(ops: Any) -> None:
    if not isinstance(ops, list):
        raise BadRequest(f"a JSON patch is a list of operations, not {type(ops).__name__}")
    if len(ops) > MAX_OPERATIONS:
        raise RequestTooLarge(
            f"the allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, the patch has {len(ops)}"
        )
    for number, operation in enumerate(ops):
        if not isinstance(operation, dict):
            raise BadRequest(f"error decoding patch: operation {number} is not an object")
        _check_operation(number, operation)


def _check_operation(number: int, operation: dict[str, Any]) -> None:
    name = operation.get("op")
    needed = _OPERANDS.get(name) if isinstance(name, str) else None
    if needed is None:
        raise BadRequest(f"error decoding patch: operation {number} has the unknown op {name!r}")
    for member in ("path", *needed):
        if member not in operation:
            raise BadRequest(f"error decoding patch: operation {number} ({name}) has no {member!r}")
    for member in ("path", "from"):
        pointer = operation.get(member, "")
        if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
            raise BadRequest(f"error decoding patch: operation {number} ({name}): {member!r} is no JSON pointer")


def _reason(operation: dict[str, Any], error: Exception) -> str:
    """Which operation failed and why, without the values: a patch may carry a secret."""
    what = f"{operation['op']} {operation['path'] or 'the whole document'}"
    if isinstance(error, jsonpatch.JsonPatchTestFailed):
        return f"{what}: the value there is another"
    if operation["op"] in ("move", "copy"):
        return f"{what}: {operation['from']} or the path's parent is not there"
    return f"{what}: there is no such path"
