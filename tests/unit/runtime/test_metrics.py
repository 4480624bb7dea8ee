"""Metrics are plain numbers until Prometheus asks."""

from __future__ import annotations

import subprocess
import sys

from capipool.runtime import metrics


def test_the_page_shows_counters_histograms_and_sizes_under_their_usual_names() -> None:
    all_ = metrics.Metrics()
    all_.reconciles.add("pools", "success")
    all_.reconciles.add("pools", "success")
    all_.durations.observe("pools", 0.02)
    page = _render(all_)
    assert 'controller_runtime_reconcile_total{controller="pools",result="success"} 2.0' in page
    assert 'controller_runtime_reconcile_time_seconds_bucket{controller="pools",le="0.05"} 1.0' in page
    assert 'controller_runtime_reconcile_time_seconds_bucket{controller="pools",le="0.01"} 0.0' in page
    assert 'controller_runtime_reconcile_time_seconds_count{controller="pools"} 1.0' in page


def test_sizes_of_one_name_are_added_and_forgotten_with_their_things() -> None:
    class Thing:
        name = "nodes"

        def __len__(self) -> int:
            return 3

    sizes = metrics.Sizes("size", "help", "kind")
    first, second = Thing(), Thing()
    sizes.add(first)
    sizes.add(second)
    assert sizes.sizes() == {"nodes": 6}
    del first
    assert sizes.sizes() == {"nodes": 3}


def test_the_runtime_imports_neither_prometheus_nor_structlog_nor_aiohttp_before_it_needs_them() -> None:
    heavy = ["prometheus_client", "structlog", "aiohttp", "kubernetes", "yaml"]
    code = f"import sys, capipool.runtime; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _render(all_: metrics.Metrics) -> str:
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(all_)  # type: ignore[arg-type]
    return generate_latest(registry).decode()
