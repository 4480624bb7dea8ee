"""How AKS's own cluster autoscaler works. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated

from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Limits

_NUMBER = r"^(\d+)$"
_MINUTES = r"^(\d+)m$"
_SECONDS = r"^(\d+)s$"


def _text(default: str, pattern: str = "") -> Limits:
    return Limits(default=default, pattern=pattern)


def _flag(default: str) -> Limits:
    return Limits(default=default, enum=("true", "false"))


class AutoscalerProfile(Model):
    """Settings of the cluster autoscaler; every one is text."""

    balance_similar_node_groups: Annotated[str, _flag("false")] = "false"
    expander: Annotated[str, Limits(enum=("least-waste", "most-pods", "priority", "random"), default="random")] = (
        "random"
    )
    max_empty_bulk_delete: Annotated[str, _text("10")] = "10"
    max_graceful_termination_sec: Annotated[str, _text("600", _NUMBER)] = "600"
    max_node_provision_time: Annotated[str, _text("15m", _MINUTES)] = "15m"
    max_total_unready_percentage: Annotated[str, Limits(default="45", min_length=1, max_length=3, pattern=_NUMBER)] = (
        "45"
    )
    new_pod_scale_up_delay: Annotated[str, _text("0s")] = "0s"
    ok_total_unready_count: Annotated[str, _text("3", _NUMBER)] = "3"
    scale_down_delay_after_add: Annotated[str, _text("10m", _MINUTES)] = "10m"
    scale_down_delay_after_delete: Annotated[str, _text("10s", _SECONDS)] = "10s"
    scale_down_delay_after_failure: Annotated[str, _text("3m", _MINUTES)] = "3m"
    scale_down_unneeded_time: Annotated[str, _text("10m", _MINUTES)] = "10m"
    scale_down_unready_time: Annotated[str, _text("20m", _MINUTES)] = "20m"
    scale_down_utilization_threshold: Annotated[str, _text("0.5")] = "0.5"
    scan_interval: Annotated[str, _text("10s", _SECONDS)] = "10s"
    skip_nodes_with_local_storage: Annotated[str, _flag("false")] = "false"
    skip_nodes_with_system_pods: Annotated[str, _flag("true")] = "true"
