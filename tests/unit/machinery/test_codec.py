"""YAML is read as Kubernetes reads it."""

import pytest

from capipool.machinery import codec
from capipool.machinery.errors import BadRequest


def test_documents_lists_and_empty_documents() -> None:
    text = "---\n# nothing\n---\nkind: A\n---\nkind: List\nitems: [{kind: B}, {kind: C}]\n"
    assert [d["kind"] for d in codec.decode_yaml(text)] == ["A", "B", "C"]


def test_a_date_stays_the_text_it_is_in_json() -> None:
    assert list(codec.decode_yaml("at: 2026-01-01")) == [{"at": "2026-01-01"}]


@pytest.mark.parametrize(
    ("text", "words"), [("a: [\n", "line 2, column 1"), ("- a", "document 1"), ("a: b: c", "line 1, column 5")]
)
def test_malformed_input_names_source_and_place(text: str, words: str) -> None:
    with pytest.raises(BadRequest, match=rf"pool\.yaml.*{words}"):
        list(codec.decode_yaml(text, "pool.yaml"))


def test_malformed_input_is_reported_in_one_plain_sentence() -> None:
    with pytest.raises(BadRequest) as caught:
        list(codec.decode_yaml("kind: [a\n  b: {", "pool.yaml"))
    assert str(caught.value) == "pool.yaml is not valid YAML: line 2, column 4: did not find expected ',' or ']'"


def test_json_that_is_no_object_is_refused() -> None:
    with pytest.raises(BadRequest, match="not a JSON object but list"):
        codec.decode_json_object(b"[]")
    with pytest.raises(BadRequest, match="not valid JSON"):
        codec.decode_json_object(b"{")
