"""JSON and YAML in and out. YAML is for people's files; everything on a wire or in the store is JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec

from capipool.machinery.errors import BadRequest

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def encode_json(value: Any) -> bytes:
    """Compact JSON. Structs are written by their wire names."""
    return _encoder.encode(value)


def decode_json(data: bytes | str) -> Any:
    """Plain Python values. Raises BadRequest with the position where it is no JSON."""
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from error


def decode_json_object(data: bytes | str) -> dict[str, Any]:
    """A JSON object. Raises BadRequest where it is something else."""
    value = decode_json(data)
    if not isinstance(value, dict):
        raise BadRequest(f"the body is not a JSON object but {type(value).__name__}")
    return cast(dict[str, Any], value)


def decode_yaml(text: str | bytes, source: str = "the input") -> Iterator[dict[str, Any]]:
    """Each document of a YAML (or JSON) stream that is not empty; a `List` object yields its items.

    Raises BadRequest naming source, line and column where it is malformed, or the document that is no object.
    Nothing is yielded for a stream that is malformed further on: it is read whole first.
    """
    import yaml  # here, because a third of a server's start-up is imports and a server reads no YAML

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = list(yaml.load_all(text, Loader=_timestampless(loader)))
    except yaml.YAMLError as error:
        raise BadRequest(f"{source} is not valid YAML: {_yaml_trouble(error)}") from error
    for number, document in enumerate(documents, start=1):
        if document is None:
            continue
        if not isinstance(document, dict):
            raise BadRequest(f"{source}: document {number} is not an object but {type(document).__name__}")
        if document.get("kind") == "List" and isinstance(document.get("items"), list):
            yield from document["items"]
        else:
            yield document


def _yaml_trouble(error: Any) -> str:
    """Where and what, counted from 1 as editors do. An error without a place (a character that may not be) says all."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    if mark is None or not problem:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def encode_yaml(value: Any) -> str:
    """Block-style YAML in the order of the keys."""
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def _timestampless(loader: Any) -> Any:
    """A loader that reads `2026-01-01` as the string it would be in JSON, as Kubernetes' own YAML does."""
    if (made := _LOADERS.get(loader)) is None:
        resolvers = {
            first: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:timestamp"]
            for first, pairs in loader.yaml_implicit_resolvers.items()
        }
        made = _LOADERS[loader] = type("Loader", (loader,), {"yaml_implicit_resolvers": resolvers})
    return made


_LOADERS: dict[Any, Any] = {}


def format_json(value: Any) -> str:
    """Indented JSON, for people."""
    return msgspec.json.format(_encoder.encode(value), indent=2).decode()
