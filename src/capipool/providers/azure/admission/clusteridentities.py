"""Rules of AzureClusterIdentities. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from capipool.api.admission.checks import part
from capipool.machinery import errors
from capipool.machinery.admission import Admit, Rules
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.providers.azure.admission import judging
from capipool.providers.azure.admission.judging import fixed, specs
from capipool.providers.azure.api.clusteridentity import AzureClusterIdentity

_BY_SECRET = ("ServicePrincipal", "ManualServicePrincipal")
_FILE = "UserAssignedIdentityCredential"


def rules() -> list[Rules]:
    """The rules of the kind."""
    return [judging.rules(AzureClusterIdentity.RESOURCE, check=_identity, warn=_warnings)]


def _identity(admit: Admit) -> Iterator[FieldError]:
    spec, old = specs(admit)
    kind, secret = spec.get("type"), part(spec, "clientSecret").get("name")
    if kind in _BY_SECRET and not secret:
        yield errors.required("spec.clientSecret.name", f"the Secret that proves an identity of the type {kind}")
    if kind == "ServicePrincipalCertificate" and not secret and not spec.get("certPath"):
        yield errors.required("spec.certPath", "or clientSecret: where the certificate is")
    if kind != "UserAssignedMSI" and spec.get("resourceID"):
        yield errors.forbidden("spec.resourceID", "only with type UserAssignedMSI")
    path, cloud = "userAssignedIdentityCredentialsPath", "userAssignedIdentityCredentialsCloudType"
    for name in (path, cloud):
        if kind != _FILE and spec.get(name):
            yield errors.forbidden(f"spec.{name}", f"only with type {_FILE}")
    if kind == _FILE and not spec.get(path):
        yield errors.required(f"spec.{path}", "the file with the credentials")
    if admit.operation == "UPDATE":
        yield from fixed(spec, old, "spec", {"type": "another type is another identity; make one"})


def _warnings(raw: Raw) -> Iterator[str]:
    spec = part(raw, "spec")
    if spec.get("allowedNamespaces") is None:
        yield "spec.allowedNamespaces: without it no namespace may use the identity; {} lets all of them"
    if spec.get("type") == "ManualServicePrincipal":
        yield "spec.type: ManualServicePrincipal is deprecated; ServicePrincipal says the same"
    if spec.get("certPath") and spec.get("type") != "ServicePrincipalCertificate":
        yield "spec.certPath: accepted, but only the type ServicePrincipalCertificate reads it"
