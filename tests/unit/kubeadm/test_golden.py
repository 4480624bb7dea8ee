"""What machines receive for the examples, whole, as files to read. `CAPIPOOL_GOLDEN=write` makes them anew."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from capipool.machinery import codec
from capipool.machinery.schema import engine, types
from capipool.providers.kubeadm import inputs
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig
from capipool.providers.kubeadm.rendering import data
from capipool.providers.kubeadm.world import World
from tests.shared import REPOSITORY
from tests.unit.kubeadm import worlds
from tests.unit.kubeadm.cloud_init import CloudInit

GOLDEN = Path(__file__).parent / "golden"
TOKEN = "abcdef.0123456789abcdef"
PIN = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
INSTANCE = {"ds": {"meta_data": {"local_hostname": "node-7"}}}


def documents(file: str) -> list[dict[str, Any]]:
    return list(codec.decode_yaml((REPOSITORY / "examples" / file).read_text()))


def example(file: str) -> World:
    """The world in which the example's KubeadmConfig is rendered."""
    (spec,) = [d["spec"] for d in documents(file) if d["kind"] == "KubeadmConfig"]
    seen = worlds.world(spec)
    given = {
        d["metadata"]["name"]: worlds.secret(d["metadata"]["name"], {k: v.encode() for k, v in d["stringData"].items()})
        for d in documents(file)
        if d["kind"] == "Secret"
    }
    return msgspec.structs.replace(seen, secrets={**seen.secrets, **given})


def rendered(seen: World, format_: Any) -> str:
    """The data, with the pin of the CA that tests make anew each time replaced by a fixed one."""
    boot = inputs.boot(seen, "join", TOKEN)
    text = data.render(boot, format_).value.decode()
    if format_ == "cloud-config":
        return re.sub(r"sha256:[0-9a-f]{64}", PIN, text)
    config = json.loads(text)
    for file in config["storage"]["files"]:
        file["contents"] = (
            {"length": len(file["contents"]["source"])} if file["path"] == "/etc/kubeadm.yml" else file["contents"]
        )
    return msgspec.json.format(msgspec.json.encode(config), indent=2).decode() + "\n"


def check(name: str, text: str) -> None:
    file = GOLDEN / name
    if os.environ.get("CAPIPOOL_GOLDEN") == "write":
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("name", ["quickstart", "kubeadmconfig-pool"])
def test_the_example_gives_the_cloud_config_on_file(name: str) -> None:
    check(f"{name}.cloud-config.yaml", rendered(example(f"{name}.yaml"), "cloud-config"))


def test_the_example_gives_the_ignition_configuration_on_file() -> None:
    check("kubeadmconfig-pool.ignition.json", rendered(example("kubeadmconfig-pool.yaml"), "ignition"))


@pytest.mark.parametrize("name", ["quickstart", "kubeadmconfig-pool"])
def test_cloud_init_accepts_the_file(cloud_init: CloudInit, name: str) -> None:
    config = cloud_init.read((GOLDEN / f"{name}.cloud-config.yaml").read_text(), INSTANCE)
    assert any(command.startswith("kubeadm join") for command in config["runcmd"])


@pytest.mark.parametrize("name", ["quickstart", "kubeadmconfig-pool"])
def test_the_example_is_valid(name: str) -> None:
    structural = engine.compile(types.from_type(KubeadmConfig))
    for raw in (d for d in documents(f"{name}.yaml") if d["kind"] == "KubeadmConfig"):
        assert structural.prune(raw)[1] == []
        assert structural.validate(raw) == []


def test_the_documentation_shows_what_the_example_gives() -> None:
    page = (REPOSITORY / "docs" / "bootstrap.md").read_text()
    (shown,) = re.findall(r"```yaml\n(## template: jinja\n.*?)```", page, re.DOTALL)
    assert shown == (GOLDEN / "kubeadmconfig-pool.cloud-config.yaml").read_text()
