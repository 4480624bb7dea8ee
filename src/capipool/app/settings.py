"""What a process of capipool can be told, with what unset means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from capipool.app import gates, providers
from capipool.app.clouds import Clouds


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to run the embedded server and the controllers."""

    data_dir: Path | None = None
    """Where state is kept. None keeps it in memory and serves no HTTP: for tests."""
    host: str = "127.0.0.1"
    """Address to serve on. Nothing but this machine reaches the default."""
    port: int = 0
    """Port to serve on; 0 takes a free one."""
    controllers: bool = True
    """Whether the controllers and the development cloud run too, or the API server alone."""
    namespace: str = ""
    """The controllers see this namespace alone; empty means all."""
    watch_filter: str = ""
    """The controllers see to objects whose label `cluster.x-k8s.io/watch-filter` has this value alone."""
    providers: tuple[str, ...] = providers.ALL
    """Names of the providers to serve and run, out of `app.providers`."""
    clouds: Clouds = field(default_factory=Clouds)
    """Where clouds are, for clusters that do not say."""
    gates: Mapping[str, bool] = field(default_factory=lambda: dict(gates.DEFAULTS))
    """Feature gates by name, all of them."""
