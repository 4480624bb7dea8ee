"""`capipool apply`: server-side apply of files, directories and standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from capipool.cli import console
from capipool.cli.session import Session, connect
from capipool.machinery import codec
from capipool.machinery.errors import ApiError, Conflict, NotFound
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.resource import Resource, split_api_version

FIELD_MANAGER = "capipool-apply"
_SUFFIXES = {".yaml", ".yml", ".json"}


@dataclass(frozen=True, slots=True)
class Document:
    """One object to apply, and where it was read."""

    source: str
    raw: Raw

    @property
    def title(self) -> str:
        """How it is called in messages before the server was asked."""
        name = self.raw["metadata"].get("name")
        return f"{self.raw['kind']}/{name}"


def read(paths: Sequence[str], *, recursive: bool) -> list[Document]:
    """Every document of some files, directories and `-` (standard input), checked for what makes it an object.

    Raises Failure or BadRequest naming the source, so that nothing is applied when anything cannot be read.
    """
    documents = [
        Document(source, raw) for source, text in _texts(paths, recursive) for raw in codec.decode_yaml(text, source)
    ]
    for document in documents:
        _check(document)
    if not documents:
        raise console.Failure(f"no objects found in {', '.join(paths)}")
    return documents


def _texts(paths: Sequence[str], recursive: bool) -> Iterator[tuple[str, str]]:
    for path in paths:
        if path == "-":
            yield "standard input", _decoded(sys.stdin.buffer.read(), "standard input")
            continue
        for file in _files(Path(path), recursive):
            yield str(file), _decoded(file.read_bytes(), str(file))


def _decoded(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise console.Failure(f"{source} is not UTF-8 text (byte {error.start})") from None


def _files(path: Path, recursive: bool) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(p for p in path.glob("**/*" if recursive else "*") if p.suffix in _SUFFIXES and p.is_file())


def _check(document: Document) -> None:
    raw = document.raw
    for field in ("apiVersion", "kind"):
        if not isinstance(raw.get(field), str) or not raw[field]:
            raise console.Failure(f"{document.source}: an object has no {field}; it must be set")
    metadata = raw.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise console.Failure(f"{document.source}: {raw['kind']}: metadata.name must be set")


async def apply(
    paths: Sequence[str], *, kubeconfig: Path | None, namespace: str | None, recursive: bool, force: bool, dry_run: bool
) -> int:
    """Apply everything; each object is reported in a line. Exit code 1 if any failed."""
    documents = read(paths, recursive=recursive)
    async with connect(kubeconfig) as session:
        failed = 0
        for document in documents:
            try:
                console.out(await _apply_one(session, document, namespace, force, dry_run))
            except ApiError as error:
                failed += 1
                console.note(f"error: {document.source}: {document.title}: {error}")
                if isinstance(error, Conflict):
                    console.note("leave those fields out, or take them over with --force-conflicts")
        return console.FAILURE if failed else 0


async def _apply_one(session: Session, document: Document, namespace: str | None, force: bool, dry_run: bool) -> str:
    raw = document.raw
    group, version = split_api_version(raw["apiVersion"])
    resource = await session.client.resources.find(group, raw["kind"], version)
    if resource.namespaced:
        raw = raw | {"metadata": {"namespace": namespace or session.namespace} | raw["metadata"]}
    before = await _current(session, resource, raw)
    after = await session.client.apply(
        raw, resource=resource, field_manager=FIELD_MANAGER, force=force, dry_run=dry_run, strict=True
    )
    return f"{_title(resource, after)} {_verb(before, after)}{' (dry run)' if dry_run else ''}"


async def _current(session: Session, resource: Resource, raw: Raw) -> Unstructured | None:
    try:
        return await session.client.get(resource, raw["metadata"]["name"], raw["metadata"].get("namespace", ""))
    except NotFound:
        return None


def _title(resource: Resource, obj: Unstructured) -> str:
    group = f".{resource.group}" if resource.group else ""
    return f"{resource.kind.lower()}{group}/{obj.metadata.name}"


def _verb(before: Unstructured | None, after: Unstructured) -> str:
    if before is None:
        return "created"
    same = before.metadata.resource_version == after.metadata.resource_version
    return "unchanged" if same else "configured"
