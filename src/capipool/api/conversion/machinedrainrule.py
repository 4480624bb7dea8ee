"""MachineDrainRule between v1beta1 and v1beta2, which are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.api.conversion.lossless import Context
from capipool.machinery.objects import Raw


def up(body: Mapping[str, Any]) -> Raw:
    """To v1beta2."""
    return dict(body)


def down(body: Mapping[str, Any], context: Context) -> Raw:
    """To v1beta1."""
    return dict(body)
