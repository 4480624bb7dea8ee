"""Tokens that EKS's API servers take: a call to STS, signed and not made, which the server makes to see who asks.

A token is good for 15 minutes from its signing, and says when that was; nothing else need be remembered of it.
"""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any
from urllib.parse import parse_qs, urlsplit

from capipool.providers.aws.calls import Calls

PREFIX = "k8s-aws-v1."
VALID = dt.timedelta(minutes=15)
"""How long EKS takes a token after its signing, whatever the signature itself says."""
REFRESH = dt.timedelta(minutes=8)
"""At which age a token is replaced: half its life is left for who reads it late, and credentials out of which it was
signed, which the library renews ten minutes before their end, are still good then."""
_HEADER = "x-k8s-aws-id"
_SIGNED_SECONDS = 60
_PARAMETER = "EKSCluster"
_ID = "capipool-eks-token"


async def make(calls: Calls, region: str, cluster: str) -> str:
    """A fresh token for a cluster. Calls nobody but for the credentials. Raises ProviderError."""
    url = await calls.use(region, "sts", lambda library: presigned(library, cluster))
    return PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def presigned(library: Any, cluster: str) -> str:
    """The address of GetCallerIdentity, signed together with the cluster's name. `library`: its client of STS."""
    events = library.meta.events
    events.register("provide-client-params.sts.GetCallerIdentity", _take, unique_id=f"{_ID}-take")
    events.register("before-sign.sts.GetCallerIdentity", _add_header, unique_id=f"{_ID}-sign")
    url: str = library.generate_presigned_url(
        "get_caller_identity", Params={_PARAMETER: cluster}, ExpiresIn=_SIGNED_SECONDS, HttpMethod="GET"
    )
    return url


def _take(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    """The cluster's name is no parameter of the call: it goes along to where the call is signed."""
    if _PARAMETER in params:
        context[_PARAMETER] = params.pop(_PARAMETER)


def _add_header(request: Any, **_: Any) -> None:
    if _PARAMETER in request.context:
        request.headers[_HEADER] = request.context[_PARAMETER]


def signed_at(token: str) -> dt.datetime | None:
    """When a token was signed; None where it is no token of EKS's."""
    if not token.startswith(PREFIX):
        return None
    text = token.removeprefix(PREFIX)
    try:
        url = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        stamp = parse_qs(urlsplit(url).query)["X-Amz-Date"][0]
        return dt.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except (ValueError, KeyError):
        return None
