"""What a person may call a kind: `mp`, `machinepool`, `MachinePools`, `machinepools.cluster.x-k8s.io`. Pure.

Works on the aggregated discovery documents (`APIGroupDiscoveryList`) of `/api` and `/apis`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from capipool.machinery.errors import NotFound
from capipool.machinery.resource import Resource

DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class BadWords(ValueError):
    """What was typed names no kind and no object."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One served kind at its preferred version, with the words it goes by."""

    resource: Resource
    words: frozenset[str]
    subresources: frozenset[str]

    def called(self, word: str) -> bool:
        """Whether a person who says this word means this kind. A word may be qualified by (the start of) a group."""
        name, _, group = word.lower().partition(".")
        return name in self.words and (not group or self.resource.group.startswith(group))


def read(documents: Iterable[Mapping[str, Any]]) -> list[Kind]:
    """Every kind of some discovery documents, in their order, which is the server's preference."""
    return [kind for document in documents for group in document.get("items", ()) for kind in _group(group)]


def _group(group: Mapping[str, Any]) -> Iterator[Kind]:
    seen: set[str] = set()
    for version in group.get("versions", ()):
        for served in version.get("resources", ()):
            plural = served["resource"]
            if plural in seen:
                continue
            seen.add(plural)
            kind = served.get("responseKind", {}).get("kind", "")
            resource = Resource(
                group=group.get("metadata", {}).get("name", ""),
                version=version["version"],
                kind=kind,
                plural=plural,
                namespaced=served.get("scope") == "Namespaced",
            )
            words = {plural, kind.lower(), served.get("singularResource", ""), *served.get("shortNames", ())} - {""}
            subresources = frozenset(s["subresource"] for s in served.get("subresources", ()))
            yield Kind(resource, frozenset(words), subresources)


def find(kinds: Iterable[Kind], word: str) -> Kind:
    """The kind that a word means. Raises NotFound, naming the word and how to see what there is."""
    for kind in kinds:
        if kind.called(word):
            return kind
    raise NotFound(f'the server has no kind called "{word}" (kubectl api-resources lists what it has)')


def split_target(words: Sequence[str]) -> tuple[str, str | None]:
    """Read `machinepool/workers`, `machinepool workers` or `machinepools` as kind and name.

    Raises BadWords with a sentence for the user where it is none of them.
    """
    match tuple(words):
        case [one] if one.count("/") == 1 and all(one.split("/")):
            kind, name = one.split("/")
            return kind, name
        case [kind] if "/" not in kind and kind:
            return kind, None
        case [kind, name] if "/" not in kind + name:
            return kind, name
    raise BadWords(f"{' '.join(words)!r} is no KIND, KIND NAME or KIND/NAME")
