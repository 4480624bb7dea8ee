"""What the runtime counts, and how Prometheus sees it.

Counting is adding to plain numbers; prometheus-client is imported when somebody first asks for the metrics, since it
would lengthen every start. Names are those of controller-runtime and client-go, so that existing dashboards work.
"""

from __future__ import annotations

import bisect
import weakref
from collections.abc import Iterable, Iterator, Sized
from typing import Any

_RECONCILE_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0)
_QUEUE_BUCKETS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)


class Counter:
    """A number that only grows, by label values."""

    def __init__(self, name: str, help_: str, labels: tuple[str, ...]) -> None:
        self.name = name
        self.help = help_
        self.labels = labels
        self.values: dict[tuple[str, ...], float] = {}

    def add(self, *labels: str, amount: float = 1) -> None:
        """Count one more, or `amount`."""
        self.values[labels] = self.values.get(labels, 0) + amount

    def family(self) -> Any:
        """As prometheus-client has it."""
        from prometheus_client.core import CounterMetricFamily

        family = CounterMetricFamily(self.name, self.help, labels=self.labels)
        for labels, value in self.values.items():
            family.add_metric(labels, value)
        return family


class Histogram:
    """How often a duration in seconds fell under each bound, by one label."""

    def __init__(self, name: str, help_: str, label: str, bounds: tuple[float, ...]) -> None:
        self.name = name
        self.help = help_
        self.label = label
        self.bounds = bounds
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, label: str, seconds: float) -> None:
        """Count one duration."""
        counts = self._counts.get(label)
        if counts is None:
            counts = self._counts[label] = [0] * (len(self.bounds) + 1)
            self._sums[label] = 0.0
        counts[bisect.bisect_left(self.bounds, seconds)] += 1
        self._sums[label] += seconds

    def count(self, label: str) -> int:
        """How many durations were counted."""
        return sum(self._counts.get(label, ()))

    def family(self) -> Any:
        """As prometheus-client has it."""
        from prometheus_client.core import HistogramMetricFamily

        family = HistogramMetricFamily(self.name, self.help, labels=(self.label,))
        for label, counts in self._counts.items():
            family.add_metric((label,), list(self._cumulative(counts)), self._sums[label])
        return family

    def _cumulative(self, counts: list[int]) -> Iterator[tuple[str, float]]:
        total = 0
        for bound, count in zip((*self.bounds, float("inf")), counts, strict=True):
            total += count
            yield ("+Inf" if bound == float("inf") else str(bound)), total


class Sizes:
    """The sizes of things that live, read when asked for. Things are forgotten when nobody else holds them."""

    def __init__(self, name: str, help_: str, label: str) -> None:
        self.name = name
        self.help = help_
        self.label = label
        self._things: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()

    def add(self, thing: Sized, prefix: str = "") -> None:
        """Follow a thing with a `name`. Things of one name are added up."""
        self._things[thing] = f"{prefix}/{thing.name}" if prefix else thing.name  # type: ignore[attr-defined]

    def sizes(self) -> dict[str, int]:
        """The size under each name."""
        found: dict[str, int] = {}
        for thing, name in list(self._things.items()):
            found[name] = found.get(name, 0) + len(thing)
        return found

    def family(self) -> Any:
        """As prometheus-client has it."""
        from prometheus_client.core import GaugeMetricFamily

        family = GaugeMetricFamily(self.name, self.help, labels=(self.label,))
        for name, size in self.sizes().items():
            family.add_metric((name,), size)
        return family


class Metrics:
    """All of the runtime's metrics of one process."""

    def __init__(self) -> None:
        self.reconciles = Counter(
            "controller_runtime_reconcile", "Reconciles, by controller and result.", ("controller", "result")
        )
        self.errors = Counter("controller_runtime_reconcile_errors", "Reconciles that failed.", ("controller",))
        self.terminal = Counter(
            "controller_runtime_terminal_reconcile_errors", "Failures that are not tried again.", ("controller",)
        )
        self.durations = Histogram(
            "controller_runtime_reconcile_time_seconds", "How long reconciles took.", "controller", _RECONCILE_BUCKETS
        )
        self.latencies = Histogram(
            "workqueue_queue_duration_seconds", "How long keys were ready before work began.", "name", _QUEUE_BUCKETS
        )
        self.retries = Counter("workqueue_retries", "Keys added again after a failure.", ("name",))
        self.depths = Sizes("workqueue_depth", "Keys that are ready and wait for a worker.", "name")
        self.caches = Sizes("capipool_cache_objects", "Objects held by informer caches.", "kind")
        self.watch_restarts = Counter("capipool_watch_restarts", "Watches that broke and began again.", ("resource",))
        self.requests = Counter(
            "rest_client_requests", "Requests to API servers, by host, method and code.", ("code", "method", "host")
        )

    def collect(self) -> Iterable[Any]:
        """All metric families, as prometheus-client's registries ask for them."""
        return [metric.family() for metric in vars(self).values()]

    def describe(self) -> Iterable[Any]:
        """Nothing: a registry need not read everything when this is registered."""
        return ()


METRICS = Metrics()
"""The process's metrics. One for all, as Prometheus has it."""


def render() -> bytes:
    """The exposition text, for a `/metrics` page."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(METRICS)
    return bytes(generate_latest(registry))
