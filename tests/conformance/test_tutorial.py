"""The provider that docs/provider-sdk.md builds is complete: it runs, and keeps the contract."""

from __future__ import annotations

import inspect
import pathlib
import re
from typing import Any

from capipool import sdk
from capipool.sdk import errors
from capipool.sdk.errors import ProviderError

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "provider-sdk.md"


def _tutorial() -> dict[str, Any]:
    """Run every Python block of the page, in order, as one module."""
    namespace: dict[str, Any] = {"__name__": "tutorial"}
    text = PAGE.read_text()
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text[: block.start(1)].count("\n")
        exec(compile("\n" * line + block.group(1), str(PAGE), "exec", dont_inherit=True), namespace)
    return namespace


_PAGE = _tutorial()
TestTutorial = _PAGE["TestAcme"]
TestTutorialMachines = _PAGE["TestShowing"]


def test_the_page_names_every_error_and_every_protocol() -> None:
    text = PAGE.read_text()
    kinds = [n for n, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, ProviderError)]
    protocols = ["PushesChanges", "RollsNatively", "HoldsTerminations", "ProtectsInstances", "DescribesMachines"]
    missing = [name for name in (*kinds, *protocols) if name != "ProviderError" and f"`{name}`" not in text]
    assert missing == []
    assert all(hasattr(sdk, name) for name in protocols)


def test_the_page_implements_every_method_of_the_interface() -> None:
    text = PAGE.read_text()
    assert [m for m in sdk.PoolProvider.__abstractmethods__ if f"def {m}(" not in text] == []
    described = [name for name in vars(sdk.DescribesMachines) if "machine" in name and not name.startswith("_")]
    assert [name for name in described if f"def {name}(" not in text and f"{name} = " not in text] == []
