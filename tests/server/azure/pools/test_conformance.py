"""The provider of Azure keeps the contract, Uniform and Flexible, against the Resource Manager over HTTPS."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from capipool.testing.conformance import ProviderConformance
from tests.server.azure.pools import lab as labs


class TestUniform(ProviderConformance):
    @pytest.fixture
    async def lab(self) -> AsyncIterator[labs.AzureLab]:
        async with labs.running() as lab:
            yield lab


class TestFlexible(ProviderConformance):
    @pytest.fixture
    async def lab(self) -> AsyncIterator[labs.AzureLab]:
        async with labs.running(spec={"orchestrationMode": "Flexible"}) as lab:
            yield lab
