"""Label and field selectors read and match as Kubernetes' do."""

import pytest

from capipool.machinery import selectors
from capipool.machinery.errors import BadRequest

LABELS = {"app": "web", "tier": "front", "example.com/zone": "a"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app = db", False),
        ("app!=db", True),
        ("missing!=x", True),
        ("app in (db, web)", True),
        ("app notin (db,web)", False),
        ("missing notin (x)", True),
        ("app", True),
        ("!app", False),
        ("!missing,app=web,example.com/zone in (a)", True),
    ],
)
def test_label_selectors_match(text: str, matches: bool) -> None:
    assert selectors.parse_labels(text).matches(LABELS) is matches


@pytest.mark.parametrize("text", ["app in web", "=x", "a b=c", "app=-", "app in (a b)", f"app={'x' * 64}"])
def test_a_malformed_label_selector_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(BadRequest, match="label selector"):
        selectors.parse_labels(text)


def test_a_selector_prints_as_it_reads() -> None:
    text = "a=b,c!=d,e in (x,y),!f,g"
    assert selectors.parse_labels(str(selectors.parse_labels(text))) == selectors.parse_labels(text)


def test_selector_objects_need_every_part() -> None:
    selector = selectors.from_object(
        {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "In", "values": ["back"]}]}
    )
    assert selector is not None
    assert not selector.matches(LABELS)
    assert selectors.from_object(None) is None
    with pytest.raises(BadRequest, match="Near"):
        selectors.from_object({"matchExpressions": [{"key": "a", "operator": "Near"}]})


def test_field_selectors_match_exactly() -> None:
    fields = {"metadata.name": "n", "spec.nodeName": ""}
    selector = selectors.parse_fields("metadata.name=n,spec.nodeName!=x")
    assert selector.matches(lambda path: fields.get(path, ""))
    assert selector.exact("metadata.name") == "n"
    assert selector.exact("spec.nodeName") is None
    with pytest.raises(BadRequest, match=r"field selector 'metadata\.name'"):
        selectors.parse_fields("metadata.name")
