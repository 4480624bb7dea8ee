"""Where credentials come from: files beside files, the environment, the service account of a pod."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from capipool.client import credentials, kubeconfig
from capipool.client.identity import Identity
from capipool.client.kubeconfig import Endpoint, KubeconfigError
from capipool.machinery import codec, errors
from capipool.machinery.clock import Clock
from capipool.testing import virtual


def write(path: Path, **cluster: Any) -> Path:
    text = kubeconfig.build(
        server=f"https://{path.stem}", ca=b"", cluster=path.stem, user=path.stem, token=f"t-{path.stem}"
    )
    config = next(codec.decode_yaml(text))
    config["clusters"][0]["cluster"] |= cluster
    path.write_text(codec.encode_yaml(config))
    return path


def test_files_that_a_kubeconfig_names_stand_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.pem").write_bytes(b"CA")
    path = write(tmp_path / "one", **{"certificate-authority-data": None, "certificate-authority": "pki/ca.pem"})
    assert credentials.load(path).ca == b"CA"


def test_the_file_given_goes_before_the_environment_and_that_before_the_home_directory(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    write(tmp_path / ".kube" / "config")
    one, two = write(tmp_path / "one"), write(tmp_path / "two")
    home = {"HOME": str(tmp_path)}
    named = home | {"KUBECONFIG": f"{tmp_path / 'missing'}:{one}:{two}"}
    assert credentials.find(named, explicit=str(two)).server == "https://two"
    assert credentials.find(named).server == "https://one"
    assert credentials.find(named, context="two@two").token == "t-two"
    assert credentials.find(home).server == "https://config"


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match=r"gone: no such file"):
        credentials.load(tmp_path / "gone")


def test_a_kubeconfig_that_is_malformed_is_named_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_text("clusters: [\n")
    with pytest.raises(KubeconfigError, match=r"broken is not valid YAML.*line 2"):
        credentials.load(path)


def test_a_pod_uses_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubernetes.aio.config import incluster_config

    for name, content in (("token", "jwt"), ("ca.crt", "CA"), ("namespace", "capipool-system")):
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    endpoint = credentials.find(environ)
    assert (endpoint.server, endpoint.ca, endpoint.namespace) == ("https://[fd00::1]:443", b"CA", "capipool-system")
    assert endpoint.token_file == str(tmp_path / "token")


def test_a_pod_without_a_service_account_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kubernetes.aio.config import incluster_config

    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    with pytest.raises(KubeconfigError, match="service account of this pod: Service token file does not exist"):
        credentials.in_cluster({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"})


@pytest.mark.parametrize(
    ("endpoint", "authorization"),
    [
        (Endpoint("https://h", token="t"), "Bearer t"),
        (Endpoint("https://h", username="me", password="pw"), "Basic bWU6cHc="),
        (Endpoint("https://h"), ""),
    ],
)
async def test_what_a_kubeconfig_holds_itself_needs_no_library(endpoint: Endpoint, authorization: str) -> None:
    who = credentials.credentials_of(endpoint, clock=virtual.clock())
    assert (await who.identity()).authorization == authorization
    assert not who.expire()


class Plugin:
    """Gives out numbered tokens that last an hour."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.runs = 0

    async def __call__(self) -> dict[str, Any]:
        self.runs += 1
        until = self._clock.now() + dt.timedelta(hours=1)
        return {"token": f"t{self.runs}", "expirationTimestamp": until.isoformat()}


def test_an_identity_is_renewed_shortly_before_it_runs_out() -> None:
    import asyncio

    async def main() -> None:
        clock = virtual.clock()
        clock.now()
        plugin = Plugin(clock)
        who = credentials.Renewed(plugin, Endpoint("https://h"), clock)
        assert (await who.identity()).authorization == "Bearer t1"
        await asyncio.sleep(3500)
        assert (await who.identity()).authorization == "Bearer t1"
        await asyncio.sleep(80)
        assert (await who.identity()).authorization == "Bearer t2"
        assert who.expire()
        assert (await who.identity()).authorization == "Bearer t3"

    virtual.run(main())


async def test_a_plugin_may_give_a_certificate_and_must_give_something() -> None:
    async def certificate() -> dict[str, Any]:
        return {"clientCertificateData": "CERT", "clientKeyData": "KEY"}

    async def nothing() -> dict[str, Any]:
        return {}

    endpoint, clock = Endpoint("https://h", source="the file"), virtual.clock()
    assert await credentials.Renewed(certificate, endpoint, clock).identity() == Identity("", b"CERT", b"KEY")
    with pytest.raises(errors.Unauthorized, match="the file: the credential plugin gave no token"):
        await credentials.Renewed(nothing, endpoint, clock).identity()
