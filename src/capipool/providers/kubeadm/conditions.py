"""The status of a KubeadmConfig: the conditions of both contracts, and what the contract asks for. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec

from capipool.api.constants import ConditionType, Reason
from capipool.api.shared import V1Beta1Condition
from capipool.machinery import clock, conditions
from capipool.machinery.conditions import Condition, Reasons
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import (
    KubeadmConfigDeprecatedStatus,
    KubeadmConfigInitialization,
    KubeadmConfigStatus,
    KubeadmConfigV1Beta1Status,
)
from capipool.providers.kubeadm.decide import Wait

DATA_SECRET_AVAILABLE = "DataSecretAvailable"
CERTIFICATES_AVAILABLE = "CertificatesAvailable"
WITHIN_LIMIT = "DataWithinLimit"
"""Ours: whether the data is small enough for the cloud it is for."""
REFUSED = "InvalidConfiguration"
TOO_LARGE = "DataTooLarge"

_READY = Reasons(Reason.READY, Reason.NOT_READY, Reason.READY_UNKNOWN)


def paused(status: KubeadmConfigStatus, is_paused: bool, *, why: str, now: dt.datetime) -> KubeadmConfigStatus:
    """With the condition that says whether it is paused."""
    reason = Reason.PAUSED if is_paused else Reason.NOT_PAUSED
    state = "True" if is_paused else "False"
    condition = Condition(type=ConditionType.PAUSED, status=state, reason=reason, message=why if is_paused else "")
    return msgspec.structs.replace(status, conditions=conditions.set_all(status.conditions, [condition], now))


def waiting(status: KubeadmConfigStatus, wait: Wait, *, has_data: bool, now: dt.datetime) -> KubeadmConfigStatus:
    """Why there is no data; or, where there is older data, why it is not brought up to date."""
    reason = REFUSED if wait.refused else Reason.NOT_AVAILABLE
    data = Condition(type=DATA_SECRET_AVAILABLE, status="False", reason=reason, message=wait.message)
    legacy = _legacy(DATA_SECRET_AVAILABLE, wait.legacy_reason, "Info" if not wait.refused else "Error", wait.message)
    wanted = [data]
    if has_data:
        message = f"The data is not up to date: {wait.message}"
        wanted = [Condition(type=DATA_SECRET_AVAILABLE, status="True", reason=Reason.AVAILABLE, message=message)]
        legacy = _legacy(DATA_SECRET_AVAILABLE)
    if wait.certificates and not has_data:
        message = f"{wait.message[:1].upper()}{wait.message[1:]}"
        wanted.append(
            Condition(type=CERTIFICATES_AVAILABLE, status="Unknown", reason=Reason.INTERNAL_ERROR, message=message)
        )
        legacy = _legacy(CERTIFICATES_AVAILABLE, wait.legacy_reason, "Error", wait.message)
    return _summarised(status, wanted, [legacy], now)


def available(status: KubeadmConfigStatus, name: str, *, note: str = "", now: dt.datetime) -> KubeadmConfigStatus:
    """The data secret is there."""
    wanted = [
        Condition(type=DATA_SECRET_AVAILABLE, status="True", reason=Reason.AVAILABLE, message=note),
        Condition(type=CERTIFICATES_AVAILABLE, status="True", reason=Reason.AVAILABLE),
    ]
    status = msgspec.structs.replace(
        status, data_secret_name=name, initialization=KubeadmConfigInitialization(data_secret_created=True)
    )
    legacy = [_legacy(DATA_SECRET_AVAILABLE), _legacy(CERTIFICATES_AVAILABLE)]
    return _summarised(status, wanted, legacy, now)


def sized(status: KubeadmConfigStatus, size: int, excess: int, now: dt.datetime) -> KubeadmConfigStatus:
    """Whether the data fits its cloud. The condition appears once it does not, and stays to say that it does again."""
    if not excess and conditions.find(status.conditions, WITHIN_LIMIT) is None:
        return status
    message = f"The data has {size} bytes, {excess} more than the cloud takes: move files to an image or a download"
    condition = (
        Condition(type=WITHIN_LIMIT, status="False", reason=TOO_LARGE, message=message)
        if excess
        else Condition(type=WITHIN_LIMIT, status="True", reason="WithinLimit")
    )
    return msgspec.structs.replace(status, conditions=conditions.set_all(status.conditions, [condition], now))


def _summarised(
    status: KubeadmConfigStatus, wanted: list[Condition], legacy: list[V1Beta1Condition], now: dt.datetime
) -> KubeadmConfigStatus:
    """With the conditions, and with `Ready` over them. A condition that was never reported does not make it unknown."""
    found = conditions.set_all(status.conditions, wanted, now)
    types = [t for t in (DATA_SECRET_AVAILABLE, CERTIFICATES_AVAILABLE) if conditions.find(found, t) is not None]
    ready = conditions.summary(ConditionType.READY, found, of=types, reasons=_READY)
    return msgspec.structs.replace(
        status,
        conditions=conditions.set_all(found, [ready], now),
        deprecated=KubeadmConfigDeprecatedStatus(
            v1beta1=KubeadmConfigV1Beta1Status(conditions=_merged(status.deprecated.v1beta1.conditions, legacy, now))
        ),
    )


# --- the conditions of v1beta1, which its clients still read

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=clock.UTC)


def _legacy(type_: str, reason: str = "", severity: str = "", message: str = "") -> V1Beta1Condition:
    return V1Beta1Condition(
        type=type_,
        status="False" if reason else "True",
        severity=severity,
        reason=reason,
        message=message[:10240],
        last_transition_time=_EPOCH,
    )


def _merged(
    before: Iterable[V1Beta1Condition], wanted: list[V1Beta1Condition], now: dt.datetime
) -> tuple[V1Beta1Condition, ...]:
    """With `Ready` first, as that version has it: the first of the others that is false, or true."""
    old = {c.type: c for c in before}
    others = {c.type: c for c in before if c.type != ConditionType.READY} | {c.type: c for c in wanted}
    worst = next((c for c in others.values() if c.status != "True"), None)
    ready = _legacy(ConditionType.READY) if worst is None else msgspec.structs.replace(worst, type=ConditionType.READY)
    return tuple(_since(old.get(c.type), c, now) for c in (ready, *others.values()))


def _since(old: V1Beta1Condition | None, new: V1Beta1Condition, now: dt.datetime) -> V1Beta1Condition:
    same = old is not None and (old.status, old.reason, old.severity) == (new.status, new.reason, new.severity)
    since = old.last_transition_time if same and old is not None else clock.to_seconds(now)
    return msgspec.structs.replace(new, last_transition_time=since)
