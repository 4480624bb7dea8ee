"""The command `capipool`: each command's words, options and help; the work is in `commands/`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from capipool import __version__
from capipool.cli import console, options
from capipool.cli.options import DEFAULT_PORT, Output


class Commands(click.Group):
    """The commands. Ctrl-C ends any of them with the same exit code, also while it is still being loaded."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise SystemExit(console.INTERRUPTED) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="capipool")
def app() -> None:
    """Cluster API machine pools in one process: an API server, the controllers, and a development cloud."""


def _command(example: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A command whose help ends with an example."""
    return app.command(epilog=f"Example: {example}")


@_command("capipool up --data-dir ./data --port 7443")
@options.data_dir
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0: a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--controllers/--no-controllers", default=True, help="Run the controllers too, or the API server alone.")
@options.only_namespace
@options.watch_filter
@options.providers
@options.feature_gates
@options.log_level
@options.log_format
def up(**given: Any) -> None:
    """Serve the API and run the controllers until stopped.

    The development cloud runs too.

    Writes DIR/kubeconfig for kubectl and every other client, then prints one line that begins `capipool is ready`.
    """
    from capipool.cli.commands import up as command

    command.up(**given)


@_command("capipool demo --keep ./data")
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR", help="Leave the state in DIR afterwards.")
def demo(keep: Path | None) -> None:
    """Show the main job in a few seconds.

    A pool of three to Running, scaled to five, rolled to another version without a gap.
    """
    from capipool.cli.commands import demo as command

    console.run(command.demo(keep=keep), loop_factory=console.fast_loop)


@_command("capipool apply -f examples/quickstart.yaml")
@click.option("--filename", "-f", "paths", multiple=True, required=True, metavar="PATH", help="File, directory or -.")
@click.option("--recursive", "-R", is_flag=True, help="Go into sub-directories.")
@click.option("--force-conflicts", "force", is_flag=True, help="Take fields over from other managers.")
@click.option("--dry-run", is_flag=True, help="Ask the server, change nothing.")
@options.kubeconfig
@options.namespace
def apply(**given: Any) -> None:
    """Create or change objects by server-side apply."""
    from capipool.cli.commands import apply as command

    console.run(command.apply(**given))


@_command("capipool get machinepools -A --watch")
@options.words
@click.option("--all-namespaces", "-A", "every", is_flag=True, help="Look in every namespace.")
@click.option("--selector", "-l", "labels", default="", metavar="LABELS", help="Label selector.")
@options.output(Output.table, Output.wide, Output.json, Output.yaml, Output.name)
@click.option("--watch", "-w", is_flag=True, help="Go on and print changes.")
@options.kubeconfig
@options.namespace
def get(**given: Any) -> None:
    """Show objects of any kind."""
    from capipool.cli.commands import get as command

    console.run(command.get(**given))


@_command("capipool describe cluster quickstart")
@options.words
@options.output(Output.text, Output.json)
@options.kubeconfig
@options.namespace
def describe(**given: Any) -> None:
    """Show a cluster, or a part of one, as a tree.

    With instances, machines and nodes, and the one reason why something waits. KIND is cluster, machinepool,
    machinedeployment, machineset or machine; without a name, all of the namespace are shown.
    """
    from capipool.cli.commands import describe as command

    console.run(command.describe(**given))


@_command(
    "capipool kubeconfig quickstart > quickstart.kubeconfig && kubectl --kubeconfig quickstart.kubeconfig get nodes"
)
@click.argument("name", metavar="CLUSTER")
@options.kubeconfig
@options.namespace
def kubeconfig(name: str, **given: Any) -> None:
    """Print the kubeconfig of a workload cluster, to look at its nodes and pods."""
    from capipool.cli.commands import kubeconfig as command

    console.run(command.print_kubeconfig(name, **given))


@_command("capipool scale machinepool/workers --replicas 5")
@options.words
@click.option("--replicas", type=click.IntRange(min=0), required=True, help="How many there should be.")
@options.kubeconfig
@options.namespace
def scale(**given: Any) -> None:
    """Set the replicas of a pool, a deployment or a set."""
    from capipool.cli.commands import scale as command

    console.run(command.scale(**given))


@_command("capipool manifests | kubectl apply --server-side -f -")
@options.providers
@options.output(Output.yaml, Output.json)
def manifests(**given: Any) -> None:
    """Print what a real Kubernetes needs first.

    The CustomResourceDefinitions, and RBAC for the manager.
    """
    from capipool.cli.commands import manifests as command

    console.run(command.print_manifests(**given))


@_command("capipool manager --kubeconfig ~/.kube/config")
@options.kubeconfig
@click.option("--leader-elect/--no-leader-elect", default=True, help="Run one of several managers at a time.")
@click.option("--metrics-port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0: no metrics.")
@options.only_namespace
@options.watch_filter
@options.providers
@options.feature_gates
@options.log_level
@options.log_format
def manager(**given: Any) -> None:
    """Run the controllers alone, against the API server of a kubeconfig (or of the pod it runs in).

    The development cloud is not among them: its clusters live in the process of `capipool up`.
    """
    from capipool.cli.commands import manager as command

    command.manager(**given)


@app.group(epilog="Example: capipool migrate plan && capipool migrate apply && capipool migrate commit")
def migrate() -> None:
    """Bring objects from exp.cluster.x-k8s.io to cluster.x-k8s.io, without touching a machine."""


_rename = click.option(
    "--rename", multiple=True, metavar="OLD=NEW", help="An API group more that was renamed; can be given again."
)
_journal = click.option(
    "--namespace", "-n", metavar="NS", help="Where journal and lease are kept.  [default: the kubeconfig's]"
)
_recursive = click.option("--recursive", "-R", is_flag=True, help="Go into sub-directories.")


@migrate.command(epilog="Example: capipool migrate plan -o json > plan.json")
@click.option("--filename", "-f", "paths", multiple=True, metavar="PATH", help="Files instead of a cluster.")
@_recursive
@_rename
@options.output(Output.table, Output.json)
@options.kubeconfig
def plan(**given: Any) -> None:
    """Show object by object what would change, what is dropped, and what stands in the way. Writes nothing."""
    from capipool.cli.commands import migrate as command

    console.run(command.plan(**given))


@migrate.command("apply", epilog="Example: capipool migrate apply")
@_rename
@click.option("--pause-timeout", type=float, default=60.0, show_default=True, help="Seconds for controllers to pause.")
@click.option("--controllers-stopped", is_flag=True, help="Vouch that none runs: do not wait for them to say so.")
@options.kubeconfig
@_journal
def migrate_apply(**given: Any) -> None:
    """Pause, copy, re-point and verify. Deletes nothing; can be given again after a crash."""
    from capipool.cli.commands import migrate as command

    console.run(command.apply(**given))


@migrate.command(epilog="Example: capipool migrate undo")
@options.kubeconfig
@_journal
def undo(**given: Any) -> None:
    """Bring back the beginning, at any moment before commit."""
    from capipool.cli.commands import migrate as command

    console.run(command.undo(**given))


@migrate.command(epilog="Example: capipool migrate commit")
@options.kubeconfig
@_journal
def commit(**given: Any) -> None:
    """Verify once more, remove the old objects, and let everything go on. There is no way back."""
    from capipool.cli.commands import migrate as command

    console.run(command.commit(**given))


@migrate.command(epilog="Example: capipool migrate convert old/*.yaml > new.yaml")
@click.argument("paths", nargs=-1, required=True, metavar="FILES")
@_recursive
@_rename
@options.output(Output.yaml, Output.json)
def convert(**given: Any) -> None:
    """Convert files, without a cluster. What is dropped is told on standard error."""
    from capipool.cli.commands import migrate as command

    console.run(command.convert(**given))


@app.group(epilog="Example: capipool dev azure --port 8443")
def dev() -> None:
    """Serve stand-ins for clouds on this machine, for tests and for trying things out."""


@dev.command(epilog="Example: capipool dev azure --port 8443 --groups rg,other --boot 20")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0: a free one.")
@options.data_dir
@click.option("--subscription", default="", metavar="ID", help="The one subscription.  [default: always the same one]")
@click.option("--locations", default="eastus,westeurope", show_default=True, metavar="NAME,...", help="Regions.")
@click.option("--groups", default="rg", show_default=True, metavar="NAME,...", help="Resource groups to begin with.")
@click.option("--boot", type=click.FloatRange(min=0), default=5.0, show_default=True, help="Seconds a machine boots.")
@click.option(
    "--operation", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Seconds other operations take."
)
def azure(**given: Any) -> None:
    """Serve a small Azure Resource Manager on loopback until stopped.

    Its state is in memory. Prints the environment for Azure's libraries, then one line that begins
    `capipool dev azure is ready`.
    """
    from capipool.cli.commands import dev as command

    console.run(command.serve_azure(directory=given.pop("data_dir").resolve(), **given))


def main() -> None:
    """The entry point of the console script."""
    app()
