"""The options that several commands share, said once."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_PORT = 7443
"""Not 6443, where a kind, k3s or kubeadm cluster of the same machine would be."""


def default_data_dir() -> Path:
    """Where the embedded server keeps its state unless told otherwise."""
    return Path(os.environ.get("CAPIPOOL_DATA_DIR") or Path.home() / ".capipool")


class Output(StrEnum):
    """How data is printed."""

    table = "table"
    wide = "wide"
    json = "json"
    yaml = "yaml"
    name = "name"


class DataOutput(StrEnum):
    """How data is printed where a person's view is no table."""

    text = "text"
    json = "json"


DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="Where state, certificates and the kubeconfig are kept. [env CAPIPOOL_DATA_DIR]",
    ),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to serve on; 0 takes a free one.")]
FeatureGates = Annotated[
    str,
    typer.Option(
        "--feature-gates", metavar="K=V,...", help="Feature gates, e.g. MachinePool=false. [env EXP_MACHINE_POOL]"
    ),
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig", metavar="FILE", help="Which API server to talk to. [env KUBECONFIG; else the data directory's]"
    ),
]
Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", metavar="NS", help="Namespace (default: the kubeconfig's).")
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Look in every namespace.")]
TextOrJson = Annotated[DataOutput, typer.Option("--output", "-o", help="text for people, json for programs.")]
