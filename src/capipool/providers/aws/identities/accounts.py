"""The accounts behind the identities: where their keys come from, and how long they are good.

Used by `finding`, which decides who may use them, and called by `calls` before each call. A key never leaves them in a
text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from capipool.machinery.objects import Raw
from capipool.providers.aws.calls import Calls, Keys
from capipool.providers.aws.identities.api import AWSClusterRoleIdentity, AWSClusterStaticIdentity
from capipool.sdk.errors import InvalidConfiguration

SECRET_SECONDS = 60.0
"""How long the keys of a Secret are used before it is read again."""
ROLE_SECONDS = 3600
"""How long an assumed role is asked for where the identity does not say."""
REFRESH_SECONDS = 300.0
"""How long before its end an assumed role is assumed anew."""
SESSION_NAME = "capipool"

IsDeleting = Callable[[], bool]
"""Whether an identity is being deleted, and only there until nobody uses it any more."""
ReadSecret = Callable[[str], Awaitable[dict[str, bytes] | None]]
"""Reads the data of a Secret of the controllers' namespace; None where there is none."""


class StaticAccount:
    """An access key out of a Secret, which may be changed any time."""

    def __init__(self, identity: AWSClusterStaticIdentity, read: ReadSecret, is_deleting: IsDeleting) -> None:
        self.name = f"{AWSClusterStaticIdentity.RESOURCE.kind}/{identity.metadata.name}"
        self._secret = identity.spec.secret_ref
        self._read = read
        self._is_deleting = is_deleting
        self._keys: Keys | None = None
        self._read_at = 0.0
        self._lock = asyncio.Lock()

    async def keys(self, region: str) -> Keys:
        """The keys in the Secret. Raises InvalidConfiguration, ApiError."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._keys is None or now >= self._read_at + SECRET_SECONDS:
                found = await self._current()
                self._keys = self._keys if self._keys == found else found
                self._read_at = now
            assert self._keys is not None
            return self._keys

    def forget(self, keys: Keys) -> None:
        """Read the Secret again before the next call."""
        if self._keys is keys:
            self._read_at = -SECRET_SECONDS

    async def _current(self) -> Keys:
        data = await self._read(self._secret)
        field = f"secretRef of {self.name}"
        if data is None and self._keys is not None and self._is_deleting():
            return self._keys  # who deletes both means the identity last: what was made is deleted with them
        if data is None:
            raise InvalidConfiguration(field, detail="there is no such Secret in the controllers' namespace")
        id, secret = (data.get(name, b"").decode().strip() for name in ("AccessKeyID", "SecretAccessKey"))
        if not id or not secret:
            missing = "AccessKeyID" if not id else "SecretAccessKey"
            raise InvalidConfiguration(field, detail=f"the Secret {self._secret} has no {missing}")
        return Keys(id, secret, data.get("SessionToken", b"").decode().strip())


class RoleAccount:
    """A role that another account assumes, again before each end."""

    def __init__(self, identity: AWSClusterRoleIdentity, source: Calls) -> None:
        self.name = f"{AWSClusterRoleIdentity.RESOURCE.kind}/{identity.metadata.name}"
        self._request = request(identity)
        self._source = source
        self._keys: Keys | None = None
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def keys(self, region: str) -> Keys:
        """The keys of the role. Raises ProviderError: what STS says, or what keeps the source from asking."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._keys is None or now >= self._until - REFRESH_SECONDS:
                answer = await self._source.call(region, "sts", "assume_role", **self._request)
                self._keys = _keys(answer["Credentials"])
                self._until = now + self._request["DurationSeconds"]
            return self._keys

    def forget(self, keys: Keys) -> None:
        """Assume the role anew before the next call."""
        if self._keys is keys:
            self._keys = None


def request(identity: AWSClusterRoleIdentity) -> Raw:
    """What STS is asked for. Pure."""
    spec = identity.spec
    said: Raw = {
        "RoleArn": spec.role_arn,
        "RoleSessionName": spec.session_name or SESSION_NAME,
        "DurationSeconds": spec.duration_seconds or ROLE_SECONDS,
        "ExternalId": spec.external_id,
        "Policy": spec.inline_policy,
        "PolicyArns": [{"arn": arn} for arn in spec.policy_arns],
    }
    return {key: value for key, value in said.items() if value}


def _keys(credentials: Raw) -> Keys:
    return Keys(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
