"""Which providers there are, by name: what `--providers` chooses from."""

from __future__ import annotations

from collections.abc import Collection

ALL = ("kubeadm", "dev", "aws", "azure")
"""Every provider of this house. What is left out is neither served nor reconciled."""
STANDALONE = tuple(name for name in ALL if name != "dev")
"""Those that need no embedded server."""


class UnknownProvider(ValueError):
    """No provider has this name, or it cannot run here."""

    def __init__(self, name: str, there: Collection[str]) -> None:
        super().__init__(f"no provider is called {name!r} here; there are: {', '.join(there)}")


def parse(text: str, *, among: tuple[str, ...] = ALL) -> tuple[str, ...]:
    """Read `kubeadm,aws`, in the order of `among`; empty means all of them. Raises UnknownProvider."""
    named = {name for part in text.split(",") if (name := part.strip())}
    for name in sorted(named - set(among)):
        raise UnknownProvider(name, among)
    return tuple(name for name in among if not named or name in named)
