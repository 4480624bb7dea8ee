"""Who may call: the token endpoint that azure-identity asks, and a credential for tests that need no such round."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from capipool.testing.azure.http.answers import Answer, Call, Route

LIFETIME = dt.timedelta(hours=1)


class AccessToken(NamedTuple):
    """What Azure's libraries expect of a credential."""

    token: str
    expires_on: int


class Credential:
    """A credential that has its token already. `async with` and `close` are there since the libraries call them."""

    def __init__(self, token: str, expires_on: int) -> None:
        self._token = AccessToken(token, expires_on)

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """The token, for whatever scope."""
        return self._token

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Credential:
        return self

    async def __aexit__(self, *_: Any) -> None:
        return None


class Tokens:
    """Hands tokens out. `principals` maps client ids to secrets; None lets anybody in who gives a client id."""

    def __init__(self, principals: Mapping[str, str] | None) -> None:
        self._principals = principals

    def routes(self) -> tuple[Route, ...]:
        """The one path of it."""
        path = "/{tenant}/oauth2/v2.0/token"
        return (Route("POST", path, "token", self._issue, mutating=False, public=True),)

    def _issue(self, call: Call) -> Answer:
        form = dict(parse_qsl(call.body if isinstance(call.body, str) else ""))
        if form.get("grant_type") != "client_credentials":
            return _refusal("unsupported_grant_type", "AADSTS70003: The grant type is not client_credentials.", 400)
        client, secret = form.get("client_id", ""), form.get("client_secret")
        if not client or not (secret or form.get("client_assertion")):
            return _refusal("invalid_request", "AADSTS900144: client_id and a secret or an assertion are needed.", 400)
        if self._principals is not None:
            if client not in self._principals:
                return _refusal("unauthorized_client", f"AADSTS700016: Application '{client}' was not found.", 400)
            if secret is not None and secret != self._principals[client]:
                return _refusal("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401)
        body = {
            "token_type": "Bearer",
            "expires_in": int(LIFETIME.total_seconds()),
            "ext_expires_in": int(LIFETIME.total_seconds()),
            "access_token": f"token-of-{client}",
        }
        return Answer(200, body)


def _refusal(error: str, description: str, status: int) -> Answer:
    return Answer(status, {"error": error, "error_description": description})
