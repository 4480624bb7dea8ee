"""The tags API, at the scope of any resource."""

from __future__ import annotations

from capipool.testing.azure.http.answers import Answer, Call, Route
from capipool.testing.azure.model import tags
from capipool.testing.azure.model.failures import ArmError

_DEFAULT = "/{scope:path}/providers/Microsoft.Resources/tags/default"


def _answer(call: Call) -> Answer:
    body = {
        "id": call.path,
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": dict(tags.of(call.subscription, call.params["scope"]))},
    }
    return Answer(200, body)


def _given(call: Call) -> dict[str, str]:
    given = (call.document().get("properties") or {}).get("tags") or {}
    if not isinstance(given, dict):
        raise ArmError("InvalidRequestContent", "The tags must be an object of names and values.")
    return given


def patch(call: Call) -> Answer:
    """Merge, Replace or Delete."""
    present = tags.of(call.subscription, call.params["scope"])
    tags.change(present, str(call.document().get("operation")), _given(call))
    tags.touch(call.subscription, call.params["scope"])
    return _answer(call)


def put(call: Call) -> Answer:
    """Replace all."""
    tags.change(tags.of(call.subscription, call.params["scope"]), "Replace", _given(call))
    tags.touch(call.subscription, call.params["scope"])
    return _answer(call)


def delete(call: Call) -> Answer:
    """Remove all."""
    tags.of(call.subscription, call.params["scope"]).clear()
    tags.touch(call.subscription, call.params["scope"])
    return Answer(200)


ROUTES = (
    Route("GET", _DEFAULT, "tags/read", _answer),
    Route("PATCH", _DEFAULT, "tags/write", patch),
    Route("PUT", _DEFAULT, "tags/write", put),
    Route("DELETE", _DEFAULT, "tags/delete", delete),
)
