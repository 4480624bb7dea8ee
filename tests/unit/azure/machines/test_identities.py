"""Who may use an identity, and that no text shows what proves it."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from azure.identity import aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from capipool.api.shared import LabelSelector
from capipool.machinery import objects
from capipool.machinery.objects import ObjectMeta
from capipool.providers.azure.api.clusteridentity import (
    AllowedNamespaces,
    AzureClusterIdentity,
    AzureClusterIdentitySpec,
)
from capipool.providers.azure.calls import Cloud
from capipool.providers.azure.identities import credentials
from capipool.providers.azure.identities.credentials import FileCredential, Proof
from capipool.providers.azure.identities.finding import allows
from capipool.sdk.errors import InvalidConfiguration

TENANT, CLIENT, SECRET = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222", "hush-hush"
TEAM = LabelSelector(match_labels={"team": "a"})


@pytest.mark.parametrize(
    ("allowed", "namespace", "labels", "may"),
    [
        (None, "a", {}, False),
        (AllowedNamespaces(), "a", {}, True),
        (AllowedNamespaces(list=("a", "b")), "a", {}, True),
        (AllowedNamespaces(list=("a", "b")), "c", {}, False),
        (AllowedNamespaces(selector=TEAM), "c", {"team": "a"}, True),
        (AllowedNamespaces(selector=TEAM), "c", {"team": "b"}, False),
        (AllowedNamespaces(list=("x",), selector=TEAM), "c", {"team": "a"}, True),
        (AllowedNamespaces(list=("x",), selector=LabelSelector()), "c", {}, False),
        (AllowedNamespaces(selector=LabelSelector()), "c", {}, False),
    ],
)
def test_only_namespaces_that_are_named_may_use_an_identity(
    allowed: AllowedNamespaces | None, namespace: str, labels: dict[str, str], may: bool
) -> None:
    assert allows(allowed, namespace, labels) is may


def identity(type_: str, **fields: Any) -> AzureClusterIdentity:
    spec = AzureClusterIdentitySpec(type=type_, tenant_id=TENANT, client_id=CLIENT, **fields)
    return objects.new(AzureClusterIdentity, metadata=ObjectMeta(name="i", namespace="n"), spec=spec)


def make(of: AzureClusterIdentity, **data: bytes) -> Any:
    return credentials.make(of, Cloud(), proof=Proof(data), token_file="/nowhere/token")


@pytest.fixture(scope="module")
def certificate() -> bytes:
    """A certificate with its key, in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    cert = builder.sign(key, hashes.SHA256())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form) + cert.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    ("type_", "made"),
    [
        ("ServicePrincipal", aio.ClientSecretCredential),
        ("ManualServicePrincipal", aio.ClientSecretCredential),
        ("WorkloadIdentity", FileCredential),
        ("UserAssignedMSI", aio.ManagedIdentityCredential),
        ("UserAssignedIdentityCredential", FileCredential),
    ],
)
async def test_each_type_of_identity_has_its_credential(type_: str, made: type[Any]) -> None:
    of = identity(type_, user_assigned_identity_credentials_path="/nowhere/credentials")
    credential: Any = make(of, clientSecret=SECRET.encode())
    assert isinstance(credential, made)
    await credential.close()


async def test_a_certificate_comes_from_the_secret_or_from_a_file(certificate: bytes, tmp_path: Path) -> None:
    from_secret = make(identity("ServicePrincipalCertificate"), certificate=certificate)
    assert type(from_secret) is aio.CertificateCredential
    await from_secret.close()
    file = tmp_path / "cert.pem"
    file.write_bytes(certificate)
    from_file = make(identity("ServicePrincipalCertificate", cert_path=str(file)))
    assert type(from_file) is FileCredential


async def test_what_is_missing_is_named_without_what_is_there() -> None:
    with pytest.raises(InvalidConfiguration, match="the Secret has no key clientSecret") as caught:
        make(identity("ServicePrincipal"), other=SECRET.encode())
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN hush-hush-----", SECRET.encode()])
async def test_a_certificate_that_cannot_be_read_is_not_quoted(content: bytes) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        make(identity("ServicePrincipalCertificate"), certificate=content)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("content", ["", "{}", '{"tenant_id": "t", "client_id": "c", "client_secret": "hush-hush"}'])
async def test_a_file_of_credentials_that_cannot_be_read_is_not_quoted(content: str, tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    file.write_text(content)
    credential = make(identity("UserAssignedIdentityCredential", user_assigned_identity_credentials_path=str(file)))
    with pytest.raises(InvalidConfiguration, match="is no JSON with tenant_id") as caught:
        await credential.get_token("scope")
    assert SECRET not in str(caught.value)


async def test_a_file_that_is_not_there_says_so() -> None:
    of = identity("UserAssignedIdentityCredential", user_assigned_identity_credentials_path="/nowhere/credentials")
    with pytest.raises(InvalidConfiguration, match=r"/nowhere/credentials cannot be read: No such file") as caught:
        await make(of).get_token("scope")
    assert "n/i" in str(caught.value)


async def test_a_pod_without_a_token_says_who_would_put_it_there() -> None:
    with pytest.raises(InvalidConfiguration, match=r"/nowhere/token cannot be read: .*Azure's webhook"):
        await make(identity("WorkloadIdentity")).get_token("scope")


def test_a_proof_does_not_show_itself() -> None:
    assert SECRET not in repr(Proof({"clientSecret": SECRET.encode()}))
