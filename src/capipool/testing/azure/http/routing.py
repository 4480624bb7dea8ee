"""Finds the route of a path. ARM compares letters without their case, except where a value is the client's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from capipool.testing.azure.http.answers import Route


class Router:
    """The routes, looked at in the order given."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [(_pattern(route.template), route) for route in routes]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route with the parts that its template names, or None."""
        for pattern, route in self._routes:
            if route.method == method and (match := pattern.fullmatch(path)):
                return route, {key: unquote(value) for key, value in match.groupdict().items()}
        return None

    def knows(self, path: str) -> bool:
        """Whether there is anything to be had at the path, by whatever method."""
        return any(pattern.fullmatch(path) for pattern, _ in self._routes)


def _pattern(template: str) -> re.Pattern[str]:
    """`{name}` matches one segment, `{name:path}` any number of them."""
    parts = re.split(r"(\{\w+(?::path)?\})", template)
    made = ""
    for part in parts:
        if part.startswith("{"):
            name = part[1:-1]
            made += f"(?P<{name[:-5]}>.+?)" if name.endswith(":path") else f"(?P<{name}>[^/]+)"
        else:
            made += re.escape(part)
    return re.compile(made, re.IGNORECASE)
