"""Long-running operations, as clients follow them: their status, and their result."""

from __future__ import annotations

from capipool.machinery.objects import Raw
from capipool.testing.azure.http.answers import Answer, Call, Route, retry_after
from capipool.testing.azure.model.failures import ArmError
from capipool.testing.azure.model.operations import Operation, Outcome
from capipool.testing.azure.model.world import timestamp

_OPERATIONS = "/subscriptions/{subscription}/providers/{provider}/locations/{location}/operations/{name}"


def _find(call: Call) -> Operation:
    operation = call.subscription.world.operations.all.get(call.params["name"])
    if operation is None:
        raise ArmError("OperationNotFound", f"There is no operation '{call.params['name']}'.", status=404)
    return operation


def status(call: Call) -> Answer:
    """InProgress, Succeeded, Failed with the error, or Canceled."""
    operation = _find(call)
    body: Raw = {
        "name": operation.name,
        "status": operation.outcome.value,
        "startTime": timestamp(operation.started),
    }
    if operation.ended is not None:
        body["endTime"] = timestamp(operation.ended)
    if operation.error is not None:
        body["error"] = operation.error.body()["error"]
    answer = Answer(200, body, retry_after(call, operation))
    operation.look()
    return answer


def result(call: Call) -> Answer:
    """202 as long as it goes on; then nothing more to say, or the error."""
    operation = _find(call)
    if operation.pending:
        headers = {"Location": call.url(call.path, monitor="true"), **retry_after(call, operation)}
        operation.look()
        return Answer(202, None, headers)
    if operation.outcome is not Outcome.SUCCEEDED and operation.error is not None:
        raise ArmError(operation.error.code, operation.error.message, status=operation.error.status)
    return Answer(200, None)


ROUTES = (
    Route("GET", _OPERATIONS, "locations/operations/read", status),
    Route("GET", f"{_OPERATIONS}/result", "locations/operations/read", result),
)
