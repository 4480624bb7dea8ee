"""How a pool's instances are replaced: upstream's strategy, Azure's rolling upgrade, or by nobody. Pure."""

from __future__ import annotations

from capipool.machinery import percentages
from capipool.machinery.objects import Raw
from capipool.providers.azure import failures
from capipool.providers.azure.api.machinepool import AzureMachinePool, RollingUpdate
from capipool.sdk import DeletePolicy, InvalidConfiguration, ProviderError, RolloutMode, Strategy

ANNOTATION = "capipool.io/rollout"
"""On an AzureMachinePool: `Managed` (the default), `Native` or `OnDelete`."""
HEALTH = ("applicationhealthlinux", "applicationhealthwindows")
"""Types of extensions that tell Azure how an instance is: without one it does not roll."""
_RUNNING = "RollingForward"


def mode(pool: AzureMachinePool) -> RolloutMode:
    """Who replaces instances. An unknown word in the annotation says nothing."""
    said = pool.metadata.annotations.get(ANNOTATION, "")
    return RolloutMode(said) if said in RolloutMode.__members__.values() else RolloutMode.MANAGED


def strategy(pool: AzureMachinePool) -> Strategy:
    """The engine's rules out of upstream's fields. Raises InvalidConfiguration."""
    said = pool.spec.strategy.rolling_update or RollingUpdate()
    if mode(pool) is RolloutMode.NATIVE:
        _check_health(pool)
    for field, value in (("maxSurge", said.max_surge), ("maxUnavailable", said.max_unavailable)):
        try:
            percentages.scaled(value, 1, round_up=True)
        except ValueError as error:
            raise InvalidConfiguration(f"spec.strategy.rollingUpdate.{field}", detail=str(error)) from None
    return Strategy(
        mode=mode(pool),
        max_surge=said.max_surge,
        max_unavailable=said.max_unavailable,
        delete_policy=DeletePolicy(said.delete_policy or DeletePolicy.OLDEST),
        drain_on_delete=True,
    )


def policy(pool: AzureMachinePool, *, rolling: bool, replicas: int) -> Raw | None:
    """The scale set's upgrade policy; None where it has none (Flexible, rolled by the engine).

    Azure's own rolling begins with every change of the model, a fresh token's included: so it is on only while
    instances are outdated.
    """
    if not rolling:
        return {"mode": "Manual"} if pool.spec.orchestration_mode != "Flexible" else None
    said = pool.spec.strategy.rolling_update or RollingUpdate()
    total = max(replicas, 1)
    surge = percentages.scaled(said.max_surge, total, round_up=True)
    batch = surge or percentages.scaled(said.max_unavailable, total, round_up=False) or 1
    percent = min(max(batch * 100 // total, 5), 100)
    limits: Raw = {
        "maxBatchInstancePercent": percent,
        "maxUnhealthyInstancePercent": max(percent, 20),
        "maxUnhealthyUpgradedInstancePercent": 20,
        "pauseTimeBetweenBatches": "PT0S",
        "maxSurge": surge > 0,
    }
    return {"mode": "Rolling", "rollingUpgradePolicy": limits}


def is_running(status: Raw) -> bool:
    """Whether a rolling upgrade is under way."""
    return (status.get("runningStatus") or {}).get("code") == _RUNNING


def fault(status: Raw) -> ProviderError | None:
    """Why the latest rolling upgrade gave up; None where it did not."""
    if (status.get("runningStatus") or {}).get("code") != "Faulted":
        return None
    return failures.of_operation("the rolling upgrade", status.get("error") or {"code": "Faulted"})


def describe(status: Raw) -> str:
    """How far the latest rolling upgrade is, for a person; empty where there is none."""
    if not status:
        return ""
    code, progress = (status.get("runningStatus") or {}).get("code", ""), status.get("progress") or {}
    done = int(progress.get("successfulInstanceCount") or 0)
    total = done + sum(int(progress.get(f"{name}InstanceCount") or 0) for name in ("failed", "inProgress", "pending"))
    why = (status.get("error") or {}).get("message", "")
    return f"rolling upgrade {code}, {done} of {total} instances done" + (f": {why}" if why else "")


def _check_health(pool: AzureMachinePool) -> None:
    if not any(e.name.lower() in HEALTH for e in pool.spec.template.vm_extensions):
        detail = "must have ApplicationHealthLinux or ApplicationHealthWindows: Azure rolls only what says how it is"
        raise InvalidConfiguration("spec.template.vmExtensions", detail=f"with {ANNOTATION}: Native, {detail}")
