"""How a kubeconfig becomes a client: the short way where it points back into this process, HTTPS everywhere else."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from capipool.apiserver.authn import Authenticator
from capipool.apiserver.pki import Pair
from capipool.apiserver.server import MANAGEMENT, Server
from capipool.app.spaces import PREFIX
from capipool.app.transport import InProcessTransport
from capipool.client import kubeconfig
from capipool.client.client import Client
from capipool.client.kubeconfig import Endpoint
from capipool.machinery.calls import ADMIN, User
from capipool.machinery.clock import Clock


@dataclass(frozen=True, slots=True)
class Home:
    """This process's own server, and what shows that a kubeconfig is let in there."""

    server: Server
    authenticator: Authenticator
    url: str
    ca: bytes
    admin: Pair | None

    def space(self, endpoint: Endpoint) -> str | None:
        """The address space that an endpoint means; None where it is not of this server.

        Only this process serves with certificates of its authority, so an endpoint that trusts it alone is ours also
        where it names another address: that of an earlier start, on another port.
        """
        address, own = urlsplit(endpoint.server), urlsplit(self.url)
        if endpoint.ca != self.ca or not (self.ca or address[:2] == own[:2]):
            return None
        path = address.path.rstrip("/")
        if not path:
            return MANAGEMENT
        prefix = f"{PREFIX}/"
        return path.removeprefix(prefix) if path.startswith(prefix) else None

    def user(self, endpoint: Endpoint, space: str) -> User | None:
        """Whom an endpoint's credentials let in; None where only the front door can tell."""
        user = self.authenticator.by_token(endpoint.token) if endpoint.token else None
        if user is None and self.admin is not None and endpoint.cert == self.admin.certificate:
            user = ADMIN if endpoint.key == self.admin.key else None
        return user if user is not None and self.authenticator.may_use(user, space) else None


class Dialer:
    """Opens clients for kubeconfigs. Never lets anybody in whom the front door would not."""

    def __init__(self, home: Home | None, clock: Clock) -> None:
        self._home = home
        self._clock = clock

    async def __call__(self, config: bytes) -> Client:
        """A client for a kubeconfig. Raises KubeconfigError."""
        endpoint = kubeconfig.parse(config)
        if (home := self._home) is not None and (space := home.space(endpoint)) is not None:
            user = home.user(endpoint, space)
            if user is not None and home.server.has_space(space):
                return Client(InProcessTransport(home.server, space, user))
        from capipool.client import credentials  # an HTTP client takes a while to import, and few need one here

        return credentials.connect(endpoint, clock=self._clock)
