"""What is decided for each state of the world, and what the status says of it."""

from __future__ import annotations

import datetime as dt
import gzip
from typing import Any

import msgspec
import pytest

from capipool.api.builtin import Secret
from capipool.api.constants import Label
from capipool.machinery import conditions as merging
from capipool.machinery import objects
from capipool.machinery.objects import ObjectMeta, OwnerReference
from capipool.providers.kubeadm import conditions, decide, inputs, tokens, world
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfigStatus
from capipool.providers.kubeadm.decide import Adopt, Ignore, Keep, Lock, MakeCertificates, Pause, Wait
from capipool.providers.kubeadm.rendering import data
from capipool.providers.kubeadm.rendering.boot import CannotRender
from capipool.providers.kubeadm.tokens import Carry, Mint, Prolong, Token
from capipool.providers.kubeadm.world import Owner, Settings, World
from tests.unit.kubeadm import worlds

SETTINGS = Settings()
TTL = SETTINGS.token_ttl


def plan(seen: World) -> decide.Plan:
    return decide.decide(seen, SETTINGS)


def kept(seen: World) -> Keep:
    found = plan(seen)
    assert isinstance(found, Keep), found
    return found


def data_secret(seen: World, *, ids: str = "aaaaaa", digest: str | None = None, uid: str = worlds.CONFIG_UID) -> Secret:
    """The data secret as an earlier reconcile of this world left it."""
    if digest is None:
        digest = kept(msgspec.structs.replace(seen, data=None)).digest
    owner = OwnerReference(
        api_version="bootstrap.cluster.x-k8s.io/v1beta2", kind="KubeadmConfig", name="workers", uid=uid
    )
    meta = ObjectMeta(
        name="workers",
        namespace="default",
        labels={Label.CLUSTER_NAME: "c"},
        annotations={world.DIGEST_ANNOTATION: digest, world.TOKENS_ANNOTATION: ids},
        owner_references=(owner,),
    )
    return objects.new(Secret, metadata=meta, type=world.SECRET_TYPE, data={"value": b"x", "format": b"cloud-config"})


def live(id_: str = "aaaaaa", left: dt.timedelta = TTL) -> Token:
    return Token(id=id_, secret="s" * 16, expires=worlds.NOW + left, description=tokens.DESCRIPTION)


def settled(spec: dict[str, Any] | None = None, **changes: Any) -> World:
    """A pool with nodes whose data is up to date and whose token is fresh."""
    seen = worlds.world(spec, owner=Owner.of_pool(worlds.pool(nodes=3)), **changes)
    return msgspec.structs.replace(seen, data=data_secret(seen), tokens=(live(),))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"owner": None}, "Waiting for a Machine or MachinePool"),
        ({"cluster": None}, "Waiting for Cluster c"),
        ({"cluster": worlds.cluster(provisioned=False)}, "Waiting for Cluster status.infrastructureReady"),
        ({"cluster": worlds.cluster(initialized=False)}, "Waiting for Cluster control plane to be initialized"),
        ({"secrets": {}}, "c-ca"),
        ({"connected": False, "unavailable": "its API server cannot be reached"}, "cannot be reached"),
        (
            {
                "cluster": worlds.cluster(controlPlaneEndpoint={}),
                "secrets": {"c-ca": worlds.secret("c-ca", worlds.ca())},
            },
            "controlPlaneEndpoint",
        ),
    ],
)
def test_what_is_missing_is_waited_for_and_named(changes: dict[str, Any], message: str) -> None:
    found = plan(worlds.world(**changes))
    assert isinstance(found, Wait)
    assert message in found.message
    assert not found.refused


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"joinConfiguration": {"controlPlane": {}}}, "controlPlane"),
        ({"format": "ignition", "bootCommands": ["x"]}, "bootCommands"),
        ({"files": [{"path": "/a", "contentFormat": "Template", "content": "{{ range }}"}]}, "spec.files[0]: template"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_field(spec: dict[str, Any], message: str) -> None:
    found = plan(worlds.world(spec))
    assert isinstance(found, Wait)
    assert message in found.message
    assert found.refused


def test_a_missing_secret_of_the_spec_is_named_and_looked_for_again() -> None:
    spec = {"files": [{"path": "/a", "contentFrom": {"secret": {"name": "s", "key": "k"}}}]}
    found = plan(worlds.world(spec))
    assert found == Wait(message="spec.files[0].contentFrom: secret s does not exist", again=decide.POLL)


def test_deleted_and_paused_configurations_are_let_be() -> None:
    deleted = worlds.config(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["x"])
    assert plan(worlds.world(config=deleted)) == Ignore()
    assert plan(worlds.world(cluster=worlds.cluster(paused=True))) == Pause()
    annotated = worlds.config(annotations={"cluster.x-k8s.io/paused": ""})
    assert plan(worlds.world(config=annotated)) == Pause()


def test_a_new_pool_gets_a_token_and_data() -> None:
    found = kept(worlds.world())
    assert found.schedule is not None
    assert (found.schedule.step, found.write) == (Mint(), True)


def test_a_settled_pool_needs_nothing_until_half_its_tokens_life() -> None:
    found = kept(settled())
    assert found.schedule is not None
    assert (found.schedule.step, found.write, found.again) == (Carry(live()), False, TTL / 2)


def test_rotation_changes_the_data_but_not_its_digest() -> None:
    seen = msgspec.structs.replace(settled(), tokens=(live(left=TTL / 2),))
    found = kept(seen)
    assert found.schedule is not None
    assert (found.schedule.step, found.write) == (Mint(), True)
    assert seen.data is not None
    assert found.digest == seen.data.metadata.annotations[world.DIGEST_ANNOTATION]
    one, other = (data.render(inputs.boot(seen, "join", f"{c * 6}.{c * 16}"), "cloud-config") for c in "ab")
    assert one.value != other.value


@pytest.mark.parametrize(
    "spec",
    [
        {"preKubeadmCommands": ["echo"]},
        {"joinConfiguration": {"nodeRegistration": {"kubeletExtraArgs": [{"name": "v", "value": "2"}]}}},
        {"verbosity": 3},
        {"format": "ignition"},
    ],
)
def test_any_real_change_of_a_pool_changes_the_digest_and_is_written(spec: dict[str, Any]) -> None:
    seen = settled()
    changed = kept(msgspec.structs.replace(seen, config=worlds.config(spec)))
    assert changed.write
    assert changed.digest != kept(seen).digest


def test_a_machine_keeps_the_data_it_has_whatever_changes() -> None:
    seen = worlds.world(owner=Owner.of_machine(worlds.machine()))
    seen = msgspec.structs.replace(seen, data=data_secret(seen), tokens=(live(),))
    assert not kept(msgspec.structs.replace(seen, config=worlds.config({"verbosity": 3}))).write
    waning = kept(msgspec.structs.replace(seen, tokens=(live(left=TTL / 2),)))
    assert waning.schedule is not None
    assert isinstance(waning.schedule.step, Prolong)
    lost = kept(msgspec.structs.replace(seen, tokens=()))
    assert lost.schedule is not None
    assert (lost.schedule.step, lost.write) == (Mint(), True)


def test_a_workload_api_that_is_away_leaves_good_data_alone() -> None:
    found = kept(msgspec.structs.replace(settled(), connected=False, unavailable="away"))
    assert (found.write, found.schedule, found.again) == (False, None, TTL / 3)


def test_data_of_an_owner_that_was_restored_is_made_its_own() -> None:
    seen = settled()
    restored = msgspec.structs.replace(seen, data=data_secret(seen, uid="of-before"))
    assert kept(restored).write


def test_a_secret_of_the_same_name_that_is_something_else_is_not_overwritten() -> None:
    found = plan(worlds.world(data=worlds.secret("workers", {"password": b"x"})))
    assert isinstance(found, Wait)
    assert "not overwritten" in found.message


def test_a_data_secret_that_the_owner_names_already_is_taken_over() -> None:
    owner = Owner.of_pool(worlds.pool(dataSecretName="workers"))
    assert plan(worlds.world(owner=owner)) == Adopt("workers")
    known = objects.replace(worlds.config(), status=KubeadmConfigStatus(data_secret_name="workers"))
    assert isinstance(plan(worlds.world(owner=owner, config=known)), Keep)


def test_a_data_secret_of_another_name_is_somebody_elses_to_keep() -> None:
    owner = Owner.of_pool(worlds.pool(dataSecretName="mine"))
    known = objects.replace(worlds.config(), status=KubeadmConfigStatus(data_secret_name="mine"))
    assert plan(worlds.world(owner=owner, config=known)) == Adopt("mine")


def test_a_token_that_the_user_keeps_is_used_and_never_rotated() -> None:
    spec = {"joinConfiguration": {"discovery": {"bootstrapToken": {"token": "usr123.0123456789abcdef"}}}}
    given = Token(id="usr123", secret="0123456789abcdef", description="mine")
    found = kept(worlds.world(spec, given=given))
    assert (found.write, found.schedule) == (True, None)
    boot = inputs.boot(worlds.world(spec, given=given), "join", "")
    assert boot.kubeadm.documents[0]["discovery"]["bootstrapToken"]["token"] == given.text


def test_a_token_in_the_spec_that_does_not_exist_is_replaced() -> None:
    spec = {"joinConfiguration": {"discovery": {"bootstrapToken": {"token": "usr123.0123456789abcdef"}}}}
    found = kept(worlds.world(spec))
    assert found.schedule is not None
    assert found.schedule.step == Mint()


def test_the_first_control_plane_machine_takes_the_lock_then_makes_certificates_then_data() -> None:
    owner = Owner.of_machine(worlds.machine(control_plane=True))
    seen = worlds.world(owner=owner, cluster=worlds.cluster(initialized=False), secrets={})
    assert plan(seen) == Lock()
    seen = msgspec.structs.replace(seen, holds_init_lock=True)
    assert plan(seen) == MakeCertificates()
    secrets = {f"c-{name}": worlds.secret(f"c-{name}", worlds.ca()) for name in ("ca", "sa", "proxy", "etcd")}
    found = kept(msgspec.structs.replace(seen, secrets=secrets))
    assert (found.mode, found.write, found.schedule) == ("init", True, None)
    provided = worlds.cluster(
        initialized=False,
        controlPlaneRef={"apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KubeadmControlPlane", "name": "cp"},
    )
    waiting = plan(msgspec.structs.replace(seen, cluster=provided))
    assert isinstance(waiting, Wait)
    assert waiting.certificates


def test_data_of_kubeadm_init_is_never_turned_into_data_to_join() -> None:
    seen = worlds.world(owner=Owner.of_machine(worlds.machine(control_plane=True)))
    seen = msgspec.structs.replace(seen, data=data_secret(seen, ids="", digest="d"))
    assert kept(seen) == Keep(mode="join")


def test_large_data_is_compressed_the_same_way_each_time_and_what_is_still_too_large_is_told() -> None:
    command = "echo " + "x" * 9000
    boot = inputs.boot(worlds.world({"preKubeadmCommands": [command] * 3}), "join", "t")
    made = data.render(boot, "cloud-config", limit=16 * 1024)
    assert gzip.decompress(made.value).startswith(b"#cloud-config")
    assert made == data.render(boot, "cloud-config", limit=16 * 1024)
    assert made.excess == 0
    tight = data.render(boot, "cloud-config", limit=100)
    assert tight.excess == len(tight.value) - 100
    assert data.render(boot, "ignition", limit=100).value.startswith(b"{"), "Ignition does not decompress itself"
    assert data.digest(boot, "cloud-config") == data.digest(boot, "cloud-config")


def status_of(*conditions_: merging.Condition) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in conditions_}


def test_conditions_say_what_is_waited_for_and_then_that_all_is_there() -> None:
    empty = KubeadmConfigStatus()
    waiting = conditions.waiting(empty, Wait(message="Waiting for x"), has_data=False, now=worlds.NOW)
    assert status_of(*waiting.conditions) == {
        "DataSecretAvailable": ("False", "NotAvailable"),
        "Ready": ("False", "NotReady"),
    }
    legacy = {c.type: (c.status, c.reason, c.severity) for c in waiting.deprecated.v1beta1.conditions}
    assert legacy["Ready"] == ("False", "DataSecretGenerationFailed", "Info")
    later = worlds.NOW + dt.timedelta(hours=1)
    ready = conditions.available(waiting, "workers", now=later)
    assert status_of(*ready.conditions) == {
        "DataSecretAvailable": ("True", "Available"),
        "Ready": ("True", "Ready"),
        "CertificatesAvailable": ("True", "Available"),
    }
    assert ready.data_secret_name == "workers"
    assert ready.initialization.data_secret_created is True
    assert {c.type: c.status for c in ready.deprecated.v1beta1.conditions} == {
        "Ready": "True",
        "DataSecretAvailable": "True",
        "CertificatesAvailable": "True",
    }
    again = conditions.available(ready, "workers", now=later + dt.timedelta(hours=1))
    assert again == ready, "saying the same again changes nothing"


def test_a_refusal_and_a_missing_certificate_have_reasons_of_their_own() -> None:
    refused = conditions.waiting(
        KubeadmConfigStatus(), Wait(message="no", refused=True), has_data=False, now=worlds.NOW
    )
    assert status_of(*refused.conditions)["DataSecretAvailable"] == ("False", conditions.REFUSED)
    missing = conditions.waiting(
        KubeadmConfigStatus(), Wait(message="no ca", certificates=True), has_data=False, now=worlds.NOW
    )
    assert status_of(*missing.conditions)["CertificatesAvailable"] == ("Unknown", "InternalError")


def test_data_that_is_there_stays_available_while_it_cannot_be_brought_up_to_date() -> None:
    ready = conditions.available(KubeadmConfigStatus(), "workers", now=worlds.NOW)
    stale = conditions.waiting(ready, Wait(message="secret s does not exist"), has_data=True, now=worlds.NOW)
    found = merging.find(stale.conditions, "DataSecretAvailable")
    assert found is not None
    assert (found.status, found.message) == ("True", "The data is not up to date: secret s does not exist")


def test_size_is_told_only_once_it_was_a_problem() -> None:
    fine = conditions.sized(KubeadmConfigStatus(), 10, 0, worlds.NOW)
    assert fine.conditions == ()
    big = conditions.sized(fine, 20_000, 3_616, worlds.NOW)
    assert status_of(*big.conditions) == {"DataWithinLimit": ("False", "DataTooLarge")}
    assert status_of(*conditions.sized(big, 10, 0, worlds.NOW).conditions) == {
        "DataWithinLimit": ("True", "WithinLimit")
    }


def test_nothing_that_is_shown_or_raised_holds_a_secret() -> None:
    password, token = "$6$hash", "abcdef.0123456789abcdef"
    spec = {
        "users": [{"name": "u", "passwdFrom": {"secret": {"name": "s", "key": "p"}}}],
        "files": [{"path": "/a", "contentFrom": {"secret": {"name": "s", "key": "p"}}}],
    }
    seen = worlds.world(spec)
    seen = msgspec.structs.replace(seen, secrets={**seen.secrets, "s": worlds.secret("s", {"p": password.encode()})})
    boot = inputs.boot(seen, "join", token)
    made = data.render(boot, "cloud-config")
    assert password.encode() in made.value
    for shown in (repr(boot), repr(boot.files), repr(boot.kubeadm), repr(made), repr(live())):
        assert password not in shown
        assert token not in shown
        assert "s" * 16 not in shown
    broken = {"format": "ignition", "files": [{**spec["files"][0], "encoding": "base64"}]}
    broken_boot = inputs.boot(msgspec.structs.replace(seen, config=worlds.config(broken)), "join", token)
    with pytest.raises(CannotRender) as refusal:
        data.render(broken_boot, "ignition")
    assert password not in str(refusal.value)


def test_tokens_that_could_not_outlive_a_boot_are_not_accepted_as_a_setting() -> None:
    with pytest.raises(ValueError, match="at least"):
        Settings(token_ttl=dt.timedelta(seconds=5))
