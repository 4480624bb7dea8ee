"""Credentials of Azure's library for each type of AzureClusterIdentity.

Used by `finding`. Imports the library only when a credential is made. What a secret holds goes into the library alone:
no text, and no repr, shows it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from capipool.providers.azure.api.clusteridentity import AzureClusterIdentity
from capipool.providers.azure.calls import CLOUDS, Cloud
from capipool.sdk.errors import InvalidConfiguration

TOKEN_FILE = "/var/run/secrets/azure/tokens/azure-identity-token"
"""Where Azure's webhook for workload identity puts a pod's token, unless the environment says otherwise."""
BY_SECRET = ("ServicePrincipal", "ManualServicePrincipal", "ServicePrincipalCertificate")
"""Types that may be proved by a Secret."""
_CLIENT_SECRET, _CERTIFICATE, _PASSWORD = "clientSecret", "certificate", "password"
_CLOUD_TYPES = {
    "public": "AzurePublicCloud",
    "usgov": "AzureUSGovernmentCloud",
    "usgovernment": "AzureUSGovernmentCloud",
    "china": "AzureChinaCloud",
}


@dataclass(frozen=True, slots=True)
class Proof:
    """The data of a Secret."""

    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def make(identity: AzureClusterIdentity, cloud: Cloud, *, proof: Proof, token_file: str) -> Any:
    """The library's credential. Asks nobody yet. Raises InvalidConfiguration for what the identity lacks."""
    from azure.identity import aio

    spec, about = identity.spec, _about(cloud)
    match spec.type:
        case "ServicePrincipal" | "ManualServicePrincipal":
            secret = _needed(identity, proof, _CLIENT_SECRET).decode().strip()
            return aio.ClientSecretCredential(spec.tenant_id, spec.client_id, secret, **about)
        case "ServicePrincipalCertificate":
            return _by_certificate(identity, cloud, proof)
        case "WorkloadIdentity":
            return FileCredential(
                identity,
                token_file,
                lambda _: aio.WorkloadIdentityCredential(
                    tenant_id=spec.tenant_id, client_id=spec.client_id, token_file_path=token_file, **about
                ),
                otherwise="Azure's webhook for workload identity puts it into pods, or AZURE_FEDERATED_TOKEN_FILE says "
                "where it is",
            )
        case "UserAssignedMSI":
            if spec.client_id:
                return aio.ManagedIdentityCredential(client_id=spec.client_id)
            return aio.ManagedIdentityCredential(identity_config={"resource_id": spec.resource_id})
        case "UserAssignedIdentityCredential":
            path = spec.user_assigned_identity_credentials_path
            environment = _CLOUD_TYPES.get(spec.user_assigned_identity_credentials_cloud_type.lower(), "")
            there = CLOUDS[environment] if environment and cloud in CLOUDS.values() else cloud
            return FileCredential(identity, path, lambda content: _user_assigned(identity, there, content))
    raise InvalidConfiguration(f"type of {_title(identity)}", detail="is none of the known ones", value=spec.type)


class FileCredential:
    """A credential made from a file, and made anew once the file changes: others rotate it."""

    def __init__(
        self, identity: AzureClusterIdentity, path: str, make_of: Callable[[bytes], Any], *, otherwise: str = ""
    ) -> None:
        """`otherwise`: the way out where there is no such file."""
        self._identity, self._path, self._make, self._otherwise = identity, path, make_of, otherwise
        self._seen: tuple[int, int] = (0, 0)
        self._inner: Any = None

    async def get_token(self, *scopes: str, **options: Any) -> Any:
        """A token, as the library asks for it. Raises InvalidConfiguration where the file is no use."""
        return await (await self._current()).get_token(*scopes, **options)

    async def get_token_info(self, *scopes: str, options: Any = None) -> Any:
        """The same in the library's newer form."""
        return await (await self._current()).get_token_info(*scopes, options=options)

    async def close(self) -> None:
        """Let go of connections."""
        if self._inner is not None:
            await self._inner.close()

    async def _current(self) -> Any:
        try:
            content, seen = await asyncio.to_thread(self._read)
        except OSError as error:
            said = f"{self._path} cannot be read: {error.strerror}"
            said += f": {self._otherwise}" if self._otherwise else ""
            raise InvalidConfiguration(f"the credentials of {_title(self._identity)}", detail=said) from None
        if self._inner is None or seen != self._seen:
            made = self._make(content)
            await self.close()
            self._inner, self._seen = made, seen
        return self._inner

    def _read(self) -> tuple[bytes, tuple[int, int]]:
        """The file, and what changes with it."""
        with open(self._path, "rb") as file:
            stat = os.fstat(file.fileno())
            return file.read(), (stat.st_mtime_ns, stat.st_ino)

    async def __aenter__(self) -> FileCredential:
        return self

    async def __aexit__(self, *details: Any) -> None:
        await self.close()


def _by_certificate(identity: AzureClusterIdentity, cloud: Cloud, proof: Proof) -> Any:
    """The certificate out of the Secret, or out of a file that is mounted here."""
    password = proof.data.get(_PASSWORD)
    if identity.spec.cert_path:
        return FileCredential(
            identity, identity.spec.cert_path, lambda content: _certificate(identity, cloud, content, password)
        )
    return _certificate(identity, cloud, _needed(identity, proof, _CERTIFICATE), password)


def _certificate(identity: AzureClusterIdentity, cloud: Cloud, content: bytes, password: bytes | None) -> Any:
    from azure.identity.aio import CertificateCredential

    try:
        return CertificateCredential(
            identity.spec.tenant_id,
            identity.spec.client_id,
            certificate_data=content,
            password=password or None,
            **_about(cloud),
        )
    except ValueError:
        # NB: the library's own text may quote what it could not read.
        said = "is no certificate with its private key in PEM or PKCS12, or its password is wrong"
        raise InvalidConfiguration(f"the certificate of {_title(identity)}", detail=said) from None


def _user_assigned(identity: AzureClusterIdentity, cloud: Cloud, content: bytes) -> Any:
    """The file that Azure's data plane for managed identities gives: a certificate, and where to show it."""
    from azure.identity.aio import CertificateCredential

    try:
        said = json.loads(content)
        return CertificateCredential(
            str(said["tenant_id"]),
            str(said["client_id"]),
            certificate_data=base64.b64decode(said["client_secret"], validate=True),
            send_certificate_chain=True,
            **_about(cloud, said.get("authentication_endpoint", "")),
        )
    except (ValueError, KeyError, TypeError, binascii.Error):
        detail = "is no JSON with tenant_id, client_id and a certificate in client_secret"
        raise InvalidConfiguration(f"the credentials of {_title(identity)}", detail=detail) from None


def _about(cloud: Cloud, authority: str = "") -> dict[str, Any]:
    """Where tokens are asked for. Only of Azure's own authorities is anything known beforehand."""
    known = cloud.authority in {each.authority for each in CLOUDS.values()}
    return {
        "authority": (authority or cloud.authority).rstrip("/"),
        "disable_instance_discovery": not known,
        "connection_verify": cloud.ca_file or True,
        "retry_total": 0,
    }


def _needed(identity: AzureClusterIdentity, proof: Proof, key: str) -> bytes:
    found = proof.data.get(key, b"")
    if not found.strip():
        where = identity.spec.client_secret
        named = f" {where.namespace or identity.metadata.namespace}/{where.name}" if where is not None else ""
        raise InvalidConfiguration(f"clientSecret of {_title(identity)}", detail=f"the Secret{named} has no key {key}")
    return found


def _title(identity: AzureClusterIdentity) -> str:
    return f"{AzureClusterIdentity.RESOURCE.kind} {identity.key}"
