"""The API server over HTTP/1.1 and TLS: connections, credentials, paths, media types, and errors as `Status` bodies.

`serve` is the door: the composition root and tests call it with a `Server`. Nothing here decides about objects.
"""

from capipool.apiserver.http.serving import Listener, serve

__all__ = ["Listener", "serve"]
