"""The command `capipool`: each command's words, options and help; the work is in `commands/`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from capipool import __version__
from capipool.cli import console
from capipool.cli.options import (
    DEFAULT_PORT,
    AllNamespaces,
    DataDir,
    DataOutput,
    FeatureGates,
    Kubeconfig,
    Namespace,
    Output,
    Port,
    TextOrJson,
    default_data_dir,
)

app = typer.Typer(
    name="capipool",
    help="Cluster API machine pools in one process: an API server, the controllers, and a development cloud.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Words = Annotated[
    list[str], typer.Argument(metavar="KIND[/NAME]", help="e.g. machinepools, mp/workers, cluster quickstart")
]


@app.command(epilog="Example: capipool up --data-dir ./data --port 7443")
def up(
    data_dir: DataDir = default_data_dir(),  # noqa: B008  (typer shows it as the default)
    port: Port = DEFAULT_PORT,
    host: Annotated[str, typer.Option("--host", help="Address to serve on.")] = "127.0.0.1",
    controllers: Annotated[
        bool, typer.Option("--controllers/--no-controllers", help="Run the controllers too.")
    ] = True,
    feature_gates: FeatureGates = "",
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")] = "info",
    log_format: Annotated[str, typer.Option("--log-format", help="auto, text or json.")] = "auto",
) -> None:
    """Serve the API, run the controllers and the development cloud, until stopped.

    Writes DIR/kubeconfig for kubectl and every other client, then prints one line that begins `capipool is ready`.
    """
    from capipool.cli.commands import up as command

    command.up(
        data_dir=data_dir,
        host=host,
        port=port,
        controllers=controllers,
        feature_gates=feature_gates,
        log_level=log_level,
        log_format=log_format,
    )


@app.command(epilog="Example: capipool demo --keep ./data")
def demo(
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Leave the state in DIR afterwards.")
    ] = None,
) -> None:
    """Show the main job: a pool of three to Running, scaled to five, rolled to another version without a gap."""
    from capipool.cli.commands import demo as command

    console.run(command.demo(keep=keep))


@app.command(epilog="Example: capipool apply -f examples/quickstart.yaml")
def apply(
    filename: Annotated[
        list[str], typer.Option("--filename", "-f", metavar="PATH", help="File, directory, or - for standard input.")
    ],
    recursive: Annotated[bool, typer.Option("--recursive", "-R", help="Go into sub-directories.")] = False,
    force_conflicts: Annotated[
        bool, typer.Option("--force-conflicts", help="Take fields over from other managers.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask the server, change nothing.")] = False,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
) -> None:
    """Create or change objects by server-side apply."""
    from capipool.cli.commands import apply as command

    console.run(
        command.apply(
            filename,
            kubeconfig=kubeconfig,
            namespace=namespace,
            recursive=recursive,
            force=force_conflicts,
            dry_run=dry_run,
        )
    )


@app.command(epilog="Example: capipool get machinepools -A --watch")
def get(
    words: Words,
    all_namespaces: AllNamespaces = False,
    selector: Annotated[str, typer.Option("--selector", "-l", metavar="LABELS", help="Label selector.")] = "",
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print.")] = Output.table,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on and print changes.")] = False,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
) -> None:
    """Show objects of any kind."""
    from capipool.cli.commands import get as command

    console.run(
        command.get(
            words,
            kubeconfig=kubeconfig,
            namespace=namespace,
            every=all_namespaces,
            labels=selector,
            output=output,
            watch=watch,
        )
    )


@app.command(epilog="Example: capipool describe cluster quickstart")
def describe(
    words: Annotated[
        list[str],
        typer.Argument(metavar="cluster|machinepool[/NAME]", help="What to describe; all of them without a name."),
    ],
    output: TextOrJson = DataOutput.text,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
) -> None:
    """Show a cluster or a pool as a tree: instances, nodes, and the one reason why something waits."""
    from capipool.cli.commands import describe as command

    console.run(command.describe(words, kubeconfig=kubeconfig, namespace=namespace, output=output))


@app.command(epilog="Example: capipool scale machinepool/workers --replicas 5")
def scale(
    words: Words,
    replicas: Annotated[int, typer.Option("--replicas", min=0, help="How many there should be.")],
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
) -> None:
    """Set the replicas of a pool, a deployment or a set."""
    from capipool.cli.commands import scale as command

    console.run(command.scale(words, replicas=replicas, kubeconfig=kubeconfig, namespace=namespace))


@app.command(epilog="Example: capipool manifests | kubectl apply --server-side -f -")
def manifests(
    output: Annotated[Output, typer.Option("--output", "-o", help="yaml or json.")] = Output.yaml,
) -> None:
    """Print what a real Kubernetes needs first: the CustomResourceDefinitions, and RBAC for the manager."""
    from capipool.cli.commands import manifests as command

    command.print_manifests(output)


@app.command(epilog="Example: capipool manager --kubeconfig ~/.kube/config --leader-elect")
def manager(
    kubeconfig: Kubeconfig = None,
    leader_elect: Annotated[
        bool, typer.Option("--leader-elect/--no-leader-elect", help="Run one of several at a time.")
    ] = True,
    metrics_port: Annotated[
        int, typer.Option("--metrics-port", min=0, max=65535, help="Prometheus metrics; 0 for none.")
    ] = 8080,
    feature_gates: FeatureGates = "",
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")] = "info",
    log_format: Annotated[str, typer.Option("--log-format", help="auto, text or json.")] = "auto",
) -> None:
    """Run the controllers alone, against the API server of a kubeconfig (or of the pod it runs in)."""
    from capipool.cli.commands import manager as command

    command.manager(
        kubeconfig=kubeconfig,
        leader_elect=leader_elect,
        metrics_port=metrics_port,
        feature_gates=feature_gates,
        log_level=log_level,
        log_format=log_format,
    )


@app.command(epilog="Example: capipool version")
def version() -> None:
    """Print the version."""
    console.out(__version__)


def main() -> None:
    """The entry point of the console script."""
    app()
