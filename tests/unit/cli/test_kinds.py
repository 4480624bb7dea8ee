"""A kind goes by every name that kubectl takes for it."""

import pytest

from capipool.cli import kinds
from capipool.machinery.errors import NotFound

DOCUMENT = {
    "items": [
        {
            "metadata": {"name": "cluster.x-k8s.io"},
            "versions": [
                {
                    "version": "v1beta2",
                    "resources": [
                        {
                            "resource": "machinepools",
                            "singularResource": "machinepool",
                            "shortNames": ["mp"],
                            "scope": "Namespaced",
                            "responseKind": {"kind": "MachinePool"},
                            "subresources": [{"subresource": "scale"}, {"subresource": "status"}],
                        }
                    ],
                },
                {
                    "version": "v1beta1",
                    "resources": [
                        {"resource": "machinepools", "scope": "Namespaced", "responseKind": {"kind": "MachinePool"}}
                    ],
                },
            ],
        }
    ]
}


@pytest.mark.parametrize(
    "word", ["mp", "machinepool", "MachinePools", "machinepools.cluster.x-k8s.io", "machinepool.cluster"]
)
def test_every_name_of_a_kind_finds_its_preferred_version(word: str) -> None:
    kind = kinds.find(kinds.read([DOCUMENT]), word)
    assert (kind.resource.version, kind.resource.kind) == ("v1beta2", "MachinePool")
    assert "scale" in kind.subresources


@pytest.mark.parametrize("word", ["pool", "machinepools.apps"])
def test_an_unknown_name_is_said(word: str) -> None:
    with pytest.raises(NotFound, match=f'"{word}"'):
        kinds.find(kinds.read([DOCUMENT]), word)


@pytest.mark.parametrize(
    ("words", "target"),
    [(["mp"], ("mp", None)), (["mp/a"], ("mp", "a")), (["mp", "a"], ("mp", "a"))],
)
def test_targets(words: list[str], target: tuple[str, str | None]) -> None:
    assert kinds.split_target(words) == target


@pytest.mark.parametrize("words", [["mp/"], ["/a"], ["mp/a", "b"], ["a", "b", "c"], [""], ["a/b/c"]])
def test_nonsense_targets_are_refused(words: list[str]) -> None:
    with pytest.raises(ValueError, match="KIND"):
        kinds.split_target(words)
