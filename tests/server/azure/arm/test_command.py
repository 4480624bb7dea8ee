"""`capipool dev azure`: the same server as a process, and Azure's library in another one."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from azure.identity.aio import ClientSecretCredential
from azure.mgmt.compute.aio import ComputeManagementClient

from tests.e2e.process import CAPIPOOL
from tests.server.azure.arm.bodies import NAME, scale_set


def started(directory: Path, *options: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """The process, ready, with the variables that it printed."""
    process = subprocess.Popen(
        [str(CAPIPOOL), "dev", "azure", "--data-dir", str(directory), *options], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    variables = {}
    for line in process.stdout:
        if line.startswith("capipool dev azure is ready"):
            return process, variables
        name, _, value = line.removeprefix("export ").strip().partition("=")
        variables[name] = value
    raise AssertionError(f"ended with {process.wait(10)} before it was ready")


async def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    process, env = started(tmp_path, "--groups", "mine", "--boot", "0", "--operation", "0")
    try:
        credential = ClientSecretCredential(
            env["AZURE_TENANT_ID"],
            env["AZURE_CLIENT_ID"],
            env["AZURE_CLIENT_SECRET"],
            authority=env["AZURE_AUTHORITY_HOST"],
            disable_instance_discovery=True,
            connection_verify=env["SSL_CERT_FILE"],
        )
        async with (
            credential,
            ComputeManagementClient(
                credential,
                env["AZURE_SUBSCRIPTION_ID"],
                base_url=env["AZURE_RESOURCE_MANAGER"],
                connection_verify=env["SSL_CERT_FILE"],
                polling_interval=0.01,
            ) as compute,
        ):
            poller = await compute.virtual_machine_scale_sets.begin_create_or_update("mine", NAME, scale_set(2))
            made = await poller.result()
            assert made.sku is not None
            assert made.sku.capacity == 2
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout is not None
        process.stdout.close()


def test_a_group_must_be_named(tmp_path: Path) -> None:
    words = [str(CAPIPOOL), "dev", "azure", "--data-dir", str(tmp_path), "--groups", ","]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (2, "error: --groups must name at least one\n")
