"""What a client accepts, and what it is given."""

from __future__ import annotations

import pytest

from capipool.apiserver.http import media
from capipool.machinery.errors import BadRequest, NotAcceptable, UnsupportedMediaType

KUBECTL = (
    b"application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (b"", "json"),
        (b"*/*", "json"),
        (b"application/json", "json"),
        (b"application/json; charset=utf-8, */*", "json"),
        (b"application/vnd.kubernetes.protobuf,application/json", "json"),
        (KUBECTL, "table"),
        (b"application/json;as=Table;v=v2;g=meta.k8s.io,application/json", "json"),
        (b"application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "partial"),
        (b"application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "partial"),
        (b"application/yaml", "yaml"),
    ],
)
def test_the_first_form_that_can_be_served_is(accept: bytes, form: str) -> None:
    assert media.accepted(accept) == form


@pytest.mark.parametrize("accept", [b"image/png", b"application/vnd.kubernetes.protobuf", b"application/json;as=Song"])
def test_what_nobody_serves_is_not_acceptable(accept: bytes) -> None:
    with pytest.raises(NotAcceptable):
        media.accepted(accept)


def test_bodies_are_json_or_yaml() -> None:
    assert media.check_content_type("", patch=False) == "application/json"
    assert media.check_content_type("application/json; charset=utf-8", patch=False) == "application/json"
    assert media.check_content_type("application/merge-patch+json", patch=True) == "application/merge-patch+json"
    with pytest.raises(UnsupportedMediaType):
        media.check_content_type("text/plain", patch=False)


def test_rows_carry_what_is_asked_for() -> None:
    assert media.include("") == "Metadata"
    assert media.include("Object") == "Object"
    with pytest.raises(BadRequest):
        media.include("Everything")
