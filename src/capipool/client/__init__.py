"""The client: list, get, watch, patch, apply, over HTTPS or in process. The front door of the package.

What needs aiohttp (`client.http`) or the official client (`client.credentials`) is imported from there, by those who
dial a real server, since both take long to import.
"""

from capipool.client.client import Change, Client, Write
from capipool.client.discovery import Discovery
from capipool.client.transport import Transport

__all__ = ["Change", "Client", "Discovery", "Transport", "Write"]
