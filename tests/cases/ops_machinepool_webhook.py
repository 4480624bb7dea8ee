"""Operations of machinepool_webhook.yaml: what admission does with MachinePools."""

from capipool.api.admission import machinepool
from capipool.machinery.admission import Rules
from tests.cases import admission, expect
from tests.cases.registry import Case, operation


def rules(case: Case) -> Rules:
    return machinepool.rules(case.given.get("featureGates") or {})


@operation("admission_default")
def default(case: Case) -> None:
    chosen = rules(case)
    old = case.given.get("oldMachinePool")
    request = admission.admit(chosen, case.given.get("operation", "CREATE"), case.given["machinePool"], old)
    expect.fields(case.expect, admission.defaulted(chosen, request))


@operation("admission_validate")
def validate(case: Case) -> None:
    chosen = rules(case)
    old = case.given.get("oldMachinePool")
    request = admission.admit(chosen, case.given.get("operation", "CREATE"), case.given["machinePool"], old)
    admission.judged(chosen, request, case.expect)


@operation("admission_default then admission_validate")
def default_then_validate(case: Case) -> None:
    chosen = rules(case)
    old = case.given.get("oldMachinePool")
    operation = case.given.get("operation", "CREATE")
    first = admission.admit(chosen, operation, case.given["machinePool"], old)
    second = admission.admit(chosen, operation, admission.defaulted(chosen, first), old)
    admission.judged(chosen, second, case.expect)


@operation("admission_default_replicas")
def default_replicas(case: Case) -> None:
    chosen, given = rules(case), case.given
    metadata = {"annotations": given.get("annotations") or {}}
    new = {"metadata": metadata, "spec": {"clusterName": "c", "replicas": given.get("newReplicas")}}
    old = {"spec": {"replicas": given.get("oldReplicas")}} if given["operation"] == "UPDATE" else None
    request = admission.admit(chosen, given["operation"], new, old)
    if not case.expect.get("error"):
        expect.fields(case.expect, admission.defaulted(chosen, request))
        return
    try:
        admission.defaulted(chosen, request)
    except Exception:
        return
    raise AssertionError("expected an error, got none")
