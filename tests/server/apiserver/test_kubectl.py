"""The real kubectl against the server over HTTPS: what people type, and what they read in return.

Runs with the kubectl on the path, and with every other one that CAPIPOOL_KUBECTLS names (paths separated by colons):
versions before 1.27 read OpenAPI as protobuf, before 1.26 they know no aggregated discovery.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from capipool.apiserver import authn, pki
from capipool.apiserver.http import serving
from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.machinery import codec
from capipool.machinery.clock import SystemClock

_OTHERS = [path for path in os.environ.get("CAPIPOOL_KUBECTLS", "").split(":") if path]
KUBECTLS = [path for path in (shutil.which("kubectl"), *_OTHERS) if path]

pytestmark = pytest.mark.skipif(not KUBECTLS, reason="there is no kubectl on the path")

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "pools.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "pools", "singular": "pool", "kind": "Pool", "shortNames": ["pl"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
                "additionalPrinterColumns": [
                    {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["replicas"],
                                "properties": {
                                    "replicas": {"type": "integer", "minimum": 0},
                                    "paused": {"type": "boolean"},
                                },
                            },
                            "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
                        },
                    }
                },
            }
        ],
    },
}
POOL = {"apiVersion": "example.org/v1", "kind": "Pool", "metadata": {"name": "p"}, "spec": {"replicas": 3}}
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n"},
    "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]},
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d"},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "one", "image": "i:1"}, {"name": "two", "image": "i:1"}]},
        },
    },
}


class Kubectl:
    """One kubectl with a kubeconfig and a home of its own."""

    def __init__(self, program: str, directory: Path) -> None:
        self._program = program
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "KUBECONFIG": str(directory / "kubeconfig"),
        }

    async def run(self, *arguments: str, stdin: object = None) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        process = await asyncio.create_subprocess_exec(
            self._program,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )
        out, err = await process.communicate(codec.encode_json(stdin) if stdin is not None else b"")
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def __call__(self, *arguments: str, stdin: object = None) -> str:
        """Standard output of a command that must succeed."""
        code, out, err = await self.run(*arguments, stdin=stdin)
        assert code == 0, f"kubectl {' '.join(arguments)}: {err}"
        return out

    async def refused(self, *arguments: str, stdin: object = None) -> str:
        """Standard error of a command that must fail."""
        code, out, err = await self.run(*arguments, stdin=stdin)
        assert code != 0, f"kubectl {' '.join(arguments)} succeeded: {out}"
        return err

    async def define(self) -> None:
        """Apply the CRD and wait until its kind is served."""
        await self("apply", "-f", "-", stdin=CRD)
        await self("wait", "--for=condition=Established", "crd/pools.example.org", "--timeout=10s")


@asynccontextmanager
async def serving_to(program: str, directory: Path) -> AsyncIterator[Kubectl]:
    clock = SystemClock()
    server = Server(journal=MemoryJournal(), clock=clock, rng=random.Random(1))
    await server.start()
    authority = pki.Authority(directory / "pki", now=clock.now())
    listener = await serving.serve(server, authenticator=authn.Authenticator(), tls=authority.tls(["127.0.0.1"]))
    try:
        config = pki.kubeconfig(server=listener.url, ca=authority.ca.certificate, client=authority.client("admin"))
        (directory / "kubeconfig").write_bytes(codec.encode_json(config))
        yield Kubectl(program, directory)
    finally:
        await server.stop()
        await listener.close()


@pytest.fixture(params=KUBECTLS)
async def kubectl(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kubectl]:
    async with serving_to(request.param, tmp_path) as found:
        yield found


async def test_custom_resources_are_applied_shown_explained_and_deleted(kubectl: Kubectl) -> None:
    await kubectl.define()
    assert "pools" in await kubectl("api-resources", "--api-group=example.org")
    assert "pool.example.org/p created" in await kubectl("apply", "-f", "-", stdin=POOL)
    assert "unchanged" in await kubectl("apply", "-f", "-", stdin=POOL)
    assert "configured" in await kubectl("apply", "-f", "-", stdin={**POOL, "spec": {"replicas": 4}})
    header, row = (await kubectl("get", "pl")).splitlines()
    assert header.split() == ["NAME", "REPLICAS", "AGE"]
    assert row.split()[:2] == ["p", "4"]
    assert "Replicas:  4" in await kubectl("describe", "pool", "p")
    assert "replicas\t<integer> -required-" in await kubectl("explain", "pool.spec")
    assert "deleted" in await kubectl("delete", "pool", "p", "--timeout=10s")
    assert "NotFound" in await kubectl.refused("get", "pool", "p")


async def test_a_server_side_apply_tells_who_owns_what(kubectl: Kubectl) -> None:
    await kubectl.define()
    await kubectl("apply", "--server-side", "--field-manager=gitops", "-f", "-", stdin=POOL)
    await kubectl("patch", "pool", "p", "--type=merge", "-p", '{"spec":{"replicas":9}}')
    refusal = await kubectl.refused("apply", "--server-side", "--field-manager=gitops", "-f", "-", stdin=POOL)
    assert 'conflict with "kubectl-patch" using example.org/v1' in refusal
    assert ".spec.replicas" in refusal
    await kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=gitops", "-f", "-", stdin=POOL)
    assert await kubectl("get", "pool", "p", "-o", "jsonpath={.spec.replicas}") == "3"


async def test_what_is_wrong_with_an_object_is_said_with_its_path(kubectl: Kubectl) -> None:
    await kubectl.define()
    unknown = await kubectl.refused("create", "-f", "-", stdin={**POOL, "spec": {"replicas": 1, "replica": 2}})
    assert "replica" in unknown
    wrong = await kubectl.refused("create", "--validate=false", "-f", "-", stdin={**POOL, "spec": {"replicas": -1}})
    assert "spec.replicas" in wrong
    assert "should be greater than or equal to 0" in wrong


async def test_what_kubectl_makes_itself_is_understood(kubectl: Kubectl) -> None:
    """These commands send protobuf."""
    await kubectl("create", "namespace", "team")
    await kubectl("create", "configmap", "c", "-n", "team", "--from-literal=a=b")
    await kubectl("create", "secret", "generic", "s", "-n", "team", "--from-literal=a=b")
    await kubectl("create", "serviceaccount", "bot", "-n", "team")
    assert await kubectl("get", "secret", "s", "-n", "team", "-o", "jsonpath={.data.a}") == "Yg=="
    assert await kubectl("get", "configmap", "c", "-n", "team", "-o", "jsonpath={.data.a}") == "b"
    assert "Opaque" in await kubectl("get", "secret,configmap,serviceaccount", "-n", "team")
    await kubectl("delete", "namespace", "team", "--timeout=20s")
    assert "NotFound" in await kubectl.refused("get", "namespace", "team")


async def test_builtin_kinds_are_merged_by_their_keys(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    await kubectl("set", "image", "deployment/d", "two=i:2")
    images = await kubectl("get", "deployment", "d", "-o", "jsonpath={.spec.template.spec.containers[*].image}")
    assert images == "i:1 i:2"
    assert "i:1,i:2" in await kubectl("get", "deployment", "d", "-o", "wide")


async def test_nodes_are_tainted_cordoned_and_shown(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=NODE)
    await kubectl("taint", "node", "n", "b=c:NoExecute", "a-")
    await kubectl("cordon", "n")
    await kubectl("label", "node", "n", "node-role.kubernetes.io/worker=")
    row = (await kubectl("get", "nodes")).splitlines()[1].split()
    assert row[:3] == ["n", "Unknown,SchedulingDisabled", "worker"]
    assert await kubectl("get", "node", "n", "-o", "jsonpath={.spec.taints[*].key}") == "b"
    assert "Unschedulable:      true" in await kubectl("describe", "node", "n")


async def test_kinds_with_a_scale_are_scaled(kubectl: Kubectl) -> None:
    await kubectl.define()
    await kubectl("apply", "-f", "-", stdin=POOL)
    assert "scaled" in await kubectl("scale", "pool/p", "--replicas=7")
    assert await kubectl("get", "pool", "p", "-o", "jsonpath={.spec.replicas}") == "7"
    await kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    await kubectl("scale", "deployment/d", "--current-replicas=1", "--replicas=5")
    assert "0/5" in await kubectl("get", "deployment", "d")


async def test_a_drain_evicts_the_pods_of_a_node(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", stdin=NODE)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "w"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    await kubectl("create", "-f", "-", stdin={**pod, "spec": {**pod["spec"], "nodeName": "n"}})  # type: ignore[dict-item]
    await kubectl("create", "-f", "-", stdin={**pod, "metadata": {"name": "elsewhere"}})
    out = await kubectl("drain", "n", "--force", "--grace-period=0", "--timeout=20s")
    assert "drained" in out or "evicted" in out
    assert (await kubectl("get", "pods", "-o", "name")).split() == ["pod/elsewhere"]


async def test_a_watch_shows_rows_as_they_change(kubectl: Kubectl) -> None:
    await kubectl.define()
    await kubectl("apply", "-f", "-", stdin=POOL)
    watching = asyncio.create_task(kubectl.run("get", "pools", "--watch", "--request-timeout=3s"))
    for replicas in range(4, 12):
        await kubectl("patch", "pool", "p", "--type=merge", "-p", f'{{"spec":{{"replicas":{replicas}}}}}')
    _, out, _ = await watching
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["NAME", "REPLICAS", "AGE"]
    assert sum(line[0] == "NAME" for line in lines) == 1
    assert lines[-1][:2] == ["p", "11"]


async def test_what_one_may_do_can_be_asked(kubectl: Kubectl) -> None:
    assert (await kubectl("auth", "can-i", "delete", "nodes")).strip() == "yes"
