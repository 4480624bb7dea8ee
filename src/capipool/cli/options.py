"""The options that several commands share, said once."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import click

from capipool.app import providers as known

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]

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
    text = "text"


def output(*choices: Output) -> Decorator[Any]:
    """`--output`, the first choice being the default."""
    return click.option(
        "--output", "-o", type=click.Choice(choices), default=choices[0], show_default=True, help="How to print."
    )


data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=default_data_dir,
    metavar="DIR",
    help="Where state, certificates and the kubeconfig are kept.  [default: CAPIPOOL_DATA_DIR or ~/.capipool]",
)
feature_gates = click.option(
    "--feature-gates",
    default="",
    metavar="K=V,...",
    help="Feature gates, e.g. MachinePool=false.  [default: what EXP_MACHINE_POOL says, or true]",
)
kubeconfig = click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Which API server to talk to.  [default: KUBECONFIG, or the one in the data directory]",
)
namespace = click.option("--namespace", "-n", metavar="NS", help="Namespace.  [default: the kubeconfig's]")
only_namespace = click.option(
    "--namespace", "-n", default="", metavar="NS", help="Namespace the controllers see.  [default: all]"
)
providers = click.option(
    "--providers",
    default="",
    metavar="NAME,...",
    help=f"Providers to serve and run, of {', '.join(known.ALL)}.  [default: all]",
)
watch_filter = click.option(
    "--watch-filter",
    default="",
    metavar="VALUE",
    help="See only to objects with this value of the label cluster.x-k8s.io/watch-filter.  [default: to all]",
)
log_level = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is logged, on standard error.",
)
log_format = click.option(
    "--log-format",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    show_default=True,
    help="auto: text in a terminal, JSON elsewhere.",
)
words = click.argument("words", nargs=-1, required=True, metavar="KIND[/NAME]")
