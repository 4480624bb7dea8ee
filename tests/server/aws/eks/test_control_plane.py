"""An EKS cluster that exists is read, shown, and kept reachable; nothing of it is ever changed."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import AsyncIterator

import pytest

from capipool.api.builtin import Secret
from capipool.api.core import Cluster
from capipool.client import kubeconfig
from capipool.machinery import codec, objects
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import Resource
from capipool.providers.aws.eks import tokens
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.sdk import PermissionDenied
from tests.server.aws import cloud
from tests.server.aws.eks.world import BUSY, CLUSTER, EKS, MANIFEST, condition, installed
from tests.server.clouds.world import NS

EVENTS = Resource("", "v1", "Event", "events")
CHANGES = ("create", "update", "delete", "put", "modify", "terminate", "tag", "associate")


@pytest.fixture
async def eks() -> AsyncIterator[EKS]:
    with cloud.running() as running:
        async with installed(running) as made:
            yield made


@pytest.fixture
async def busy() -> AsyncIterator[EKS]:
    with cloud.running() as running:
        async with installed(running, intervals=BUSY) as made:
            yield made


async def ready(eks: EKS) -> AWSManagedControlPlane:
    eks.make_cluster()
    await eks.world.load(MANIFEST)
    return await eks.until(lambda p: p.status.ready and bool(p.status.initialized) and bool(p.status.failure_domains))


async def test_a_cluster_that_exists_is_shown_with_its_facts_and_kept_reachable(
    eks: EKS, capsys: pytest.CaptureFixture[str]
) -> None:
    plane = await ready(eks)
    facts_are_shown(eks, plane)
    await the_cluster_of_cluster_api_follows(eks)
    await the_secret_for_controllers_follows_the_contract(eks, plane)
    await people_get_a_kubeconfig_without_a_token(eks)
    assert [call for call in eks.calls.made if call.startswith(CHANGES)] == []
    shown = [*await eks.world.client.list(EVENTS, NS), await eks.control_plane(), await eks.managed_cluster()]
    said = str([objects.to_raw(obj) for obj in shown]) + "".join(capsys.readouterr())
    assert tokens.PREFIX not in said


def facts_are_shown(eks: EKS, plane: AWSManagedControlPlane) -> None:
    assert plane.spec.control_plane_endpoint.host == eks.cluster.endpoint
    assert plane.spec.control_plane_endpoint.port == 443
    assert plane.status.version == "v1.31.4"
    assert plane.status.external_managed_control_plane
    assert condition(plane, "Ready")[0] == condition(plane, "EKSControlPlaneReady")[0] == "True"
    assert plane.spec.network.vpc.id == eks.facts["vpc"]
    subnets = {s.id: (s.availability_zone, s.is_public) for s in plane.spec.network.subnets}
    assert subnets == {eks.facts["subnet"]: ("us-east-1a", False), eks.facts["public"]: ("us-east-1b", True)}
    groups = {role: group.id for role, group in plane.status.network_status.security_groups.items()}
    own = eks.facts["cluster_group"]
    assert groups == {"cluster": own, "node": own, "node-eks-additional": eks.facts["group"]}
    assert set(plane.status.failure_domains) == {"us-east-1a"}


async def the_cluster_of_cluster_api_follows(eks: EKS) -> None:
    async def so() -> bool:
        found = await eks.world.client.get(Cluster, "demo", NS)
        done = found.status.initialization
        return bool(done.infrastructure_provisioned and done.control_plane_initialized)

    await eks.world.until(so)
    shown = await eks.managed_cluster()
    assert shown.status.ready
    assert shown.spec.control_plane_endpoint.host == eks.cluster.endpoint
    assert set(shown.status.failure_domains) == {"us-east-1a"}
    found = await eks.world.client.get(Cluster, "demo", NS)
    assert found.spec.control_plane_endpoint.host == eks.cluster.endpoint


async def the_secret_for_controllers_follows_the_contract(eks: EKS, plane: AWSManagedControlPlane) -> None:
    secret = await eks.secret("demo-kubeconfig")
    assert secret.type == "cluster.x-k8s.io/secret"
    assert secret.metadata.labels["cluster.x-k8s.io/cluster-name"] == "demo"
    owner = secret.metadata.owner_references[0]
    assert (owner.kind, owner.name, owner.uid) == ("AWSManagedControlPlane", plane.metadata.name, plane.metadata.uid)
    endpoint = kubeconfig.parse(secret.data["value"])
    assert endpoint.server == eks.cluster.endpoint
    assert endpoint.ca == base64.b64decode(eks.cluster.certificate_authority["data"])
    assert endpoint.token == secret.data["token-file"].decode()
    await eks.until(lambda p: endpoint.token in eks.seen)
    relative = next(iter(codec.decode_yaml(secret.data["relative"])))
    assert relative["users"] == [{"name": f"{CLUSTER}-capi-admin", "user": {"tokenFile": "./token-file"}}]


async def people_get_a_kubeconfig_without_a_token(eks: EKS) -> None:
    """By the program that the spec names, also when it names another."""
    expected = {
        "iam-authenticator": ["aws-iam-authenticator", "token", "-i", CLUSTER],
        "aws-cli": ["aws", "eks", "get-token", "--cluster-name", CLUSTER, "--region", "us-east-1"],
    }
    for method, command in expected.items():
        await eks.world.patch(AWSManagedControlPlane, "demo", {"spec": {"tokenMethod": method}})

        async def so(command: list[str] = command) -> bool:
            secret = await eks.secret("demo-user-kubeconfig")
            assert tokens.PREFIX.encode() not in secret.data["value"]
            run = next(iter(codec.decode_yaml(secret.data["value"])))["users"][0]["user"]["exec"]
            return [run["command"], *run["args"]] == command

        await eks.world.until(so)


async def test_a_cluster_that_is_not_there_says_what_to_do_and_is_taken_when_it_comes(eks: EKS) -> None:
    await eks.world.load(MANIFEST)
    plane = await eks.until(lambda p: condition(p, "EKSControlPlaneReady")[1] == "EKSClusterNotFound")
    message = condition(plane, "Ready")[2]
    assert f"there is no EKS cluster {CLUSTER} in us-east-1" in message
    assert "capipool creates no control plane" in message
    assert "spec.eksClusterName" in message
    assert not plane.status.ready
    eks.make_cluster()
    await eks.until(lambda p: p.status.ready)


async def test_an_old_token_is_replaced_and_a_young_one_is_not(busy: EKS, monkeypatch: pytest.MonkeyPatch) -> None:
    await ready(busy)
    first = (await busy.secret("demo-kubeconfig")).data["token-file"]
    signed = busy.calls.made.count("use sts")
    await busy.until(lambda p: busy.calls.made.count("describe_cluster") > 8)
    assert busy.calls.made.count("use sts") == signed
    monkeypatch.setattr(tokens, "REFRESH", dt.timedelta(seconds=1))

    async def so() -> bool:
        return (await busy.secret("demo-kubeconfig")).data["token-file"] != first

    await busy.world.until(so)


async def test_a_process_that_was_away_for_long_finds_its_way_in_again(eks: EKS) -> None:
    await ready(eks)
    await eks.world.stop()
    secret = await eks.secret("demo-kubeconfig")
    old = base64.urlsafe_b64encode(b"https://sts/?x-k8s-aws-id&X-Amz-Date=20200101T000000Z").decode().rstrip("=")
    fresh = secret.data["token-file"]
    data = {k: v.replace(fresh, f"{tokens.PREFIX}{old}".encode()) for k, v in secret.data.items()}
    await eks.world.patch(
        Secret, "demo-kubeconfig", {"data": objects.to_raw(objects.replace(secret, data=data))["data"]}
    )
    eks.seen.clear()
    await eks.world.start()
    await eks.until(lambda p: bool(eks.seen))
    assert (await eks.secret("demo-kubeconfig")).data["token-file"].decode() == eks.seen[-1]


async def test_a_kubeconfig_that_a_person_made_is_left_alone_and_used(eks: EKS) -> None:
    own = kubeconfig.build(server="https://proxy", ca=b"ca", cluster="c", user="u", token="t")
    raw = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "demo-kubeconfig", "namespace": NS}}
    await eks.world.client.create(objects.replace(objects.from_raw(Secret, raw), data={"value": own}))
    plane = await ready(eks)
    assert plane.status.initialized
    assert (await eks.secret("demo-kubeconfig")).data == {"value": own}
    assert "use sts" not in eks.calls.made


ROLE = """
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: AWSClusterRoleIdentity
metadata: {name: team}
spec:
  allowedNamespaces: {}
  roleARN: arn:aws:iam::123456789012:role/team
  sourceIdentityRef: {kind: AWSClusterControllerIdentity, name: default}
"""


async def test_the_cluster_is_read_and_entered_as_whom_the_spec_names(eks: EKS) -> None:
    eks.make_cluster()
    await eks.world.load(MANIFEST + "  identityRef: {kind: AWSClusterRoleIdentity, name: team}\n")
    await eks.until(lambda p: "AWSClusterRoleIdentity/team" in condition(p, "Ready")[2])
    assert eks.calls.made == []
    for raw in codec.decode_yaml(ROLE):
        await eks.world.client.create(objects.from_raw(Unstructured, raw))
    await eks.until(lambda p: p.status.ready)
    token = (await eks.secret("demo-kubeconfig")).data["token-file"].decode().removeprefix(tokens.PREFIX)
    signed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    assert "X-Amz-Security-Token" in signed
    assert "use sts" not in eks.calls.made  # by the process's own identity


async def test_the_states_of_a_cluster_are_followed(eks: EKS) -> None:
    await ready(eks)
    for status in ("DELETING", "FAILED"):
        eks.cluster.status = status
        plane = await eks.until(lambda p, this=status: this in condition(p, "Ready")[2])  # type: ignore[misc]
        assert not plane.status.ready
        assert condition(plane, "EKSControlPlaneReady")[1] == "EKSClusterNotActive"
        assert bool(plane.status.failure_message) == (status == "FAILED")
    eks.cluster.status = "UPDATING"
    plane = await eks.until(lambda p: condition(p, "EKSControlPlaneUpdating")[0] == "True")
    assert plane.status.ready
    assert plane.status.failure_message == ""
    eks.cluster.status, eks.cluster.version = "ACTIVE", "1.32"
    eks.cluster.resources_vpc_config["subnetIds"] = [eks.facts["public"]]
    plane = await eks.until(lambda p: p.status.version == "v1.32.0")
    assert condition(plane, "EKSControlPlaneUpdating")[:2] == ("False", "updated")
    await eks.until(lambda p: [s.id for s in p.spec.network.subnets] == [eks.facts["public"]])


async def test_subnets_that_are_given_are_kept_and_completed(eks: EKS) -> None:
    eks.make_cluster()
    given = f"  network: {{subnets: [{{id: {eks.facts['public']}}}], securityGroupOverrides: {{node: sg-mine}}}}\n"
    await eks.world.load(MANIFEST + given)
    plane = await eks.until(lambda p: bool(p.status.failure_domains))
    assert [(s.id, s.availability_zone, s.is_public) for s in plane.spec.network.subnets] == [
        (eks.facts["public"], "us-east-1b", True)
    ]
    assert plane.status.network_status.security_groups["node"].id == "sg-mine"
    assert set(plane.status.failure_domains) == {"us-east-1b"}


async def test_a_subnet_that_is_not_there_is_no_cluster_that_is_not_there(eks: EKS) -> None:
    eks.make_cluster()
    await eks.world.load(MANIFEST + "  network: {subnets: [{id: subnet-00000000000000000}]}\n")
    plane = await eks.until(lambda p: "subnet-00000000000000000" in condition(p, "Ready")[2])
    assert condition(plane, "Ready")[1] == "EKSControlPlaneReconciliationFailed"


async def test_the_oidc_provider_is_shown_where_there_is_one(eks: EKS) -> None:
    eks.make_cluster()
    issuer = eks.cluster.identity["oidc"]["issuer"]
    iam = eks.cloud.client("iam")
    made = iam.create_open_id_connect_provider(Url=issuer, ThumbprintList=["0" * 40])["OpenIDConnectProviderArn"]
    await eks.world.load(MANIFEST + "  associateOIDCProvider: true\n")
    plane = await eks.until(lambda p: bool(p.status.oidc_provider.arn))
    assert plane.status.oidc_provider.arn == made
    assert '"sts:AssumeRoleWithWebIdentity"' in plane.status.oidc_provider.trust_policy


async def test_a_read_that_fails_is_told_and_takes_nothing_away(eks: EKS) -> None:
    await ready(eks)
    for operation in ("describe_cluster", "describe_subnets", "describe_security_groups"):
        denied = PermissionDenied(operation, detail="no policy")
        denied.delay = dt.timedelta(milliseconds=50)
        eks.calls.fail = lambda called, this=operation, error=denied: error if called == this else None  # type: ignore[misc]
        plane = await eks.until(lambda p, this=operation: this in condition(p, "Ready")[2])  # type: ignore[misc]
        assert plane.status.ready
        assert condition(plane, "EKSControlPlaneReady")[1] == "EKSControlPlaneReconciliationFailed"
        eks.calls.fail = lambda called: None
        await eks.until(lambda p: condition(p, "Ready")[0] == "True")


async def test_at_rest_nothing_is_written(busy: EKS) -> None:
    await ready(busy)
    before = await settled(busy)
    seen = busy.calls.made.count("describe_cluster")
    await busy.until(lambda p: busy.calls.made.count("describe_cluster") >= seen + 10)
    assert await versions(busy) == before


async def settled(eks: EKS) -> list[str]:
    """The versions of all objects once they stay the same for three looks."""
    last, looks = await versions(eks), eks.calls.made.count("describe_cluster")

    async def same() -> bool:
        nonlocal last, looks
        now, count = await versions(eks), eks.calls.made.count("describe_cluster")
        if now != last:
            last, looks = now, count
        return count >= looks + 3

    await eks.world.until(same)
    return last


async def versions(eks: EKS) -> list[str]:
    there = [await eks.control_plane(), await eks.managed_cluster(), await eks.world.client.get(Cluster, "demo", NS)]
    there += [await eks.secret(name) for name in ("demo-kubeconfig", "demo-user-kubeconfig")]
    return [obj.metadata.resource_version for obj in there]


async def test_deletion_leaves_the_cluster_and_says_so(eks: EKS) -> None:
    await ready(eks)
    await eks.world.client.delete(Cluster, "demo", NS)

    async def gone() -> bool:
        return not await eks.world.client.list(AWSManagedControlPlane, NS)

    await eks.world.until(gone)
    assert eks.cluster.status == "ACTIVE"

    async def told() -> bool:
        found: list[Unstructured] = await eks.world.client.list(EVENTS, NS)
        said = [objects.to_raw(e) for e in found]
        return any(e["reason"] == "EKSClusterKept" and CLUSTER in e["message"] for e in said)

    await eks.world.until(told)


async def test_a_paused_control_plane_is_not_looked_at(eks: EKS) -> None:
    eks.make_cluster()
    kind = "kind: AWSManagedControlPlane\nmetadata: {name: demo"
    await eks.world.load(MANIFEST, edits=((kind, f"{kind}, annotations: {{cluster.x-k8s.io/paused: 'true'}}"),))

    async def waits() -> bool:
        return condition(await eks.managed_cluster(), "Ready")[1] == "WaitingForEKSControlPlane"

    await eks.world.until(waits)
    assert eks.calls.made == []
    unpaused = {"metadata": {"annotations": {"cluster.x-k8s.io/paused": None}}}
    await eks.world.patch(AWSManagedControlPlane, "demo", unpaused)
    await eks.until(lambda p: p.status.ready)
