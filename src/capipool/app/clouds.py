"""What the environment says of clouds, in the names that their own tools read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Clouds:
    """Where clouds are, and whose they are, for clusters that do not say.

    Credentials are not here: each cloud's library finds them by a chain of its own.
    """

    aws_region: str = ""
    """The region of clusters that name none. Empty: they must."""
    azure_subscription: str = ""
    """The subscription of clusters that name none. Empty: they must."""
    azure_token_file: str = ""
    """The pod's own token, for workload identity. Empty: where Azure's webhook puts it."""
    azure_endpoint: str = ""
    """A Resource Manager other than Azure's own, `capipool dev azure` for instance. Empty: Azure's own."""
    azure_authority: str = ""
    """Who gives tokens for that Resource Manager. Empty: Azure's own."""
    azure_ca_file: str = ""
    """Authorities that its certificate is trusted by, in PEM. Empty: the usual ones."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Read the environment. AWS's endpoint (`AWS_ENDPOINT_URL`) is read by its library.

        Authority and certificates are taken over only together with the endpoint: by themselves they are set for the
        libraries, which read them.
        """
        endpoint = environment.get("AZURE_RESOURCE_MANAGER", "")
        return cls(
            aws_region=environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION", ""),
            azure_subscription=environment.get("AZURE_SUBSCRIPTION_ID", ""),
            azure_token_file=environment.get("AZURE_FEDERATED_TOKEN_FILE", ""),
            azure_endpoint=endpoint.rstrip("/"),
            azure_authority=environment.get("AZURE_AUTHORITY_HOST", "").rstrip("/") if endpoint else "",
            azure_ca_file=environment.get("SSL_CERT_FILE", "") if endpoint else "",
        )
